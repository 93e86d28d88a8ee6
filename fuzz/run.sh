#!/bin/bash
# Fuzzes each target for some seconds (default 120), then keeps the smallest inputs that reach all the code seen.
# Needs a nightly toolchain and cargo-fuzz; the first build takes some minutes.
set -eu -o pipefail
cd "$(dirname "$0")/.."
seconds=${1:-120}
found=fuzz/target/found
for target in filter path patch body; do
    mkdir -p "$found/$target"
    cargo +nightly fuzz run "$target" "$found/$target" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -max_len=4096 -timeout=5
    cp -n fuzz/corpus/"$target"/* "$found/$target/"
    kept=$(mktemp -d)
    cargo +nightly fuzz run "$target" "$kept" "$found/$target" -- \
        -set_cover_merge=1 -use_counters=0 -max_len=1024
    find "fuzz/corpus/$target" -type f ! -name 'seed-*' -delete
    cp "$kept"/* "fuzz/corpus/$target/"
    rm -r "$kept"
done
