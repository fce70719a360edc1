//! How a command ends: with something found, with nothing found, or with an error.

use std::io;
use std::path::PathBuf;

use parquet::errors::ParquetError;
use sift_client::ErrorKind;
use sift_print::printable;

/// The result of a command that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Found,
    NothingFound,
}

impl Outcome {
    pub(super) fn of(records: u64) -> Self {
        if records == 0 { Self::NothingFound } else { Self::Found }
    }
}

/// The error of a command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Client(#[from] sift_client::Error),
    /// An error with a hint about what was probably meant.
    #[error("{error}; {hint}")]
    Hinted { error: sift_client::Error, hint: String },
    /// A signal, by its number. The sender of the signal knows the reason.
    #[error("interrupted by signal {0}")]
    Interrupted(i32),
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
    #[error("{}: {error}", path.display())]
    Document { path: PathBuf, error: toml_edit::TomlError },
    #[error("you have no home folder, so name the configuration file: --config FILE")]
    NoHome,
    #[error("{}: there is a server `{name}` already; remove it first: sift server remove {name}", path.display())]
    ServerExists { path: PathBuf, name: String },
    #[error("{}: there is no server `{name}`{hint}", path.display())]
    NoSuchServer { path: PathBuf, name: String, hint: String },
    #[error("{}: there is no [server.{name}], which `default` names{hint}", path.display())]
    NoSuchDefault { path: PathBuf, name: String, hint: String },
    #[error("{}: [server.{name}] scl: {error}", path.display())]
    ConfiguredLevel { path: PathBuf, name: String, error: sift_client::LevelError },
    #[error(
        "{}: its private key has a passphrase; put it into {variable}, there is no terminal to ask at",
        path.display()
    )]
    NoPassphrase { path: PathBuf, variable: &'static str },
    #[error("--param {argument}: {error}")]
    Parameter { argument: String, error: sift_client::Usage },
    #[error("{0} is not for a terminal; give a file (-o FILE) or redirect the output")]
    BinaryToTerminal(&'static str),
    #[error("-o and --range are for one file; --output-dir DIR is for several")]
    SeveralFiles,
    #[error("`{0}` leads out of the output folder")]
    Outside(String),
    #[error("`{0}`: the server lists it, but it was not asked for")]
    NotAsked(String),
    #[error("{}: there is something else than a regular file, which is not replaced", .0.display())]
    NotReplaced(PathBuf),
    #[error(
        "`{0}` needs this name until it is complete; fetch this file alone, into another folder"
    )]
    NeededName(String),
    #[error("{failed} of {all} files were not fetched")]
    NotFetched { failed: usize, all: usize },
    #[error("`{0}` names no file; give the output's name (-o FILE)")]
    NoFileName(String),
    #[error("cannot read from the terminal: {0}")]
    Editor(rustyline::error::ReadlineError),
    #[error("there is no connection")]
    NotConnected,
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    #[error(transparent)]
    Print(sift_print::Error),
    #[error("cannot write Parquet: {0}")]
    Parquet(ParquetError),
    #[error("cannot show the answer: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
}

impl Fault {
    /// Returns the text for a terminal, without control characters. Its later lines are indented,
    /// so the words of a server, or the name of a file, cannot look like another message.
    pub(crate) fn shown(&self) -> String {
        let text = self.to_string();
        let lines: Vec<_> = text.lines().map(|line| printable(line, &[])).collect();
        lines.join("\n      ")
    }

    /// Makes the fault of an output that could not be written.
    pub(super) fn of_output(error: io::Error) -> Self {
        match error.downcast::<sift_client::Error>() {
            Ok(error) => Self::Client(error),
            Err(error) => Self::Stdout(error),
        }
    }

    /// Returns whether the reader of the output has closed the pipe. That is not an error for the
    /// user.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let error = match self {
            Self::Stdout(error) => error,
            Self::Client(error) => match error.kind() {
                ErrorKind::Local { source, .. } => source,
                _ => return false,
            },
            _ => return false,
        };
        error.kind() == io::ErrorKind::BrokenPipe
    }
}

impl From<ParquetError> for Fault {
    /// The Parquet writer passes on the errors of the writer below it.
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(error) => match error.downcast::<io::Error>() {
                Ok(error) => Self::of_output(*error),
                Err(error) => Self::Parquet(ParquetError::External(error)),
            },
            error => Self::Parquet(error),
        }
    }
}

impl From<sift_print::Error> for Fault {
    fn from(error: sift_print::Error) -> Self {
        match error {
            sift_print::Error::Write(error) => Self::of_output(error),
            error => Self::Print(error),
        }
    }
}

pub(super) type Result<T, E = Fault> = std::result::Result<T, E>;
