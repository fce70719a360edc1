//! `siftd`: answers Selects over the files of one folder.

mod cert;
mod cli;
mod descriptor;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

/// 0, or 2 for an error of any kind; clap uses 2 for usage, too. 1 is for warnings of
/// `siftd check --strict`.
fn main() -> ExitCode {
    match cli::run(cli::Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // with standard error closed there is nobody to tell
            let _ = writeln!(std::io::stderr(), "siftd: {}", cli::shown(&error.to_string()));
            ExitCode::from(error.exit_code())
        }
    }
}
