//! The syntax of the command line. Nothing here reads a file.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use serde::Deserialize;
use sift_proto::level::{Level, LevelError};
use sift_server::{LEVELS, Limits};

use super::cert::CertCommand;
use super::check::CheckArgs;
use super::file::FileCommand;
use super::index::IndexCommand;
use super::query::QueryArgs;
use super::user::UserCommand;

/// Answers Selects over the files of one folder: only the selected records are encrypted and sent.
#[derive(Debug, Parser)]
#[command(name = "siftd", version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the files below a folder until SIGINT or SIGTERM
    ///
    /// Channels are encrypted unless --plain is given, and users log in (siftd user add) unless
    /// --no-secure is given. Each user may read what a `[[grant]]` of the configuration allows, by
    /// default nothing. The server listens on this machine only, unless --listen says otherwise.
    ///
    /// At the first signal, answers under way are finished and new requests are refused; the second
    /// signal ends the server at once. At SIGHUP it reads its certificates, their keys, the
    /// authorities of clients and their revocation lists again. The log goes to standard error.
    /// SIFT_LOG sets its level: off, error, warn, info (the default), debug or trace, also for a
    /// part of the program, as in `info,sift_server=debug`.
    Serve(ServeArgs),
    /// Make, show and revoke certificates: an authority of your own, what it issues, requests
    #[command(subcommand)]
    Cert(CertCommand),
    /// Protect files and columns, and describe text files: writes the descriptors beside them
    #[command(subcommand)]
    File(FileCommand),
    /// Build, list, show and drop the indexes of files, which let Selects read less
    #[command(subcommand)]
    Index(IndexCommand),
    /// Select records of a file on this machine, without a server
    ///
    /// Everybody who can read a file may select from it, whatever its descriptor protects, because
    /// no record leaves the machine. A protected file on a network mount (NFS, SMB, 9P, sshfs and
    /// the like) is refused.
    Query(QueryArgs),
    /// Check the configuration, the certificates and the descriptors, without serving
    ///
    /// The report says what each listener serves and what it refuses because of protection. The
    /// exit code is 2 if there are errors, 1 if there are only warnings and --strict is given, 0
    /// otherwise.
    Check(CheckArgs),
    /// Add, list and remove the users who may log in, and change their passwords
    #[command(subcommand)]
    User(UserCommand),
    /// Print a completion script for a shell
    Completions {
        /// bash, elvish, fish, powershell or zsh
        shell: Shell,
    },
}

#[derive(Debug, Default, ClapArgs)]
pub(crate) struct ServeArgs {
    /// The folder with the data files; no request leads out of it
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// Speak TLS (the default)
    #[arg(long, conflicts_with = "plain")]
    pub(crate) encrypt: bool,

    /// Speak in the clear; files with `network_encrypt` are refused then
    #[arg(long, conflicts_with_all = ["certificate", "level"])]
    pub(crate) plain: bool,

    /// PEM file with the certificate chain, the server's own first, and its private key
    ///
    /// By default siftd.pem in $XDG_CONFIG_HOME/sift or ~/.config/sift, else in /etc/sift.
    #[arg(long = "cert", value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,

    /// Security level of the channels: 0, 2, 3, 4 or 5
    ///
    /// 0 is the default level, now 3. 2: TLS 1.1 and 1.2, for old peers, in builds with the feature
    /// `legacy-tls` only. 3: TLS 1.2 and 1.3. 4: TLS 1.3. 5: TLS 1.3 with AES-256-GCM or ChaCha20
    /// and the post-quantum key exchange X25519MLKEM768 only. 1 is retired.
    #[arg(long = "scl", value_name = "LEVEL", value_parser = parse_level)]
    pub(crate) level: Option<Level>,

    /// Let all clients in without log-in
    ///
    /// Every client is the user that --default-user names, with the grants of that user. Without
    /// any `[[grant]]` in the configuration, every client may read every file below the data root.
    #[arg(long)]
    pub(crate) no_secure: bool,

    /// The user that every client is with --no-secure
    #[arg(long, value_name = "NAME")]
    pub(crate) default_user: Option<String>,

    /// The file with the users, as `siftd user` writes it
    ///
    /// By default users.toml in the folders of siftd.pem.
    #[arg(long, value_name = "FILE")]
    pub(crate) users: Option<PathBuf>,

    /// The address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<IpAddr>,

    /// The port to listen on, 0 for any free one [default: 7330]
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,

    #[arg(long, value_name = "N", help = limit_help("max_connections"))]
    pub(crate) max_connections: Option<NonZeroUsize>,

    /// How the log is written [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,

    /// The configuration file; the command line has precedence
    ///
    /// By default siftd.toml in the folders of siftd.pem, if it is there. Several listeners need a
    /// configuration file; siftd.example.toml in the source explains every key.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// A line of text for people
    #[default]
    Text,
    /// One JSON object for each line
    Json,
}

/// Returns the line of the table of limits that is about `key`, with its default.
fn limit_help(key: &str) -> String {
    let limits = Limits::table().into_iter();
    let lines = limits.filter(|limit| limit.key == key);
    lines.map(|limit| format!("{} [default: {}]", limit.help(), limit.default)).collect()
}

fn parse_level(text: &str) -> Result<Level, LevelError> {
    text.parse::<Level>()?.among(LEVELS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_help_of_a_limit_is_that_of_the_table() {
        let mut command = Args::command();
        let serve = command.find_subcommand_mut("serve").unwrap();
        let help = serve.render_long_help().to_string();
        let expected = "Open connections. One more is refused with SERVER_BUSY. At most 1048576.";
        assert!(help.contains(expected) && help.contains("[default: 256]"), "{help}");
    }

    #[test]
    fn levels_are_refused_by_name() {
        let cases =
            [("1", "level 1 is retired"), ("x", "levels are 0 (the default), 2, 3, 4 and 5")];
        for (level, expected) in cases {
            let error = Args::try_parse_from(["siftd", "serve", "--scl", level]).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        let legacy = Args::try_parse_from(["siftd", "serve", "--scl", "2"]);
        match legacy {
            Ok(_) => assert!(LEVELS.contains(&Level::Two)),
            Err(error) => assert!(error.to_string().contains("cargo build --features legacy-tls")),
        }
    }

    #[test]
    fn plain_channels_have_no_certificate() {
        let line = ["siftd", "serve", "--plain", "--cert", "a.pem"];
        assert!(Args::try_parse_from(line).is_err());
    }
}
