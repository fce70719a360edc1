//! What can go wrong, sorted by whose fault it is.
//!
//! An [`Error`] is a box around its [`ErrorKind`]; match on [`Error::kind`], or on [`Error::status`]
//! for what the server says about a request.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sift_proto::frame::{FrameError, Kind};
use sift_proto::identity::IdentityError;
use sift_proto::level::{Level, LevelError};
use sift_proto::message::{Failure, Status};

/// The result of everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Most characters of a server's message that an error keeps.
const MESSAGE_CHARS_MAX: usize = 4096;

/// An error of this crate.
///
/// `Debug` shows the same text as `Display`, so that `fn main() -> Result<(), Error>` ends with a
/// message for people. Print [`Error::kind`] to see the fields.
pub struct Error(Box<ErrorKind>);

/// Whose fault an [`Error`] is, and what it is about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no channel to the server, or not such a one as was asked for.
    #[error("client server error, host {host}: {reason}")]
    ClientServer {
        /// Name and port, as the options gave them.
        host: String,
        /// What is wrong with the channel.
        reason: Reason,
    },
    /// The server does not let this user in.
    #[error("{message}, log-in rejected on {host}")]
    LoginRejected {
        /// Name and port, as the options gave them.
        host: String,
        /// Why, as far as the server tells.
        message: String,
    },
    /// The server has refused the request; the connection can be used for the next one.
    #[error("{message}")]
    Failed {
        /// Why, for programs.
        status: Status,
        /// Why, for people.
        message: String,
    },
    /// The answer ended without its end marker: what came of it is not all of it.
    #[error(
        "the answer of {host} broke off after {records} records and {bytes} bytes and is not whole: {reason}"
    )]
    BrokenStream {
        /// Name and port, as the options gave them.
        host: String,
        /// Records received before.
        records: u64,
        /// Bytes of batches or of the file received before.
        bytes: u64,
        /// Why it ended.
        reason: Reason,
    },
    /// A file of this machine.
    #[error("{}: cannot {action}: {source}", path.display())]
    Local {
        /// What was tried, as an infinitive.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The records do not fit the type that they were asked for as.
    #[error("records {first} to {last} of the answer do not fit the type asked for: {problem}")]
    Record {
        /// First record of the batch, from 1.
        first: u64,
        /// Last record of the batch.
        last: u64,
        /// The first value that does not fit, with its column as `$.column`.
        problem: String,
    },
    /// The caller asked for something that cannot be.
    #[error(transparent)]
    Usage(#[from] Usage),
}

/// What is wrong with a channel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The name has no address, or none of the addresses takes a connection.
    #[error("cannot connect: {0}")]
    Unreachable(io::Error),
    /// The server took too long.
    #[error("nothing came from the server for {limit:?} while {during}")]
    TimedOut {
        /// What it was waited for, as in 'while connecting'.
        during: &'static str,
        /// The time-out of the options.
        limit: Duration,
    },
    /// Encryption was asked for and this is a plain port. Nothing was sent in the clear.
    #[error("encryption is not enabled on the server")]
    EncryptionNotEnabled,
    /// No encryption was asked for and the port is an encrypted one.
    #[error("this server requires encryption")]
    EncryptionRequired,
    /// The two ends have no protocol, cipher suite or key exchange in common.
    #[error("no protocol, cipher or key exchange in common: {detail}")]
    NothingInCommon {
        /// The level that this end asked for.
        level: Level,
        /// Which levels met and what to do.
        detail: String,
    },
    /// The channel came about, but below the level asked for.
    #[error("the channel is {got}, which security level {level} does not permit")]
    LevelNotMet {
        /// The level that this end asked for.
        level: Level,
        /// What was negotiated.
        got: String,
    },
    /// Nobody that this end trusts has signed the certificate.
    #[error("the server's certificate is signed by an unknown authority, {0}")]
    UnknownAuthority(String),
    /// The certificate is signed only by itself.
    #[error("the server's certificate is self-signed, so no authority vouches for it; {0}")]
    SelfSigned(String),
    /// The certificate is somebody else's.
    #[error("the server's certificate is for {presented}, not for {expected}; {advice}")]
    WrongName {
        /// The name that was connected to.
        expected: String,
        /// Those of the certificate.
        presented: String,
        /// A way to connect nevertheless.
        advice: String,
    },
    /// The certificate was valid once.
    #[error(
        "the server's certificate expired on {end}, and this machine's clock says {now}; have it \
         renewed, or set the clock"
    )]
    CertificateExpired {
        /// The end of its validity.
        end: String,
        /// The time of this machine.
        now: String,
    },
    /// The certificate will be valid later.
    #[error(
        "the server's certificate is not valid before {start}, and this machine's clock says {now}; \
         set the clock"
    )]
    CertificateNotValidYet {
        /// The start of its validity.
        start: String,
        /// The time of this machine.
        now: String,
    },
    /// Something else about the certificate.
    #[error("the server's certificate is refused: {0}")]
    CertificateRefused(String),
    /// The server lets nobody in without a certificate.
    #[error("the server requires a client certificate; give one (--client-cert FILE)")]
    ClientCertificateRequired,
    /// The server has looked at this end's certificate.
    #[error("the server refuses this end's client certificate: {0}")]
    ClientCertificateRefused(String),
    /// TLS failed otherwise.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    /// Somebody answers who does not speak the protocol.
    #[error("this is no Sift server: {0}")]
    NotSift(String),
    /// The server has refused the connection.
    #[error("{message}")]
    Refused {
        /// Why, for programs.
        status: Status,
        /// Why, for people.
        message: String,
    },
    /// No encryption was asked for, and the server does not answer at all.
    #[error("the server closed the connection without a word; it may require encryption")]
    ClosedWhenPlain,
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The network failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What the server says breaks the protocol.
    #[error("the server breaks the protocol: {0}")]
    Violation(#[from] Violation),
    /// An abandoned answer did not end within its bounds, so the connection was given up.
    #[error(
        "the connection was closed because an answer that was no longer wanted did not end; connect again"
    )]
    Abandoned,
    /// The two ends do not see the same channel: somebody sits between.
    #[error("the server sees another channel: {0}")]
    ChannelDiffers(String),
}

/// How a server breaks the protocol.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// Not a frame, or too large a one.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame that has no place here.
    #[error("got a {got:?} frame, expected {expected}")]
    Order {
        /// What came.
        got: Kind,
        /// What would have been right.
        expected: &'static str,
    },
    /// A body that does not decode.
    #[error("a {kind:?} message that does not decode: {source}")]
    Body {
        /// The frame's kind.
        kind: Kind,
        /// What is wrong with it.
        source: prost::DecodeError,
    },
    /// A batch or schema that is no Arrow message, or not one that Sift sends.
    #[error("not an Arrow message that Sift sends: {0}")]
    Arrow(String),
    /// A value out of its range.
    #[error("{what} is {got}, at most {max} is accepted")]
    Range {
        /// Name of the value.
        what: &'static str,
        /// What came.
        got: u64,
        /// The bound.
        max: u64,
    },
    /// A fetch that goes on with another file than it began with.
    #[error("the file's identity is not the one that was asked for")]
    Identity,
    /// A file's bytes that do not add up.
    #[error("{got} bytes of the file, {expected} were announced")]
    Length {
        /// What came.
        got: u64,
        /// What was announced or asked for.
        expected: u64,
    },
}

/// What a caller cannot ask for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Usage {
    /// Neither a host nor a host with a port.
    #[error("not an address: `{0}`; give HOST, HOST:PORT or [IPV6]:PORT")]
    Address(String),
    /// Not a name that a certificate can hold.
    #[error("not a server name: `{0}`; give a DNS name or an IP address")]
    ServerName(String),
    /// A password without encryption.
    #[error("a password is sent on encrypted channels only; encrypt, or connect without one")]
    PasswordInTheClear,
    /// A text longer than the server takes.
    #[error("the Select is {bytes} bytes long, the server takes at most {bytes_max}")]
    SelectTooLong {
        /// Its length.
        bytes: usize,
        /// The server's bound.
        bytes_max: usize,
    },
    /// A message longer than a frame.
    #[error("the request is too large: {0}")]
    RequestTooLarge(FrameError),
    /// A file of certificates without one.
    #[error("{}: holds no certificate; expected PEM with BEGIN CERTIFICATE", .0.display())]
    NoCertificate(PathBuf),
    /// The platform has no list of authorities.
    #[error("this machine trusts no certificate authority ({0}); give one (--ca FILE)")]
    NoPlatformRoots(String),
    /// A cipher suite that the level does not have.
    #[error("level {level} has no cipher suite `{name}`; it has {known}")]
    Suite {
        /// The level.
        level: Level,
        /// The name.
        name: String,
        /// Those that the level has.
        known: String,
    },
    /// A level that this build does not have.
    #[error(transparent)]
    Level(#[from] LevelError),
    /// The passphrase of a client certificate's key.
    #[error("{}: {error}", path.display())]
    Passphrase {
        /// The file with certificate and key.
        path: PathBuf,
        /// That there is none, or that it is a wrong one.
        error: IdentityError,
    },
    /// What the TLS library does not do.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// A range whose end is before its start.
    #[error("an empty range of bytes: {start} to {end}")]
    Range {
        /// First byte.
        start: u64,
        /// The byte after the last.
        end: u64,
    },
    /// A value that is not of its type.
    #[error("`{value}` is not {expected}")]
    Value {
        /// The text.
        value: String,
        /// The type, with its form.
        expected: &'static str,
    },
    /// A parameter with an unknown type.
    #[error(
        "unknown type `{name}` of a parameter; types are {known}; a text that begins with a letter and has \
         a colon needs its type, too, as in text:{name}:…{hint}"
    )]
    ParameterType {
        /// The text before the colon.
        name: String,
        /// The known types.
        known: String,
        /// A suggestion for the type that was meant.
        hint: String,
    },
    /// Two transfers into one file.
    #[error("{}: another fetch is writing it", .0.display())]
    Locked(PathBuf),
    /// The target of a fetch that can be resumed is a device, FIFO or socket.
    #[error("{}: not a regular file, so a fetch into it cannot be resumed; stream its bytes", .0.display())]
    NotRegular(PathBuf),
    /// The name for the part of a fetch belongs to somebody else's file, a link, or something that
    /// is not a regular file.
    #[error(
        "{}: it is a link, somebody else's, or not a regular file, so nothing is written to it; \
         remove it, or give another output", .0.display()
    )]
    NotOwn(PathBuf),
}

impl Error {
    /// Whose fault it is, and what it is about.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// Takes the kind out.
    #[must_use]
    pub fn into_kind(self) -> ErrorKind {
        *self.0
    }

    /// What the server said, when it is the server that refused a request or the connection.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        match self.kind() {
            ErrorKind::Failed { status, .. }
            | ErrorKind::ClientServer { reason: Reason::Refused { status, .. }, .. }
            | ErrorKind::BrokenStream { reason: Reason::Refused { status, .. }, .. } => {
                Some(*status)
            }
            ErrorKind::LoginRejected { .. } => Some(Status::LoginRejected),
            _ => None,
        }
    }

    pub(crate) fn failed(failure: Failure) -> Self {
        ErrorKind::Failed { status: failure.status(), message: printable(&failure.message) }.into()
    }

    pub(crate) fn local(action: &'static str, path: &Path, source: io::Error) -> Self {
        ErrorKind::Local { action, path: path.to_owned(), source }.into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&*self.0)
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

impl From<Usage> for Error {
    fn from(usage: Usage) -> Self {
        ErrorKind::Usage(usage).into()
    }
}

impl From<LevelError> for Error {
    fn from(error: LevelError) -> Self {
        Usage::from(error).into()
    }
}

impl Reason {
    /// The reason that a Failure outside of any request stands for.
    pub(crate) fn refused(failure: &Failure) -> Self {
        match failure.status() {
            Status::EncryptionNotEnabled => Self::EncryptionNotEnabled,
            Status::EncryptionRequired => Self::EncryptionRequired,
            Status::ClientCertificateRequired => Self::ClientCertificateRequired,
            status => Self::Refused { status, message: printable(&failure.message) },
        }
    }
}

/// A server's text without what would steer a terminal, and not longer than anybody reads.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .take(MESSAGE_CHARS_MAX)
        .map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}
