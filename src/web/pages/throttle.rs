//! How often one address may ask for pages.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use actix_web::HttpRequest;
use chrono::{DateTime, TimeDelta, Utc};

/// So many requests in a minute. Behind a proxy all share its address.
const MOST: u32 = 120;
/// So many addresses are remembered.
const MOST_ADDRESSES: usize = 10_000;

/// Counts requests by address, in windows of a minute.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<HashMap<IpAddr, (DateTime<Utc>, u32)>>);

impl Throttle {
    /// Whether one more request is too much.
    pub fn refuses(&self, request: &HttpRequest, now: DateTime<Utc>) -> bool {
        let Some(peer) = request.peer_addr() else {
            return false;
        };
        self.counts(peer.ip(), now) > MOST
    }

    fn counts(&self, address: IpAddr, now: DateTime<Utc>) -> u32 {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |since: DateTime<Utc>| now - since >= TimeDelta::minutes(1);
        if seen.len() >= MOST_ADDRESSES {
            seen.retain(|_, (since, _)| !is_over(*since));
            if seen.len() >= MOST_ADDRESSES {
                seen.clear();
            }
        }
        let (since, count) = seen.entry(address).or_insert((now, 0));
        if is_over(*since) {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_address_and_minute() {
        let throttle = Throttle::default();
        let now = "2026-12-01T08:00:00Z".parse::<DateTime<Utc>>().unwrap();
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for count in 1..=3 {
            assert_eq!(throttle.counts(one, now), count);
        }
        assert_eq!(throttle.counts(other, now), 1);
        assert_eq!(throttle.counts(one, now + TimeDelta::seconds(59)), 4);
        assert_eq!(throttle.counts(one, now + TimeDelta::seconds(60)), 1);
        for number in 0..20_000_u32 {
            throttle.counts(std::net::Ipv4Addr::from(number).into(), now);
        }
        assert!(throttle.0.lock().unwrap().len() <= MOST_ADDRESSES);
    }
}
