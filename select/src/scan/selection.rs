//! A selection: the records of a block that are still wanted, and their decoded columns.

use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt64Array, new_null_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter;
use arrow::record_batch::RecordBatch;

use crate::expr::eval::Input;
use crate::expr::problem::Problem;
use crate::expr::{Expr, Item, eval};
use crate::gather::aggregate::Aggregate;
use crate::gather::group::Argument;
use crate::gather::record_problem::{Reason, RecordProblem};
use crate::gather::sort_order::SortOrder;
use crate::plan;
use crate::plan::Conjunct;
use crate::plan::view::RowFilter;
use sift_files::block::Block;
use sift_files::cancel::spend;
use sift_files::record::{RecordFault, Rows};

/// The records of a block that are still wanted, and their decoded columns.
#[derive(Clone)]
pub(crate) struct Selection<'b> {
    block: &'b dyn Block,
    /// The values of the last columns of the source, which are the same for every record.
    constants: &'b [ArrayRef],
    /// The indices of the records in the block before the masks; `None` for all.
    before: Option<Vec<u32>>,
    /// Masks applied since `before`; each covers the records that the previous mask kept.
    masks: Vec<BooleanBuffer>,
    /// The indices after all masks, computed when first needed.
    indices: OnceCell<Vec<u32>>,
    pub(crate) rows: usize,
    /// The decoded columns, by index in the source; texts may be a dictionary of texts.
    columns: Vec<Option<ArrayRef>>,
}

impl<'b> Selection<'b> {
    /// Makes the selection of all records of a block.
    pub(crate) fn new(block: &'b dyn Block, constants: &'b [ArrayRef], columns: usize) -> Self {
        let (masks, indices) = (Vec::new(), OnceCell::new());
        let (rows, columns) = (block.records(), vec![None; columns]);
        Self { block, constants, before: None, masks, indices, rows, columns }
    }

    /// Returns the indices of the records in the block; `None` for all.
    fn indices(&self) -> Option<&[u32]> {
        let Some((first, masks)) = self.masks.split_first() else { return self.before.as_deref() };
        Some(self.indices.get_or_init(|| {
            let places = first.set_indices_u32();
            let mut indices: Vec<u32> = match &self.before {
                None => places.collect(),
                Some(before) => places.map(|place| before[place as usize]).collect(),
            };
            for mask in masks {
                indices = mask.set_indices_u32().map(|place| indices[place as usize]).collect();
            }
            indices
        }))
    }

    /// Returns the [`indices`](Self::indices) and removes them from the selection.
    fn take_indices(&mut self) -> Option<Vec<u32>> {
        self.indices();
        self.masks.clear();
        self.indices.take().or_else(|| self.before.take())
    }

    /// Returns those of the records that come before a record of the block.
    pub(crate) fn before(&self, record: usize) -> Self {
        let mut earlier = self.clone();
        earlier.truncate(self.count_before(record));
        earlier
    }

    /// Returns how many of the records come before a record of the block.
    pub(crate) fn count_before(&self, record: usize) -> usize {
        match self.indices() {
            None => record.min(self.rows),
            Some(indices) => indices.partition_point(|index| (*index as usize) < record),
        }
    }

    /// Keeps the records of the block that a row filter shows. Returns the number of records for
    /// which the filter has no value; these are hidden.
    pub(crate) fn apply_row_filter(&mut self, filter: &RowFilter) -> u64 {
        if self.try_row_filter(filter).is_ok() {
            return 0;
        }
        let (mut visible, mut undecided) = (Vec::new(), 0);
        let records = u32::try_from(self.block.records()).unwrap_or(u32::MAX);
        self.bisect(filter, 0..records, &mut visible, &mut undecided);
        *self = self.of(visible);
        undecided
    }

    /// Adds those of `records` that the filter shows. The records are halved as long as the filter
    /// has no value for one of them, so each such record costs at most a logarithm of decodings.
    fn bisect(
        &self,
        filter: &RowFilter,
        records: Range<u32>,
        visible: &mut Vec<u32>,
        undecided: &mut u64,
    ) {
        if spend(records.len()).is_err() {
            return;
        }
        let mut part = self.of(records.clone().collect());
        match part.try_row_filter(filter) {
            Ok(()) => visible.extend(part.take_indices().into_iter().flatten()),
            Err(Undecided) if records.len() <= 1 => *undecided += records.len() as u64,
            Err(Undecided) => {
                let middle = records.start + (records.end - records.start) / 2;
                self.bisect(filter, records.start..middle, visible, undecided);
                self.bisect(filter, middle..records.end, visible, undecided);
            }
        }
    }

    /// Returns the selection of these records of the same block, with nothing decoded.
    fn of(&self, indices: Vec<u32>) -> Self {
        let rows = indices.len();
        Self {
            before: Some(indices),
            rows,
            ..Self::new(self.block, self.constants, self.columns.len())
        }
    }

    /// Keeps the records that a row filter shows, if the filter has a value for each record.
    fn try_row_filter(&mut self, filter: &RowFilter) -> Result<(), Undecided> {
        self.decode(&filter.columns).map_err(|_not_told| Undecided)?;
        let input = Input { columns: &self.columns, rows: self.rows };
        let mask = eval::evaluate(&filter.expr, input).map_err(|_not_told| Undecided)?;
        self.narrow(mask.as_boolean()).map_err(|_not_told| Undecided)
    }

    /// Decodes those of `columns` that are missing.
    pub(crate) fn decode(&mut self, columns: &[usize]) -> Result<(), RecordProblem> {
        let missing: Vec<usize> =
            columns.iter().copied().filter(|column| self.columns[*column].is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let first_constant = self.columns.len() - self.constants.len();
        let (of_block, constant): (Vec<usize>, Vec<usize>) =
            missing.into_iter().partition(|column| *column < first_constant);
        let rows = self.indices().map_or(Rows::All, Rows::Selected);
        let arrays = self.block.decode(&of_block, rows).map_err(RecordProblem::record)?;
        for (column, array) in of_block.into_iter().zip(arrays) {
            self.columns[column] = Some(array);
        }
        for column in constant {
            let value = &self.constants[column - first_constant];
            let values = eval::repeated(value, self.rows).map_err(|problem| {
                self.record_problem(0, &problem, "a column of the file's name")
            })?;
            self.columns[column] = Some(values);
        }
        Ok(())
    }

    /// Decodes the missing columns that rows are made of. If these have to be all columns, the
    /// records may have no others.
    pub(crate) fn decode_for(&mut self, made: &plan::OutputRows) -> Result<(), RecordProblem> {
        self.decode(&made.columns)?;
        if !made.has_all {
            return Ok(());
        }
        let rows = self.indices().map_or(Rows::All, Rows::Selected);
        let listed = self.block.check_listed(rows);
        listed.map_err(RecordProblem::record)
    }

    pub(crate) fn evaluate(&self, expr: &Expr, text: &str) -> Result<ArrayRef, RecordProblem> {
        let input = Input { columns: &self.columns, rows: self.rows };
        eval::evaluate(expr, input).map_err(|problem| {
            let (row, problem) = eval::first_problem(expr, input).unwrap_or((0, problem));
            self.record_problem(row, &problem, text)
        })
    }

    /// Evaluates a key of groups; the texts of a column may be a dictionary.
    pub(crate) fn evaluate_key(&self, key: &Item) -> Result<ArrayRef, RecordProblem> {
        let input = Input { columns: &self.columns, rows: self.rows };
        match eval::evaluate_key(&key.expr, input) {
            Ok(values) => Ok(values),
            Err(_) => self.evaluate(&key.expr, &key.text),
        }
    }

    /// Returns where a term of WHERE is true. Drops the columns that nothing later reads.
    pub(crate) fn evaluate_conjunct(
        &mut self,
        conjunct: &Conjunct,
    ) -> Result<BooleanBuffer, RecordProblem> {
        let mask = self.evaluate(&conjunct.expr, &conjunct.text)?;
        for column in &conjunct.last_read {
            self.columns[*column] = None;
        }
        Ok(eval::is_true(mask.as_boolean()).values().clone())
    }

    /// Returns the index in the block of a selected record.
    pub(crate) fn record(&self, row: usize) -> usize {
        match self.indices() {
            None => row,
            Some(indices) => indices.get(row).map_or(row, |record| *record as usize),
        }
    }

    /// Evaluates an aggregate's argument for the records for which its filter is true.
    pub(crate) fn argument(&self, aggregate: &Aggregate) -> Result<Argument, RecordProblem> {
        let Some(filter) = &aggregate.filter else {
            let argument = aggregate.argument.as_ref();
            let values = argument.map(|expr| self.evaluate(expr, &aggregate.text)).transpose()?;
            return Ok(Argument { rows: None, values });
        };
        let mask = self.evaluate(filter, &aggregate.text)?;
        let mask = eval::is_true(mask.as_boolean());
        let rows: Vec<u32> = mask.values().set_indices_u32().collect();
        let values = match &aggregate.argument {
            None => None,
            Some(expr) => {
                let columns = self.filtered_columns(&mask)?;
                let input = Input { columns: &columns, rows: rows.len() };
                Some(eval::evaluate(expr, input).map_err(|problem| {
                    let (row, problem) = eval::first_problem(expr, input).unwrap_or((0, problem));
                    let row = rows.get(row).map_or(0, |row| *row as usize);
                    self.record_problem(row, &problem, &aggregate.text)
                })?)
            }
        };
        Ok(Argument { rows: Some(rows), values })
    }

    /// Evaluates the keys of the order.
    pub(crate) fn keys(
        &self,
        order: &SortOrder,
        items: &[Item],
    ) -> Result<Vec<ArrayRef>, RecordProblem> {
        let keys = order.keys.iter().map(|key| &items[key.item]);
        keys.map(|item| self.evaluate(&item.expr, &item.text)).collect()
    }

    /// Returns the positions of the records in the file; `start` is that of the block's first
    /// record.
    pub(crate) fn positions(&self, start: u64) -> ArrayRef {
        let positions = (0..self.rows).map(|row| start + self.record(row) as u64);
        Arc::new(UInt64Array::from_iter_values(positions))
    }

    /// Evaluates all items and adds the positions, for a sorter.
    pub(crate) fn sorted_rows(
        &self,
        order: &SortOrder,
        items: &[Item],
        start: u64,
    ) -> Result<RecordBatch, RecordProblem> {
        let columns = items.iter().map(|item| self.evaluate(&item.expr, &item.text));
        let mut columns = columns.collect::<Result<Vec<_>, _>>()?;
        columns.push(self.positions(start));
        self.sorter_batch(order, columns)
    }

    /// Returns the [`sorted_rows`](Self::sorted_rows) of a record that has only the values of its
    /// keys.
    pub(crate) fn row_without_values(
        &self,
        order: &SortOrder,
        keys: &[ArrayRef],
        start: u64,
    ) -> Result<RecordBatch, RecordProblem> {
        let nulls = order.schema.fields().iter().map(|f| new_null_array(f.data_type(), self.rows));
        let mut columns: Vec<ArrayRef> = nulls.collect();
        for (key, values) in order.keys.iter().zip(keys) {
            columns[key.item] = Arc::clone(values);
        }
        if let Some(positions) = columns.last_mut() {
            *positions = self.positions(start);
        }
        self.sorter_batch(order, columns)
    }

    fn sorter_batch(
        &self,
        order: &SortOrder,
        columns: Vec<ArrayRef>,
    ) -> Result<RecordBatch, RecordProblem> {
        RecordBatch::try_new(Arc::clone(&order.schema), columns)
            .map_err(|error| self.record_problem(0, &Problem::from(error), "the projection"))
    }

    pub(crate) fn record_problem(
        &self,
        row: usize,
        problem: &Problem,
        text: &str,
    ) -> RecordProblem {
        let record = self.record(row);
        let byte = self.block.byte_of(record);
        let problem = Reason::Computation { problem: problem.clone(), expr: text.to_owned() };
        RecordProblem { fault: RecordFault { record, byte, field: None, problem } }
    }

    /// Keeps the records where `mask` is true.
    pub(crate) fn narrow(&mut self, mask: &BooleanArray) -> Result<(), RecordProblem> {
        let kept = mask.true_count();
        if kept == self.rows {
            return Ok(());
        }
        let mask = eval::is_true(mask);
        self.columns = self.filtered_columns(&mask)?;
        if let Some(indices) = self.indices.take() {
            (self.before, self.masks) = (Some(indices), Vec::new());
        }
        self.masks.push(mask.values().clone());
        self.rows = kept;
        Ok(())
    }

    fn filtered_columns(
        &self,
        mask: &BooleanArray,
    ) -> Result<Vec<Option<ArrayRef>>, RecordProblem> {
        let columns = self.columns.iter();
        columns
            .map(|column| column.as_ref().map(|column| filter(column, mask)).transpose())
            .collect::<Result<_, _>>()
            .map_err(|error| self.record_problem(0, &Problem::from(error), "the selection"))
    }

    /// Returns the selection of one of the records.
    pub(crate) fn only(&self, row: usize) -> Self {
        let record = u32::try_from(self.record(row)).unwrap_or(u32::MAX);
        let slice = |column: &Option<ArrayRef>| column.as_ref().map(|column| column.slice(row, 1));
        Self {
            before: Some(vec![record]),
            rows: 1,
            columns: self.columns.iter().map(slice).collect(),
            ..Self::new(self.block, self.constants, 0)
        }
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        if self.rows <= rows {
            return;
        }
        self.before = Some(match self.take_indices() {
            Some(mut indices) => {
                indices.truncate(rows);
                indices
            }
            None => (0..rows).filter_map(|record| u32::try_from(record).ok()).collect(),
        });
        for column in self.columns.iter_mut().flatten() {
            *column = column.slice(0, rows);
        }
        self.rows = rows;
    }
}

/// The error of a row filter that has no value for some record. It does not tell which and why.
struct Undecided;

impl RecordProblem {
    /// Returns the same record counted from the start of a turn, in which `records` in the view
    /// come before the block; `visible` are the block's records in the view.
    pub(crate) fn in_turn(mut self, records: u64, visible: &Selection<'_>) -> Self {
        let before = usize::try_from(records).unwrap_or(usize::MAX);
        self.fault.record = visible.count_before(self.fault.record).saturating_add(before);
        self
    }
}
