//! Who calls, as an argument of a handler: whoever lacks the scope never gets as far as the handler. The token was
//! looked at before, so these arguments are there at once; put them before the body, which is read after them.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::super::Problem;
use super::super::auth::{caller_let_in, operator_let_in};
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
#[derive(Debug, Clone)]
pub struct ApiCaller<S>(Caller, PhantomData<S>);

impl<S> Deref for ApiCaller<S> {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<S: ScopeKind> FromRequest for ApiCaller<S> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = caller_let_in(request, S::SCOPE);
        ready(
            caller
                .map(|caller| Self(caller, PhantomData))
                .map_err(Problem::from),
        )
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
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(operator_let_in(request).map(Self).map_err(Problem::from))
    }
}
