//! The kinds of requests that are measured, for both servers.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use uuid::Uuid;

use super::load::{Aim, CONNECTIONS};
use super::people::{self, Tenant};

/// Resources on a page.
const PAGE: usize = 100;

/// One kind of request.
pub(super) struct Kind {
    pub title: String,
    pub limit: Arc<Aim>,
    pub bridge: Arc<Aim>,
}

/// Picks users all over the place, each once before any is picked again.
#[derive(Debug, Clone)]
struct People(Arc<Vec<Tenant>>);

impl People {
    /// The tenant and the number of the `n`th user.
    fn pick(&self, n: u64) -> Option<(&Tenant, usize)> {
        let n = usize::try_from(n).ok()?;
        let tenant = self.0.get(n % self.0.len())?;
        let lap = n / self.0.len();
        // A prime that divides none of the numbers of users that make sense.
        let user = lap.wrapping_mul(982_451_653) % tenant.users.len();
        Some((tenant, user))
    }

    /// How often everybody has been picked before the `n`th.
    fn laps(&self, n: u64) -> u64 {
        let all: usize = self.0.iter().map(|tenant| tenant.users.len()).sum();
        n / u64::try_from(all).unwrap_or(u64::MAX).max(1)
    }

    /// The `n`th user who is in no group.
    fn newcomer(&self, n: u64) -> Option<(&Tenant, Uuid)> {
        let n = usize::try_from(n).ok()?;
        let tenant = self.0.get(n % self.0.len())?;
        let user = tenant.users.get(tenant.outside.checked_add(n / self.0.len())?)?;
        Some((tenant, *user))
    }

    fn newcomers(&self) -> u64 {
        let all: usize = self
            .0
            .iter()
            .map(|one| one.users.len().saturating_sub(one.outside))
            .sum();
        u64::try_from(all).unwrap_or(u64::MAX)
    }
}

/// Writes a request to the bridge.
fn bridge(out: &mut Vec<u8>, method: &str, path: &str, token: &str, body: &str) {
    let _ = write!(
        out,
        "{method} /scim/v2{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
}

/// Writes a request to the limit server.
fn limit(out: &mut Vec<u8>, method: &str, path: &str, body: &str) {
    let _ = write!(
        out,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
}

fn token(tenant: &Tenant, client: usize) -> &str {
    tenant
        .tokens
        .get(client % tenant.tokens.len().max(1))
        .map_or("", String::as_str)
}

fn encoded(filter: &str) -> String {
    url::form_urlencoded::byte_serialize(filter.as_bytes()).collect()
}

fn patch(operation: &str) -> String {
    format!(
        "{{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],\"Operations\":[{operation}]}}"
    )
}

/// Every kind, in the order in which they are measured: those that write come last.
pub(super) fn all(tenants: Vec<Tenant>, limit_port: u16, bridge_port: u16) -> Vec<Kind> {
    let people = People(Arc::new(tenants));
    let mut kinds = reads(&people, limit_port, bridge_port);
    kinds.extend(lists(&people, limit_port, bridge_port));
    kinds.extend(writes(&people, limit_port, bridge_port));
    kinds
}

fn kind(title: &str, limit: Arc<Aim>, bridge: Arc<Aim>) -> Kind {
    let title = title.to_owned();
    Kind { title, limit, bridge }
}

fn reads(people: &People, limit_port: u16, bridge_port: u16) -> Vec<Kind> {
    let by_id = |people: People| {
        Aim::new(bridge_port, move |out, n, number| {
            if let Some((tenant, user)) = people.pick(n) {
                let id = tenant.users.get(user).copied().unwrap_or_default();
                bridge(out, "GET", &format!("/Users/{id}"), token(tenant, number), "");
            }
        })
    };
    let plain_id = |people: People| {
        Aim::new(limit_port, move |out, n, _| {
            if let Some((tenant, user)) = people.pick(n) {
                let id = tenant.users.get(user).copied().unwrap_or_default();
                limit(out, "GET", &format!("/users/{id}"), "");
            }
        })
    };
    let by = |people: People, attribute: &'static str| {
        Aim::new(bridge_port, move |out, n, number| {
            if let Some((tenant, user)) = people.pick(n) {
                let name = people::name(tenant.number, user);
                let filter = encoded(&format!("{attribute} eq \"{name}\""));
                bridge(
                    out,
                    "GET",
                    &format!("/Users?filter={filter}"),
                    token(tenant, number),
                    "",
                );
            }
        })
    };
    let plain = |people: People, path: &'static str| {
        Aim::new(limit_port, move |out, n, _| {
            if let Some((tenant, user)) = people.pick(n) {
                limit(
                    out,
                    "GET",
                    &format!("/{path}/{}", people::name(tenant.number, user)),
                    "",
                );
            }
        })
    };
    vec![
        kind("GET by id", plain_id(people.clone()), by_id(people.clone())),
        kind(
            "`userName eq`",
            plain(people.clone(), "names"),
            by(people.clone(), "userName"),
        ),
        kind(
            "`emails[type eq \"work\"].value eq`",
            plain(people.clone(), "emails"),
            by(people.clone(), "emails[type eq \"work\"].value"),
        ),
    ]
}

fn lists(people: &People, limit_port: u16, bridge_port: u16) -> Vec<Kind> {
    let page = |people: People, start: fn(usize) -> usize| {
        Aim::new(bridge_port, move |out, n, number| {
            if let Some((tenant, _)) = people.pick(n) {
                let start = start(tenant.users.len());
                let path = format!("/Users?startIndex={start}&count={PAGE}");
                bridge(out, "GET", &path, token(tenant, number), "");
            }
        })
    };
    let plain = |people: People, behind: fn(usize, u64) -> usize| {
        Aim::new(limit_port, move |out, n, _| {
            if let Some((tenant, _)) = people.pick(n) {
                let behind = behind(tenant.users.len(), n);
                let id = behind.checked_sub(1).and_then(|at| tenant.users.get(at));
                limit(
                    out,
                    "GET",
                    &format!("/after/{}", id.copied().unwrap_or_default()),
                    "",
                );
            }
        })
    };
    // Each connection walks through one tenant, from the first page to the last and again.
    let places: Arc<Vec<AtomicUsize>> = Arc::new((0..CONNECTIONS).map(|_| AtomicUsize::new(0)).collect());
    let walkers = people.clone();
    let walk = Aim::new(bridge_port, move |out, _, number| {
        let Some(tenant) = walkers.0.get(number % walkers.0.len()) else {
            return;
        };
        let Some(place) = places.get(number) else { return };
        let start = place.fetch_add(PAGE, Ordering::Relaxed);
        if start.saturating_add(PAGE) >= tenant.users.len() {
            place.store(0, Ordering::Relaxed);
        }
        let path = format!("/Users?startIndex={}&count={PAGE}", start.saturating_add(1));
        bridge(out, "GET", &path, token(tenant, number), "");
    });
    vec![
        kind(
            "first page of 100",
            plain(people.clone(), |_, _| 0),
            page(people.clone(), |_| 1),
        ),
        kind(
            "last page of 100",
            plain(people.clone(), |users, _| users.saturating_sub(PAGE)),
            page(people.clone(), |users| {
                users.saturating_sub(PAGE).saturating_add(1)
            }),
        ),
        kind(
            "pages of 100 in a walk",
            plain(people.clone(), |users, n| {
                usize::try_from(n).unwrap_or(0).wrapping_mul(PAGE) % users.saturating_sub(PAGE).max(1)
            }),
            walk,
        ),
    ]
}

fn writes(people: &People, limit_port: u16, bridge_port: u16) -> Vec<Kind> {
    let toggled = people.clone();
    let toggle = Aim::new(bridge_port, move |out, n, number| {
        if let Some((tenant, user)) = toggled.pick(n) {
            let id = tenant.users.get(user).copied().unwrap_or_default();
            let value = toggled.laps(n) % 2 == 1;
            let body = patch(&format!(
                "{{\"op\":\"replace\",\"path\":\"active\",\"value\":{value}}}"
            ));
            bridge(
                out,
                "PATCH",
                &format!("/Users/{id}"),
                token(tenant, number),
                &body,
            );
        }
    });
    let plain_toggled = people.clone();
    let plain_toggle = Aim::new(limit_port, move |out, n, _| {
        if let Some((tenant, user)) = plain_toggled.pick(n) {
            let id = tenant.users.get(user).copied().unwrap_or_default();
            limit(out, "PATCH", &format!("/users/{id}"), "");
        }
    });
    let body = |n: u64| {
        format!(
            "{{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"userName\":\"new-{n}@bench.test\",\
             \"displayName\":\"Given New\",\"title\":\"Engineer\",\"active\":true,\
             \"name\":{{\"givenName\":\"Given\",\"familyName\":\"New {n}\"}},\
             \"emails\":[{{\"type\":\"work\",\"value\":\"new-{n}@bench.test\",\"primary\":true}}]}}"
        )
    };
    let made = people.clone();
    let make = Aim::new(bridge_port, move |out, n, number| {
        if let Some((tenant, _)) = made.pick(n) {
            bridge(out, "POST", "/Users", token(tenant, number), &body(n));
        }
    });
    let plain_make = Aim::new(limit_port, move |out, n, _| {
        limit(out, "POST", "/users", &body(n))
    });
    let entering = people.clone();
    let most = people.newcomers();
    let enter = Aim::at_most(most, bridge_port, move |out, n, number| {
        if let Some((tenant, user)) = entering.newcomer(n) {
            let value =
                format!("{{\"op\":\"add\",\"path\":\"members\",\"value\":[{{\"value\":\"{user}\"}}]}}");
            let path = format!("/Groups/{}", tenant.group);
            bridge(out, "PATCH", &path, token(tenant, number), &patch(&value));
        }
    });
    let plain_entering = people.clone();
    let plain_enter = Aim::at_most(most, limit_port, move |out, n, _| {
        if let Some((tenant, user)) = plain_entering.newcomer(n) {
            limit(out, "PUT", &format!("/members/{}/{user}", tenant.group), "");
        }
    });
    let members = people.0.first().map_or(0, |tenant| tenant.outside);
    let add = kind(
        &format!("add one member to a group of {members}"),
        plain_enter,
        enter,
    );
    vec![
        kind("PATCH active", plain_toggle, toggle),
        kind("POST", plain_make, make),
        add,
    ]
}
