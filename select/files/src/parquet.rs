//! Parquet: row groups of column chunks of pages.
//!
//! The metadata is read once, when the file is opened. A turn is a range of records of one row
//! group; in it each column has a decoder of its own, made when the column is first asked for, that
//! only goes forward. So the columns of a predicate are read first, and of the others the pages
//! that hold selected records: others are stepped over unread.
//!
//! Columns are the leaves of the schema, those of nested groups named `a.b.c`. Lists, maps and what
//! else Selects have no type for are columns, too, that can be described but not read.
//!
//! A file may be encrypted, or some of its columns (`encryption`): the metadata is as in the
//! clear then, and a column chunk has what opens its pages (`cipher`).
//!
//! The reader does not trust the file. Lengths, counts and positions are checked before memory is
//! taken (`footer`, `pages`). The size of decompressed data is bounded (`decoding`,
//! `Input::hold`). A panic inside the parquet crate is caught and reported as a decode error
//! (`footer::contained`). A record that does not decode is found by halving ([`column`]), so that
//! the complaint is about the same record however a file is divided.

mod bloom;
mod bound;
mod cipher;
mod codec;
mod column;
mod containers;
mod decoding;
mod dictionary;
mod encryption;
mod footer;
mod format;
mod header;
mod int96;
mod keys;
mod levels;
mod memory;
mod pages;
mod schema;
mod statistics;
pub(crate) mod thrift;
mod turns;
mod window;

pub use footer::has_encrypted_footer;
pub use keys::{ParquetKey, ParquetKeys};

use std::cell::RefCell;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow::array::ArrayRef;
use arrow::datatypes::Schema;
use parquet::basic::{Compression, Encoding, Type};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};

use crate::block::Block;
use crate::columnar::column::fault;
use crate::columnar::input::Input;
use crate::damage::Damage;
use crate::format::Encrypted;
use crate::io::raw_file::RawFile;
use crate::problem::column::{ColumnProblem, RowProblem};
use crate::record::{RecordFault, Rows};
use crate::{Error, Result};
use cipher::ChunkCipher;
use column::ColumnDecoder;
use encryption::{Coverage, Encryption};
use footer::Footer;
use memory::PageMemory;
use schema::Leaf;

/// The most records of a row group; writers make them of a million or fewer.
const GROUP_RECORDS_MAX: u64 = u32::MAX as u64;

/// How the records of a Parquet file are laid out.
#[derive(Debug)]
pub(crate) struct ParquetLayout {
    metadata: ParquetMetaData,
    /// `None` where nothing is encrypted.
    encryption: Option<Encryption>,
    /// By column of the schema.
    columns: Vec<schema::ParquetColumn>,
    /// By column chunk, one row group after the other, whether its statistics and those of its
    /// pages can both be true; told when it is first asked.
    agreements: Box<[OnceLock<bool>]>,
}

impl ParquetLayout {
    /// Reads the metadata of `file`.
    ///
    /// # Errors
    /// `Record` when it is not a Parquet file, damaged, or encrypted by another key than it says;
    /// `KeyMissing` when its metadata is encrypted and none of `keys` is the key; `Io`.
    pub(crate) fn open(file: &RawFile, keys: &ParquetKeys) -> Result<Self> {
        let Footer { metadata, encryption } = footer::read_footer(file, keys)?;
        let name = file.name();
        let columns = schema::columns(metadata.file_metadata().schema_descr());
        let leaves = metadata.file_metadata().schema_descr().num_columns();
        for group in metadata.row_groups() {
            let records = u64::try_from(group.num_rows());
            if !records.is_ok_and(|records| records <= GROUP_RECORDS_MAX) {
                let damage = Damage::GroupRecords { records: group.num_rows() };
                return Err(Error::damaged(name, damage));
            }
            if group.num_columns() != leaves {
                return Err(Error::damaged(name, Damage::GroupColumns));
            }
        }
        let chunks = metadata.num_row_groups() * leaves;
        let agreements = std::iter::repeat_with(OnceLock::new).take(chunks).collect();
        Ok(Self { metadata, encryption, columns, agreements })
    }

    pub(crate) fn schema(&self) -> Schema {
        Schema::new(self.columns.iter().map(|column| column.field.clone()).collect::<Vec<_>>())
    }

    /// Number of records.
    pub(crate) fn records(&self) -> u64 {
        self.metadata.row_groups().iter().map(records).sum()
    }

    fn of_leaf(&self, column: usize) -> Option<(&Encryption, usize)> {
        let leaf = self.columns.get(column)?.leaf.as_ref()?;
        Some((self.encryption.as_ref()?, leaf.index))
    }

    /// Returns what decrypts a column chunk, if it is encrypted.
    fn cipher(&self, group: usize, leaf: usize) -> Result<Option<ChunkCipher>, ColumnProblem> {
        let cipher = self.encryption.as_ref().map(|encryption| encryption.cipher(group, leaf));
        Ok(cipher.transpose()?.flatten())
    }
}

impl Encrypted for ParquetLayout {
    fn is_whole(&self) -> bool {
        let encryption = self.encryption.as_ref();
        encryption.is_some_and(|encryption| encryption.coverage == Coverage::Footer)
    }

    fn encrypts(&self, column: usize) -> bool {
        self.of_leaf(column).is_some_and(|(encryption, leaf)| encryption.covers(leaf))
    }

    fn key_missing(&self, column: usize) -> Option<&str> {
        self.of_leaf(column).and_then(|(encryption, leaf)| encryption.missing(leaf))
    }
}

/// The records of a row group, which were checked when the file was opened.
fn records(group: &RowGroupMetaData) -> u64 {
    u64::try_from(group.num_rows()).unwrap_or(0)
}

/// A column of a row group.
#[derive(Clone, Debug)]
struct Chunk {
    compression: Compression,
    /// The position of its pages.
    bytes: Range<u64>,
    records: u64,
    physical_type: Type,
    /// Bytes of a value in a dictionary, at least.
    value_bytes_min: u64,
    /// True if the metadata says that all pages have numbers of values in a dictionary.
    has_dictionary: bool,
    /// The position of each data page, if the file has a sound offset index.
    locations: Option<Arc<[Location]>>,
    /// The key that decrypts its pages, if they are encrypted.
    cipher: Option<ChunkCipher>,
}

/// A page as the offset index describes it.
#[derive(Clone, Debug)]
struct Location {
    /// The header included.
    bytes: Range<u64>,
    records: u64,
}

impl Chunk {
    /// The column chunk of a leaf, if it lies within the file of `file_bytes`.
    fn new(metadata: &ParquetMetaData, group: usize, leaf: usize, file_bytes: u64) -> Option<Self> {
        let row_group = metadata.row_groups().get(group)?;
        let column = row_group.columns().get(leaf)?;
        let data = u64::try_from(column.data_page_offset()).ok()?;
        let dictionary = column.dictionary_page_offset().and_then(|at| u64::try_from(at).ok());
        // some writers tell 0 where there is no dictionary
        let start = dictionary.filter(|at| *at > 0 && *at < data).unwrap_or(data);
        let end = start.checked_add(u64::try_from(column.compressed_size()).ok()?)?;
        if end > file_bytes {
            return None;
        }
        let value_bytes_min = match column.column_type() {
            Type::INT64 | Type::DOUBLE => 8,
            Type::INT96 => 12,
            Type::BOOLEAN => 1,
            Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
            Type::FIXED_LEN_BYTE_ARRAY => {
                u64::try_from(column.column_descr().type_length()).unwrap_or(0).max(1)
            }
        };
        let (bytes, records) = (start..end, records(row_group));
        let locations = locations(metadata, group, leaf, data..end, records);
        Some(Self {
            compression: column.compression(),
            bytes,
            records,
            physical_type: column.column_type(),
            value_bytes_min,
            has_dictionary: has_dictionary(column),
            locations,
            cipher: None,
        })
    }

    fn location(&self, page: usize) -> Option<&Location> {
        self.locations.as_ref()?.get(page)
    }
}

fn has_dictionary(column: &ColumnChunkMetaData) -> bool {
    column.page_encoding_stats_mask().is_some_and(|encodings| {
        encodings.is_only(Encoding::RLE_DICTIONARY) || encodings.is_only(Encoding::PLAIN_DICTIONARY)
    })
}

/// The offset index of a column chunk, if its pages are all of the bytes from `data` on, where the
/// first page of data is, and all of the records.
fn locations(
    metadata: &ParquetMetaData,
    group: usize,
    leaf: usize,
    data: Range<u64>,
    records: u64,
) -> Option<Arc<[Location]>> {
    let pages = metadata.offset_index()?.get(group)?.get(leaf)?.page_locations();
    let first_records = pages.iter().map(|page| u64::try_from(page.first_row_index).ok());
    let first_records: Vec<u64> = first_records.collect::<Option<_>>()?;
    if first_records.first() != Some(&0) {
        return None;
    }
    let ends = first_records.iter().skip(1).copied().chain([records]);
    let mut locations = Vec::with_capacity(pages.len());
    let mut before = data.start;
    for ((page, first), end) in pages.iter().zip(&first_records).zip(ends) {
        let start = u64::try_from(page.offset).ok()?;
        let bytes = start..start.checked_add(u64::try_from(page.compressed_page_size).ok()?)?;
        if bytes.start != before || bytes.end > data.end || bytes.is_empty() || end <= *first {
            return None;
        }
        before = bytes.end;
        locations.push(Location { bytes, records: end - first });
    }
    (before == data.end).then(|| locations.into())
}

/// Records of a turn, of which columns are decoded when they are asked for.
pub(crate) struct ParquetBlock<'a> {
    layout: &'a ParquetLayout,
    /// Decoders, by column of the schema.
    columns: &'a RefCell<Vec<Option<ColumnDecoder>>>,
    input: &'a Arc<Input>,
    memory: &'a PageMemory,
    group: usize,
    /// Counted from the start of the row group.
    records: Range<u64>,
}

impl Block for ParquetBlock<'_> {
    fn records(&self) -> usize {
        usize::try_from(self.records.end - self.records.start).unwrap_or(0)
    }

    fn decode_column(&self, column: usize, rows: Rows<'_>) -> Result<ArrayRef, RecordFault> {
        self.decode_rows(column, rows)
            .map_err(|problem| fault(&self.layout.columns, column, problem))
    }
}

impl ParquetBlock<'_> {
    fn decode_rows(&self, column: usize, rows: Rows<'_>) -> Result<ArrayRef, RowProblem> {
        let first = match rows {
            Rows::All => 0,
            Rows::Selected(rows) => rows.first().map_or(0, |row| *row as usize),
        };
        let mut columns = self.columns.borrow_mut();
        let decoder = match columns.get_mut(column) {
            Some(Some(decoder)) => decoder,
            Some(vacant) => vacant.insert(self.column(column).map_err(|problem| (first, problem))?),
            None => return Err((first, ColumnProblem::Unknown)),
        };
        decoder.decode(self.records.clone(), rows)
    }

    fn column(&self, column: usize) -> Result<ColumnDecoder, ColumnProblem> {
        let leaf = self.layout.columns.get(column).and_then(|column| column.leaf.clone());
        let leaf: Leaf = leaf.ok_or(ColumnProblem::UnreadType)?;
        let (metadata, file_bytes) = (&self.layout.metadata, self.input.file.bytes());
        let chunk = Chunk::new(metadata, self.group, leaf.index, file_bytes);
        let chunk = chunk.ok_or(ColumnProblem::ChunkOutsideFile)?;
        let cipher = self.layout.cipher(self.group, leaf.index)?;
        let (input, memory) = (Arc::clone(self.input), self.memory.clone());
        Ok(ColumnDecoder::new(input, memory, Chunk { cipher, ..chunk }, leaf))
    }
}
