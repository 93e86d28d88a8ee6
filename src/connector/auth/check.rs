//! Whether `[auth]` is right in itself.

use super::words::{Auth, ClientBy, Grant, Key, OAuth, Session, Show};
use crate::base::Algorithm;
use crate::connector::validate::Check;

const PLACE: &str = "[auth]";

impl Check<'_> {
    pub(in crate::connector) fn auth(&mut self, auth: &Auth) {
        for text in auth.demands().into_iter().chain(auth.wishes()) {
            self.template(text);
        }
        match auth {
            Auth::Body { at, .. } => self.path(at),
            Auth::Jwt { show, key, .. } => {
                self.show(show);
                self.key(key);
            }
            Auth::Session(session) => self.session(session),
            Auth::Oauth2(oauth) => self.oauth(oauth),
            Auth::Choice { by, ways } => {
                let choices = self.choices_of(by);
                if !choices.iter().eq(ways.keys()) {
                    self.near(
                        PLACE,
                        format!(
                            "the ways are {}, but the setting {by} has the choices {}: they must be the same",
                            ways.keys().cloned().collect::<Vec<_>>().join(", "),
                            choices.join(", ")
                        ),
                    );
                }
                for (name, way) in ways {
                    if matches!(way, Auth::Choice { .. }) {
                        self.near(PLACE, format!("the way {name} cannot be a choice itself"));
                    }
                    self.auth(way);
                }
            }
            _ => {}
        }
    }

    fn wants(&mut self, good: bool, message: &str) {
        if !good {
            self.near(PLACE, message.to_owned());
        }
    }

    fn show(&mut self, show: &Show) {
        self.wants(
            show.header.is_none() || show.query.is_none(),
            "show names either a header or a query parameter",
        );
        self.wants(
            show.value.is_none() || show.header.is_some() || show.query.is_some(),
            "show.value needs show.header or show.query",
        );
        if let Some(value) = &show.value {
            self.wants(value.contains("{{ token }}"), "show.value lacks {{ token }}");
            self.template(&value.replace("{{ token }}", ""));
        }
    }

    fn key(&mut self, key: &Key) {
        let shared = key.algorithm == Algorithm::HS256;
        self.wants(
            key.secret.is_some() == shared && key.private.is_some() != shared,
            "a key has secret for HS256, and private for RS256, PS256 and ES256",
        );
    }

    fn session(&mut self, session: &Session) {
        match (&session.get, &session.post) {
            (Some(address), None) | (None, Some(address)) => self.address(address),
            _ => self.wants(false, "a session needs either get or post"),
        }
        self.wants(
            session.read.is_some() != session.read_header.is_some(),
            "a session needs either read or read_header",
        );
        self.wants(
            session.body.is_none() || session.form.is_none(),
            "a session has either body or form",
        );
        for path in [&session.read, &session.expires_at].into_iter().flatten() {
            self.path(path);
        }
        self.path(&session.expires_in);
        self.show(&session.show);
    }

    fn oauth(&mut self, oauth: &OAuth) {
        self.address(&oauth.token);
        oauth.authorize.iter().for_each(|address| self.address(address));
        self.show(&oauth.show);
        oauth.key.iter().for_each(|key| self.key(key));
        let grant = oauth.grant;
        let consent = grant == Grant::AuthorizationCode;
        let signs = matches!(grant, Grant::JwtBearer | Grant::Saml2Bearer);
        let asserts = oauth.client == ClientBy::Assertion;
        self.wants(
            oauth.authorize.is_some() == consent,
            "authorize belongs to the grant authorization_code, and to no other",
        );
        self.wants(
            oauth.authorize_extra.is_empty() || consent,
            "authorize_extra belongs to the grant authorization_code",
        );
        self.wants(
            oauth.refresh.is_some() == (grant == Grant::RefreshToken),
            "refresh belongs to the grant refresh_token, and to no other",
        );
        self.wants(
            oauth.key.is_some() == (signs || asserts),
            "key belongs to the grants jwt_bearer and saml2_bearer and to client = \"assertion\", and to nothing else",
        );
        self.wants(
            oauth.claims.is_empty() || signs,
            "claims belong to the grants jwt_bearer and saml2_bearer",
        );
        let demanded: &[&str] = match grant {
            Grant::JwtBearer => &["iss"],
            Grant::Saml2Bearer => &["iss", "sub", "aud"],
            _ => &[],
        };
        for name in demanded {
            self.wants(oauth.claims.contains_key(*name), &format!("claims lack {name}"));
        }
        self.wants(
            oauth.id.is_some() || consent || matches!(grant, Grant::JwtBearer | Grant::TokenExchange),
            "id is missing",
        );
        self.wants(
            !asserts || oauth.secret.is_none(),
            "with client = \"assertion\" there is no secret",
        );
    }
}
