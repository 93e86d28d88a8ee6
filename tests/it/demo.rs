//! The demo, as a newcomer runs it.

use std::process::{Command, Output};

fn demo(data: &std::path::Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_scim-bridge"))
        .args(["demo", "--employees", "40", "--once"])
        .env_remove("DATABASE_URL")
        .env("SCIM_BRIDGE_DATA_DIR", data)
        .output()
        .unwrap()
}

#[test]
fn the_demo_goes_the_whole_way_and_does_so_again() {
    let data = std::env::temp_dir().join(format!("scim-bridge-demo-{}", std::process::id()));
    for _ in 0..2 {
        let output = demo(&data);
        let told = String::from_utf8_lossy(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}{said}");
        assert!(told.contains("Every account is in sync."), "{told}{said}");
        let leaver = r#"{"op":"replace","path":"active","value":false}"#;
        assert!(told.contains(leaver), "the leaver is disabled by a PATCH: {told}");
        assert!(
            told.contains(r#""path":"title""#),
            "the mover has a new title: {told}"
        );
        assert!(told.contains("POST /Users"), "the new hire is created: {told}");
    }
    std::fs::remove_dir_all(&data).unwrap();
}
