//! Who calls, as an argument of a handler: whoever lacks the scope never gets as far as the handler.

use std::marker::PhantomData;
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use super::super::{Problem, caller_with, operator};
use crate::access::{Caller, Operator, Scope};

/// A scope as a type.
pub trait ScopeKind: 'static {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;
        impl ScopeKind for $name {
            const SCOPE: Scope = Scope::$name;
        }
    )+};
}

scopes! {
    /// Needs `admin`.
    Admin,
    /// Needs `provisioning:read`.
    ProvisioningRead,
    /// Needs `scim:read`.
    ScimRead,
}

/// The tenant's client that calls, with a token that has the scope `S`.
#[derive(Debug, Clone, Copy)]
pub struct ApiCaller<S>(Caller, PhantomData<S>);

impl<S> Deref for ApiCaller<S> {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<S: ScopeKind> FromRequest for ApiCaller<S> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move { Ok(Self(caller_with(&request, S::SCOPE).await?, PhantomData)) }.boxed_local()
    }
}

/// The operator, calling.
#[derive(Debug, Clone, Copy)]
pub struct ApiOperator(Operator);

impl Deref for ApiOperator {
    type Target = Operator;
    fn deref(&self) -> &Operator {
        &self.0
    }
}

impl FromRequest for ApiOperator {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move { Ok(Self(operator(&request).await?)) }.boxed_local()
    }
}
