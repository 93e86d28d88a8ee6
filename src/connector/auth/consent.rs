//! Asking for somebody's consent, and what comes of it (RFC 6749 §4.1, RFC 7636).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use super::desk::Desk;
use super::oauth::Proof;
use crate::base::{Secret, digest, random_token};
use crate::connector::{Error, Source};

/// Where consent is asked for.
#[derive(Debug)]
pub struct ConsentLink {
    /// The vendor's address for it.
    pub address: Url,
    /// What proves later that we asked (RFC 7636 §4.1), where the vendor knows of it.
    pub verifier: Option<Secret>,
}

impl Source<'_> {
    fn desk(&self) -> Desk<'_> {
        Desk::new(self.manifest, self.settings, self.net, self.clock, self.tokens)
    }

    /// Gets a token where one is needed; else sees that the settings are there.
    ///
    /// # Errors
    /// When the vendor refuses, or a setting is missing.
    pub async fn sign_in(&self) -> Result<(), Error> {
        self.desk().badge().await.map(|_| ())
    }

    /// The link by which somebody consents. `state` comes back with the answer, which goes to `redirect`.
    ///
    /// # Errors
    /// When the connection is not connected by consent, or a setting or the OAuth client is missing.
    pub fn consent_link(&self, state: &str, redirect: &str) -> Result<ConsentLink, Error> {
        self.desk().consent_link(state, redirect)
    }

    /// Changes the code that came back into a token, and keeps it.
    ///
    /// # Errors
    /// When the vendor refuses, or the token cannot be kept.
    pub async fn redeem(
        &self,
        code: &Secret,
        redirect: &str,
        verifier: Option<&Secret>,
    ) -> Result<(), Error> {
        let proof = Proof::Code {
            code,
            redirect,
            verifier,
        };
        self.desk().redeem(&proof).await
    }
}

impl Desk<'_> {
    fn consent_link(&self, state: &str, redirect: &str) -> Result<ConsentLink, Error> {
        let server = self.server()?;
        let Some(authorize) = &server.oauth.authorize else {
            return Err(self.no_consent());
        };
        let (id, _) = server.client()?;
        let mut address = server.filler.url(authorize)?;
        let verifier = server.oauth.pkce.then(|| Secret::new(random_token()));
        let scope = server.oauth.scope.as_deref();
        let scope = scope
            .map(|scope| server.filler.optional(scope))
            .transpose()?
            .flatten();
        let extra = server.filler.entries(&server.oauth.authorize_extra)?;
        {
            let mut query = address.query_pairs_mut();
            query.append_pair("response_type", "code");
            query.append_pair("client_id", id.as_deref().unwrap_or_default());
            query.append_pair("redirect_uri", redirect);
            query.append_pair("state", state);
            if let Some(scope) = scope {
                query.append_pair("scope", &scope);
            }
            if let Some(verifier) = &verifier {
                let challenge = URL_SAFE_NO_PAD.encode(digest(verifier.expose().as_bytes()));
                query.append_pair("code_challenge", &challenge);
                query.append_pair("code_challenge_method", "S256");
            }
            query.extend_pairs(extra);
        }
        Ok(ConsentLink { address, verifier })
    }
}
