//! The error with which `siftd` ends.

use std::io;
use std::path::PathBuf;

use sift_server::{PasswordFault, UsersFault};

use super::passphrase;
use super::settings::error::Error as SettingsError;

/// The error with which `siftd` ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Server(#[from] sift_server::Error),
    #[error(transparent)]
    Certificate(#[from] crate::cert::Error),
    #[error(transparent)]
    Descriptor(#[from] crate::descriptor::Error),
    #[error(transparent)]
    Local(#[from] sift_server::LocalError),
    #[error(transparent)]
    Select(#[from] sift_select::Error),
    #[error(
        "{}: it is being written, or its time of change (`stat -c %z`) lies in the future, so that a later \
         change might not show; build its index when that is over",
        .0.display()
    )]
    JustChanged(PathBuf),
    #[error("{errors} in the configuration or the data; the lines above say which", errors = counted(*.0, "error"))]
    Checked(usize),
    #[error("{warnings}, and --strict", warnings = counted(*.0, "warning"))]
    Strict(usize),
    #[error("{columns} not copied; the lines above say why", columns = counted(*.0, "column"))]
    Uncopied(usize),
    #[error("users {}: {fault}", path.display())]
    Users { path: PathBuf, fault: UsersFault },
    #[error(
        "SIFT_LOG: `{got}` is not a level of the log; give error, warn, info, debug, trace or off, or a level \
         for a part of the program, as in `info,sift_server=debug`"
    )]
    Log { got: String },
    #[error("`{key}` has changed, and it counts at the next start only: restart the server")]
    NeedsStart { key: &'static str },
    #[error(
        "the running server has no control socket without a folder for its state: name one as `state` in \
         siftd.toml, or with --state DIR the folder that the server was started with"
    )]
    NoControl,
    #[error("no server answers at {}: {source}", path.display())]
    NoServer { path: PathBuf, source: io::Error },
    #[error("the server says: {0}")]
    Control(String),
    #[error(transparent)]
    Password(#[from] PasswordFault),
    #[error("the two passwords differ")]
    PasswordsDiffer,
    #[error("a client certificate is for one user, {got} names are given")]
    OneUser { got: usize },
    #[error(
        "{}: its private key has a passphrase; name a file with it as `cert_passphrase_file`, or put \
         it into {}: there is no terminal to ask at", path.display(), passphrase::VARIABLE
    )]
    NoPassphrase { path: PathBuf },
    #[error(
        "{}: it has a passphrase; name a file with it (--authority-passphrase-file), there is no \
         terminal to ask at", path.display()
    )]
    NoAuthorityPassphrase { path: PathBuf },
    #[error(transparent)]
    Print(#[from] sift_print::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// Returns 1 for warnings with --strict and columns that are not copied, and 2 for an error.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Strict(_) | Self::Uncopied(_) => 1,
            _ => 2,
        }
    }
}

/// Returns a number with its noun: `1 error`, `2 errors`.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}
