#!/usr/bin/env bash
# Builds a fuzz target with the stable compiler, so that libFuzzer sees which branches are taken, and
# runs it until it finds something or the time is over.
#
#     fuzz/run.sh narrow -max_total_time=3600
#
# Inputs that reach new branches are kept in fuzz/corpus/NAME, those that fail in fuzz/artifacts/NAME.
# There is no sanitizer: nothing in the libraries is unsafe. `cargo fuzz` with a nightly compiler runs
# the same targets.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if [ $# = 0 ] || [ ! -f "fuzz_targets/$1.rs" ]; then
    echo "usage: fuzz/run.sh NAME [libFuzzer option]...; the names:" fuzz_targets/*.rs >&2
    exit 2
fi
name=$1
shift

# the flags of cargo-fuzz, without the sanitizer
export RUSTFLAGS='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Ccodegen-units=1 --cfg fuzzing'
# with --target the flags do not reach build scripts
host=$(rustc -vV | sed -n 's/^host: //p')
target=${CARGO_TARGET_DIR:-target}
cargo build --release --locked --target "$host" --target-dir "$target" --bin "$name"

mkdir -p "corpus/$name" "artifacts/$name"
exec "$target/$host/release/$name" "corpus/$name" -artifact_prefix="artifacts/$name/" \
    -max_len=65536 -rss_limit_mb=2048 "$@"
