//! The index of a file: what is derived from its records so that not all of them have to be read.
//!
//! A *zone* is a run of records; of each there is its place in the file, the number of its records,
//! and by column the bounds of its values and how many are NULL (a zone map, as in Moerkotte's
//! small materialized aggregates, VLDB 1998). An index is of the very file that it was
//! [built](build) from, as it was then, read with the same layout: anything else has none. It is
//! never needed for an answer.

mod bounds;
mod build;
mod folder;
mod key;
mod key_build;
mod store;

use arrow::array::Array;
use arrow::datatypes::Schema;

use crate::{Error, ErrorKind, Result};
use key::PageFile;
use sift_files::data_file::DataFile;
use sift_files::io::extent::Extent;
use sift_files::io::identity::Identity;
use sift_files::key_spec::KeySpec;
use sift_files::statistics::{ColumnStatistics, PruningStatistics};

pub(crate) use bounds::text_after;
pub use build::BuildOptions;
pub use folder::{IndexContents, IndexFolder, IndexedFile};
pub(crate) use key::{
    AT_ONCE_MAX, End, Entries, Entry, Key, KeyEncoder, KeyRange, LookupError, after,
};
pub(crate) use store::{decode_body, decode_page, encode_page};

/// What is known of the records of one file.
#[derive(Clone, Debug)]
pub struct Index {
    /// Of the file.
    identity: Identity,
    /// True if every change of the file since then gives it another identity.
    is_settled: bool,
    /// What it was called when the index was built, for people alone.
    name: String,
    /// What decides where its records are and what they hold, as text.
    layout: String,
    /// Where each zone starts in the file; the last one ends with the file.
    starts: Vec<u64>,
    /// Records of each zone, at least one.
    records: Vec<u64>,
    columns: Vec<ColumnStatistics>,
    /// Of the last bytes of the file.
    end_checksum: u32,
    keys: Vec<Key>,
}

impl Index {
    /// The file that it is of.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// With what people call the file.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// Number of zones.
    pub fn zone_count(&self) -> usize {
        self.starts.len()
    }

    /// Number of records of the file.
    pub fn record_count(&self) -> u64 {
        self.records.iter().sum()
    }

    /// The keys that it was built with.
    pub fn key_specs(&self) -> impl Iterator<Item = &KeySpec> {
        self.keys.iter().map(|key| &key.spec)
    }

    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The file of the pages of all keys.
    fn pages(&self) -> Option<&PageFile> {
        self.keys.first().map(|key| &*key.file)
    }

    /// Bytes of all zones.
    pub(crate) fn zone_bytes(&self) -> u64 {
        self.starts.first().map_or(0, |first| self.identity.bytes - first)
    }

    /// The zones in order: how many records each has, and where it lies.
    pub(crate) fn zones(&self) -> impl Iterator<Item = (u64, Extent)> {
        let ends = self.starts.iter().skip(1).copied().chain([self.identity.bytes]);
        let mut records_before = 0;
        self.records.iter().zip(self.starts.iter().zip(ends)).map(move |(records, (start, end))| {
            let first_record = records_before;
            records_before += records;
            (*records, Extent { first_record, records: Some(*records), bytes: *start..end })
        })
    }

    /// Whether it is of this file as it is now, or of its first records where records are only ever
    /// appended to it.
    pub(crate) fn fits(&self, file: &DataFile) -> bool {
        let is_of_start = || {
            let Identity { device, inode, bytes, .. } = file.identity();
            file.append_only
                && (self.identity.device, self.identity.inode) == (device, inode)
                && self.identity.bytes <= bytes
                && (self.identity.bytes == bytes || file.ends_record(self.identity.bytes))
                && end_checksum(file, self.identity.bytes).ok() == Some(self.end_checksum)
        };
        (self.is_settled && self.identity == file.identity() || is_of_start())
            && Some(&self.layout) == file.fingerprint().as_ref()
    }

    /// The records of a file that it fits which have been appended since it was built.
    pub(crate) fn tail(&self, file: &DataFile) -> Option<Extent> {
        let bytes = self.identity.bytes..file.identity().bytes;
        let records = file.records().map(|all| all.saturating_sub(self.record_count()));
        let tail = Extent { first_record: self.record_count(), records, bytes };
        (tail.byte_len() > 0).then_some(tail)
    }

    /// Records before the zone that starts at a byte of the file.
    fn records_before(&self, byte: u64) -> Option<u64> {
        let zone = self.starts.binary_search(&byte).ok()?;
        Some(self.records[..zone].iter().sum())
    }

    /// Where the zone ends that has a byte of the file.
    fn zone_end(&self, byte: u64) -> u64 {
        let next = self.starts.partition_point(|start| *start <= byte);
        self.starts.get(next).copied().unwrap_or(self.identity.bytes)
    }

    /// Whether all counts and places are such as building makes them.
    fn is_consistent(&self, schema: &Schema) -> bool {
        let zones = self.starts.len();
        let has_places = self.records.len() == zones
            && self.starts.is_sorted_by(|a, b| a < b)
            && self.starts.last().is_none_or(|last| *last < self.identity.bytes)
            && self.records.iter().all(|records| *records > 0)
            && self.records.iter().try_fold(0_u64, |sum, n| sum.checked_add(*n)).is_some();
        let has_columns = self.columns.len() == schema.fields().len()
            && self.columns.iter().zip(schema.fields()).all(|(known, field)| {
                let bounds = [&known.min, &known.max];
                known.null_counts.len() == zones
                    && known.decodes.len() == zones
                    && bounds.iter().all(|bounds| {
                        bounds.len() == zones && bounds.data_type() == field.data_type()
                    })
            });
        let has_keys = self.keys.iter().all(|key| key.is_consistent(self.record_count()));
        has_places && has_columns && has_keys
    }
}

impl PruningStatistics for Index {
    fn records(&self) -> &[u64] {
        &self.records
    }

    fn column(&self, column: usize) -> Option<ColumnStatistics> {
        self.columns.get(column).cloned()
    }
}

/// Of the last bytes of a file before `end`, by which it is known to have been appended to.
fn end_checksum(file: &DataFile, end: u64) -> Result<u32> {
    const BYTES_MAX: u64 = 64 << 10;
    let start = end.saturating_sub(BYTES_MAX);
    // it is no more than that
    let mut bytes = vec![0; usize::try_from(end - start).unwrap_or(0)];
    file.raw().read(&mut bytes, start)?;
    Ok(store::checksum(&bytes))
}

/// The error of a file that changed while its index was built.
fn changed_while_read(name: &str) -> Error {
    Error::new(ErrorKind::FileChanged, format!("{name}: changed while it was read; try again"))
}
