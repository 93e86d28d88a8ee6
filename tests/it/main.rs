//! Tests from outside: HTTP in, HTTP out, rows in Postgres. The only integration-test binary.

fn main() {}
