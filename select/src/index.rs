//! The index of a file: what is derived from its records so that not all of them have to be read.
//!
//! A *zone* is a run of records; of each there is its place in the file, the number of its records,
//! and by column the bounds of its values and how many are NULL (a zone map, as in Moerkotte's small
//! materialized aggregates, VLDB 1998). An index is of the very file that it was [built](build) from, as it was
//! then, read with the same layout: anything else has none. It is never needed for an answer.

mod bounds;
mod build;
mod folder;
mod store;

use arrow::array::Array;
use arrow::datatypes::Schema;

use crate::data_file::DataFile;
use crate::extent::Extent;
use crate::prune::ColumnStatistics;
use crate::source::Identity;

pub use folder::{IndexContents, IndexFolder, IndexedFile};
pub(crate) use store::decode_body;

/// What is known of the records of one file.
#[derive(Clone, Debug)]
pub struct Index {
    /// Of the file.
    identity: Identity,
    /// What it was called when the index was built, for people alone.
    name: String,
    /// What decides where its records are and what they hold, as text.
    layout: String,
    /// Where each zone starts in the file; the last one ends with the file.
    starts: Vec<u64>,
    /// Records of each zone, at least one.
    records: Vec<u64>,
    columns: Vec<ColumnStatistics>,
}

impl Index {
    /// The file that it is of.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Number of zones.
    pub fn zone_count(&self) -> usize {
        self.starts.len()
    }

    /// Number of records of the file.
    pub fn record_count(&self) -> u64 {
        self.records.iter().sum()
    }

    /// Number of records of each zone.
    pub(crate) fn records(&self) -> &[u64] {
        &self.records
    }

    pub(crate) fn column(&self, column: usize) -> Option<ColumnStatistics> {
        self.columns.get(column).cloned()
    }

    /// The zones in order: how many records each has, and where it lies.
    pub(crate) fn zones(&self) -> impl Iterator<Item = (u64, Extent)> {
        let ends = self.starts.iter().skip(1).copied().chain([self.identity.bytes]);
        let mut records_before = 0;
        self.records.iter().zip(self.starts.iter().zip(ends)).map(move |(records, (start, end))| {
            let extent = Extent { first_record: records_before, bytes: *start..end };
            records_before += records;
            (*records, extent)
        })
    }

    /// Whether it is of this file as it is now.
    pub(crate) fn fits(&self, file: &DataFile) -> bool {
        self.identity == file.identity && Some(&self.layout) == file.fingerprint().as_ref()
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
        has_places && has_columns
    }
}
