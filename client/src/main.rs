//! The `sift` command. It selects records on a server, or fetches files from it.
//!
//! First `args` parses the command line, then `target` reads the configuration and connects, then
//! one command runs. Only this file prints errors.

use std::io::Write as _;
use std::process::ExitCode;

mod cli;

use cli::fault::{Fault, Outcome};

/// The exit code if nothing was found.
const NOTHING_FOUND: u8 = 1;

/// The exit code of an error.
const FAILED: u8 = 2;

/// The base of the exit status after a signal: shells add the number of the signal to it.
const SIGNALLED: i32 = 128;

fn main() -> ExitCode {
    match cli::run() {
        Ok(Outcome::Found) => ExitCode::SUCCESS,
        Ok(Outcome::NothingFound) => ExitCode::from(NOTHING_FOUND),
        // the reader of the output has closed the pipe
        Err(fault) if fault.is_broken_pipe() => ExitCode::SUCCESS,
        Err(Fault::Interrupted(signal)) => {
            ExitCode::from(u8::try_from(SIGNALLED + signal).unwrap_or(FAILED))
        }
        Err(fault) => {
            // without standard error, nobody can be told
            let _gone = writeln!(std::io::stderr(), "sift: {}", fault.shown());
            ExitCode::from(FAILED)
        }
    }
}
