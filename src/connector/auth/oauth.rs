//! What an authorization server is asked, and what it answers.

use serde_json::{Map, Value};

use super::jwt;
use super::words::{ClientBy, Grant, Key, OAuth, ParamsBy};
use super::xml::{Assertion, signed_assertion};
use crate::base::{Algorithm, Clock, Secret};
use crate::connector::Error;
use crate::connector::fill::Filler;
use crate::connector::setting::{OAUTH_ID, OAUTH_SECRET};
use crate::net::{Method, Net, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;

/// What is shown for a token: the proof of the grant.
pub(super) enum Proof<'p> {
    /// Nothing but the client itself.
    None,
    /// A refresh token.
    Refresh(&'p Secret),
    /// A code with the address it was sent to, and the PKCE verifier.
    Code {
        code: &'p Secret,
        redirect: &'p str,
        verifier: Option<&'p Secret>,
    },
}

/// Parameters and what else a token request carries.
pub(super) struct Ask {
    params: Vec<(String, String)>,
    basic: Option<(String, Secret)>,
}

/// One connection's authorization server.
pub(super) struct Server<'a, 'f> {
    pub filler: &'f Filler<'a>,
    pub oauth: &'a OAuth,
    pub clock: &'a Clock,
}

impl Server<'_, '_> {
    /// The client's id and secret: the manifest's word, or the settings that each connector with consent has.
    pub fn client(&self) -> Result<(Option<String>, Option<Secret>), Error> {
        let consent = self.oauth.grant == Grant::AuthorizationCode;
        let own = |said: &Option<String>, name: &str| match said {
            Some(text) => self.filler.optional(text),
            None if consent => self.filler.optional(&format!("{{{{ {name} }}}}")),
            None => Ok(None),
        };
        let id = own(&self.oauth.id, OAUTH_ID)?;
        if consent && id.is_none() {
            return Err(Error::NoClient {
                connector: self.filler.key(),
            });
        }
        Ok((id, own(&self.oauth.secret, OAUTH_SECRET)?.map(Secret::new)))
    }

    /// What to send for a token.
    pub fn ask(&self, proof: &Proof<'_>) -> Result<Ask, Error> {
        let oauth = self.oauth;
        let grant = match proof {
            Proof::Refresh(_) => Grant::RefreshToken,
            Proof::Code { .. } | Proof::None => oauth.grant,
        };
        let mut params = vec![("grant_type".to_owned(), grant.name().to_owned())];
        let mut add = |name: &str, value: &str| params.push((name.to_owned(), value.to_owned()));
        match proof {
            Proof::None => {}
            Proof::Refresh(token) => add("refresh_token", token.expose()),
            Proof::Code {
                code,
                redirect,
                verifier,
            } => {
                add("code", code.expose());
                add("redirect_uri", redirect);
                if let Some(verifier) = verifier {
                    add("code_verifier", verifier.expose());
                }
            }
        }
        match grant {
            Grant::JwtBearer => add("assertion", self.jwt()?.expose()),
            Grant::Saml2Bearer => add("assertion", self.saml()?.expose()),
            _ => {}
        }
        // The scope of consent was said when it was asked for (RFC 6749 §6: left out, it stays the same).
        if let (Some(scope), true) = (&oauth.scope, oauth.grant != Grant::AuthorizationCode)
            && let Some(scope) = self.filler.optional(scope)?
        {
            add("scope", &scope);
        }
        params.extend(self.filler.entries(&oauth.extra)?);
        let basic = self.identify(&mut params)?;
        Ok(Ask { params, basic })
    }

    /// Says who the client is.
    fn identify(&self, params: &mut Vec<(String, String)>) -> Result<Option<(String, Secret)>, Error> {
        let (id, secret) = self.client()?;
        match self.oauth.client {
            ClientBy::Basic => {
                return Ok(Some((
                    id.unwrap_or_default(),
                    secret.unwrap_or_else(|| Secret::new(String::new())),
                )));
            }
            ClientBy::Params => {
                params.extend(id.map(|id| ("client_id".to_owned(), id)));
                params.extend(secret.map(|secret| ("client_secret".to_owned(), secret.expose().to_owned())));
            }
            ClientBy::Assertion => {
                let id = id.unwrap_or_default();
                let mut claims = Map::new();
                claims.insert("iss".into(), id.clone().into());
                claims.insert("sub".into(), id.clone().into());
                claims.insert("aud".into(), self.own_address()?.into());
                jwt::stamp(&mut claims, self.clock.now());
                let token = jwt::signed(self.filler, self.key()?, &claims)?;
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                params.push(("client_id".into(), id));
                params.push(("client_assertion_type".into(), kind.into()));
                params.push(("client_assertion".into(), token.expose().to_owned()));
            }
        }
        Ok(None)
    }

    fn key(&self) -> Result<&Key, Error> {
        self.oauth.key.as_ref().ok_or_else(|| Error::Setting {
            setting: "auth.key".into(),
            message: "is missing".into(),
        })
    }

    /// The token endpoint as the vendor knows it, whatever `base_url` says: that is whom a proof is made for.
    fn own_address(&self) -> Result<String, Error> {
        Ok(self.filler.own_url(&self.oauth.token)?.to_string())
    }

    fn jwt(&self) -> Result<Secret, Error> {
        let mut claims = Map::new();
        for (name, value) in self.filler.entries(&self.oauth.claims)? {
            claims.insert(name, value.into());
        }
        if !claims.contains_key("aud") {
            claims.insert("aud".into(), self.own_address()?.into());
        }
        jwt::stamp(&mut claims, self.clock.now());
        jwt::signed(self.filler, self.key()?, &claims)
    }

    fn saml(&self) -> Result<Secret, Error> {
        let mut claims = self.filler.entries(&self.oauth.claims)?;
        let mut take = |name: &str| {
            let at = claims.iter().position(|(known, _)| known == name);
            at.map(|at| claims.remove(at).1).unwrap_or_default()
        };
        let (issuer, subject, audience) = (take("iss"), take("sub"), take("aud"));
        let key = jwt::signing_key(self.filler, self.key()?)?;
        if key.algorithm() != Algorithm::RS256 {
            return Err(jwt::unusable(
                "key",
                crate::base::BadSigningKey::WrongKind(Algorithm::RS256.name()),
            ));
        }
        let assertion = Assertion {
            issuer: &issuer,
            subject: &subject,
            audience: &audience,
            recipient: &self.own_address()?,
            attributes: &claims,
            now: self.clock.now(),
            life: TimeDelta::seconds(jwt::LIFE_SECONDS),
        };
        let xml = signed_assertion(&assertion, &key).map_err(|bad| jwt::unusable("key", bad))?;
        Ok(Secret::new(STANDARD.encode(xml)))
    }

    /// The request.
    pub fn request<'n>(&self, net: &'n Net, ask: &Ask) -> Result<Request<'n>, Error> {
        let mut url = self.filler.url(&self.oauth.token)?;
        let pairs = || {
            ask.params
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
        };
        let mut request = match self.oauth.params {
            ParamsBy::Query => {
                url.query_pairs_mut().extend_pairs(pairs());
                net.request(Method::GET, url)
            }
            ParamsBy::Form => net.request(Method::POST, url).form(pairs()),
            ParamsBy::Json => {
                let members: Map<String, Value> = ask
                    .params
                    .iter()
                    .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
                    .collect();
                net.request(Method::POST, url).json(&Value::Object(members))
            }
        };
        if let Some((id, secret)) = &ask.basic {
            request = request.basic(id, secret);
        }
        Ok(request.header("accept", "application/json"))
    }
}
