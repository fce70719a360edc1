//! The problems of bytes in the encoding of Thrift. Only this file makes their sentences.

/// The reason why bytes are not what a reader expects, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at byte {byte}")]
pub struct ThriftError {
    /// The position of the reader, counted from the start of the bytes that it was given.
    pub byte: usize,
    /// The problem there.
    pub problem: ThriftProblem,
}

/// The problems of bytes in Thrift's encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ThriftProblem {
    /// The bytes end within a value.
    #[error("the bytes end within a value")]
    Truncated,
    /// A number has more than 64 bits.
    #[error("a number is too long")]
    LongNumber,
    /// A number is beyond the type that it should have.
    #[error("a number is out of range")]
    OutOfRange,
    /// A type that the encoding does not have.
    #[error("a value has the unknown type {0}")]
    UnknownType(u8),
    /// A value has another type than it should.
    #[error("a value has another type than expected")]
    OtherType,
    /// A structure lacks a field.
    #[error("field {0} is missing")]
    Missing(u8),
    /// Structures are nested too deep.
    #[error("structures are nested too deep")]
    TooDeep,
    /// A structure or a list is longer than is accepted.
    #[error("more than {0} entries, which is the most accepted")]
    TooMany(usize),
    /// The elements of a schema are not a tree.
    #[error("the elements of the schema are not a tree")]
    NoTree,
    /// The names of the schema are too long.
    #[error("the names of the schema are longer than {0} bytes, which is the most accepted")]
    LongNames(usize),
    /// A word that the format does not have.
    #[error("an unknown encoding {0}")]
    UnknownEncoding(i32),
}
