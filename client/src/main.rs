//! The `sift` command: selects records on a server, or fetches files from it.
//!
//! First syntax only (`args`), then the world (`target`), then one command. Errors are printed here
//! and nowhere else.

use std::io::Write as _;
use std::process::ExitCode;

mod cli;

use cli::fault::{Fault, Outcome};

/// Exit code where nothing was found.
const NOTHING_FOUND: u8 = 1;

/// Exit code of an error.
const FAILED: u8 = 2;

/// The base of the exit status after a signal: shells add the number of the signal to it.
const SIGNALLED: i32 = 128;

fn main() -> ExitCode {
    match cli::run() {
        Ok(Outcome::Found) => ExitCode::SUCCESS,
        Ok(Outcome::NothingFound) => ExitCode::from(NOTHING_FOUND),
        // whoever read the output has had enough
        Err(fault) if fault.is_broken_pipe() => ExitCode::SUCCESS,
        Err(Fault::Interrupted(signal)) => {
            ExitCode::from(u8::try_from(SIGNALLED + signal).unwrap_or(FAILED))
        }
        Err(fault) => {
            // nothing is left to be done when standard error is gone too
            let _gone = writeln!(std::io::stderr(), "sift: {}", fault.shown());
            ExitCode::from(FAILED)
        }
    }
}
