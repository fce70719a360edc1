//! Tests of the programs, run as people run them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may")]

/// Tests `sift-demo`: the answers are equal, and no files are left.
mod demo;

/// Tests the output of `sift-bench compare` about both arms.
mod compare;

/// Tests `sift-bench floors`: each floor has an arm next to it.
mod floors;

/// Tests `sift-bench load`: limits that hold and limits that do not.
mod load;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// A demo whose server runs until it is interrupted.
struct Kept {
    child: Child,
    /// The lines that it printed before it waits.
    lines: Vec<String>,
}

impl Kept {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sift-demo"));
        command.args(["--scale", "0.001", "--keep"]).env("TMPDIR", folder);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut kept = Self { child, lines: Vec::new() };
        for line in output.lines().map(Result::unwrap) {
            let last = line.contains(" fetch lineitem.dat");
            kept.lines.push(line);
            if last {
                return kept;
            }
        }
        panic!("the demo ended early: {:?}", kept.lines);
    }

    /// Returns the value after `option` in the commands to try.
    fn option(&self, option: &str) -> &str {
        let mut words = self.lines.iter().flat_map(|line| line.split(' '));
        words.find(|word| *word == option).and_then(|_| words.next()).unwrap()
    }

    fn interrupt(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // a test that failed before the interrupt
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program with `folder` as its folder for temporary files.
fn run(program: &str, folder: &Path, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).env("TMPDIR", folder).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
