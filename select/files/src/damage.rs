//! The damage that a file can have as a whole: in its header, its metadata, its compression.

use crate::problem::Problem;
use crate::problem::thrift::ThriftError;

/// The part of a file that is damaged, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Damage {
    #[error("cannot be decompressed after byte {byte} of its text: {why}")]
    Compression { byte: u64, why: String },

    // the header of CSV
    #[error(
        "{}, expected a header; if it has none, say so in {descriptor} with `header = false` and \
         name its fields",
        no_header(*.has_blank_lines)
    )]
    NoHeader { has_blank_lines: bool, descriptor: String },
    #[error("header (byte {byte}): {problem}")]
    Header { byte: usize, problem: Problem },
    #[error("the header has no end within {bytes} bytes; is a quote not closed?")]
    HeaderWithoutEnd { bytes: usize },
    #[error("{fields} fields, at most {fields_max} are accepted")]
    HeaderFields { fields: usize, fields_max: usize },
    #[error("the name of field {field} in the header is not UTF-8")]
    HeaderNotUtf8 { field: usize },
    #[error("the header has the name `{name}` twice")]
    HeaderTwice { name: String },

    // the footer of Parquet
    #[error("{bytes} bytes are no Parquet file")]
    ShortParquet { bytes: u64 },
    #[error("no Parquet file: `PAR1` is missing at its end")]
    NotParquet,
    #[error("its metadata would have {length} bytes, the file has {bytes}")]
    LongParquetMetadata { length: u64, bytes: u64 },
    #[error("its metadata is damaged, or beyond every bound{}", detail(*.0))]
    ParquetBounds(Option<ThriftError>),
    #[error("its metadata is damaged")]
    ParquetMetadata,
    #[error("its metadata is damaged: {complaint}")]
    ParquetDecoder { complaint: String },
    #[error("its metadata is damaged: {0}")]
    ParquetEncryption(ThriftError),
    #[error("a row group of {records} records")]
    GroupRecords { records: i64 },
    #[error("a row group has other columns than the schema")]
    GroupColumns,
    #[error("its metadata does not decrypt: {key} is not the key, or the file is damaged")]
    MetadataUndecrypted { key: String },
    #[error("its metadata is not signed: {key} is not the key, or the file is damaged")]
    MetadataUnsigned { key: String },
    #[error(
        "the metadata of {column} does not decrypt: {key} is not the key, or the file is damaged"
    )]
    ColumnUndecrypted { column: String, key: String },
    #[error("it is encrypted by algorithm {algorithm}, of 1 and 2")]
    Algorithm { algorithm: i16 },

    // the footer of Arrow
    #[error("{bytes} bytes are no Arrow file")]
    ShortArrow { bytes: u64 },
    #[error("no Arrow file: `ARROW1` is missing at its end")]
    NotArrow,
    #[error("its footer would have {length} bytes, the file has {bytes}")]
    LongArrowFooter { length: u64, bytes: u64 },
    #[error("its footer is damaged")]
    ArrowFooter,
    #[error("a record batch is damaged")]
    RecordBatch,
    #[error("a dictionary is damaged")]
    Dictionary,
    #[error("a message is not within the file")]
    MessageOutsideFile,
    #[error("the metadata of a message are damaged")]
    MessageMetadata,
}

fn detail(error: Option<ThriftError>) -> String {
    error.map(|error| format!(": {error}")).unwrap_or_default()
}

fn no_header(has_blank_lines: bool) -> &'static str {
    if has_blank_lines { "the file has blank lines alone" } else { "the file is empty" }
}
