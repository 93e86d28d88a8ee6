//! The inputs that fuzzing collected run through the same checks on every run of the tests.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/checks.rs"]
mod checks;

type Check = fn(&[u8]);

/// Covers: rfc 6.26; item 10
#[test]
fn the_collected_inputs_still_hold() {
    let targets: [(&str, Check); 4] = [
        ("filter", checks::filter),
        ("path", checks::path),
        ("patch", checks::patch),
        ("body", checks::body),
    ];
    for (name, check) in targets {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/corpus")
            .join(name);
        let inputs: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(inputs.len() >= 4, "{} is nearly empty", folder.display());
        for input in inputs {
            let data = fs::read(&input).unwrap();
            let held = std::panic::catch_unwind(|| check(&data));
            assert!(held.is_ok(), "{} fails", input.display());
        }
    }
}
