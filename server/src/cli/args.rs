//! The syntax of the command line. Nothing here reads a file.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use super::cert::CertCommand;
use super::check::CheckArgs;
use super::control::{ControlArgs, KillArgs, StatusArgs};
use super::file::FileCommand;
use super::index::IndexCommand;
use super::query::QueryArgs;
use super::serve_args::ServeArgs;
use super::user::UserCommand;

/// Answers Selects over the files of one folder: only the selected records are encrypted and sent.
#[derive(Debug, Parser)]
#[command(name = "siftd", version = env!("SIFT_VERSION"), max_term_width = 100)]
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
    /// signal ends the server at once. At SIGHUP, as by siftd reload, it reads its configuration
    /// again, with certificates, keys, revocation lists and all other files that it names. The log
    /// goes to standard error. SIFT_LOG sets its level: off, error, warn, info (the default), debug
    /// or trace, also for a part of the program, as in `info,sift_server=debug`.
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
    /// Show the sessions of the running server, and what they do
    ///
    /// Sessions with user, peer, channel and begin. Requests with their text, in which long
    /// literals are cut; the seconds since they began; the records and bytes that were sent, and
    /// the bytes that were read of files; and what they wait for: `file` (planning, opening,
    /// reading), `pool` (the threads that scan) or `peer` (the client). The server answers root and
    /// its own user, through siftd.sock in the folder of its state.
    Status(StatusArgs),
    /// End a session or a request of the running server
    ///
    /// The client is told that the administrator ended it. After a request its session goes on.
    Kill(KillArgs),
    /// Let the running server read its configuration again, and print what has changed
    ///
    /// The server checks the whole of siftd.toml and every file that it names first. If something
    /// is wrong, nothing changes, and the exit code is 2. SIGHUP does the same; the log tells the
    /// outcome.
    Reload(ControlArgs),
    /// Print a completion script for a shell
    Completions {
        /// bash, elvish, fish, powershell or zsh
        shell: Shell,
    },
    /// Write the manual pages into a folder
    #[command(hide = true)]
    Man {
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use sift_proto::level::Level;
    use sift_server::LEVELS;

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
