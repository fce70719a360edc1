//! The programs as people run them.

#![expect(clippy::unwrap_used, reason = "tests may")]

/// `sift-demo`: equal answers, and nothing left behind.
mod demo;

/// `sift-bench compare`: what it writes about both arms.
mod compare;

/// `sift-bench load`: bounds that hold or do not.
mod load;

use std::path::Path;
use std::process::{Command, Output};

/// Runs a program with `folder` as its folder for temporary files.
fn run(program: &str, folder: &Path, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).env("TMPDIR", folder).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
