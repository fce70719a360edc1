//! What can go wrong with a data file, sorted by whose fault it is.

use std::fmt;

use crate::io::waiting::WouldBlock;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why a file could not be read, as text for people and a [kind](ErrorKind) for
/// programs.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<std::io::Error>,
}

/// Whose fault an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A file of a kind that is not read.
    Unsupported,
    /// A bound of this crate: metadata, memory, record length.
    LimitExceeded,
    /// A descriptor that is not well-formed or does not fit its file.
    Descriptor,
    /// A record that does not decode; with the record's position.
    Record,
    /// A missing key of an encrypted file, or of an encrypted column.
    KeyMissing,
    /// The file changed while it was read.
    FileChanged,
    /// The operating system could not read the file.
    Io,
    /// The work is not wanted any more: a [`Cancel`](crate::cancel::Cancel) was raised.
    Cancelled,
    /// The work would have to wait for a disk, and may not: see
    /// [`Waiting`](crate::io::waiting::Waiting).
    WouldBlock,
}

impl Error {
    /// Makes an error of `kind`; `message` is lower case, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), source: None }))
    }

    /// Makes the error for what the operating system said about the file `name`.
    pub fn io(name: &str, source: std::io::Error) -> Self {
        let message = format!("{name}: {source}");
        Self(Box::new(Inner { kind: ErrorKind::Io, message, source: Some(source) }))
    }

    /// Returns whose fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the text, and the error of the operating system if there is one.
    pub fn into_parts(self) -> (String, Option<std::io::Error>) {
        (self.0.message, self.0.source)
    }
}

impl From<WouldBlock> for Error {
    fn from(_would_block: WouldBlock) -> Self {
        Self::new(ErrorKind::WouldBlock, "would have to wait")
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
