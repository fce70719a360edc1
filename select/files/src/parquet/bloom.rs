//! Bloom filters, which tell values that a column chunk does not have.
//!
//! A filter is a split block Bloom filter over xxHash64 of a value's plain encoding
//! (<https://github.com/apache/parquet-format/blob/master/BloomFilter.md>). It is read when a
//! predicate asks for it. One that cannot be read, that is beyond bounds, or that cannot be the
//! filter of the column chunk, tells nothing.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use parquet::basic::Type;
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::ColumnChunkMetaData;

use super::cipher::{ChunkCipher, Module, module_bytes};
use super::footer::contained;
use super::schema::Leaf;
use super::thrift::{Reader, WireType};
use crate::io::raw_file::RawFile;
use crate::types::{integer_at, text_at};

/// The largest filter that is read; one of a row group of a million values has two megabytes.
const FILTER_BYTES_MAX: usize = 16 << 20;

/// The longest header of a filter, about.
const HEADER_BYTES: usize = 64;

/// Bytes of a block, and of each word in it.
const BLOCK_BYTES: usize = 32;
const WORD_BYTES: usize = 4;

/// Returns whether a column chunk surely has no value equal to this one, which has the column's
/// type.
pub(super) fn excludes(
    file: &RawFile,
    chunk: &ColumnChunkMetaData,
    cipher: Option<ChunkCipher>,
    leaf: &Leaf,
    value: &ArrayRef,
) -> bool {
    let Some(plain) = plain(chunk.column_type(), leaf, value) else { return false };
    let Some(bytes) = read(file, chunk, cipher) else { return false };
    let filter = contained(|| Sbbf::from_bytes(&bytes));
    filter.is_ok_and(|filter| {
        is_of_values(&bytes) && has_bounds(&filter, chunk) && !filter.check(plain.as_slice())
    })
}

/// The header of a filter and its bits; `None` where they cannot be read.
fn read(
    file: &RawFile,
    chunk: &ColumnChunkMetaData,
    cipher: Option<ChunkCipher>,
) -> Option<Vec<u8>> {
    let start = u64::try_from(chunk.bloom_filter_offset()?).ok()?;
    let left = usize::try_from(file.bytes().checked_sub(start)?).unwrap_or(usize::MAX);
    let bytes = |length: usize| {
        let mut bytes = vec![0; length];
        let is_within = length <= left.min(FILTER_BYTES_MAX);
        (is_within && file.read(&mut bytes, start).is_ok()).then_some(bytes)
    };
    match (chunk.bloom_filter_length(), cipher) {
        (Some(length), None) => bytes(usize::try_from(length).ok()?),
        (Some(length), Some(cipher)) => opened(&cipher, &bytes(usize::try_from(length).ok()?)?),
        (None, None) => {
            let (header, bits) = lengths(&bytes(HEADER_BYTES.min(left))?)?;
            bytes(header.checked_add(bits)?)
        }
        // where the module of the bits ends is told by the length alone
        (None, Some(_)) => None,
    }
}

/// A header and the bits after it, of two modules.
fn opened(cipher: &ChunkCipher, bytes: &[u8]) -> Option<Vec<u8>> {
    let header = cipher.open(Module::FilterHeader, bytes)?;
    let bits = cipher.open(Module::FilterBits, bytes.get(module_bytes(bytes)?..)?)?;
    Some([header, bits].concat())
}

/// Bytes of a header, and of the bits that it tells.
fn lengths(filter: &[u8]) -> Option<(usize, usize)> {
    let mut reader = Reader::new(filter);
    let (mut last, mut bits) = (0, None);
    while let Some(kind) = reader.field(&mut last).ok()? {
        match (last, kind) {
            (1, WireType::Integer) => bits = Some(usize::try_from(reader.int32().ok()?).ok()?),
            (_, other) => reader.skip(other).ok()?,
        }
    }
    Some((reader.position(), bits?))
}

/// Returns whether the bits are those of some values: each value has set one in every word of a
/// block.
fn is_of_values(filter: &[u8]) -> bool {
    let bits = lengths(filter).and_then(|(header, _)| filter.get(header..)).unwrap_or_default();
    let is_set = |word: &[u8]| word.iter().any(|byte| *byte != 0);
    let mut blocks = bits.chunks_exact(BLOCK_BYTES);
    let are_whole = blocks.clone().all(|block| {
        let set = block.chunks_exact(WORD_BYTES).filter(|word| is_set(word)).count();
        set == 0 || set == BLOCK_BYTES / WORD_BYTES
    });
    are_whole && blocks.any(is_set) && bits.len().is_multiple_of(BLOCK_BYTES)
}

/// Returns whether the least and the greatest value are in it, where the file tells them exactly.
fn has_bounds(filter: &Sbbf, chunk: &ColumnChunkMetaData) -> bool {
    let Some(statistics) = chunk.statistics() else { return true };
    let has = |bound: Option<&[u8]>, is_exact: bool| {
        !is_exact || bound.is_none_or(|bound| filter.check(bound))
    };
    has(statistics.min_bytes_opt(), statistics.min_is_exact())
        && has(statistics.max_bytes_opt(), statistics.max_is_exact())
}

/// The value as the file would have it; `None` where that is not the same for all that are equal to
/// it.
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
