//! What every module stands on: ids, the clock, secrets and their sealing, waiting before a retry, the error chain.
//!
//! *Comes in:* nothing but the master key and, in tests, a clock file. *Goes out:* small types.
//! *Owns:* no table. *Must not know:* SCIM, HR, HTTP, SQL.

mod backoff;
mod clock;
mod error;
mod id;
mod secret;
mod sign;

pub use backoff::{LONGEST_WAIT, wait_before};
pub use clock::{BadClock, Clock};
pub use error::Chain;
pub use id::{
    AppId, BadId, ClientId, ConnectionId, HoldId, OperationId, PersonId, PlanId, PushSessionId, ResourceId,
    ReviewId, RunId, TenantId, TokenId, UploadId, WalkId,
};
pub use secret::{BadKey, Sealer, Secret, Unsealable, digest, keyed_digest, random_token, same};
pub use sign::{Algorithm, BadSigningKey, SigningKey, certificate};
