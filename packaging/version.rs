//! Tells the compiler the version of `siftd` and `sift`: `SIFT_REVISION`, the commit, and
//! `SIFT_VERSION`, as in `0.1.0 (abc1234)`. The `build.rs` of both packages is a link to this
//! file.
//!
//! Debug builds have no commit, or each commit would build them again. Sources without git have
//! none, either.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let revision = is_release.then(revision).flatten().unwrap_or_default();
    let mut version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    if !revision.is_empty() {
        version = format!("{version} ({revision})");
    }
    println!("cargo::rustc-env=SIFT_REVISION={revision}");
    println!("cargo::rustc-env=SIFT_VERSION={version}");
}

/// Returns the commit, and has cargo run this again when HEAD moves.
fn revision() -> Option<String> {
    // git writes a line to the log of HEAD whenever it moves
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=7", "HEAD"])
}

/// Returns the line that git prints.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let line = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(line.trim_end().to_owned())
}
