//! Webhooks out: events as signed HTTP requests, and as messages for Slack and Teams.
//!
//! Signed as Standard Webhooks 1.0.0 says (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md, read
//! 2026-11-22): `webhook-id` is the event's id and stays the same however often it is sent, `webhook-timestamp` is the time
//! of the try, `webhook-signature` is HMAC-SHA-256 over id, timestamp and body. Delivered at least once: a receiver that
//! has seen an id may forget it. An address that fails is asked again at growing distances, one event at a time, and
//! switched off after five days, or when it answers 410; what it missed can be sent again by hand.

mod body;
mod send;
mod sign;

pub(super) use body::body;
pub(super) use send::send_calls;
pub(super) use sign::{new_secret, signature};
