//! The keys of rows as bytes that compare as the rows are ordered.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};

use crate::eval::Problem;
use crate::numeric;
use crate::plan::Order;

/// Makes the keys of one order.
#[derive(Debug)]
pub(super) struct Keys {
    /// Index of each key among the items.
    items: Vec<usize>,
    /// The keys and the position.
    all: RowConverter,
    /// The keys that DISTINCT ON compares.
    leading: Option<(RowConverter, usize)>,
}

impl Keys {
    pub(super) fn new(order: &Order) -> Result<Self, Problem> {
        let field = |key: &crate::plan::SortKey| {
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
        Ok(Self { items, all: RowConverter::new(fields)?, leading })
    }

    /// The keys of rows, given the values of each key and the positions.
    pub(super) fn rows(&self, keys: &[ArrayRef], positions: &ArrayRef) -> Result<Rows, Problem> {
        let mut columns: Vec<ArrayRef> =
            keys.iter().map(|key| numeric::comparable(Arc::clone(key))).collect();
        columns.push(Arc::clone(positions));
        Ok(self.all.convert_columns(&columns)?)
    }

    /// The keys of a batch of items and positions.
    pub(super) fn rows_of(&self, batch: &RecordBatch) -> Result<Rows, Problem> {
        let Some(positions) = batch.columns().last() else {
            return Err(Problem("rows without positions".to_owned()));
        };
        self.rows(&self.columns(batch, self.items.len()), positions)
    }

    /// What DISTINCT ON compares of a batch; `None` where there is none.
    pub(super) fn leading_rows_of(&self, batch: &RecordBatch) -> Result<Option<Rows>, Problem> {
        let Some((converter, count)) = &self.leading else { return Ok(None) };
        let columns = self.columns(batch, *count).into_iter().map(numeric::comparable);
        Ok(Some(converter.convert_columns(&columns.collect::<Vec<_>>())?))
    }

    fn columns(&self, batch: &RecordBatch, count: usize) -> Vec<ArrayRef> {
        self.items[..count].iter().map(|item| Arc::clone(batch.column(*item))).collect()
    }
}
