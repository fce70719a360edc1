//! From the command line to an outcome.

use std::io;
use std::path::PathBuf;

use clap::{CommandFactory, Parser};

mod args;
mod config;
mod fetch;
mod output;
mod password;
mod select;
mod show;
mod table;
mod target;
mod text;

use args::{Args, Command};

/// Longest Select that is read from standard input; servers take no longer ones.
const SQL_BYTES_MAX: u64 = 1 << 20;

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Found,
    NothingFound,
}

impl Outcome {
    fn of(records: u64) -> Self {
        if records == 0 { Self::NothingFound } else { Self::Found }
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Client(#[from] sift_client::Error),
    #[error("cannot write standard output: {0}")]
    Stdout(io::Error),
    #[error("{}: cannot {action}: {source}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot read standard input: {0}")]
    Stdin(io::Error),
    #[error(
        "no password for user {0}; give --password-file FILE, set SIFT_PASSWORD, or use a terminal"
    )]
    NoPassword(String),
    #[error("{}: {error}", path.display())]
    Config { path: PathBuf, error: toml::de::Error },
    #[error("{}: there is no [server.{name}], which `default` names", path.display())]
    NoSuchDefault { path: PathBuf, name: String },
    #[error("{}: [server.{name}] scl: {error}", path.display())]
    ConfiguredLevel { path: PathBuf, name: String, error: sift_client::LevelError },
    #[error(
        "{}: its private key has a passphrase; put it into {variable}, there is no terminal to ask at",
        path.display()
    )]
    NoPassphrase { path: PathBuf, variable: &'static str },
    #[error("--param {argument}: {error}")]
    Parameter { argument: String, error: sift_client::Usage },
    #[error("Arrow is not for a terminal; give a file (-o FILE) or redirect the output")]
    ArrowToTerminal,
    #[error("`{0}` names no file; give the output's name (-o FILE)")]
    NoFileName(String),
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    #[error("cannot show the answer: {0}")]
    Format(#[from] arrow::error::ArrowError),
}

impl Fault {
    /// Whether the reader of the output has gone, which is not an error.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Stdout(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

pub(crate) type Result<T, E = Fault> = std::result::Result<T, E>;

pub(crate) fn run() -> Result<Outcome> {
    let args = Args::parse();
    if let Command::Completions { shell } = args.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Args::command(), "sift", &mut script);
        output::stdout(&script)?;
        return Ok(Outcome::Found);
    }
    // one task and one connection: more threads would only hand work around
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Fault::Runtime)?.block_on(Box::pin(execute(args)))
}

async fn execute(args: Args) -> Result<Outcome> {
    let options = target::options(&args.target)?;
    let connect = || target::connect(options);
    match args.command {
        Command::Select(select) => {
            let query = select.query.query()?;
            let output = output::Output::check(&select.output)?;
            select::run(&mut connect().await?, query, output, &select).await
        }
        Command::Fetch(fetch) => fetch::run(&mut connect().await?, &fetch).await,
        Command::Files { pattern, output } => {
            let output = output::Output::check(&output)?;
            show::files(&mut connect().await?, pattern.as_deref().unwrap_or_default(), output).await
        }
        Command::Describe { file } => show::describe(&mut connect().await?, &file).await,
        Command::Explain { query, analyze } => {
            let query = query.query()?;
            let mut connection = connect().await?;
            let text = match analyze {
                true => connection.explain_analyze(query).await?,
                false => connection.explain(query).await?,
            };
            show::explanation(&text)
        }
        Command::Channel => show::channel(&mut connect().await?).await,
        Command::Completions { .. } => Ok(Outcome::Found),
    }
}
