//! An index as bytes, and back: the only file that knows bincode.
//!
//! Magic, version, length and CRC-32 of the body, then the body. The checksum is against damage, not
//! against an enemy: whoever can write into the folder of the indexes can make answers wrong, but
//! no bytes make more than an error. What is decoded takes at most [`EXPANSION`] times the bytes
//! that are there, rounded up to the next of three bounds, and its counts are checked against one
//! another.

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::datatypes::{DataType, Schema};
use bincode::config::{self, Configuration};
use bincode::{Decode, Encode};
use flate2::Crc;

use super::bounds::{self, Bound};
use super::{Index, IndexContents};
use crate::prune::ColumnStatistics;
use crate::source::Identity;

const MAGIC: &[u8; 8] = b"siftidx\0";

/// To be raised whenever an older reader would take the body, or what zones mean, for something
/// else.
const VERSION: u32 = 1;

/// A larger index is not written: it would be read whenever its file is opened.
pub(super) const INDEX_BYTES_MAX: usize = 64 << 20;

/// Bytes of a bound in memory for each that is stored.
const EXPANSION: usize = 32;

const SMALL_BYTES: usize = 64 << 10;
const MEDIUM_BYTES: usize = 2 << 20;

#[derive(Encode, Decode)]
struct StoredIndex {
    device: u64,
    inode: u64,
    bytes: u64,
    modified_nanos: i128,
    name: String,
    layout: String,
    starts: Vec<u64>,
    records: Vec<u64>,
    columns: Vec<StoredColumn>,
}

/// One value each a zone.
#[derive(Encode, Decode)]
struct StoredColumn {
    min: Vec<Option<StoredBound>>,
    max: Vec<Option<StoredBound>>,
    /// `None` where the column does not decode.
    nulls: Vec<Option<u64>>,
}

#[derive(Encode, Decode)]
enum StoredBound {
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Text(String),
}

/// The bytes of an index; why there are none where it is too large.
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

/// An index of bytes, where they are whole; else what is wrong with them.
pub(super) fn decode(bytes: &[u8]) -> Result<Stored, &'static str> {
    let (header, body) = Header::split(bytes).ok_or("it is cut off")?;
    if header.magic != *MAGIC {
        return Err("it is no index");
    }
    if header.version != VERSION {
        return Err("it is of another version");
    }
    if header.length != body.len() as u64 {
        return Err("it is cut off");
    }
    if header.checksum != checksum(body) {
        return Err("its checksum is wrong");
    }
    decode_body(body)
}

struct Header {
    magic: [u8; 8],
    version: u32,
    length: u64,
    checksum: u32,
}

impl Header {
    fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (magic, bytes) = bytes.split_first_chunk()?;
        let (version, bytes) = bytes.split_first_chunk()?;
        let (length, bytes) = bytes.split_first_chunk()?;
        let (checksum, body) = bytes.split_first_chunk()?;
        let header = Self {
            magic: *magic,
            version: u32::from_le_bytes(*version),
            length: u64::from_le_bytes(*length),
            checksum: u32::from_le_bytes(*checksum),
        };
        Some((header, body))
    }
}

/// An index that is not yet known to be of a file.
pub(crate) struct Stored(StoredIndex);

/// As [`decode`] of what is behind the header.
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
    decoded.map(Stored).ok_or("it does not decode")
}

type Bounded<const BYTES: usize> =
    Configuration<config::LittleEndian, config::Varint, config::Limit<BYTES>>;

fn bounded<const BYTES: usize>(body: &[u8], limit: Bounded<BYTES>) -> Option<StoredIndex> {
    let (stored, used) = bincode::decode_from_slice(body, limit).ok()?;
    (used == body.len()).then_some(stored)
}

fn checksum(body: &[u8]) -> u32 {
    let mut checksum = Crc::new();
    checksum.update(body);
    checksum.sum()
}

impl Stored {
    pub(super) fn identity(&self) -> Identity {
        let StoredIndex { device, inode, bytes, modified_nanos, .. } = self.0;
        Identity { device, inode, bytes, modified_nanos }
    }

    /// What it is of.
    pub(super) fn contents(&self) -> IndexContents {
        IndexContents {
            identity: self.identity(),
            name: self.0.name.clone(),
            zones: self.0.starts.len(),
            records: self.0.records.iter().fold(0, |sum, n| sum.saturating_add(*n)),
        }
    }

    /// With the types of a file's columns; `None` where it cannot be of such a file.
    pub(crate) fn index(self, schema: &Schema) -> Option<Index> {
        let identity = self.identity();
        let StoredIndex { name, layout, starts, records, columns, .. } = self.0;
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
        let index = Index { identity, name, layout, starts, records, columns };
        index.is_consistent(schema).then_some(index)
    }
}

fn to_array(stored: Vec<Option<StoredBound>>, data_type: &DataType) -> Option<ArrayRef> {
    let bounds = stored.into_iter().map(|bound| bound.map(Bound::from));
    bounds::to_array(&bounds.collect::<Vec<_>>(), data_type)
}

impl From<&Index> for StoredIndex {
    fn from(index: &Index) -> Self {
        let Identity { device, inode, bytes, modified_nanos } = index.identity;
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
            name: index.name.clone(),
            layout: index.layout.clone(),
            starts: index.starts.clone(),
            records: index.records.clone(),
            columns: columns.collect(),
        }
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
