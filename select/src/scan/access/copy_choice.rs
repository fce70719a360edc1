//! The use of column copies instead of the zones of a file, if that is cheaper.
//!
//! Copies are read only for whole zones, and only if all columns that the plan reads are copied.

use std::sync::Arc;

use crate::index::CopyAccess;
use crate::plan::BoundPlan;
use crate::source::Part;
use sift_files::copies::{ColumnCopies, turn_records_max};
use sift_files::io::extent::Extent;

/// The copies that are read instead of the zones of a file.
#[derive(Clone, Debug)]
pub(crate) struct CopyChoice {
    pub(crate) copies: Arc<dyn ColumnCopies>,
    /// The columns that are read.
    pub(crate) columns: Vec<usize>,
    /// Their cost, in bytes of sequential reading.
    pub(super) cost: u64,
}

impl CopyChoice {
    /// Returns the copies for a plan if they are cheaper than reading these zones of the file, each
    /// given by its number. `apart_bytes` is the cost of a seek: each page is read by itself.
    pub(super) fn of<'a>(
        plan: &BoundPlan,
        part: &Part,
        zones: impl Iterator<Item = (usize, &'a Extent)>,
        morsel_bytes: usize,
        apart_bytes: u64,
    ) -> Option<Self> {
        // only the bytes tell whether a record has members that are no columns
        if plan.rows.has_all && part.file.infers_columns() {
            return None;
        }
        let of_file = part.file.schema.fields().len();
        let mut columns = plan.columns();
        columns.retain(|column| *column < of_file);
        let copies = CopyAccess::new(part.index.as_ref()?, &columns)?;
        let records_max = turn_records_max(&part.file, morsel_bytes);
        let (mut cost, mut bytes): (u64, u64) = (0, 0);
        for (zone, extent) in zones {
            if extent.records.is_none_or(|records| records > records_max) {
                return None;
            }
            let pages = copies.page_bytes(zone).map(|page| page.saturating_add(apart_bytes));
            cost = pages.fold(cost, u64::saturating_add);
            bytes += extent.byte_len();
        }
        (cost < bytes).then(|| Self { copies: Arc::new(copies), columns, cost })
    }
}
