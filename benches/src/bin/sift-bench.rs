//! `sift-bench`: what Sift takes on this machine, beside what the machine can do.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use sift_benches::command::{floors, generate};
use sift_benches::document::Document;
use sift_benches::lineitem::Format;
use sift_benches::{Result, text};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure Sift on this machine, beside what the machine can do.
#[derive(Debug, Parser)]
#[command(name = "sift-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make TPC-H lineitem as a fixed-length file and as CSV.
    Generate(Data),
    /// Measure each stage beside the same bytes without our work.
    Floors(Floors),
}

#[derive(Debug, Args)]
struct Data {
    /// Scale factor; 1 is 6 million records, about 1 GB as fixed-length records.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Folder of the generated files; those that are there are used again.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

#[derive(Debug, Args)]
struct Floors {
    #[command(flatten)]
    data: Data,
    /// Rounds, interleaved over the arms, after one to warm up.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Threads of each scan.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,
    /// Write every run to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "sift-bench: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Generate(data) => {
            for made in generate::run(&data.data, &Format::ALL, data.scale)? {
                writeln!(io::stdout(), "{} ({})", made.path.display(), text::bytes(made.bytes))?;
            }
            Ok(())
        }
        Command::Floors(chosen) => {
            let options = floors::Options {
                scale: chosen.data.scale,
                rounds: usize::from(chosen.rounds),
                threads: usize::from(chosen.threads),
            };
            let document = floors::run(&chosen.data.data, &options)?;
            for cell in &document.cells {
                writeln!(io::stdout(), "{}", text::floors(cell))?;
            }
            keep(&document, chosen.json)
        }
    }
}

fn keep(document: &Document, path: Option<PathBuf>) -> Result<()> {
    path.map_or(Ok(()), |path| document.write(&path))
}
