//! Encodes an index as bytes and decodes it. Only this file uses bincode.
//!
//! The bytes are magic number, version, length and CRC-32 of the body, the body, and the pages of
//! copies and keys. The positions and checksums of the pages are in the body. The checksums detect
//! damage, not attacks: a user who can write to the folder of the indexes can make answers wrong,
//! but no bytes cause more than an error. Decoding takes at most [`EXPANSION`] times the memory of
//! the bytes that are there, rounded up to the next of three bounds, and the counts are checked
//! against one another.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::datatypes::{DataType, Schema};
use bincode::config::{self, Configuration};
use bincode::{Decode, Encode};
use flate2::Crc;

use super::bounds::Bound;
use super::copy::ColumnCopy;
use super::key::{Directory, EachEntry, Entry, KEY_BYTES_MAX, Key, KeyEncoder, KeyRange, Page};
use super::pages::{PageFile, PagePlace};
use super::{Index, IndexContents, bounds};
use sift_files::io::cursor::{ByteCursor, Truncated};
use sift_files::io::identity::Identity;
use sift_files::key_spec::{KeyColumn, KeySpec};
use sift_files::statistics::ColumnStatistics;

const MAGIC: &[u8; 8] = b"siftidx\0";

/// The version is raised whenever an older reader would misread the body or the meaning of zones.
///
/// The pages of copies are in the form of `sift-codec`, so it is raised with that form, too.
const VERSION: u32 = 5;

/// A larger index is not written, because it would be read whenever its file is opened.
pub(super) const INDEX_BYTES_MAX: usize = 64 << 20;

/// Bytes of a bound in memory for each byte that is stored.
const EXPANSION: usize = 32;

/// The most bytes of a page.
pub(super) const PAGE_BYTES_MAX: usize = 64 << 10;

/// The most entries of a page.
pub(super) const PAGE_ENTRIES_MAX: usize = 512;

/// Bytes of the header, before the body.
const HEADER_BYTES: usize = 24;

/// The version of the crate that encodes the columns of keys; another one might encode them
/// otherwise.
const KEY_ENCODING: &str = arrow::ARROW_VERSION;

const SMALL_BYTES: usize = 64 << 10;
const MEDIUM_BYTES: usize = 2 << 20;

#[derive(Encode, Decode)]
struct StoredIndex {
    device: u64,
    inode: u64,
    bytes: u64,
    modified_nanos: i128,
    changed_nanos: i128,
    is_settled: bool,
    name: String,
    layout: String,
    starts: Vec<u64>,
    records: Vec<u64>,
    columns: Vec<StoredColumn>,
    end_checksum: u32,
    key_encoding: String,
    keys: Vec<StoredKey>,
    copies: Vec<StoredCopy>,
}

/// The statistics of a column: one value for each zone.
#[derive(Encode, Decode)]
struct StoredColumn {
    min: Vec<Option<StoredBound>>,
    max: Vec<Option<StoredBound>>,
    /// `None` if the column does not decode.
    nulls: Vec<Option<u64>>,
}

#[derive(Encode, Decode)]
struct StoredKey {
    name: String,
    /// For each column, its index in the schema, and whether it is descending.
    columns: Vec<(u32, bool)>,
    unique: bool,
    pages: Vec<StoredPage>,
}

#[derive(Encode, Decode)]
struct StoredPage {
    first: Vec<u8>,
    place: StoredPlace,
    entries: u64,
}

#[derive(Encode, Decode)]
struct StoredPlace {
    start: u64,
    end: u64,
    checksum: u32,
}

/// The copy of a column.
#[derive(Encode, Decode)]
struct StoredCopy {
    /// Its index in the schema, and its name.
    column: u32,
    name: String,
    /// One for each zone.
    pages: Vec<StoredPlace>,
}

/// The entries of a page, as columns from which single values can be read.
#[derive(Encode, Decode)]
struct StoredEntries {
    entries: u64,
    /// Bytes that each key shares with the one before, and how many follow.
    shared: Packed,
    lengths: Packed,
    /// The bytes that follow, of all entries.
    rests: Vec<u8>,
    records: Packed,
    starts: Packed,
    bytes: Packed,
}

/// Numbers as their differences from the smallest, in as few bytes as the largest needs (*frame of
/// reference*, Goldstein et al., ICDE 1998).
#[derive(Encode, Decode)]
struct Packed {
    least: u64,
    /// Bytes of each difference, at most 8, the lowest first.
    width: u8,
    above: Vec<u8>,
}

#[derive(Encode, Decode)]
enum StoredBound {
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Text(String),
}

/// Encodes an index without its pages; the error says that it is too large.
pub(super) fn encode(index: &Index) -> Result<Vec<u8>, String> {
    let stored = StoredIndex::from(index);
    let body = bincode::encode_to_vec(stored, config::standard());
    let body = body.map_err(|error| error.to_string())?;
    if body.len() > INDEX_BYTES_MAX {
        return Err(format!("it would have {} bytes, at most {INDEX_BYTES_MAX} are", body.len()));
    }
    let mut bytes = Vec::new();
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&checksum(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// Reads an index without its pages, and checks that the file is complete.
pub(super) fn read(file: File) -> io::Result<Stored> {
    let damaged = |why: &'static str| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut header = Vec::with_capacity(HEADER_BYTES);
    (&file).take(HEADER_BYTES as u64).read_to_end(&mut header)?;
    let header = Header::parse(&header).map_err(|Truncated| damaged("it is cut off"))?;
    if header.magic != *MAGIC {
        return Err(damaged("it is not an index"));
    }
    if header.version != VERSION {
        return Err(damaged("it is of another version; `siftd index build` makes it new"));
    }
    if header.length > INDEX_BYTES_MAX as u64 {
        return Err(damaged("it is too large"));
    }
    let mut body = Vec::new();
    (&file).take(header.length).read_to_end(&mut body)?;
    if header.length != body.len() as u64 {
        return Err(damaged("it is cut off"));
    }
    if header.checksum != checksum(&body) {
        return Err(damaged("its checksum is wrong"));
    }
    let stored = decode_body(&body).map_err(damaged)?;
    let start = HEADER_BYTES as u64 + header.length;
    let bytes = file.metadata()?.len().saturating_sub(start);
    if stored.pages_end() > bytes {
        return Err(damaged("it is cut off"));
    }
    if stored.pages_end() < bytes {
        return Err(damaged("there are bytes after its last page"));
    }
    Ok(Stored { pages: Some(Arc::new(PageFile { file, start, bytes })), ..stored })
}

/// Encodes the entries of a page.
pub(crate) fn encode_page(entries: &[Entry]) -> Result<Vec<u8>, String> {
    let (mut shared, mut lengths, mut rests) = (Vec::new(), Vec::new(), Vec::new());
    let mut before: &[u8] = &[];
    for Entry { key, .. } in entries {
        let same = before.iter().zip(key).take_while(|(a, b)| a == b).count();
        let rest = &key[same..];
        shared.push(same as u64);
        lengths.push(rest.len() as u64);
        rests.extend_from_slice(rest);
        before = key;
    }
    let column =
        |value: &dyn Fn(&Entry) -> u64| Packed::of(&entries.iter().map(value).collect::<Vec<_>>());
    let stored = StoredEntries {
        entries: entries.len() as u64,
        shared: Packed::of(&shared),
        lengths: Packed::of(&lengths),
        rests,
        records: column(&|entry| entry.record),
        starts: column(&|entry| entry.bytes.start),
        bytes: column(&|entry| entry.bytes.end - entry.bytes.start),
    };
    bincode::encode_to_vec(stored, config::standard()).map_err(|error| error.to_string())
}

/// Calls `each` for the entries of a page in `range`: key, record, and bytes of the record. Returns
/// the number of all entries; `None` if the bytes that were decoded are not a page.
pub(crate) fn decode_page(bytes: &[u8], range: &KeyRange, each: &mut EachEntry<'_>) -> Option<u64> {
    let limited = config::standard().with_limit::<{ PAGE_BYTES_MAX * EXPANSION }>();
    let (page, used): (StoredEntries, usize) = bincode::decode_from_slice(bytes, limited).ok()?;
    let entries = usize::try_from(page.entries).ok()?;
    let columns = [&page.shared, &page.lengths, &page.records, &page.starts, &page.bytes];
    // columns of equal values take no bytes, so the count of entries is checked by itself
    if used != bytes.len()
        || entries > PAGE_ENTRIES_MAX
        || !columns.iter().all(|column| column.is_of(entries))
    {
        return None;
    }
    let (mut key, mut rests) = (Vec::new(), page.rests.as_slice());
    for place in 0..entries {
        let length = usize::try_from(page.lengths.value(place)?).ok()?;
        let (rest, others) = rests.split_at_checked(length)?;
        rests = others;
        let shared = usize::try_from(page.shared.value(place)?).ok()?;
        if shared > key.len() {
            return None;
        }
        key.truncate(shared);
        key.extend_from_slice(rest);
        if key.len() > KEY_BYTES_MAX {
            return None;
        }
        if range.is_before_end(&key) {
            if *range.low <= *key {
                let start = page.starts.value(place)?;
                let end = start.checked_add(page.bytes.value(place)?)?;
                each(&key, page.records.value(place)?, start..end);
            }
        } else {
            return Some(page.entries);
        }
    }
    rests.is_empty().then_some(page.entries)
}

impl Packed {
    fn of(values: &[u64]) -> Self {
        let least = values.iter().min().copied().unwrap_or(0);
        let most = values.iter().max().copied().unwrap_or(0) - least;
        let width = (u64::BITS - most.leading_zeros()).div_ceil(8);
        let bytes = |value: &u64| (value - least).to_le_bytes().into_iter().take(width as usize);
        let above = values.iter().flat_map(bytes).collect();
        // 64 bits are 8 bytes
        Self { least, width: u8::try_from(width).unwrap_or(8), above }
    }

    /// Returns whether there are this many values.
    fn is_of(&self, values: usize) -> bool {
        self.width <= 8 && Some(self.above.len()) == values.checked_mul(usize::from(self.width))
    }

    fn value(&self, place: usize) -> Option<u64> {
        let width = usize::from(self.width);
        let bytes = self.above.get(place * width..)?;
        let above = match bytes.first_chunk() {
            Some(bytes) if width > 0 => u64::from_le_bytes(*bytes) & (u64::MAX >> (64 - 8 * width)),
            _ => {
                let bytes = bytes.get(..width)?.iter().rev();
                bytes.fold(0, |above, byte| above << 8 | u64::from(*byte))
            }
        };
        self.least.checked_add(above)
    }
}

struct Header {
    magic: [u8; 8],
    version: u32,
    length: u64,
    checksum: u32,
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, Truncated> {
        let mut cursor = ByteCursor::new(bytes);
        Ok(Self {
            magic: cursor.array()?,
            version: cursor.u32_le()?,
            length: cursor.u64_le()?,
            checksum: cursor.u32_le()?,
        })
    }
}

/// A decoded index that is not yet known to belong to a file.
pub(crate) struct Stored {
    index: StoredIndex,
    /// `None` if only the body was decoded.
    pages: Option<Arc<PageFile>>,
}

/// Decodes the body, after the header; the error says what is wrong with it.
pub(crate) fn decode_body(body: &[u8]) -> Result<Stored, &'static str> {
    let decoded = match body.len() {
        bytes if bytes <= SMALL_BYTES => {
            bounded(body, config::standard().with_limit::<{ SMALL_BYTES * EXPANSION }>())
        }
        bytes if bytes <= MEDIUM_BYTES => {
            bounded(body, config::standard().with_limit::<{ MEDIUM_BYTES * EXPANSION }>())
        }
        bytes if bytes <= INDEX_BYTES_MAX => {
            bounded(body, config::standard().with_limit::<{ INDEX_BYTES_MAX * EXPANSION }>())
        }
        _ => None,
    };
    decoded.map(|index| Stored { index, pages: None }).ok_or("it does not decode")
}

type Bounded<const BYTES: usize> =
    Configuration<config::LittleEndian, config::Varint, config::Limit<BYTES>>;

fn bounded<const BYTES: usize>(body: &[u8], limit: Bounded<BYTES>) -> Option<StoredIndex> {
    let (stored, used) = bincode::decode_from_slice(body, limit).ok()?;
    (used == body.len()).then_some(stored)
}

pub(super) fn checksum(body: &[u8]) -> u32 {
    let mut checksum = Crc::new();
    checksum.update(body);
    checksum.sum()
}

impl Stored {
    pub(super) fn identity(&self) -> Identity {
        let StoredIndex { device, inode, bytes, modified_nanos, changed_nanos, .. } = self.index;
        Identity { device, inode, bytes, modified_nanos, changed_nanos }
    }

    /// Returns the bytes of all pages.
    fn pages_end(&self) -> u64 {
        let of_keys = self.index.keys.iter().flat_map(|key| &key.pages).map(|page| &page.place);
        let of_copies = self.index.copies.iter().flat_map(|copy| &copy.pages);
        of_keys.chain(of_copies).map(|place| place.end).max().unwrap_or(0)
    }

    /// Returns the description of the index.
    pub(super) fn contents(&self) -> IndexContents {
        IndexContents {
            identity: self.identity(),
            name: self.index.name.clone(),
            zones: self.index.starts.len(),
            records: self.index.records.iter().fold(0, |sum, n| sum.saturating_add(*n)),
            keys: self.index.keys.iter().map(|key| key.name.clone()).collect(),
            copied_columns: self.index.copies.iter().map(|copy| copy.name.clone()).collect(),
        }
    }

    /// Makes the index with the types of a file's columns; `None` if it cannot belong to such a
    /// file.
    pub(crate) fn index(self, schema: &Schema) -> Option<Index> {
        let (identity, is_settled) = (self.identity(), self.index.is_settled);
        let is_encoded_so = self.index.key_encoding == KEY_ENCODING;
        let StoredIndex {
            name, layout, starts, records, columns, end_checksum, keys, copies, ..
        } = self.index;
        if columns.len() != schema.fields().len() {
            return None;
        }
        let columns = columns.into_iter().zip(schema.fields());
        let columns = columns.map(|(column, field)| {
            Some(ColumnStatistics {
                min: to_array(column.min, field.data_type())?,
                max: to_array(column.max, field.data_type())?,
                decodes: column.nulls.iter().map(Option::is_some).collect(),
                null_counts: column.nulls.into_iter().collect::<UInt64Array>(),
            })
        });
        let columns = columns.collect::<Option<Vec<_>>>()?;
        let copies = match self.pages {
            Some(_) => copies.into_iter().map(|copy| copy.of(schema)).collect::<Option<_>>()?,
            None => Vec::new(),
        };
        let keys = match &self.pages {
            Some(file) if is_encoded_so => {
                let keys = keys.into_iter().map(|key| key.with_pages(file, schema));
                keys.collect::<Option<_>>()?
            }
            _ => Vec::new(),
        };
        let index = Index {
            identity,
            is_settled,
            name,
            layout,
            starts,
            records,
            columns,
            end_checksum,
            keys,
            copies,
            pages: self.pages,
        };
        index.is_consistent(schema).then_some(index)
    }
}

fn to_array(stored: Vec<Option<StoredBound>>, data_type: &DataType) -> Option<ArrayRef> {
    let bounds = stored.into_iter().map(|bound| bound.map(Bound::from));
    bounds::to_array(&bounds.collect::<Vec<_>>(), data_type)
}

impl From<&Index> for StoredIndex {
    fn from(index: &Index) -> Self {
        let Identity { device, inode, bytes, modified_nanos, changed_nanos } = index.identity;
        let bounds = |bounds: &ArrayRef| {
            (0..bounds.len()).map(|zone| bounds::at(bounds, zone).map(StoredBound::from)).collect()
        };
        let columns = index.columns.iter().map(|known| StoredColumn {
            min: bounds(&known.min),
            max: bounds(&known.max),
            nulls: known.null_counts.iter().collect(),
        });
        Self {
            device,
            inode,
            bytes,
            modified_nanos,
            changed_nanos,
            is_settled: index.is_settled,
            name: index.name.clone(),
            layout: index.layout.clone(),
            starts: index.starts.clone(),
            records: index.records.clone(),
            columns: columns.collect(),
            end_checksum: index.end_checksum,
            key_encoding: KEY_ENCODING.to_owned(),
            keys: index.keys.iter().map(StoredKey::from).collect(),
            copies: index.copies.iter().map(StoredCopy::from).collect(),
        }
    }
}

impl From<&Key> for StoredKey {
    fn from(key: &Key) -> Self {
        let columns = key.spec.columns.iter().map(|KeyColumn { column, descending }| {
            // a file has fewer columns than that
            (u32::try_from(*column).unwrap_or(u32::MAX), *descending)
        });
        let pages = key.directory.pages().iter().map(|page| StoredPage {
            first: page.first.clone(),
            place: StoredPlace::from(&page.place),
            entries: page.entries,
        });
        Self {
            name: key.spec.name.clone(),
            columns: columns.collect(),
            unique: key.spec.unique,
            pages: pages.collect(),
        }
    }
}

impl StoredKey {
    /// Makes the key; `None` if a file with these columns cannot have it.
    fn with_pages(self, file: &Arc<PageFile>, schema: &Schema) -> Option<Key> {
        let columns = self.columns.into_iter();
        let columns: Vec<_> = columns
            .map(|(column, descending)| KeyColumn { column: column as usize, descending })
            .collect();
        let encoder = Arc::new(KeyEncoder::new(&columns, schema)?);
        let pages = self.pages.into_iter().map(|page| Page {
            first: page.first,
            place: page.place.into(),
            entries: page.entries,
        });
        Some(Key {
            spec: KeySpec { name: self.name, columns, unique: self.unique },
            encoder,
            directory: Directory::new(pages.collect()),
            file: Arc::clone(file),
        })
    }
}

impl From<&ColumnCopy> for StoredCopy {
    fn from(copy: &ColumnCopy) -> Self {
        Self {
            // a file has fewer columns than that
            column: u32::try_from(copy.column).unwrap_or(u32::MAX),
            name: copy.name.clone(),
            pages: copy.pages.iter().map(StoredPlace::from).collect(),
        }
    }
}

impl StoredCopy {
    /// Makes the copy; `None` if a file with these columns cannot have it.
    fn of(self, schema: &Schema) -> Option<ColumnCopy> {
        let column = self.column as usize;
        let field = schema.fields().get(column)?;
        let pages = self.pages.into_iter().map(PagePlace::from).collect();
        (*field.name() == self.name).then(|| ColumnCopy::new(column, field, pages))
    }
}

impl From<&PagePlace> for StoredPlace {
    fn from(PagePlace { bytes, checksum }: &PagePlace) -> Self {
        Self { start: bytes.start, end: bytes.end, checksum: *checksum }
    }
}

impl From<StoredPlace> for PagePlace {
    fn from(StoredPlace { start, end, checksum }: StoredPlace) -> Self {
        Self { bytes: start..end, checksum }
    }
}

impl From<StoredBound> for Bound {
    fn from(stored: StoredBound) -> Self {
        match stored {
            StoredBound::Integer(value) => Self::Integer(value),
            StoredBound::Float(value) => Self::Float(value),
            StoredBound::Boolean(value) => Self::Boolean(value),
            StoredBound::Text(value) => Self::Text(value),
        }
    }
}

impl From<Bound> for StoredBound {
    fn from(bound: Bound) -> Self {
        match bound {
            Bound::Integer(value) => Self::Integer(value),
            Bound::Float(value) => Self::Float(value),
            Bound::Boolean(value) => Self::Boolean(value),
            Bound::Text(value) => Self::Text(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_when_they_are_packed() {
        let all = [0, 1, 7, 255, 256, 65_535, 65_536, 1 << 24, 1 << 56, u64::MAX - 1, u64::MAX];
        for first in 0..all.len() {
            for last in first..all.len() {
                let values = &all[first..=last];
                let packed = Packed::of(values);
                assert!(packed.is_of(values.len()));
                assert_eq!(packed.is_of(values.len() + 1), packed.width == 0);
                for (place, value) in values.iter().enumerate() {
                    assert_eq!(packed.value(place), Some(*value), "{values:?}");
                }
            }
        }
        assert!(Packed::of(&[]).is_of(0));
    }

    #[test]
    fn a_range_of_a_page_is_what_is_in_it() {
        let keys: [&[u8]; 7] = [b"", b"a", b"aa", b"aa", b"ab", b"b\xff", b"c"];
        let entries: Vec<Entry> = keys
            .iter()
            .zip([40, 7, 9, 300, 1, 2, 70_000])
            .map(|(key, record)| Entry {
                key: key.to_vec(),
                record,
                bytes: record * 10..record * 10 + 10,
            })
            .collect();
        let page = encode_page(&entries).unwrap();
        for low in keys {
            for high in keys.map(Some).into_iter().chain([None]) {
                let range = KeyRange { low: low.to_vec(), high: high.map(<[u8]>::to_vec) };
                let mut found = Vec::new();
                let count = decode_page(&page, &range, &mut |key, record, bytes| {
                    found.push(Entry { key: key.to_vec(), record, bytes });
                });
                assert_eq!(count, Some(7));
                let expected: Vec<_> =
                    entries.iter().filter(|entry| range.contains(&entry.key)).cloned().collect();
                assert_eq!(found, expected, "{range:?}");
            }
        }
    }
}
