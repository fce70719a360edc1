//! The errors of the settings, sorted by what is wrong: the whole, or one value of the file.

use std::path::PathBuf;

use glob::PatternError;
use sift_proto::level::LevelError;
use sift_server::{GrantFault, KeyFault, LimitFault, UsersFault};

/// A fault of the settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no data root: name the folder with --data DIR, or as `data` in siftd.toml")]
    NoData,
    #[error(
        "nobody could log in: there is no users file; make the first user with\n    \
         siftd user add NAME\n\
         or let everybody in as one user, without log-in: --no-secure --default-user NAME"
    )]
    NoUsers,
    #[error(
        "{}: not a folder; records that do not fit into memory are sorted there: make it, or name \
         another as `state` in siftd.toml",
        path.display()
    )]
    NoState { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}: {message}", path.display())]
    Syntax { path: PathBuf, message: String },
    #[error("{}: {fault}", path.display())]
    Value { path: PathBuf, fault: ValueFault },
    #[error(
        "no certificate: there is no siftd.pem in {searched}; name one with --cert, choose --plain \
         to go without encryption, or make one with an authority of your own:\n    \
         siftd cert authority\n    \
         siftd cert issue localhost 127.0.0.1"
    )]
    NoCertificate { searched: String },
}

/// A fault of a value in the configuration file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ValueFault {
    #[error(
        "listener {number}: nobody can log in on a plain port, since passwords belong on encrypted \
         channels; encrypt it, or let everybody in as one user: `secure = false` and `default_user` \
         (--no-secure --default-user NAME)"
    )]
    PlainLogin { number: usize },
    #[error(
        "listener {number}: without log-in everybody is one user; name it: `default_user` \
         (--default-user NAME)"
    )]
    NoDefaultUser { number: usize },
    #[error(
        "listener {number}: `default_user` is for listeners without log-in, `secure = false` \
         (--no-secure)"
    )]
    SecureDefaultUser { number: usize },
    #[error("listener {number}: `default_user`: {error}")]
    UserName { number: usize, error: UsersFault },
    #[error("grant {number}: {error}")]
    Grant { number: usize, error: GrantFault },
    #[error("listener {number}: {error}")]
    Level { number: usize, error: LevelError },
    #[error(
        "listener {number}: `{key}` is for encrypted channels, and this one has `encrypt = false`"
    )]
    PlainWith { number: usize, key: &'static str },
    #[error(
        "listener {number}: `client_cert` needs `client_ca`, a PEM file with the authorities that \
         sign the clients' certificates"
    )]
    NoClientAuthority { number: usize },
    #[error(
        "listener {number}: `client_crl` needs `client_ca`, a PEM file with the authorities whose \
         revocation lists those are"
    )]
    NoRevokingAuthority { number: usize },
    #[error("listener {number}: `client_crl` is an empty list; name a file, or leave the key out")]
    NoRevocationList { number: usize },
    #[error("{place}: `scl_min` is {got}, it is a level from 2 to 5")]
    SclMin { place: String, got: u8 },
    #[error(
        "protect {number}: it protects nothing; expected `files` and `network_encrypt = true` or \
         `scl_min`"
    )]
    ProtectsNothing { number: usize },
    #[error("protect {number}: {error}")]
    Glob { number: usize, error: PatternError },
    #[error("parquet_key {number}: a key is in a `file` or in a variable, `env`; name one of them")]
    KeyPlace { number: usize },
    #[error("parquet_key {number}: `{name}`: {error}")]
    KeyUnreadable { number: usize, name: String, error: KeyFault },
    #[error("parquet_key {number}: there is another key `{name}`")]
    KeyTwice { number: usize, name: String },
    #[error("parquet {number}: it has no effect; expected `files` and `key` or `aad_prefix`")]
    TellsNothing { number: usize },
    #[error("parquet {number}: there is no [[parquet_key]] `{name}`")]
    KeyUnknown { number: usize, name: String },
    #[error("parquet {number}: {error}")]
    KeyGlob { number: usize, error: PatternError },
    #[error(transparent)]
    Limit(#[from] LimitFault),
    #[error(
        "it has {0} listeners; --listen, --port, --encrypt, --plain, --cert and --scl cannot tell \
         which one they are for"
    )]
    Ambiguous(usize),
}
