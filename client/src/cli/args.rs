//! The syntax of the command line. Nothing here reads files or the network.

use std::io::{self, Read as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use serde::Deserialize;
use sift_client::{Compression, LEVELS, Level, LevelError, Query, Value};

use super::fault::{Fault, Result};
use super::hint::is_pattern;

/// The maximal length of a Select from standard input. Servers accept no longer ones.
const SQL_BYTES_MAX: u64 = 1 << 20;

const EXIT_CODES: &str = "\
Exit codes: 0 something was found, 1 nothing was found, 2 an error (which is printed to standard \
error), 128 and the signal's number where a signal such as Ctrl-C (130) ended it. A reader that closes \
the pipe early, as head does, is not an error.

Servers by name come from a configuration file, $XDG_CONFIG_HOME/sift/sift.toml or
~/.config/sift/sift.toml (or --config FILE); `sift server` writes it:

    default = \"files\"

    [server.files]
    address = \"files.example.com:7330\"
    ca = \"ca.pem\"               # relative to the configuration file; else the platform's
    scl = 4                     # else the default level
    encrypt = true              # the default
    client_cert = \"me.pem\"      # to show to the server, if it asks; relative as well
    user = \"ann\"
    password_file = \"ann\"       # its first line; relative to the configuration file
    compression = \"none\"       # or auto (the default), lz4, zstd
    server_name = \"files\"       # the name in the certificate, if it is not the address's";

const SERVER_HELP: &str = "\
Server: a name of the configuration file, or HOST[:PORT] [default: the configuration's default, \
else localhost]";

const SELECT_HELP: &str = "\
Examples:
    sift select \"SELECT id, price FROM 'orders.dat' WHERE price > 100 LIMIT 10\"
    sift select \"SELECT count(*) FROM 'orders.dat' WHERE day >= \\$1\" --param date:2024-01-31
    sift select - --format jsonl -o out.jsonl < question.sql";

const SERVER_ADD_HELP: &str = "\
Example:
    sift server add files files.example.com --ca authority.pem --user ann --default";

/// Select records on a Sift server, or fetch files from it.
///
/// Without a command, on a terminal, it opens a shell.
#[derive(Debug, Parser)]
#[command(name = "sift", version = env!("SIFT_VERSION"), after_long_help = EXIT_CODES, max_term_width = 100)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) target: Target,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// The options for the server and for the channel.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    #[arg(short, long, help = SERVER_HELP, value_name = "NAME|HOST[:PORT]", env = "SIFT_SERVER", global = true)]
    pub(super) server: Option<String>,
    /// Trust the authorities of this PEM file alone, instead of the platform's [env: SIFT_CA]
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) ca: Option<PathBuf>,
    /// Show the certificate in this PEM file, with its key, to a server that asks for one; the
    /// key's passphrase comes from SIFT_CERT_PASSPHRASE or is asked for
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) client_cert: Option<PathBuf>,
    /// Least security level of the channel: 2 (TLS 1.1 or 1.2, for old servers, in builds with the
    /// feature legacy-tls only), 3 (TLS 1.2 or 1.3), 4 (TLS 1.3) or 5 (TLS 1.3 with 256-bit ciphers
    /// and a post-quantum key exchange); 0 is the default level
    #[arg(long, value_name = "LEVEL", value_parser = level, global = true)]
    pub(super) scl: Option<Level>,
    /// Log in as this user
    ///
    /// The password comes from --password-file, from SIFT_PASSWORD, or from the terminal.
    #[arg(short, long, value_name = "NAME", env = "SIFT_USER", global = true)]
    pub(super) user: Option<String>,
    /// Read the user's password from the first line of this file
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) password_file: Option<PathBuf>,
    /// Do not encrypt, for servers that don't
    #[arg(
        long,
        global = true,
        conflicts_with_all = ["ca", "client_cert", "scl", "server_name", "password_file"]
    )]
    pub(super) plain: bool,
    /// Name to expect in the server's certificate, if it is not the host's
    #[arg(long, value_name = "NAME", global = true)]
    pub(super) server_name: Option<String>,
    /// The compression of answers, if the server compresses at all [default: auto, by the speed of
    /// the link]
    #[arg(long, value_name = "HOW", global = true)]
    pub(super) compression: Option<CompressionName>,
    /// Read this configuration file
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) config: Option<PathBuf>,
    /// Give up when the server says nothing for so long [default: 300, to connect 10]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, global = true)]
    pub(super) timeout: Option<Duration>,
}

/// The names of [`Compression`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CompressionName {
    /// The one with which most records arrive, which the server finds out
    Auto,
    /// None
    None,
    /// LZ4
    Lz4,
    /// Zstandard
    Zstd,
}

impl From<CompressionName> for Compression {
    fn from(name: CompressionName) -> Self {
        match name {
            CompressionName::Auto => Self::Auto,
            CompressionName::None => Self::Never,
            CompressionName::Lz4 => Self::Lz4,
            CompressionName::Zstd => Self::Zstd,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Select records
    #[command(after_help = SELECT_HELP)]
    Select(SelectArgs),
    /// Fetch files as they stand, or a range of the bytes of one
    Fetch(FetchArgs),
    /// List files
    Files {
        /// Glob over the paths, such as 'sales/*.csv' [default: all]
        #[arg(value_name = "GLOB")]
        pattern: Option<String>,
        /// Print sizes in KiB, MiB and so on
        #[arg(long)]
        human: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Tell a file's format, fields and protection
    Describe {
        /// Path below the server's data root
        file: String,
    },
    /// Tell how the server would evaluate a Select
    Explain {
        #[command(flatten)]
        query: QueryArgs,
        /// Evaluate it too, drop its records, and tell what really happened
        #[arg(long)]
        analyze: bool,
    },
    /// Tell what the channel to the server is, as both ends see it
    Channel,
    /// Add, list or remove servers of the configuration file
    Server {
        #[command(subcommand)]
        command: ServerCommand,
    },
    /// Print a completion script
    Completions {
        /// The shell to complete in
        shell: Shell,
    },
    /// Write the manual pages into a folder
    #[command(hide = true)]
    Man {
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ServerCommand {
    /// Add a server with the options about user and channel that stand beside it
    #[command(after_help = SERVER_ADD_HELP)]
    Add {
        /// Name for --server
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        name: String,
        /// Its address
        #[arg(value_name = "HOST[:PORT]")]
        address: String,
        /// Use this server if --server names none
        #[arg(long)]
        default: bool,
    },
    /// List the servers
    List {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Remove a server
    Remove {
        /// Its name
        name: String,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct QueryArgs {
    /// The Select; - reads it from standard input
    sql: String,
    /// Value of the next parameter ($1 is the first): TYPE:VALUE with a type of text, integer,
    /// decimal, float, boolean, date, timestamp or null; or a bare VALUE, which is an integer or a
    /// decimal if it looks like one, and otherwise a text. A text that begins with a letter and has
    /// a colon needs its type: text:http://x
    #[arg(short, long = "param", value_name = "[TYPE:]VALUE", allow_hyphen_values = true)]
    parameters: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct SelectArgs {
    #[command(flatten)]
    pub(super) query: QueryArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    /// Print to standard error what the answer took and what was saved
    #[arg(long)]
    pub(super) stats: bool,
    /// Show no progress on the terminal
    #[arg(short, long)]
    pub(super) quiet: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct OutputArgs {
    /// Form of the output [default: table on a terminal, else csv]
    #[arg(short, long)]
    pub(super) format: Option<Format>,
    /// Write to this file, - for standard output [default: -]
    ///
    /// The file appears when it is complete. Until then, the path has no file, or still the old
    /// one. The new file has the owner, group and mode of the file that it replaces. A link is
    /// followed as by a shell's `>`; a device or a FIFO is written to directly.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Word for NULL in CSV; an equal text is in quotation marks
    #[arg(long, value_name = "WORD", value_parser = null_word)]
    pub(super) null: Option<String>,
}

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Columns for people; NULL is NULL and the text NULL is "NULL"
    Table,
    /// RFC 4180 with a header; NULL is empty, or NULL if there is one column; the empty text is ""
    Csv,
    /// One JSON object a line; decimals are exact numbers, dates are texts
    Jsonl,
    /// One JSON array of the same objects
    Json,
    /// A table of GitHub's Markdown
    Markdown,
    /// Each record as lines of a name and a value
    Vertical,
    /// Arrow IPC stream
    Arrow,
    /// Parquet, compressed by Zstandard
    Parquet,
}

#[derive(Debug, clap::Args)]
pub(super) struct FetchArgs {
    /// Path below the server's data root; or a glob, or with -r a folder: the paths of their files
    /// are kept below the output folder
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<String>,
    /// Fetch all files of a folder and of the folders in it
    #[arg(short, long, conflicts_with_all = ["output", "range"])]
    pub(super) recursive: bool,
    /// Keep the paths of the files below this folder [default: here, if there are several files]
    #[arg(long, value_name = "DIR", conflicts_with_all = ["output", "range"])]
    pub(super) output_dir: Option<PathBuf>,
    /// Write to this file, - for standard output [default: the file's name, here]
    ///
    /// The file appears when it is complete. Until then, its bytes are in FILE.part and their
    /// origin is in FILE.part.origin. If the fetch is interrupted, the same fetch resumes from
    /// these files; both have to be regular files of yours. A device or a FIFO is written to as by
    /// a shell's `>`, and such a fetch cannot be resumed.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Fetch the bytes FIRST to LAST only, counted from 0 and both included, as in HTTP; without
    /// LAST to the end
    #[arg(long, value_name = "FIRST-[LAST]", value_parser = range)]
    pub(super) range: Option<ByteRange>,
    /// Start afresh even if an earlier fetch of the same file has left a part
    #[arg(long)]
    pub(super) no_resume: bool,
    /// Print to standard error what it took
    #[arg(long)]
    pub(super) stats: bool,
    /// Show no progress on the terminal
    #[arg(short, long)]
    pub(super) quiet: bool,
}

impl FetchArgs {
    /// Returns the file, if the fetch is of one and its path is not kept.
    ///
    /// # Errors
    /// Several files for one output or one range.
    pub(super) fn one_file(&self) -> Result<Option<&str>> {
        let is_of_one = self.output.is_some() || self.range.is_some();
        match &self.files[..] {
            [file] if is_of_one => Ok(Some(file)),
            _ if is_of_one => Err(Fault::SeveralFiles),
            [file] if !self.recursive && self.output_dir.is_none() && !is_pattern(file) => {
                Ok(Some(file))
            }
            _ => Ok(None),
        }
    }
}

/// A range of bytes. Without `end`, it goes to the end of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByteRange {
    pub(super) start: u64,
    pub(super) end: Option<u64>,
}

impl QueryArgs {
    /// Returns the query. If the argument is `-`, it reads the text from standard input.
    pub(super) fn query(&self) -> Result<Query> {
        let mut sql = self.sql.clone();
        if sql == "-" {
            sql.clear();
            let mut input = io::stdin().lock().take(SQL_BYTES_MAX);
            input.read_to_string(&mut sql).map_err(Fault::Stdin)?;
        }
        let mut query = Query::new(sql);
        for argument in &self.parameters {
            let value = Value::from_argument(argument)
                .map_err(|error| Fault::Parameter { argument: argument.clone(), error })?;
            query = query.parameter(value);
        }
        Ok(query)
    }
}

fn level(text: &str) -> Result<Level, LevelError> {
    text.parse::<Level>()?.among(LEVELS)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "give a number of seconds above 0".to_owned())
}

fn null_word(text: &str) -> Result<String, String> {
    match text.contains([',', '"', '\n', '\r']) {
        true => Err("give a word without commas, quotation marks and line ends".to_owned()),
        false => Ok(text.to_owned()),
    }
}

fn range(text: &str) -> Result<ByteRange, String> {
    let parsed = text.split_once('-').and_then(|(first, last)| {
        let start: u64 = first.parse().ok()?;
        let end = match last {
            "" => None,
            last => Some(last.parse::<u64>().ok()?.checked_add(1).filter(|end| *end > start)?),
        };
        Some(ByteRange { start, end })
    });
    parsed.ok_or_else(|| "give FIRST-LAST or FIRST-, where LAST is not before FIRST".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn ranges() {
        assert_eq!(range("0-499"), Ok(ByteRange { start: 0, end: Some(500) }));
        assert_eq!(range("7-"), Ok(ByteRange { start: 7, end: None }));
        for wrong in ["", "-", "-5", "5", "5-4", "a-b", "0-18446744073709551615"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
