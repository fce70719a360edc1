//! `siftd`: answers Selects over the files of one folder.

mod cert;
mod cli;
mod descriptor;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

/// Returns 0 for success and 2 for an error, as clap does. 1 is for warnings of `siftd check
/// --strict`.
fn main() -> ExitCode {
    match cli::run(cli::Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // if standard error is closed, nobody can read the error
            let _ =
                writeln!(std::io::stderr(), "siftd: {}", cli::output::shown(&error.to_string()));
            ExitCode::from(error.exit_code())
        }
    }
}
