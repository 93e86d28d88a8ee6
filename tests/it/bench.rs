//! The measurement measures.

use std::process::Command;

#[test]
fn the_bench_command_prints_a_row_for_each_kind_of_request() {
    let folder = std::env::temp_dir().join(format!("scim-bridge-bench-test-{}", std::process::id()));
    let output = Command::new(env!("CARGO_BIN_EXE_scim-bridge"))
        .args([
            "bench",
            "--users",
            "400",
            "--tenants",
            "2",
            "--seconds",
            "1",
            "--folder",
        ])
        .arg(&folder)
        .env_remove("DATABASE_URL")
        .output()
        .unwrap();
    let (said, why) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{why}");
    let rows: Vec<Vec<&str>> = said
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| request") && !line.starts_with("| ---"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), 9, "{said}");
    for row in &rows {
        assert_eq!(row.len(), 7);
        assert!(row[2].parse::<f64>().unwrap() > 0.0, "{row:?}");
        let statements: u64 = row[6].parse().unwrap();
        assert!(statements > 0, "{row:?}");
    }
    assert!(said.contains("400 users, 2 tenants"));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing is left");
    std::fs::remove_dir(&folder).unwrap();
}
