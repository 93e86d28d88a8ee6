//! The mail server: its address, and one dialogue with it.

use std::future::Future;
use std::time::Duration;

use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use url::Url;

/// The longest wait for a connection, and for the answer to a command.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest wait for the answer to a text (RFC 5321 §4.5.3.2.6 asks for ten minutes of a sender; ours comes back).
const PATIENCE_WITH_A_TEXT: Duration = Duration::from_secs(60);
/// The longest answer that is kept.
const LONGEST_ANSWER: usize = 200;

/// A mail server's address that cannot be used. Never says the address: it holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMailServer {
    /// The address has another form.
    #[error(
        "it must be smtp://[user:password@]host[:port] or smtps://…, with ?tls=required, opportunistic or none where \
         smtp:// shall differ from: required with a password, else opportunistic"
    )]
    Url,
    /// The certificates that are to be trusted are none.
    #[error(
        "it must be a file with certificates as PEM, of which the mail server's or its authority's is one"
    )]
    Authorities,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tls {
    /// From the first byte (RFC 8314).
    Wrapped,
    /// By STARTTLS (RFC 3207), else nothing is sent.
    Required,
    /// By STARTTLS where the server offers it.
    Opportunistic,
    /// Never.
    None,
}

/// Where mail goes, and in whose name. Cheap enough to clone.
#[derive(Clone)]
pub struct MailServer {
    host: String,
    port: u16,
    tls: Tls,
    credentials: Option<Credentials>,
    from: Mailbox,
    authorities: Option<Certificate>,
}

impl std::fmt::Debug for MailServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MailServer({}:{})", self.host, self.port)
    }
}

fn decoded(text: &str) -> Option<String> {
    // `a=` makes a form of it, in which `+` would be a space.
    let form = format!("a={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(form.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
}

impl MailServer {
    /// From the address of `SCIM_BRIDGE_SMTP_URL` and the sender.
    ///
    /// # Errors
    /// When the address has another form.
    pub fn parse(url: &str, from: Mailbox) -> Result<Self, BadMailServer> {
        let url = Url::parse(url).map_err(|_| BadMailServer::Url)?;
        let host = url
            .host_str()
            .map(|host| host.trim_matches(['[', ']']).to_owned())
            .filter(|host| !host.is_empty())
            .ok_or(BadMailServer::Url)?;
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => Some(Credentials::new(
                decoded(user).ok_or(BadMailServer::Url)?,
                decoded(password.unwrap_or_default()).ok_or(BadMailServer::Url)?,
            )),
        };
        let mut asked = None;
        for (name, value) in url.query_pairs() {
            asked = Some(match (&*name, &*value) {
                ("tls", "required") => Tls::Required,
                ("tls", "opportunistic") => Tls::Opportunistic,
                ("tls", "none") => Tls::None,
                _ => return Err(BadMailServer::Url),
            });
        }
        let (tls, port) = match (url.scheme(), asked) {
            ("smtps", None) => (Tls::Wrapped, 465),
            ("smtp", Some(tls)) => (tls, 587),
            ("smtp", None) if credentials.is_some() => (Tls::Required, 587),
            ("smtp", None) => (Tls::Opportunistic, 25),
            _ => return Err(BadMailServer::Url),
        };
        if !matches!(url.path(), "" | "/") {
            return Err(BadMailServer::Url);
        }
        Ok(Self {
            host,
            port: url.port().unwrap_or(port),
            tls,
            credentials,
            from,
            authorities: None,
        })
    }

    /// The same, trusting further certificates (PEM, RFC 7468) beside those of this machine.
    ///
    /// # Errors
    /// When there is no certificate in it.
    pub fn trusting(mut self, pem: &[u8]) -> Result<Self, BadMailServer> {
        let authorities = Certificate::from_pem(pem).map_err(|_| BadMailServer::Authorities)?;
        if !String::from_utf8_lossy(pem).contains("-----BEGIN CERTIFICATE-----") {
            return Err(BadMailServer::Authorities);
        }
        self.authorities = Some(authorities);
        Ok(self)
    }

    /// Who sends.
    pub(in crate::notice) const fn from(&self) -> &Mailbox {
        &self.from
    }

    /// The sender's domain.
    pub(in crate::notice) fn domain(&self) -> &str {
        self.from.email.domain()
    }

    fn tls_of(&self) -> Result<TlsParameters, Failure> {
        let mut tls = TlsParameters::builder(self.host.clone());
        if let Some(authority) = &self.authorities {
            tls = tls.add_root_certificate(authority.clone());
        }
        tls.build_rustls()
            .map_err(|_| Failure::Later("TLS cannot be set up on this machine".to_owned()))
    }

    /// Connects and signs in. Whatever goes wrong, the server takes no mail of ours now, whomever it is for.
    pub(in crate::notice) async fn connect(&self) -> Result<Session, Failure> {
        self.sign_in()
            .await
            .map_err(|failure| Failure::Gone(failure.words().to_owned()))
    }

    async fn sign_in(&self) -> Result<Session, Failure> {
        let wrapped = match self.tls {
            Tls::Wrapped => Some(self.tls_of()?),
            _ => None,
        };
        let hello = ClientId::Domain(self.domain().to_owned());
        let address = (self.host.as_str(), self.port);
        let connecting = AsyncSmtpConnection::connect_tokio1(address, Some(PATIENCE), &hello, wrapped, None);
        let mut session = Session(in_time(PATIENCE, connecting).await?);
        let may = matches!(self.tls, Tls::Required | Tls::Opportunistic);
        if may && session.0.can_starttls() {
            let tls = self.tls_of()?;
            in_time(PATIENCE, session.0.starttls(tls, &hello)).await?;
        } else if self.tls == Tls::Required {
            return Err(Failure::Later(
                "the mail server offers no STARTTLS, which is required".to_owned(),
            ));
        }
        if let Some(credentials) = &self.credentials {
            let ways = [Mechanism::Plain, Mechanism::Login];
            in_time(PATIENCE, session.0.auth(&ways, credentials))
                .await
                .map_err(|failure| Failure::Later(format!("signing in: {}", failure.words())))?;
        }
        Ok(session)
    }
}

/// Why a mail was not sent, or not surely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::notice) enum Failure {
    /// The server takes no mail at all; it may take it later.
    Gone(String),
    /// The server has not taken it; it may take it later.
    Later(String),
    /// The server has not taken it and never will.
    Refused(String),
    /// No answer came: the server may have it.
    Unknown(String),
}

impl Failure {
    pub fn words(&self) -> &str {
        match self {
            Self::Gone(words) | Self::Later(words) | Self::Refused(words) | Self::Unknown(words) => words,
        }
    }
}

/// What the server said, without addresses: they are somebody's.
fn without_addresses(text: &str) -> String {
    let words: Vec<&str> = text
        .split_whitespace()
        .map(|word| if word.contains('@') { "…" } else { word })
        .collect();
    words.join(" ").chars().take(LONGEST_ANSWER).collect()
}

fn sort(error: &SmtpError) -> Failure {
    let mut words = without_addresses(&error.to_string());
    if let Some(cause) = std::error::Error::source(error) {
        let cause = without_addresses(&cause.to_string());
        words = format!("{words}: {cause}");
    }
    if error.is_permanent() || error.is_client() {
        Failure::Refused(words)
    } else {
        Failure::Later(words)
    }
}

async fn in_time<T>(
    patience: Duration,
    step: impl Future<Output = Result<T, SmtpError>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(patience, step).await {
        Ok(done) => done.map_err(|error| sort(&error)),
        Err(_) => Err(Failure::Later(
            "the mail server did not answer in time".to_owned(),
        )),
    }
}

/// A dialogue with the mail server.
pub(in crate::notice) struct Session(AsyncSmtpConnection);

impl Session {
    /// Names sender and recipient and gets leave to send: afterwards the server waits for the text. Only of the recipient a
    /// refusal is for good.
    pub async fn offer(&mut self, from: &Address, to: &Address) -> Result<(), Failure> {
        let is_ascii = from.to_string().is_ascii() && to.to_string().is_ascii();
        let mut parameters = Vec::new();
        if !is_ascii {
            if !self.0.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(Failure::Refused(
                    "the mail server takes no addresses with letters beyond ASCII".to_owned(),
                ));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        in_time(
            PATIENCE,
            self.0.command(Mail::new(Some(from.clone()), parameters)),
        )
        .await
        .map_err(|failure| Failure::Later(failure.words().to_owned()))?;
        in_time(PATIENCE, self.0.command(Rcpt::new(to.clone(), Vec::new()))).await?;
        in_time(PATIENCE, self.0.command(Data))
            .await
            .map_err(|failure| Failure::Later(failure.words().to_owned()))?;
        Ok(())
    }

    /// Hands the text over. What is not answered is unknown.
    pub async fn hand_over(&mut self, text: &[u8]) -> Result<(), Failure> {
        match tokio::time::timeout(PATIENCE_WITH_A_TEXT, self.0.message(text)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.is_permanent() || error.is_transient() => Err(sort(&error)),
            Ok(Err(error)) => Err(Failure::Unknown(sort(&error).words().to_owned())),
            Err(_) => Err(Failure::Unknown(
                "the mail server did not answer in time".to_owned(),
            )),
        }
    }

    /// Forgets the mail that was begun. Whether the dialogue can go on.
    pub async fn forget(&mut self) -> bool {
        !self.0.has_broken() && in_time(PATIENCE, self.0.command(Rset)).await.is_ok()
    }

    /// Ends the dialogue.
    pub async fn end(mut self) {
        // Everything is written down already.
        drop(tokio::time::timeout(PATIENCE, self.0.quit()).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<MailServer, BadMailServer> {
        MailServer::parse(url, "bridge <bridge@acme.example>".parse().unwrap())
    }

    #[test]
    fn an_address_says_host_port_tls_and_credentials() {
        for (url, port, tls, signs_in) in [
            ("smtp://mail.example", 25, Tls::Opportunistic, false),
            ("smtp://mail.example:1025/", 1025, Tls::Opportunistic, false),
            ("smtp://me:p%40ss+w@mail.example", 587, Tls::Required, true),
            ("smtp://me:pw@mail.example?tls=none", 587, Tls::None, true),
            ("smtps://me:pw@mail.example", 465, Tls::Wrapped, true),
        ] {
            let server = parse(url).unwrap();
            assert_eq!(
                (server.port, server.tls, server.credentials.is_some()),
                (port, tls, signs_in),
                "{url}"
            );
            assert_eq!(format!("{server:?}"), format!("MailServer(mail.example:{port})"));
        }
        assert_eq!(decoded("p%40ss+w").unwrap(), "p@ss+w");
        for url in [
            "mail.example",
            "http://mail.example",
            "smtp://",
            "smtp://mail.example/inbox",
            "smtp://mail.example?tls=maybe",
            "smtps://mail.example?tls=none",
        ] {
            assert_eq!(parse(url).unwrap_err(), BadMailServer::Url, "{url}");
        }
    }

    #[test]
    fn the_words_of_a_server_are_kept_without_addresses() {
        let said = without_addresses("550 5.1.1 <ada@acme.example>: Recipient\r\n unknown");
        assert_eq!(said, "550 5.1.1 … Recipient unknown");
    }
}
