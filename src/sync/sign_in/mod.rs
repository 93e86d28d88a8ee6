//! Signing in to HR systems for all processes: the tokens they gave, whose turn it is to fetch one, and consent.
//!
//! *Comes in:* tokens from `connector`. *Goes out:* the same tokens, opened, to whichever process needs one. *Owns:*
//! `vendor_token`, `sign_in_turn`, `consent`, `consent_request`, `oauth_client`, `setup_link`. *Must not know:* what a connection reads, runs.
//!
//! A process that fetches a token takes the connection's turn first, for two minutes by the database's clock, and
//! ends it in the statement that keeps the token. So of any number of processes one renews, the others wait for its token
//! or use the one they have. No transaction is open meanwhile. A process that dies between the vendor's answer and that
//! statement leaves its turn to lapse; the next one sees this, tries the refresh token that is kept, and where the vendor
//! takes it for used up, consent is lost and it is said why.

mod consent;
mod setup;
mod store;
mod token;

pub use consent::{
    Consent, ConsentAnswered, ConsentAsked, OAuthClient, VendorAnswer, keep_oauth_client, oauth_client,
    remove_oauth_client,
};
pub use setup::{Knocked, Sent, Setup, SetupLink};
pub(in crate::sync) use token::StoredToken;
