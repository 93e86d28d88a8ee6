//! Who calls, under which address, and in which media type the answer goes: the first argument of a handler.

use std::marker::PhantomData;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use super::super::{AuthFailure, State, caller_with};
use super::media;
use super::refusal::Refusal;
use super::standing::may_write;
use crate::access::{Caller, Scope, UnknownMembers};
use crate::base::{ResourceId, TenantId};
use crate::db::PooledConn;
use crate::directory::{Authorities, Cause, Directory, realm_of};
use crate::scim::{Registry, ResourceType, Shape};

/// A scope as a type.
pub trait Needs: 'static {
    const SCOPE: Scope;
}

/// Needs `scim:read`.
#[derive(Debug)]
pub struct Reads;

impl Needs for Reads {
    const SCOPE: Scope = Scope::ScimRead;
}

/// Needs `scim:write`.
#[derive(Debug)]
pub struct Writes;

impl Needs for Writes {
    const SCOPE: Scope = Scope::ScimWrite;
}

/// A client of a tenant that may do what `S` says.
#[derive(Debug)]
pub struct Session<S> {
    /// Its tenant is the one whose resources it sees: of a client that writes into a connection, the connection's realm.
    pub caller: Caller,
    pub state: Data<State>,
    /// The schemas and resource types of the caller's tenant.
    pub registry: Arc<Registry>,
    /// Whose word counts for users who come from HR; known to sessions that write.
    authorities: Arc<Authorities>,
    /// The address of the SCIM end points as the client sees it, without a slash at the end.
    pub base: String,
    /// The media type of the answer.
    pub media: &'static str,
    scope: PhantomData<S>,
}

impl<S: Needs> FromRequest for Session<S> {
    type Error = Refusal;
    type Future = LocalBoxFuture<'static, Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let caller = caller_with(&request, S::SCOPE).await?;
            check_tenant(&request, &caller)?;
            let state = request
                .app_data::<Data<State>>()
                .cloned()
                .ok_or(AuthFailure::Missing)?;
            let authorities = match S::SCOPE {
                Scope::ScimWrite => Arc::clone(&may_write(&state, &caller).await?.authorities),
                _ => Arc::default(),
            };
            let registry = registry(&state, caller.tenant).await?;
            let session = Self {
                registry,
                caller: in_realm(caller),
                authorities,
                base: base(&request, &state),
                media: media::wanted(&request)?,
                state,
                scope: PhantomData,
            };
            session.note_headers(&request);
            Ok(session)
        }
        .boxed_local()
    }
}

impl<S> Session<S> {
    pub fn directory(&self) -> &Directory {
        &self.state.directory
    }

    pub async fn conn(&self) -> Result<PooledConn, Refusal> {
        Ok(self.state.db.conn().await?)
    }

    /// The resource type that the path names.
    pub fn kind(&self, request: &HttpRequest) -> Result<Arc<ResourceType>, Refusal> {
        let endpoint = request.match_info().get("endpoint").unwrap_or_default();
        let kind = self
            .registry
            .by_endpoint(endpoint)
            .filter(|kind| self.caller.connection.is_none() || matches!(kind.name.as_str(), "User" | "Group"))
            .ok_or_else(Refusal::not_found)?;
        if kind.endpoint.trim_start_matches('/') != endpoint {
            self.note(&[Shape::EndpointCase]);
        }
        Ok(kind.clone())
    }

    /// The resource type of a name.
    pub fn kind_named(&self, name: &str) -> Option<Arc<ResourceType>> {
        self.registry.kind(name).cloned()
    }

    pub fn cause(&self) -> Cause {
        Cause::client(self.caller.client, self.caller.token, self.state.clock.now())
            .heeding(Arc::clone(&self.authorities))
            .leaving_out_unknown(self.caller.profile.unknown_members == Some(UnknownMembers::LeaveOut))
    }
}

/// The caller among the resources that are there for it.
fn in_realm(caller: Caller) -> Caller {
    let tenant = caller.connection.map_or(caller.tenant, realm_of);
    Caller { tenant, ..caller }
}

/// Refuses a caller of another tenant than the one that the path names.
pub fn check_tenant(request: &HttpRequest, caller: &Caller) -> Result<(), Refusal> {
    let tenant = request.match_info().get("tenant");
    if tenant.is_some_and(|tenant| tenant.parse::<TenantId>().ok() != Some(caller.tenant)) {
        return Err(AuthFailure::OtherTenant.into());
    }
    Ok(())
}

/// The schemas and resource types of a tenant, mostly remembered.
pub async fn registry(state: &State, tenant: TenantId) -> Result<Arc<Registry>, Refusal> {
    if let Some(known) = state.directory.known_registry(tenant) {
        return Ok(known);
    }
    let mut conn = state.db.conn().await?;
    Ok(state.directory.registry(&mut conn, tenant).await?)
}

/// The id that the path names.
pub fn id(request: &HttpRequest) -> Result<ResourceId, Refusal> {
    id_of(request.match_info().get("id").unwrap_or_default())
}

/// An id as a client writes it. Ids have one spelling; anything else is nobody's.
pub fn id_of(text: &str) -> Result<ResourceId, Refusal> {
    text.parse::<ResourceId>()
        .ok()
        .filter(|id| id.to_string() == text)
        .ok_or_else(Refusal::not_found)
}

/// The address of the SCIM end points as the client sees it: below the configured public address, else below the one
/// that the request came in by.
pub fn base(request: &HttpRequest, state: &State) -> String {
    let prefix = match request.match_info().get("tenant") {
        Some(tenant) => format!("/t/{tenant}/scim/v2"),
        None => "/scim/v2".to_owned(),
    };
    if state.public_url_is_set {
        return state.link(&prefix);
    }
    match request.headers().get("host").and_then(|host| host.to_str().ok()) {
        Some(host) if is_host(host) => format!("http://{host}{prefix}"),
        _ => state.link(&prefix),
    }
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'))
}
