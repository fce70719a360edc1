//! The program `sift-bench`, which measures Sift and compares it with the limits of this machine.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use sift_benches::command::compare::{Generated, Own};
use sift_benches::command::{compare, fair, floors, generate, load, report};
use sift_benches::document::{Cell, Document, SIFT};
use sift_benches::lineitem::Format;
use sift_benches::link::Link;
use sift_benches::load::assertion::Assertion;
use sift_benches::load::mix::Mix;
use sift_benches::load::{Connections, Pace, Plan};
use sift_benches::question::Ask;
use sift_benches::server::{Security, run_as_server};
use sift_benches::suites::Suites;
use sift_benches::{Result, link, text};
use sift_client::{LEVELS, Level, OutputFile};

/// Measure Sift and compare it with the limits of this machine.
#[derive(Debug, Parser)]
#[command(name = "sift-bench", version, after_help = channels_of_this_build())]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Returns the levels that this build can measure.
fn channels_of_this_build() -> String {
    let levels: Vec<String> = LEVELS.iter().map(ToString::to_string).collect();
    let missing = match LEVELS.contains(&Level::Two) {
        true => "",
        false => "; 2 (TLS 1.1 and 1.2) needs a build with the feature legacy-tls",
    };
    format!("Channels of this build: plain, {}{missing}", levels.join(", "))
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make TPC-H lineitem in one or more formats.
    Generate(Generate),
    /// Measure each stage next to its floor: the same bytes without our work.
    Floors(Floors),
    /// Compare fetching the whole file and filtering it here with sending the Select.
    ///
    /// Without --server it uses generated data and starts a server on loopback. Each time it checks
    /// that the answers of both arms are equal.
    Compare(Box<Compare>),
    /// Put a load on a server: sessions send requests in a closed loop, or at a given rate.
    ///
    /// Without --server it uses generated data and starts a server on loopback.
    Load(Box<Load>),
    /// Measure light Selects alone, and beside many heavy ones of another user.
    ///
    /// It uses generated data and starts a server on loopback.
    Fair(Fair),
    /// Make a page, a summary and charts from the JSON of other commands.
    ///
    /// The page opens with the result about one case: the question closest to 1 % of the records,
    /// at the highest level measured.
    Report {
        /// The JSON files of one or more runs (--json).
        #[arg(required = true, value_name = "JSON")]
        documents: Vec<PathBuf>,
        /// The folder for report.html, report.md and the charts.
        #[arg(long, short, value_name = "DIR")]
        output: PathBuf,
    },
}

impl Command {
    /// Returns the file for the results of all runs.
    fn json(&self) -> Option<&Path> {
        match self {
            Self::Generate(_) | Self::Report { .. } => None,
            Self::Floors(Floors { json, .. }) => json.as_deref(),
            Self::Compare(chosen) => chosen.json.as_deref(),
            Self::Load(chosen) => chosen.json.as_deref(),
            Self::Fair(chosen) => chosen.json.as_deref(),
        }
    }
}

#[derive(Debug, Args)]
struct Data {
    /// Scale factor; 1 is 6 million records, about 1 GB as fixed-length records.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Folder of the generated files; existing files are used again.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

#[derive(Debug, Args)]
struct Generate {
    #[command(flatten)]
    data: Data,
    /// Formats: fixed, csv, jsonl, parquet.
    #[arg(long, value_delimiter = ',', default_value = "fixed,csv")]
    formats: Vec<Format>,
}

#[derive(Debug, Args)]
struct Floors {
    #[command(flatten)]
    data: Data,
    /// Rounds after a warm-up; in each round every arm runs once.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Threads of each scan.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,
    /// Write every run to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Compare {
    /// Folder of the generated files; existing files are used again.
    #[arg(long, value_name = "DIR", required_unless_present = "server")]
    data: Option<PathBuf>,
    /// Scale factor of the generated data.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Formats of the generated data: fixed, csv, jsonl, parquet.
    #[arg(long, value_delimiter = ',', default_value = "fixed,csv")]
    formats: Vec<Format>,
    /// Build an index of the generated data first.
    #[arg(long)]
    index: bool,
    /// Questions to the generated data: the share of the records to select, or another form.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "0.01%,1%,10%,50%,100%,two columns,sum,top 100"
    )]
    questions: Vec<Ask>,
    /// Channels: plain, or security compliance levels; the default is plain,3,4,5, or with --server
    /// the default level.
    #[arg(long, value_delimiter = ',')]
    levels: Vec<Security>,
    /// Cipher suites of each level, each on a separate channel: preferred, all, or OpenSSL's names,
    /// such as ECDHE-ECDSA-AES128-GCM-SHA256,TLS_CHACHA20_POLY1305_SHA256.
    #[arg(long, default_value = "preferred")]
    suites: Suites,
    /// Link between client and server: loopback, 1gbit, or 100mbit/20ms (with the round trip).
    #[arg(long, default_value_t = Link::default(), conflicts_with = "server")]
    link: Link,
    /// Another program that gets the same questions in the same rounds, over its own channel;
    /// repeatable. benches/rivals has some: `benches/rivals/postgres.py --index`.
    #[arg(long = "rival", value_name = "COMMAND", conflicts_with = "server")]
    rivals: Vec<String>,
    /// Rounds after a warm-up; in each round every arm runs once.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Write every run to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A server that is already running, as HOST or HOST:PORT. If users log in, set SIFT_USER and
    /// SIFT_PASSWORD in the environment.
    #[arg(long, value_name = "HOST", requires_all = ["file", "predicate"])]
    server: Option<String>,
    /// Authorities to verify that server with, as PEM; by default those of the platform.
    #[arg(long, value_name = "FILE", requires = "server")]
    ca: Option<PathBuf>,
    /// A file on that server.
    #[arg(long, value_name = "PATH", requires = "server")]
    file: Option<String>,
    /// The condition after WHERE in the Select from that file.
    #[arg(long = "where", value_name = "SQL", requires = "server")]
    predicate: Option<String>,
    /// A copy of that file's descriptor, if the file needs one.
    #[arg(long, value_name = "FILE", requires = "server")]
    descriptor: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Load {
    /// Folder of the generated files; existing files are used again.
    #[arg(long, value_name = "DIR", required_unless_present = "server")]
    data: Option<PathBuf>,
    /// Scale factor of the generated data.
    #[arg(long, default_value_t = 0.01)]
    scale: f64,
    /// Build an index of the generated data first, also by its keys.
    #[arg(long)]
    index: bool,
    /// A server that is already running, as HOST or HOST:PORT. If users log in, set SIFT_USER and
    /// SIFT_PASSWORD in the environment.
    #[arg(long, value_name = "HOST", requires = "mix")]
    server: Option<String>,
    /// Authorities to verify that server with, as PEM; by default those of the platform.
    #[arg(long, value_name = "FILE", requires = "server")]
    ca: Option<PathBuf>,
    /// Channel: plain, or a security compliance level.
    #[arg(long, default_value = "3")]
    level: Security,
    /// Numbers of sessions; each is one step.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    sessions: Vec<usize>,
    /// Requests a second over all sessions. A latency then counts from the intended start. Without
    /// it each session sends its next request after each answer.
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,
    /// Measured seconds of each step.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Seconds of warm-up before each step, which are not measured.
    #[arg(long, default_value_t = 2.0)]
    warm_up: f64,
    /// Connections: one that is kept, or one for each request, with a full handshake or a resumed
    /// TLS session; then a latency contains the handshake.
    #[arg(long, default_value = "kept", value_name = "kept|full|resumed")]
    connections: Connections,
    /// Further connections that stay open without requests.
    #[arg(long, default_value_t = 0)]
    idle: usize,
    /// The requests: TOML with `[[select]]` tables of sql, weight, and parameters = [{ integer =
    /// [1, 9] }, { text = ["a"] }, { date = ["2024-01-31"] }], drawn at random. The default selects
    /// a few records of the generated data by their key.
    #[arg(long, value_name = "FILE")]
    mix: Option<PathBuf>,
    /// Another program that gets the same load after each step; repeatable. benches/rivals has one:
    /// `benches/rivals/pgbench.py`.
    #[arg(long = "rival", value_name = "COMMAND", conflicts_with_all = ["server", "mix"])]
    rivals: Vec<String>,
    /// Seed of the random parameters.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Fail (exit code 1) unless this holds in every step: p99<50ms, rate>1000, failures<1,
    /// missed<1.
    #[arg(long = "assert", value_name = "BOUND")]
    assertions: Vec<Assertion>,
    /// Write every step to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Fair {
    #[command(flatten)]
    data: Data,
    /// Channel: plain, or a security compliance level.
    #[arg(long, default_value = "3")]
    level: Security,
    /// Numbers of heavy Selects at once; each is one step.
    #[arg(long, value_delimiter = ',', default_value = "8,64")]
    crowds: Vec<usize>,
    /// Measured seconds of each light Select in each step.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Seconds of the heavy Selects before the light ones begin.
    #[arg(long, default_value_t = 2.0)]
    warm_up: f64,
    /// Write every step to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    if let Some(code) = run_as_server() {
        return code;
    }
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "sift-bench: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    // a wrong path is reported now and not after all measurements
    if let Some(path) = command.json() {
        OutputFile::is_regular(path)?;
    }
    match command {
        Command::Generate(Generate { data, formats }) => {
            for made in generate::run(&data.data, &formats, data.scale)? {
                writeln!(io::stdout(), "{} ({})", made.path.display(), text::bytes(made.bytes))?;
            }
            Ok(ExitCode::SUCCESS)
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
        Command::Compare(chosen) => run_compare(*chosen),
        Command::Load(chosen) => run_load(*chosen),
        Command::Fair(chosen) => {
            let options = fair::Options {
                folder: chosen.data.data,
                scale: chosen.data.scale,
                security: chosen.level,
                crowds: chosen.crowds,
                measured: Duration::try_from_secs_f64(chosen.seconds)?,
                warm_up: Duration::try_from_secs_f64(chosen.warm_up)?,
            };
            let document = fair::run(&options, |crowd| {
                let _ = writeln!(io::stdout(), "{}", text::crowd(crowd));
            })?;
            keep(&document, chosen.json)
        }
        Command::Report { documents, output } => {
            for path in report::run(&documents, &output)? {
                writeln!(io::stdout(), "{}", path.display())?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn run_compare(chosen: Compare) -> Result<ExitCode> {
    let rounds = usize::from(chosen.rounds);
    let told = |cell: &Cell| {
        let _ = writeln!(io::stdout(), "{}", text::compare(cell));
    };
    let document = match (chosen.server, chosen.file, chosen.predicate) {
        (Some(server), Some(file), Some(predicate)) => {
            let security = match chosen.levels[..] {
                [] => Security::Encrypted(Level::DEFAULT),
                [one] => one,
                _ => return Err("one level at a time with --server".into()),
            };
            let Compare { ca, descriptor, suites, .. } = chosen;
            let own = Own { server, ca, security, suites, file, predicate, descriptor };
            compare::own(&own, rounds, told)?
        }
        _ => {
            if let Some(code) = link::enter(&chosen.link)? {
                return Ok(code);
            }
            let wanted = Generated {
                folder: chosen.data.ok_or("no folder")?,
                scale: chosen.scale,
                formats: chosen.formats,
                questions: chosen.questions,
                channels: if chosen.levels.is_empty() {
                    let levels = [Level::Three, Level::Four, Level::Five];
                    [Security::Plain].into_iter().chain(levels.map(Security::Encrypted)).collect()
                } else {
                    chosen.levels
                },
                index: chosen.index,
                suites: chosen.suites,
                rivals: chosen.rivals,
            };
            compare::generated(&wanted, &chosen.link, rounds, told)?
        }
    };
    write!(io::stdout(), "{}", text::break_evens(&document.cells))?;
    keep(&document, chosen.json)
}

fn run_load(chosen: Load) -> Result<ExitCode> {
    let mix = match &chosen.mix {
        Some(path) => std::fs::read_to_string(path)?,
        None => load::default_mix(chosen.scale),
    };
    let ca = chosen.ca;
    let options = load::Options {
        server: chosen.server.map(|server| (server, ca)),
        folder: chosen.data.unwrap_or_default(),
        scale: chosen.scale,
        index: chosen.index,
        security: chosen.level,
        sessions: chosen.sessions,
        idle: chosen.idle,
        connections: chosen.connections,
        rivals: chosen.rivals,
        mix: Mix::parse(&mix)?,
        plan: Plan {
            pace: chosen.rate.map_or(Pace::Closed, Pace::PerSecond),
            warm_up: Duration::try_from_secs_f64(chosen.warm_up)?,
            measured: Duration::try_from_secs_f64(chosen.seconds)?,
            seed: chosen.seed,
        },
    };
    let document = load::run(&options, |step| {
        let _ = writeln!(io::stdout(), "{}", text::load(step));
    })?;
    let mut held = true;
    for assertion in &chosen.assertions {
        let ours = document.loads.iter().filter(|step| step.arm == SIFT);
        for step in ours.filter(|step| !assertion.holds(&step.outcome)) {
            held = false;
            let sessions = step.outcome.sessions;
            writeln!(io::stderr(), "sift-bench: {assertion} does not hold at {sessions} sessions")?;
        }
    }
    keep(&document, chosen.json)?;
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn keep(document: &Document, path: Option<PathBuf>) -> Result<ExitCode> {
    path.map_or(Ok(()), |path| document.write(&path))?;
    Ok(ExitCode::SUCCESS)
}
