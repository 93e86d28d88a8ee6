//! What tests are made with: a real server on a free port, a database of its own, stubs for the other sides.
//!
//! All tests share one throw-away Postgres cluster. The first test process starts it, the others find it; it goes on
//! running after the tests (`target/test-postgres`; for root, when nobody else may enter that folder, below
//! `/var/tmp`), so that the next run starts at once. It is adopted or recovered whatever became of it, and nothing is
//! lost with it: `fsync` is off, and each test has a database of its own, copied from a template that is migrated once
//! for each set of migrations, and dropped when the test ends.

mod auth_server;
mod bridge;
mod browser;
mod certificates;
mod clock;
mod counter;
mod database;
mod dump;
mod mail_server;
mod stub;

pub use auth_server::{AuthServer, CLIENT};
pub use bridge::{Bridge, Settings, answer, good, http_client, with_json};
pub use browser::Browser;
pub use certificates::certificates;
pub use clock::TestClock;
pub use counter::StatementCounter;
pub use database::{TestDatabase, client};
pub use dump::{dump, found_in};
pub use mail_server::{Mail, MailServer};
pub use stub::{Answer, Received, Stub};

/// Says that a test is left out, and why. Where every test must run (`SCIM_BRIDGE_TEST_ALL` is set), it fails.
pub fn left_out(why: &str) {
    assert!(
        std::env::var_os("SCIM_BRIDGE_TEST_ALL").is_none(),
        "left out: {why}"
    );
    eprintln!("NOT RUN: {why}");
}
