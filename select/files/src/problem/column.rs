//! The problems of a column of a file that stores columns: its pages, its buffers, its values.

use crate::excerpt::Excerpt;
use crate::problem::thrift::ThriftError;

/// The reason why a value of a column cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ColumnProblem {
    // the column
    #[error("there is no such column")]
    Unknown,
    #[error("its type is not read")]
    UnreadType,
    #[error("it is encrypted by {key}")]
    KeyMissing { key: Box<str> },
    #[error("it is beyond what can be encrypted")]
    BeyondEncryption,
    #[error("the file cannot be read")]
    UnreadableFile,
    #[error(
        "the columns of some records take more than {bytes_max} bytes of memory, the most that is \
         accepted; select fewer columns, or write the file in smaller batches or pages"
    )]
    TooMuchMemory { bytes_max: u64 },
    #[error(
        "a column has more than {bytes_max} bytes of text in some records, the most that is decoded \
         at once"
    )]
    TooMuchText { bytes_max: usize },
    /// A complaint of the crate that decodes the file.
    #[error("{complaint}")]
    Decoder { complaint: Box<str> },
    #[error("the decoder does not cope with it")]
    DecoderPanicked,

    // column chunks and pages of Parquet
    #[error("its column chunk is not within the file")]
    ChunkOutsideFile,
    #[error("it is compressed by {codec}, which is not read")]
    UnreadCodec { codec: Box<str> },
    #[error("its page is damaged")]
    DamagedPage,
    #[error("its pages end too soon")]
    PagesEnd,
    /// The header of a page. The message does not say where: headers hold values, whose lengths the
    /// position would tell to readers who may not see them.
    #[error("the header of a page is damaged")]
    DamagedHeader(#[from] ThriftError),
    /// An encrypted header that goes beyond its column chunk.
    #[error("the header of a page is damaged")]
    LongHeader,
    #[error("a page ends after its column chunk")]
    PageOutsideChunk,
    #[error("a page of {bytes} bytes, at most {bytes_max} are accepted")]
    LongPage { bytes: usize, bytes_max: usize },
    #[error("a dictionary has more values than room for them")]
    DictionaryTooFull,
    #[error("a page has {found} values where the offset index tells {expected}")]
    OtherPageValues { found: u64, expected: u64 },
    #[error("its pages have more values than the {records} of the row group")]
    MorePageValues { records: u64 },
    #[error("its pages are more than can be encrypted")]
    TooManyPages,
    #[error("a page does not decrypt: its key is another, or the file is damaged")]
    Undecrypted,
    #[error("a page does not have its checksum")]
    WrongChecksum,
    #[error("the levels of a page are longer than the page")]
    LongLevels,
    #[error("a page of no known kind")]
    UnknownPage,
    #[error("a page does not decompress to its {bytes} bytes")]
    PageNotDecompressed { bytes: usize },

    // buffers of Arrow
    #[error("a struct has no buffer")]
    NoStructBuffer,
    #[error("a column has no buffers")]
    NoBuffers,
    #[error("a column is missing")]
    NoNode,
    #[error("its dictionary is missing")]
    NoDictionary,
    #[error("a code is not one of its dictionary")]
    UnknownCode,
    #[error("its NULLs are not those of all records")]
    ShortValidity,
    #[error("its buffers are damaged: {complaint}")]
    DamagedBuffers { complaint: Box<str> },
    #[error("a compressed buffer is too short")]
    ShortCompressed,
    #[error("a compressed buffer of no length")]
    NoCompressedLength,
    #[error("a codec that is not read")]
    UnknownCodec,
    #[error("a buffer does not decompress to its {bytes} bytes")]
    BufferNotDecompressed { bytes: u64 },

    // values
    #[error("{value} is not UTF-8")]
    NotUtf8 { value: Excerpt },
    #[error("{value} is not a whole day")]
    NotWholeDay { value: Box<str> },
    #[error("{value} is not a whole number of microseconds")]
    NotWholeMicrosecond { value: Box<str> },
    #[error("{value} is beyond {data_type}")]
    BeyondType { value: Box<str>, data_type: Box<str> },
    #[error("the digits {digits} are more than {data_type}")]
    TooManyDigits { digits: Box<str>, data_type: Box<str> },
    #[error("{value} is not from {least} to {greatest}, as its type is")]
    OutsideRange { value: i32, least: i32, greatest: i32 },
    #[error("no timestamp of 96 bits")]
    NotInt96,
    #[error("{nanos} nanoseconds of a day, which has {nanos_max}")]
    BeyondDay { nanos: i64, nanos_max: i64 },
    #[error("{nanos} nanoseconds of a day are not a whole number of microseconds")]
    DayNotWholeMicrosecond { nanos: i64 },
    #[error("the Julian day {day} is beyond timestamp")]
    BeyondTimestamp { day: i32 },
}

impl ColumnProblem {
    /// Takes what another crate says.
    pub(crate) fn decoder(complaint: impl std::fmt::Display) -> Self {
        Self::Decoder { complaint: complaint.to_string().into() }
    }
}

/// A row of a block, or a place among some rows, and why it has no value.
pub(crate) type RowProblem = (usize, ColumnProblem);
