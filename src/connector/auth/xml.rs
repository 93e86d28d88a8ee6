//! The little XML that signing in needs: text made safe, the WS-Security header, and a signed SAML assertion.
//!
//! The assertion is written in canonical form from the start (Exclusive XML Canonicalization 1.0, without comments): every
//! element has its end tag, namespaces stand where they are first used, attributes are in their order, there is no blank
//! between elements. So its bytes are what has to be digested and signed, and no canonicaliser is needed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::base::{BadSigningKey, Secret, SigningKey, digest, random_token};

/// Text as canonical XML writes it (Canonical XML 1.0 §2.3). Control characters, which XML cannot carry, are dropped.
pub(in crate::connector) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\r' => safe.push_str("&#xD;"),
            '\n' | '\t' => safe.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => safe.push(c),
        }
    }
    safe
}

/// The `wsse:Security` element (OASIS WS-Security UsernameToken Profile 1.0, PasswordText).
pub(super) fn username_token(user: &str, password: &Secret) -> Secret {
    const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
    const TEXT: &str =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText";
    Secret::new(format!(
        "<wsse:Security xmlns:wsse=\"{WSSE}\"><wsse:UsernameToken><wsse:Username>{}</wsse:Username>\
         <wsse:Password Type=\"{TEXT}\">{}</wsse:Password></wsse:UsernameToken></wsse:Security>",
        escaped(user),
        escaped(password.expose())
    ))
}

/// What an assertion says.
#[derive(Debug)]
pub(super) struct Assertion<'a> {
    pub issuer: &'a str,
    pub subject: &'a str,
    pub audience: &'a str,
    /// The token endpoint.
    pub recipient: &'a str,
    pub attributes: &'a [(String, String)],
    pub now: DateTime<Utc>,
    pub life: TimeDelta,
}

/// Text inside an element of canonical XML: there a quotation mark stays as it is (Canonical XML 1.0 §2.3, text nodes).
fn inner(text: &str) -> String {
    escaped(text).replace("&quot;", "\"")
}

/// A value in quotation marks of canonical XML: `>` stays as it is, tab and line feed do not (§2.3, attribute nodes).
fn quoted(text: &str) -> String {
    escaped(text)
        .replace("&gt;", ">")
        .replace('\t', "&#x9;")
        .replace('\n', "&#xA;")
}

/// A SAML 2.0 assertion with an enveloped signature (RFC 7522 §3; XML Signature, exclusive canonicalization, RSA with
/// SHA-256), ready for base64.
///
/// # Errors
/// When the key cannot sign.
pub(super) fn signed_assertion(say: &Assertion<'_>, key: &SigningKey) -> Result<String, BadSigningKey> {
    let id = format!("_{}", random_token());
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let (now, early, end) = (
        time(say.now),
        time(say.now - TimeDelta::minutes(1)),
        time(say.now + say.life),
    );
    let attributes: String = say
        .attributes
        .iter()
        .map(|(name, value)| {
            format!(
                "<saml:Attribute Name=\"{}\"><saml:AttributeValue>{}</saml:AttributeValue></saml:Attribute>",
                quoted(name),
                inner(value)
            )
        })
        .collect();
    let statement = if attributes.is_empty() {
        String::new()
    } else {
        format!("<saml:AttributeStatement>{attributes}</saml:AttributeStatement>")
    };
    let head = format!(
        "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"{id}\" IssueInstant=\"{now}\" \
         Version=\"2.0\"><saml:Issuer>{}</saml:Issuer>",
        inner(say.issuer)
    );
    let rest = format!(
        "<saml:Subject><saml:NameID Format=\"urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified\">{subject}\
         </saml:NameID><saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\">\
         <saml:SubjectConfirmationData NotOnOrAfter=\"{end}\" Recipient=\"{recipient}\"></saml:SubjectConfirmationData>\
         </saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore=\"{early}\" NotOnOrAfter=\"{end}\">\
         <saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>\
         <saml:AuthnStatement AuthnInstant=\"{now}\" SessionIndex=\"{id}\"><saml:AuthnContext><saml:AuthnContextClassRef>\
         urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext>\
         </saml:AuthnStatement>{statement}</saml:Assertion>",
        subject = inner(say.subject),
        recipient = quoted(say.recipient),
        audience = inner(say.audience),
    );
    let sum = STANDARD.encode(digest(format!("{head}{rest}").as_bytes()));
    let info = format!(
        "<ds:SignedInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:CanonicalizationMethod \
         Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></ds:CanonicalizationMethod><ds:SignatureMethod \
         Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"></ds:SignatureMethod><ds:Reference \
         URI=\"#{id}\"><ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\">\
         </ds:Transform><ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></ds:Transform>\
         </ds:Transforms><ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></ds:DigestMethod>\
         <ds:DigestValue>{sum}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    );
    let signature = STANDARD.encode(key.sign(info.as_bytes())?);
    // Where an assertion's signature stands is fixed: behind the issuer (SAML 2.0 core §5.4.1, schema order).
    Ok(format!(
        "{head}<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">{info}<ds:SignatureValue>{signature}\
         </ds:SignatureValue></ds:Signature>{rest}"
    ))
}
