//! The errors of a Select, sorted by whose fault they are.

use std::fmt;

use sift_files::ErrorKind as FileErrorKind;
use sift_files::cancel::Stopped;
use sift_files::io::waiting::WouldBlock;
use sift_files::record::RecordError;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why a Select has no answer, as text for people and a [kind](ErrorKind) for programs.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    withheld: Option<String>,
    source: Option<std::io::Error>,
}

/// The kind of an [`Error`], which tells whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The text is not SQL.
    Syntax,
    /// Valid SQL that is outside the Select grammar.
    Unsupported,
    /// A column that the file does not have.
    UnknownColumn,
    /// A function that the Select grammar does not have.
    UnknownFunction,
    /// An operator, function or literal that does not fit its operands' types.
    TypeMismatch,
    /// A parameter that is missing, superfluous or of a wrong type.
    Parameter,
    /// A bound of this crate: text, nesting, record length.
    LimitExceeded,
    /// Overflow, division by zero, a cast out of range; with the record's position.
    Computation,
    /// A descriptor that is not well-formed or does not fit its file.
    Descriptor,
    /// A record that does not decode; with the record's position.
    Record,
    /// A key of an encrypted file or column that is missing.
    KeyMissing,
    /// The file changed while it was scanned.
    FileChanged,
    /// The operating system could not read the file.
    Io,
    /// The work was cancelled: a [`Cancel`](sift_files::cancel::Cancel) was raised.
    Cancelled,
    /// The work would have to wait for a disk, and may not: see
    /// [`Source::with_waiting`](crate::Source::with_waiting).
    WouldBlock,
}

impl Error {
    /// Makes an error of `kind`; `message` is lower case, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), withheld: None, source: None }))
    }

    /// Makes the error of the operating system about the file `name`.
    pub fn io(name: &str, source: std::io::Error) -> Self {
        let message = format!("{name}: {source}");
        Self(Box::new(Inner { kind: ErrorKind::Io, message, withheld: None, source: Some(source) }))
    }

    /// Adds details that are only for the log, not for the client.
    pub(crate) fn withholding(mut self, details: impl fmt::Display) -> Self {
        self.0.withheld = Some(details.to_string());
        self
    }

    /// Returns details that the text leaves out. They are about records that the client may not
    /// see, or about the server's folders. They are only for the administrator's log.
    pub fn withheld(&self) -> Option<&str> {
        self.0.withheld.as_deref()
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
}

impl From<sift_files::Error> for Error {
    fn from(error: sift_files::Error) -> Self {
        let message = error.to_string();
        let (kind, source) = match error.into_kind() {
            FileErrorKind::Unsupported { .. } => (ErrorKind::Unsupported, None),
            FileErrorKind::LimitExceeded { .. } => (ErrorKind::LimitExceeded, None),
            FileErrorKind::Descriptor { .. } => (ErrorKind::Descriptor, None),
            FileErrorKind::KeyMissing { .. } => (ErrorKind::KeyMissing, None),
            FileErrorKind::FileChanged { .. } => (ErrorKind::FileChanged, None),
            FileErrorKind::Io { source, .. } => (ErrorKind::Io, Some(source)),
            FileErrorKind::Cancelled => (ErrorKind::Cancelled, None),
            FileErrorKind::WouldBlock => (ErrorKind::WouldBlock, None),
            FileErrorKind::Record(_) | FileErrorKind::Damaged { .. } => (ErrorKind::Record, None),
        };
        Self(Box::new(Inner { kind, message, withheld: None, source }))
    }
}

impl From<RecordError> for Error {
    fn from(error: RecordError) -> Self {
        sift_files::Error::from(error).into()
    }
}

impl From<WouldBlock> for Error {
    fn from(would_block: WouldBlock) -> Self {
        sift_files::Error::from(would_block).into()
    }
}

impl From<Stopped> for Error {
    fn from(_stopped: Stopped) -> Self {
        Self::new(ErrorKind::Cancelled, "cancelled")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|e| e as _)
    }
}
