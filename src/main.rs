//! The command `scim-bridge`.

fn main() {}
