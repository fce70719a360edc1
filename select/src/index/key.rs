//! A key of an index: the positions of all records in the order of some columns, in pages of a
//! file.
//!
//! The columns of a record are encoded as bytes that compare in the order of the columns
//! (`arrow::row`), one column after the other. Pages have entries in that order; entries with equal
//! bytes are in the order of the file. The directory of the pages is in memory, so a page is found
//! without reading another. Columns are ordered as by ORDER BY: NULL is above all values.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::Schema;
use arrow::row::{RowConverter, Rows, SortField};

use super::pages::{PageFile, PagePlace};
use super::store;
use crate::expr::numeric;
use sift_files::io::extent::Extent;
use sift_files::io::waiting::{Waiting, WouldBlock};
use sift_files::key_spec::{KeyColumn, KeySpec, is_ordered};

/// The longest encoding of a record's columns. A record with a longer one has no key.
pub(super) const KEY_BYTES_MAX: usize = 1 << 10;

/// Most entries that a thread that may not wait looks up.
pub(crate) const AT_ONCE_MAX: u64 = 4 << 10;

/// A key that was built.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) spec: KeySpec,
    /// The encoder of its columns.
    pub(crate) encoder: Arc<KeyEncoder>,
    pub(super) directory: Directory,
    pub(super) file: Arc<PageFile>,
}

/// The pages of a key in order.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    pages: Vec<Page>,
    /// The first bytes of the first entry of each page: searching them is fast in the processor's
    /// caches.
    prefixes: Vec<u64>,
}

/// The directory entry of a page.
#[derive(Clone, Debug)]
pub(super) struct Page {
    /// The encoded columns of its first entry.
    pub(super) first: Vec<u8>,
    pub(super) place: PagePlace,
    pub(super) entries: u64,
}

/// A record and its encoded columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Vec<u8>,
    /// Number of the record in the file, from 0.
    pub(crate) record: u64,
    pub(crate) bytes: Range<u64>,
}

/// A callback for an entry: its key, its record, and the bytes of the record.
pub(super) type EachEntry<'a> = dyn FnMut(&[u8], u64, Range<u64>) + 'a;

/// Encodings from `low` on, up to but not including `high`; without an upper end for `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyRange {
    pub(crate) low: Vec<u8>,
    pub(crate) high: Option<Vec<u8>>,
}

/// The end of a key from which entries are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Head,
    Tail,
}

/// The reason why entries of a key cannot be looked up.
#[derive(Debug)]
pub(crate) enum LookupError {
    /// A page cannot be read, or is damaged, or there are too many entries.
    Unusable,
    /// The work may not wait, and would have to.
    WouldBlock,
}

impl From<WouldBlock> for LookupError {
    fn from(_would_block: WouldBlock) -> Self {
        Self::WouldBlock
    }
}

impl Entry {
    pub(crate) fn extent(&self) -> Extent {
        Extent { first_record: self.record, records: Some(1), bytes: self.bytes.clone() }
    }
}

impl KeyRange {
    /// Returns the range of all encodings that start with `prefix`.
    pub(crate) fn of_prefix(prefix: Vec<u8>) -> Self {
        let high = after(&prefix);
        Self { low: prefix, high }
    }

    /// Returns the range that is in both.
    pub(crate) fn intersection(self, other: Self) -> Self {
        let high = match (self.high, other.high) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, None) | (None, one) => one,
        };
        Self { low: self.low.max(other.low), high }
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        *self.low <= *key && self.is_before_end(key)
    }

    pub(super) fn is_before_end(&self, key: &[u8]) -> bool {
        self.high.as_deref().is_none_or(|high| key < high)
    }
}

/// Returns the smallest bytes above all that start with `prefix`; `None` if there are none.
pub(crate) fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut above = prefix[..=kept].to_vec();
    above[kept] += 1;
    Some(above)
}

impl Key {
    /// Returns the entries of `range`, not yet read.
    pub(crate) fn entries<'a>(&'a self, range: &'a KeyRange) -> Entries<'a> {
        Entries { key: self, range, pages: self.directory.pages_of(range) }
    }

    /// Returns the first `count` entries of `range` from one end, and those after them that equal
    /// the last one in the first `columns`. Returns `None` if these are more than `entries_max`, or
    /// too many for a thread that may not wait.
    pub(crate) fn top(
        &self,
        range: &KeyRange,
        end: End,
        count: u64,
        columns: usize,
        entries_max: u64,
        waiting: Waiting,
    ) -> Result<Option<Vec<Entry>>, LookupError> {
        let wanted = usize::try_from(count).unwrap_or(usize::MAX);
        let mut found: Vec<Entry> = Vec::new();
        let mut last: Option<Vec<u8>> = None;
        let pages = self.directory.pages_of(range);
        let pages: Box<dyn Iterator<Item = &Page>> = match end {
            End::Head => Box::new(pages.iter()),
            End::Tail => Box::new(pages.iter().rev()),
        };
        for page in pages {
            let mut entries = Vec::new();
            self.read(page, range, waiting, &mut |key, record, bytes| {
                entries.push(Entry { key: key.to_vec(), record, bytes });
            })?;
            if end == End::Tail {
                entries.reverse();
            }
            for entry in entries {
                if found.len() >= wanted {
                    let Some(last) = &last else { return Ok(Some(found)) };
                    if !entry.key.starts_with(last) {
                        return Ok(Some(found));
                    }
                }
                found.push(entry);
                let count = found.len() as u64;
                if count > entries_max {
                    return Ok(None);
                }
                if count > AT_ONCE_MAX {
                    waiting.check()?;
                }
                if found.len() == wanted {
                    last = Some(
                        self.encoder
                            .leading(&found[wanted - 1].key, columns)
                            .ok_or(LookupError::Unusable)?,
                    );
                }
            }
        }
        Ok(Some(found))
    }

    /// Returns what is left of `range` after the entries from one end up to those that equal `last`
    /// in the first `columns`.
    pub(crate) fn rest(
        &self,
        range: KeyRange,
        end: End,
        last: &Entry,
        columns: usize,
    ) -> Result<KeyRange, LookupError> {
        let leading = self.encoder.leading(&last.key, columns).ok_or(LookupError::Unusable)?;
        Ok(match (end, after(&leading)) {
            (End::Head, Some(low)) => KeyRange { low, ..range },
            // nothing is above
            (End::Head, None) => KeyRange { high: Some(Vec::new()), ..range },
            (End::Tail, _) => KeyRange { high: Some(leading), ..range },
        })
    }

    /// Returns whether it can be a key of a file with this many records.
    pub(super) fn is_consistent(&self, records: u64) -> bool {
        let pages = self.directory.pages();
        let entries = pages.iter().try_fold(0_u64, |sum, page| sum.checked_add(page.entries));
        entries == Some(records)
            && pages.is_sorted_by(|a, b| a.first <= b.first)
            && pages.iter().all(|page| page.place.is_within(self.file.bytes, store::PAGE_BYTES_MAX))
    }

    /// Calls `each` for the entries of a page that are in `range`.
    fn read(
        &self,
        page: &Page,
        range: &KeyRange,
        waiting: Waiting,
        each: &mut EachEntry<'_>,
    ) -> Result<(), LookupError> {
        let bytes = self.file.read(&page.place, waiting)?.ok_or(LookupError::Unusable)?;
        let entries = store::decode_page(&bytes, range, each);
        if entries == Some(page.entries) { Ok(()) } else { Err(LookupError::Unusable) }
    }
}

impl Directory {
    pub(super) fn new(pages: Vec<Page>) -> Self {
        let prefixes = pages.iter().map(|page| prefix(&page.first)).collect();
        Self { pages, prefixes }
    }

    pub(super) fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// Returns the pages that may have entries of `range`.
    fn pages_of(&self, range: &KeyRange) -> &[Page] {
        // equal entries may begin in the page before the first one that begins with them
        let start = self.before(&range.low).saturating_sub(1);
        let end = range.high.as_ref().map_or(self.pages.len(), |high| self.before(high));
        self.pages.get(start..end).unwrap_or_default()
    }

    /// Returns the number of pages that begin before `key`.
    fn before(&self, key: &[u8]) -> usize {
        let prefix = prefix(key);
        let start = self.prefixes.partition_point(|other| *other < prefix);
        let like = self.prefixes[start..].partition_point(|other| *other == prefix);
        start + self.pages[start..start + like].partition_point(|page| *page.first < *key)
    }
}

/// Returns the first bytes of a key as a number; the number of a smaller key is not greater.
fn prefix(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(key).for_each(|(byte, of_key)| *byte = *of_key);
    u64::from_be_bytes(bytes)
}

/// The entries of a key in a range, by pages.
pub(crate) struct Entries<'a> {
    key: &'a Key,
    range: &'a KeyRange,
    pages: &'a [Page],
}

impl Entries<'_> {
    /// Returns an upper bound for the number of entries.
    pub(crate) fn count_max(&self) -> u64 {
        self.pages.iter().map(|page| page.entries).sum()
    }

    /// Adds the records of the entries to `extents`. Fails if these are more than `extents_max`
    /// after a page.
    pub(crate) fn read(
        &self,
        extents_max: usize,
        waiting: Waiting,
        extents: &mut Vec<Extent>,
    ) -> Result<(), LookupError> {
        for page in self.pages {
            self.key.read(page, self.range, waiting, &mut |_, record, bytes| {
                extents.push(Extent { first_record: record, records: Some(1), bytes });
            })?;
            if extents.len() > extents_max {
                return Err(LookupError::Unusable);
            }
        }
        Ok(())
    }
}

/// Encodes the columns of a key.
#[derive(Debug)]
pub(crate) struct KeyEncoder {
    /// Encodes single columns, one for each.
    single: Vec<RowConverter>,
    /// The encoding of NULL in each column.
    nulls: Vec<Vec<u8>>,
    all: RowConverter,
}

impl KeyEncoder {
    /// Makes an encoder; `None` if a column cannot be in a key.
    pub(crate) fn new(columns: &[KeyColumn], schema: &Schema) -> Option<Self> {
        let mut fields = Vec::new();
        for column in columns {
            let data_type = schema.fields().get(column.column)?.data_type();
            if !is_ordered(data_type) {
                return None;
            }
            fields.push(SortField::new_with_options(data_type.clone(), column.options()));
        }
        let single = fields.iter().map(|field| RowConverter::new(vec![field.clone()]).ok());
        let single = single.collect::<Option<Vec<_>>>()?;
        let nulls = columns.iter().zip(&single).map(|(column, converter)| {
            encoded(converter, &new_null_array(schema.field(column.column).data_type(), 1))
        });
        let nulls = nulls.collect::<Option<_>>()?;
        Some(Self { single, nulls, all: RowConverter::new(fields).ok()? })
    }

    /// Encodes the first value of `values`, which are of the type of the key's `place`th column.
    pub(crate) fn value(&self, place: usize, values: &ArrayRef) -> Option<Vec<u8>> {
        encoded(self.single.get(place)?, values)
    }

    /// Returns the encoding of NULL in the key's `place`th column.
    pub(crate) fn null(&self, place: usize) -> Option<&[u8]> {
        self.nulls.get(place).map(Vec::as_slice)
    }

    /// Encodes all columns of records.
    pub(super) fn rows(&self, columns: &[ArrayRef]) -> Option<Rows> {
        let columns: Vec<_> =
            columns.iter().map(|column| numeric::comparable(Arc::clone(column))).collect();
        self.all.convert_columns(&columns).ok()
    }

    /// Returns the first `columns` of an encoding of all.
    fn leading(&self, key: &[u8], columns: usize) -> Option<Vec<u8>> {
        if columns == self.single.len() {
            return Some(key.to_vec());
        }
        let parser = self.all.parser();
        // it panics on bytes that are not an encoding, and a checksum alone does not exclude these
        let values = catch_unwind(AssertUnwindSafe(|| self.all.convert_rows([parser.parse(key)])));
        let values = values.ok()?.ok()?;
        let mut leading = Vec::new();
        for (place, value) in values.iter().take(columns).enumerate() {
            leading.extend(self.value(place, value)?);
        }
        Some(leading)
    }
}

/// Encodes the first of some values.
fn encoded(converter: &RowConverter, values: &ArrayRef) -> Option<Vec<u8>> {
    let value = numeric::comparable(values.slice(0, 1));
    let rows = converter.convert_columns(&[value]).ok()?;
    Some(rows.row(0).data().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_found_by_keys_of_any_length() {
        let keys: [&[u8]; 8] =
            [b"", b"\0", b"a", b"aaaaaaaa", b"aaaaaaaa", b"aaaaaaaaa", b"aaaaaaaab", b"\xff\xff"];
        let place = PagePlace { bytes: 0..0, checksum: 0 };
        let page = |first: &&[u8]| Page { first: first.to_vec(), place: place.clone(), entries: 1 };
        let directory = Directory::new(keys.iter().map(page).collect());
        for key in
            keys.into_iter().chain([&b"\0\0"[..], b"aaaaaaa", b"aaaaaaaa\0", b"b", b"\xff\xff\xff"])
        {
            let expected = keys.iter().filter(|first| **first < key).count();
            assert_eq!(directory.before(key), expected, "{key:?}");
        }
        let range = KeyRange { low: b"b".to_vec(), high: Some(b"a".to_vec()) };
        assert!(directory.pages_of(&range).is_empty());
    }
}
