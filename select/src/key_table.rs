//! Numbers for distinct keys: the first key is 0, the next that differs 1, and so on.
//!
//! Keys are compared by their bytes in Arrow's row format, in which values are equal exactly where
//! `IS NOT DISTINCT FROM` says so: NULL is a key like any other. The bytes lie one behind another,
//! so a key costs its length and a few words.

use ahash::RandomState;
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use hashbrown::HashTable;

use crate::numeric;

/// The keys seen so far.
#[derive(Debug)]
pub(crate) struct KeyTable {
    converter: RowConverter,
    /// The keys of one batch, for their memory.
    rows: Rows,
    hasher: RandomState,
    table: HashTable<Entry>,
    bytes: Vec<u8>,
    /// Of each key, where its bytes end.
    ends: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u64,
    key: u32,
}

impl KeyTable {
    /// A table of keys with values of these types.
    pub(crate) fn new(types: impl IntoIterator<Item = DataType>) -> Result<Self, ArrowError> {
        let converter = RowConverter::new(types.into_iter().map(SortField::new).collect())?;
        let rows = converter.empty_rows(0, 0);
        Ok(Self {
            converter,
            rows,
            hasher: RandomState::new(),
            table: HashTable::new(),
            bytes: Vec::new(),
            ends: Vec::new(),
        })
    }

    /// Number of keys.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Adds to `numbers` the number of each row's key; a key that was not there gets the next one.
    ///
    /// # Errors
    /// More than 2³² keys, or a type that has no rows.
    pub(crate) fn intern(
        &mut self,
        columns: Vec<ArrayRef>,
        numbers: &mut Vec<u32>,
    ) -> Result<(), ArrowError> {
        let columns: Vec<_> = columns.into_iter().map(numeric::comparable).collect();
        self.rows.clear();
        self.converter.append(&mut self.rows, &columns)?;
        numbers.reserve(self.rows.num_rows());
        let Self { rows, hasher, table, bytes, ends, .. } = self;
        for row in rows.iter() {
            let hash = hasher.hash_one(row.data());
            let is_same = |entry: &Entry| {
                entry.hash == hash && key_bytes(bytes, ends, entry.key as usize) == row.data()
            };
            if let Some(entry) = table.find(hash, is_same) {
                numbers.push(entry.key);
                continue;
            }
            let key = u32::try_from(ends.len())
                .map_err(|_too_many| ArrowError::ComputeError("more than 2^32 keys".to_owned()))?;
            bytes.extend_from_slice(row.data());
            ends.push(bytes.len());
            table.insert_unique(hash, Entry { hash, key }, |entry| entry.hash);
            numbers.push(key);
        }
        Ok(())
    }

    /// The values of some keys, one array for each column.
    pub(crate) fn columns(
        &self,
        keys: impl IntoIterator<Item = usize>,
    ) -> Result<Vec<ArrayRef>, ArrowError> {
        let parser = self.converter.parser();
        let rows =
            keys.into_iter().map(|key| parser.parse(key_bytes(&self.bytes, &self.ends, key)));
        self.converter.convert_rows(rows)
    }

    /// Bytes of memory that its keys take, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.table.allocation_size()
            + self.bytes.capacity()
            + self.ends.capacity() * size_of::<usize>()
    }
}

fn key_bytes<'a>(bytes: &'a [u8], ends: &[usize], key: usize) -> &'a [u8] {
    let start = if key == 0 { 0 } else { ends[key - 1] };
    &bytes[start..ends[key]]
}
