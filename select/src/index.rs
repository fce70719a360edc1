//! The index of a file: data derived from its records, so that a scan need not read all of them.
//!
//! A *zone* is a run of records. For each zone the index has its position in the file, the number
//! of its records and, by column, the minimum, the maximum and the number of NULLs (a zone map, as
//! in Moerkotte's small materialized aggregates, VLDB 1998). An index belongs to exactly the file
//! that it was [built](build) from, unchanged and read with the same layout; it is not used with
//! another. No answer depends on it.

mod bounds;
mod build;
mod copy;
mod copy_build;
mod folder;
mod key;
mod key_build;
mod pages;
mod store;

use std::ops::Range;
use std::sync::Arc;

use arrow::array::Array;
use arrow::datatypes::Schema;

use crate::{Error, ErrorKind, Result};
use copy::ColumnCopy;
use pages::PageFile;
use sift_files::data_file::DataFile;
use sift_files::io::extent::Extent;
use sift_files::io::identity::Identity;
use sift_files::key_spec::KeySpec;
use sift_files::statistics::{ColumnStatistics, PruningStatistics};

pub(crate) use bounds::text_after;
pub use build::BuildOptions;
pub(crate) use copy::CopyAccess;
pub use folder::{IndexContents, IndexFolder, IndexedFile};
pub(crate) use key::{
    AT_ONCE_MAX, End, Entries, Entry, Key, KeyEncoder, KeyRange, LookupError, after,
};
pub(crate) use store::{decode_body, decode_page, encode_page};

/// The zone map, the keys and the copied columns of one file.
#[derive(Clone, Debug)]
pub struct Index {
    /// The identity of the file.
    identity: Identity,
    /// True if every change of the file since then gives it another identity.
    is_settled: bool,
    /// The name of the file when the index was built, for people only.
    name: String,
    /// The settings that determine the positions and values of the records, as text.
    layout: String,
    /// The position of each zone in the file; the last one ends with the file.
    starts: Vec<u64>,
    /// The number of records of each zone, at least one.
    records: Vec<u64>,
    columns: Vec<ColumnStatistics>,
    /// The checksum of the last bytes of the file.
    end_checksum: u32,
    keys: Vec<Key>,
    copies: Vec<ColumnCopy>,
    /// The file with the pages of keys and copies.
    pages: Option<Arc<PageFile>>,
}

impl Index {
    /// Returns the identity of the file that was indexed.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Returns the index with the name that people use for the file.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// Returns the number of zones.
    pub fn zone_count(&self) -> usize {
        self.starts.len()
    }

    /// Returns the number of records of the file.
    pub fn record_count(&self) -> u64 {
        self.records.iter().sum()
    }

    /// Returns the keys that it was built with.
    pub fn key_specs(&self) -> impl Iterator<Item = &KeySpec> {
        self.keys.iter().map(|key| &key.spec)
    }

    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Returns the names of the columns that it has copies of.
    pub fn copied_columns(&self) -> impl Iterator<Item = &str> {
        self.copies.iter().map(|copy| copy.name.as_str())
    }

    /// Returns the bytes of all zones.
    pub(crate) fn zone_bytes(&self) -> u64 {
        self.starts.first().map_or(0, |first| self.identity.bytes - first)
    }

    /// Returns the zones in order: the number of records and the extent of each.
    pub(crate) fn zones(&self) -> impl Iterator<Item = (u64, Extent)> {
        let ends = self.starts.iter().skip(1).copied().chain([self.identity.bytes]);
        let mut records_before = 0;
        self.records.iter().zip(self.starts.iter().zip(ends)).map(move |(records, (start, end))| {
            let first_record = records_before;
            records_before += records;
            (*records, Extent { first_record, records: Some(*records), bytes: *start..end })
        })
    }

    /// Returns the zones that an extent consists of, by number; `None` if they are not whole.
    fn zones_of(&self, extent: &Extent) -> Option<impl Iterator<Item = (usize, Extent)>> {
        let Range { start, end } = extent.bytes;
        let first = self.starts.binary_search(&start).ok()?;
        let last = match end == self.identity.bytes {
            true => self.starts.len(),
            false => self.starts.binary_search(&end).ok()?,
        };
        let mut first_record = extent.first_record;
        let zones = self.starts.get(first..last)?.iter().enumerate();
        Some(zones.zip(self.records.get(first..last)?).map(move |((place, start), records)| {
            let zone = first + place;
            let end = self.starts.get(zone + 1).copied().unwrap_or(self.identity.bytes);
            let bytes = *start..end;
            let extent = Extent { first_record, records: Some(*records), bytes };
            first_record += records;
            (zone, extent)
        }))
    }

    /// Returns whether the index belongs to this file as it is now or, if records are only ever
    /// appended to the file, to its first records.
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

    /// Returns the records that were appended to a fitting file since the index was built.
    pub(crate) fn appended(&self, file: &DataFile) -> Option<Extent> {
        let bytes = self.identity.bytes..file.identity().bytes;
        let records = file.records().map(|all| all.saturating_sub(self.record_count()));
        let appended = Extent { first_record: self.record_count(), records, bytes };
        (appended.byte_len() > 0).then_some(appended)
    }

    /// Returns the number of records before the zone that starts at a byte of the file.
    fn records_before(&self, byte: u64) -> Option<u64> {
        let zone = self.starts.binary_search(&byte).ok()?;
        Some(self.records[..zone].iter().sum())
    }

    /// Returns the end of the zone that contains a byte of the file.
    fn zone_end(&self, byte: u64) -> u64 {
        let next = self.starts.partition_point(|start| *start <= byte);
        self.starts.get(next).copied().unwrap_or(self.identity.bytes)
    }

    /// Returns whether all counts and positions could come from a build.
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
        let bytes = self.pages.as_ref().map_or(0, |pages| pages.bytes);
        let has_copies = self.copies.iter().all(|copy| copy.is_consistent(zones, bytes));
        has_places && has_columns && has_keys && has_copies
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

/// Returns the checksum of the last bytes before `end`, which shows whether a file was only
/// appended to.
fn end_checksum(file: &DataFile, end: u64) -> Result<u32> {
    const BYTES_MAX: u64 = 64 << 10;
    let start = end.saturating_sub(BYTES_MAX);
    // at most 64 KiB
    let mut bytes = vec![0; usize::try_from(end - start).unwrap_or(0)];
    file.raw().read(&mut bytes, start)?;
    Ok(store::checksum(&bytes))
}

/// Returns the error of a file that changed while its index was built.
fn changed_while_read(name: &str) -> Error {
    Error::new(ErrorKind::FileChanged, format!("{name}: changed while it was read; try again"))
}
