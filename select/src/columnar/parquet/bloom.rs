//! Which values a column chunk does not have, by its Bloom filter.
//!
//! A filter is a split block Bloom filter over xxHash64 of a value's plain encoding
//! (<https://github.com/apache/parquet-format/blob/master/BloomFilter.md>). It is read when a
//! predicate asks for it. One that cannot be read, or that is beyond bounds, tells nothing.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use bytes::Bytes;
use parquet::basic::Type;
use parquet::bloom_filter::Sbbf;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};

use super::cipher::{ChunkCipher, Module, module_bytes};
use super::footer::contained;
use super::schema::Leaf;
use crate::data_file::DataFile;
use crate::types::{integer_at, text_at};

/// The largest filter that is read; one of a row group of a million values has two megabytes.
const FILTER_BYTES_MAX: usize = 16 << 20;

/// Whether a column chunk has no value equal to this one, which is of the column's type; `false` where
/// that is not known.
pub(super) fn lacks(
    file: &DataFile,
    chunk: &ColumnChunkMetaData,
    cipher: Option<ChunkCipher>,
    leaf: &Leaf,
    value: &ArrayRef,
) -> bool {
    let Some(plain) = plain(chunk.column_type(), leaf, value) else { return false };
    let source = Filters { file, cipher };
    let filter = contained(|| Sbbf::read_from_column_chunk(chunk, &source));
    matches!(filter, Ok(Some(filter)) if filter.num_blocks() > 0 && !filter.check(plain.as_slice()))
}

/// The value as the file would have it; `None` where that is not the same for all that are equal to it.
fn plain(physical: Type, leaf: &Leaf, value: &ArrayRef) -> Option<Vec<u8>> {
    if leaf.stored != leaf.to || value.is_null(0) {
        return None;
    }
    match (physical, value.data_type()) {
        // of zero and of NaN there are several
        (_, DataType::Float32 | DataType::Float64 | DataType::Boolean) => None,
        (Type::INT32, _) => Some(i32::try_from(integer_at(value, 0)?).ok()?.to_le_bytes().to_vec()),
        (Type::INT64, _) => Some(i64::try_from(integer_at(value, 0)?).ok()?.to_le_bytes().to_vec()),
        (Type::BYTE_ARRAY, DataType::Utf8) => Some(text_at(value, 0)?.as_bytes().to_vec()),
        _ => None,
    }
}

/// A header and the bits behind it, of two modules; they are all there only where the length of both
/// is told.
fn opened(cipher: &ChunkCipher, bytes: &[u8]) -> Option<Bytes> {
    let header = cipher.open(Module::FilterHeader, bytes)?;
    let bits = cipher.open(Module::FilterBits, bytes.get(module_bytes(bytes)?..)?)?;
    Some([header, bits].concat().into())
}

/// The filters of a file, as the parquet crate asks for them.
struct Filters<'a> {
    file: &'a DataFile,
    /// What opens the filter, if it is encrypted.
    cipher: Option<ChunkCipher>,
}

impl Length for Filters<'_> {
    fn len(&self) -> u64 {
        self.file.identity().bytes
    }
}

impl ChunkReader for Filters<'_> {
    type T = std::io::Empty;

    fn get_read(&self, _start: u64) -> ParquetResult<Self::T> {
        Err(ParquetError::General("a filter is read at once".to_owned()))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let left = self.len().saturating_sub(start);
        // where its length is not told, more is asked for than there may be
        let length = length.min(usize::try_from(left).unwrap_or(usize::MAX));
        if length > FILTER_BYTES_MAX {
            return Err(ParquetError::General("a filter out of bounds".to_owned()));
        }
        let mut bytes = vec![0; length];
        self.file
            .read(&mut bytes, start)
            .map_err(|error| ParquetError::External(Box::new(error)))?;
        let Some(cipher) = &self.cipher else { return Ok(bytes.into()) };
        let plain = opened(cipher, &bytes);
        plain.ok_or_else(|| ParquetError::General("a filter does not decrypt".to_owned()))
    }
}
