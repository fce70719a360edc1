//! The keys of rows, encoded as bytes that compare in the order of the rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, Scalar, UInt32Array};
use arrow::compute::kernels::cmp;
use arrow::compute::{SortOptions, is_null, or, take};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};

use crate::expr::eval::is_true;
use crate::expr::numeric;
use crate::expr::problem::Problem;
use crate::gather::sort_order::{SortKey, SortOrder};

/// Encodes the keys of one order.
#[derive(Debug)]
pub(super) struct SortKeyEncoder {
    /// For each key, the index of its item.
    items: Vec<usize>,
    /// The options of the first key.
    options: SortOptions,
    /// Encodes the keys and the position.
    all: RowConverter,
    /// Encodes the keys that DISTINCT ON compares.
    leading: Option<(RowConverter, usize)>,
}

impl SortKeyEncoder {
    pub(super) fn new(order: &SortOrder) -> Result<Self, Problem> {
        let field = |key: &SortKey| {
            let data_type = order.schema.field(key.item).data_type().clone();
            SortField::new_with_options(data_type, key.options)
        };
        let mut fields: Vec<SortField> = order.keys.iter().map(field).collect();
        let leading = match order.distinct {
            0 => None,
            count => Some((RowConverter::new(fields[..count].to_vec())?, count)),
        };
        fields.push(SortField::new(DataType::UInt64));
        let items = order.keys.iter().map(|key| key.item).collect();
        let options = order.keys.first().map(|key| key.options).unwrap_or_default();
        Ok(Self { items, options, all: RowConverter::new(fields)?, leading })
    }

    /// Returns the values of each key in a batch of items.
    pub(super) fn of(&self, batch: &RecordBatch) -> Vec<ArrayRef> {
        self.columns(batch, self.items.len())
    }

    /// Returns the first key's value of a row, given the values of each key.
    pub(super) fn first(&self, keys: &[ArrayRef], row: usize) -> Result<ArrayRef, Problem> {
        let (Some(first), Ok(row)) = (keys.first(), u32::try_from(row)) else {
            return Err(Problem("an order without keys".to_owned()));
        };
        Ok(take(&numeric::comparable(Arc::clone(first)), &UInt32Array::from(vec![row]), None)?)
    }

    /// Returns a mask of the rows that the first key does not order after this value; `None` for
    /// all.
    pub(super) fn not_after(
        &self,
        keys: &[ArrayRef],
        value: &ArrayRef,
    ) -> Result<Option<BooleanArray>, Problem> {
        let SortOptions { descending, nulls_first } = self.options;
        let Some(first) = keys.first() else { return Ok(None) };
        if value.is_null(0) {
            return if nulls_first { Ok(Some(is_null(first)?)) } else { Ok(None) };
        }
        let first = numeric::comparable(Arc::clone(first));
        let value = Scalar::new(Arc::clone(value));
        let mask = match descending {
            true => cmp::gt_eq(&first, &value)?,
            false => cmp::lt_eq(&first, &value)?,
        };
        let mask = is_true(&mask);
        Ok(Some(if nulls_first { or(&mask, &is_null(&first)?)? } else { mask }))
    }

    /// Encodes the keys of rows, given the values of each key and the positions.
    pub(super) fn rows(&self, keys: &[ArrayRef], positions: &ArrayRef) -> Result<Rows, Problem> {
        let mut columns: Vec<ArrayRef> =
            keys.iter().map(|key| numeric::comparable(Arc::clone(key))).collect();
        columns.push(Arc::clone(positions));
        Ok(self.all.convert_columns(&columns)?)
    }

    /// Encodes the keys of a batch of items and positions.
    pub(super) fn rows_of(&self, batch: &RecordBatch) -> Result<Rows, Problem> {
        let Some(positions) = batch.columns().last() else {
            return Err(Problem("rows without positions".to_owned()));
        };
        self.rows(&self.of(batch), positions)
    }

    /// Encodes the keys that DISTINCT ON compares; `None` if there are none.
    pub(super) fn leading_rows_of(&self, batch: &RecordBatch) -> Result<Option<Rows>, Problem> {
        let Some((converter, count)) = &self.leading else { return Ok(None) };
        let columns = self.columns(batch, *count).into_iter().map(numeric::comparable);
        Ok(Some(converter.convert_columns(&columns.collect::<Vec<_>>())?))
    }

    fn columns(&self, batch: &RecordBatch, count: usize) -> Vec<ArrayRef> {
        self.items[..count].iter().map(|item| Arc::clone(batch.column(*item))).collect()
    }
}
