//! The errors of data files, sorted by whose fault they are.

use std::{fmt, io};

use crate::damage::Damage;
use crate::problem::descriptor::DescriptorProblem;
use crate::record::RecordError;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why a file could not be read.
#[derive(Debug)]
pub struct Error(Box<ErrorKind>);

/// The kinds of errors, by whose fault they are.
#[derive(Debug, thiserror::Error)]
pub enum ErrorKind {
    /// A file of a kind that is not read.
    #[error("{file}: {reason}")]
    Unsupported {
        /// The name of the file.
        file: String,
        /// The property that is not read.
        reason: Unsupported,
    },
    /// A bound of this crate: metadata, memory.
    #[error("{file}: {limit}")]
    LimitExceeded {
        /// The name of the file.
        file: String,
        /// The bound.
        limit: Limit,
    },
    /// A descriptor or a copybook that is not well-formed, or does not fit its file.
    #[error("{name}: {}{problem}", position(*.at))]
    Descriptor {
        /// The name of the descriptor or, if that is at fault, of the file.
        name: String,
        /// Line and column of the text, from 1.
        at: Option<(usize, usize)>,
        /// The reason.
        problem: DescriptorProblem,
    },
    /// A record that does not decode.
    #[error("{0}")]
    Record(RecordError),
    /// A header, metadata or compressed bytes that are damaged.
    #[error("{file}: {damage}")]
    Damaged {
        /// The name of the file.
        file: String,
        /// The damaged part.
        damage: Damage,
    },
    /// A missing key of an encrypted file, or of an encrypted column.
    #[error("{file}: {} is encrypted by {key}", encrypted(.column.as_deref()))]
    KeyMissing {
        /// The name of the file.
        file: String,
        /// The column; `None` is the whole file.
        column: Option<String>,
        /// The name of the key, and why it is missing.
        key: String,
    },
    /// The file changed while it was read.
    #[error("{file}: was truncated while it was read")]
    FileChanged {
        /// The name of the file.
        file: String,
    },
    /// The operating system could not read the file.
    #[error("{file}: {source}")]
    Io {
        /// The name of the file.
        file: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The work is not wanted any more: a [`Cancel`](crate::cancel::Cancel) was raised.
    #[error("cancelled")]
    Cancelled,
    /// The work would have to wait for a disk, and may not: see
    /// [`Waiting`](crate::io::waiting::Waiting).
    #[error("would have to wait")]
    WouldBlock,
}

/// A kind of file that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// A folder, a pipe or a device.
    #[error("not a regular file")]
    NotRegular,
    /// An Arrow file of a big-endian machine.
    #[error("its numbers are big-endian, which is not read")]
    BigEndian,
}

/// A bound that a file exceeds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Limit {
    /// The length of the metadata.
    #[error("metadata of {bytes} bytes, at most {bytes_max} are accepted")]
    Metadata {
        /// The length of the metadata.
        bytes: u64,
        /// The most bytes that are accepted.
        bytes_max: u64,
    },
    /// The length of the metadata of all messages.
    #[error("more than {bytes_max} bytes of metadata, which is the most accepted")]
    Messages {
        /// The most bytes that are accepted.
        bytes_max: u64,
    },
    /// The memory that the columns of some records take.
    #[error("{0}")]
    Columns(crate::problem::column::ColumnProblem),
}

impl Error {
    /// Makes the error for what the operating system said about the file `name`.
    pub fn io(name: &str, source: io::Error) -> Self {
        ErrorKind::Io { file: name.to_owned(), source }.into()
    }

    pub(crate) fn descriptor(name: impl Into<String>, problem: DescriptorProblem) -> Self {
        ErrorKind::Descriptor { name: name.into(), at: None, problem }.into()
    }

    /// Makes the error for a text of a descriptor, at a line and a column from 1.
    pub(crate) fn descriptor_at(
        name: &str,
        at: (usize, usize),
        problem: DescriptorProblem,
    ) -> Self {
        ErrorKind::Descriptor { name: name.to_owned(), at: Some(at), problem }.into()
    }

    pub(crate) fn damaged(file: &str, damage: Damage) -> Self {
        ErrorKind::Damaged { file: file.to_owned(), damage }.into()
    }

    /// Returns whose fault it is.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// Takes the kind out.
    pub fn into_kind(self) -> ErrorKind {
        *self.0
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

impl From<RecordError> for Error {
    fn from(error: RecordError) -> Self {
        ErrorKind::Record(error).into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            ErrorKind::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

fn position(at: Option<(usize, usize)>) -> String {
    at.map(|(line, column)| format!("line {line}, column {column}: ")).unwrap_or_default()
}

fn encrypted(column: Option<&str>) -> String {
    column.map_or_else(|| "the file".to_owned(), |column| format!("column `{column}`"))
}
