//! The errors of this crate, sorted by whose fault they are.
//!
//! An [`Error`] is a box around its [`ErrorKind`]. Match on [`Error::kind`], or on
//! [`Error::status`] if the server refused a request.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sift_codec::DecodeError;
use sift_proto::frame::{DecompressError, FrameError, Kind};
use sift_proto::identity::IdentityError;
use sift_proto::level::{Level, LevelError};
use sift_proto::message::{Failure, Status};

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The maximal number of characters of a server's message in an error.
const MESSAGE_CHARS_MAX: usize = 4096;

/// An error of this crate.
///
/// `Debug` shows the same text as `Display`, so that `fn main() -> Result<(), Error>` ends with a
/// message for people. Print [`Error::kind`] to see the fields.
pub struct Error(Box<ErrorKind>);

/// The kind of an [`Error`]: whose fault it is, and its details.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no channel to the server, or the channel does not meet the options.
    #[error("client server error, host {host}: {reason}")]
    ClientServer {
        /// The name and port from the options.
        host: String,
        /// The reason.
        reason: Reason,
    },
    /// The server does not let this user in.
    #[error("{message}, log-in rejected on {host}")]
    LoginRejected {
        /// The name and port from the options.
        host: String,
        /// The reason that the server gives.
        message: String,
    },
    /// The server refused the request. The connection can be used for the next request.
    #[error("{message}")]
    Failed {
        /// The reason, for programs.
        status: Status,
        /// The reason, for people.
        message: String,
    },
    /// The answer ended without its end marker, so it is not complete.
    #[error(
        "the answer of {host} broke off after {records} records and {bytes} bytes and is not whole: {reason}"
    )]
    BrokenStream {
        /// The name and port from the options.
        host: String,
        /// The number of records that were received before.
        records: u64,
        /// The number of bytes of batches, or of the file, that were received before.
        bytes: u64,
        /// The reason why the stream ended.
        reason: Reason,
    },
    /// An operation on a file of this machine failed.
    #[error("{}: cannot {action}: {source}", path.display())]
    Local {
        /// The operation, as an infinitive.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The records do not fit the type that the caller asked for.
    #[error("records {first} to {last} of the answer do not fit the type asked for: {problem}")]
    Record {
        /// The number of the batch's first record; the answer's first record is 1.
        first: u64,
        /// The number of the batch's last record.
        last: u64,
        /// The first value that does not fit, with its column as `$.column`.
        problem: String,
    },
    /// The caller asked for something that is not possible.
    #[error(transparent)]
    Usage(#[from] Usage),
}

/// The reason why there is no channel, or why it cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The name has no address, or none of its addresses accepts a connection.
    #[error("cannot connect: {0}")]
    Unreachable(io::Error),
    /// The server did not answer in time.
    #[error("nothing came from the server for {limit:?} while {during}")]
    TimedOut {
        /// The step that took too long, as in 'while connecting'.
        during: &'static str,
        /// The time-out of the options.
        limit: Duration,
    },
    /// The options ask for encryption, and the port is not encrypted. Nothing was sent in the
    /// clear.
    #[error("encryption is not enabled on the server")]
    EncryptionNotEnabled,
    /// The options ask for no encryption, and the port is encrypted.
    #[error("this server requires encryption")]
    EncryptionRequired,
    /// The two ends have no protocol, cipher suite or key exchange in common.
    #[error("no protocol, cipher or key exchange in common: {detail}")]
    NothingInCommon {
        /// The level that this end asked for.
        level: Level,
        /// The two levels, and a hint.
        detail: String,
    },
    /// The handshake succeeded, but the channel is below the level that was asked for.
    #[error("the channel is {got}, which security level {level} does not permit")]
    LevelNotMet {
        /// The level that this end asked for.
        level: Level,
        /// The negotiated protocol, cipher suite and key exchange.
        got: String,
    },
    /// No authority that this end trusts has signed the certificate.
    #[error("the server's certificate is signed by an unknown authority, {0}")]
    UnknownAuthority(String),
    /// The certificate is self-signed.
    #[error("the server's certificate is self-signed, so no authority vouches for it; {0}")]
    SelfSigned(String),
    /// The certificate is for another name.
    #[error("the server's certificate is for {presented}, not for {expected}; {advice}")]
    WrongName {
        /// The name that was connected to.
        expected: String,
        /// The names in the certificate.
        presented: String,
        /// A hint how to connect.
        advice: String,
    },
    /// The certificate has expired.
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
    /// The certificate is not valid yet.
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
    /// The certificate is refused for another reason.
    #[error("the server's certificate is refused: {0}")]
    CertificateRefused(String),
    /// The server requires a client certificate.
    #[error("the server requires a client certificate; give one (--client-cert FILE)")]
    ClientCertificateRequired,
    /// The server refuses this end's certificate.
    #[error("the server refuses this end's client certificate: {0}")]
    ClientCertificateRefused(String),
    /// The TLS handshake failed for another reason.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    /// The peer does not speak the protocol.
    #[error("this is not a Sift server: {0}")]
    NotSift(String),
    /// The server has refused the connection.
    #[error("{message}")]
    Refused {
        /// The reason, for programs.
        status: Status,
        /// The reason, for people.
        message: String,
    },
    /// The options ask for no encryption, and the server closed the connection without an answer.
    #[error("the server closed the connection without a word; it may require encryption")]
    ClosedWhenPlain,
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The network failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The server broke the protocol.
    #[error("the server breaks the protocol: {0}")]
    Violation(#[from] Violation),
    /// An abandoned answer did not end within its limits, so the connection was closed.
    #[error(
        "the connection was closed because an answer that was no longer wanted did not end; connect again"
    )]
    Abandoned,
    /// The two ends see different channels, so there is somebody between them.
    #[error("the server sees another channel: {0}")]
    ChannelDiffers(String),
}

/// A violation of the protocol by a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// The bytes are not a frame, or the frame is too large.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame of another kind was expected.
    #[error("got a {got:?} frame, expected {expected}")]
    Order {
        /// The received value.
        got: Kind,
        /// The expected kinds.
        expected: &'static str,
    },
    /// The body of a message does not decode.
    #[error("a {kind:?} message that does not decode: {source}")]
    Body {
        /// The frame's kind.
        kind: Kind,
        /// The error of the decoder.
        source: prost::DecodeError,
    },
    /// A batch or schema is not an Arrow message, or not one that Sift sends.
    #[error("not an Arrow message that Sift sends: {0}")]
    Arrow(String),
    /// A batch is not one of narrow columns, or not of its schema.
    #[error("{0}")]
    Narrow(DecodeError),
    /// A compressed frame does not decompress.
    #[error(transparent)]
    Compressed(#[from] DecompressError),
    /// A value is out of its range.
    #[error("{what} is {got}, at most {max} is accepted")]
    Range {
        /// The name of the value.
        what: &'static str,
        /// The received value.
        got: u64,
        /// The bound.
        max: u64,
    },
    /// The file of a resumed fetch is not the file that it began with.
    #[error("the file's identity is not the one that was asked for")]
    Identity,
    /// The number of the file's bytes is wrong.
    #[error("{got} bytes of the file, {expected} were announced")]
    Length {
        /// The received value.
        got: u64,
        /// The announced or requested value.
        expected: u64,
    },
}

/// A mistake of the caller.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Usage {
    /// The text is neither a host nor a host with a port.
    #[error("not an address: `{0}`; give HOST, HOST:PORT or [IPV6]:PORT")]
    Address(String),
    /// The text is not a name that a certificate can have.
    #[error("not a server name: `{0}`; give a DNS name or an IP address")]
    ServerName(String),
    /// The options have a password, but no encryption.
    #[error("a password is sent on encrypted channels only; encrypt, or connect without one")]
    PasswordInTheClear,
    /// The Select is longer than the server accepts.
    #[error("the Select is {bytes} bytes long, the server takes at most {bytes_max}")]
    SelectTooLong {
        /// Its length.
        bytes: usize,
        /// The limit of the server.
        bytes_max: usize,
    },
    /// The request is longer than a frame.
    #[error("the request is too large: {0}")]
    RequestTooLarge(FrameError),
    /// The file has no certificate.
    #[error("{}: holds no certificate; expected PEM with BEGIN CERTIFICATE", .0.display())]
    NoCertificate(PathBuf),
    /// The platform has no list of authorities.
    #[error("this machine trusts no certificate authority ({0}); give one (--ca FILE)")]
    NoPlatformRoots(String),
    /// The level does not have the cipher suite.
    #[error("level {level} has no cipher suite `{name}`; it has {known}")]
    Suite {
        /// The level.
        level: Level,
        /// The name.
        name: String,
        /// The cipher suites of the level.
        known: String,
    },
    /// This build does not have the level.
    #[error(transparent)]
    Level(#[from] LevelError),
    /// The passphrase of a client certificate's key is missing or wrong.
    #[error("{}: {error}", path.display())]
    Passphrase {
        /// The file with certificate and key.
        path: PathBuf,
        /// The error: no passphrase, or a wrong one.
        error: IdentityError,
    },
    /// The TLS library does not accept the configuration.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// The end of the range is before its start.
    #[error("an empty range of bytes: {start} to {end}")]
    Range {
        /// First byte.
        start: u64,
        /// The byte after the last.
        end: u64,
    },
    /// The value does not have its type.
    #[error("`{value}` is not {expected}")]
    Value {
        /// The text.
        value: String,
        /// The type, with its form.
        expected: &'static str,
    },
    /// The type of a parameter is unknown.
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
    /// Another fetch is writing the same file.
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
    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// Returns the kind, and drops the box.
    #[must_use]
    pub fn into_kind(self) -> ErrorKind {
        *self.0
    }

    /// Returns the server's status if the server refused the request or the connection.
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
    /// Returns the reason for a Failure that is not the answer to a request.
    pub(crate) fn refused(failure: &Failure) -> Self {
        match failure.status() {
            Status::EncryptionNotEnabled => Self::EncryptionNotEnabled,
            Status::EncryptionRequired => Self::EncryptionRequired,
            Status::ClientCertificateRequired => Self::ClientCertificateRequired,
            status => Self::Refused { status, message: printable(&failure.message) },
        }
    }
}

/// Returns a server's text without control characters, and not longer than the maximum.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .take(MESSAGE_CHARS_MAX)
        .map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}
