//! Copies of columns in an index: a page for each zone, in the narrow form of sift-codec.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use sift_codec::{BATCH_BYTES_MAX, EncodeError};

use super::Index;
use super::pages::PagePlace;
use sift_files::cancel::spend;
use sift_files::copies::{ColumnCopies, CopiedColumn, CopiedZone};
use sift_files::io::extent::Extent;
use sift_files::io::waiting::Waiting;

/// The most records of a zone with copies. Fewer, larger values fill a zone before.
pub(super) const ZONE_RECORDS_MAX: usize = 64 << 10;

/// The most bytes of a page. An encoder adds less than half to the memory of a batch.
const PAGE_BYTES_MAX: usize = 2 * BATCH_BYTES_MAX;

/// The number of bytes of a page that are read and checked in about the time of one step.
const BYTES_PER_STEP: usize = 16;

/// The copy of a column.
#[derive(Clone, Debug)]
pub(super) struct ColumnCopy {
    /// The index of the column in the schema of the file, and its name.
    pub(super) column: usize,
    pub(super) name: String,
    data_type: DataType,
    /// The page of each zone.
    pub(super) pages: Vec<PagePlace>,
}

impl ColumnCopy {
    pub(super) fn new(column: usize, field: &Field, pages: Vec<PagePlace>) -> Self {
        let (name, data_type) = (field.name().clone(), field.data_type().clone());
        Self { column, name, data_type, pages }
    }

    /// Returns whether it can be a copy in an index of this many zones, with `bytes` of pages.
    pub(super) fn is_consistent(&self, zones: usize, bytes: u64) -> bool {
        self.pages.len() == zones
            && self.pages.iter().all(|page| page.is_within(bytes, PAGE_BYTES_MAX))
    }
}

/// Encodes the values of a zone as a page.
pub(super) fn encode(values: &ArrayRef) -> Result<Vec<u8>, EncodeError> {
    let data_type = values.data_type();
    let wrong = || EncodeError::Type(data_type.clone());
    let schema = Arc::new(Schema::new(vec![Field::new("", data_type.clone(), true)]));
    let batch = RecordBatch::try_new(schema, vec![Arc::clone(values)]);
    let mut page = Vec::new();
    sift_codec::encode(&batch.map_err(|_not_of_type| wrong())?, &mut page)?;
    Ok(page)
}

/// The copies of the columns that a plan reads.
#[derive(Debug)]
pub(crate) struct CopyAccess {
    index: Arc<Index>,
    /// The columns, by their places in the copies of the index.
    copies: Vec<usize>,
}

impl CopyAccess {
    /// Returns the copies of some columns; `None` if one has no copy, or the index has none at all.
    pub(crate) fn new(index: &Arc<Index>, columns: &[usize]) -> Option<Self> {
        let place = |column| index.copies.iter().position(|copy| copy.column == column);
        let copies = columns.iter().map(|column| place(*column)).collect::<Option<Vec<_>>>()?;
        (!index.copies.is_empty()).then(|| Self { index: Arc::clone(index), copies })
    }

    /// Returns the bytes of the page of each column in a zone.
    pub(crate) fn page_bytes(&self, zone: usize) -> impl Iterator<Item = u64> {
        let copies = self.copies.iter().filter_map(|copy| self.index.copies.get(*copy));
        copies.map(move |copy| copy.pages.get(zone).map_or(0, PagePlace::byte_len))
    }
}

impl ColumnCopies for CopyAccess {
    fn zones(&self, extent: &Extent) -> Option<Vec<CopiedZone>> {
        let zones = self.index.zones_of(extent)?;
        let zones = zones.map(|(zone, extent)| CopiedZone {
            zone,
            extent,
            bytes: self.page_bytes(zone).sum(),
        });
        Some(zones.collect())
    }

    fn column(
        &self,
        zone: usize,
        column: usize,
        waiting: Waiting,
    ) -> sift_files::Result<Option<CopiedColumn>> {
        let copy = self.index.copies.iter().find(|copy| copy.column == column);
        let place = copy.and_then(|copy| Some((copy, copy.pages.get(zone)?)));
        let Some(((copy, place), pages)) = place.zip(self.index.pages.as_ref()) else {
            return Ok(None);
        };
        spend(1 + usize::try_from(place.byte_len()).unwrap_or(usize::MAX) / BYTES_PER_STEP)?;
        let Some(page) = pages.read(place, waiting)? else { return Ok(None) };
        let values = sift_codec::decode_column(&page, &copy.data_type).ok();
        Ok(values.map(|values| CopiedColumn { values, bytes: place.byte_len() }))
    }
}
