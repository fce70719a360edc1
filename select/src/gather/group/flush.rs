//! Moves a table of groups into files, in steps.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};

use super::spool::Spools;
use super::table::GroupTable;
use super::{CHUNK_GROUPS, KEY_STEPS};
use crate::Result;
use crate::expr::problem::Problem;
use crate::gather::pace::Pace;
use sift_files::cancel::spend;
use sift_files::io::waiting::Waiting;

/// Bytes of the groups that are moved at once, about.
const CHUNK_BYTES: usize = 1 << 20;

/// The move of a table into files.
#[derive(Debug)]
pub(crate) struct FlushJob {
    table: GroupTable,
    spools: Arc<Spools>,
    source: String,
    /// The number of groups that were moved.
    groups: usize,
    /// The number of states whose distinct values were moved, and how many of the next one were.
    states: usize,
    pairs: usize,
}

impl FlushJob {
    pub(super) fn new(table: GroupTable, spools: Arc<Spools>, source: &str) -> Self {
        Self { table, spools, source: source.to_owned(), groups: 0, states: 0, pairs: 0 }
    }

    /// Leaves out the first groups, and the first distinct values of the states, which are
    /// elsewhere: all those of the first `states` states, and `pairs` of the next one.
    pub(super) fn after(self, groups: usize, states: usize, pairs: usize) -> Self {
        let of_spool = self.spools.pairs.iter().take_while(|(state, _)| *state < states).count();
        Self { groups, states: of_spool, pairs, ..self }
    }

    /// Works until the step is over; returns true at the end.
    ///
    /// # Errors
    /// `LimitExceeded` if the disk space is used up; `WouldBlock` if writing may not be waited for;
    /// `Io`.
    pub(crate) fn step(&mut self, pace: &Pace, waiting: Waiting) -> Result<bool> {
        waiting.check()?;
        while self.move_some()? {
            if pace.is_over() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Moves some groups or distinct values; returns false at the end.
    fn move_some(&mut self) -> Result<bool> {
        let groups = self.table.len();
        let bytes = self.table.memory_bytes() / groups.max(1);
        let at_once = (CHUNK_BYTES / bytes.max(1)).clamp(1, CHUNK_GROUPS);
        if self.groups < groups {
            let end = (self.groups + at_once).min(groups);
            let columns = self.table.partial(self.groups..end);
            self.spools.groups.push(self.computed(columns)?)?;
            self.groups = end;
            return Ok(true);
        }
        let Some((state, spool)) = self.spools.pairs.get(self.states) else { return Ok(false) };
        let pairs = self.table.distinct(*state).map_or(0, |distinct| distinct.len());
        if self.pairs < pairs {
            let end = (self.pairs + CHUNK_GROUPS).min(pairs);
            let columns = self.computed(self.columns(*state, end))?;
            spool.push(columns)?;
            self.pairs = end;
        } else {
            (self.states, self.pairs) = (self.states + 1, 0);
        }
        Ok(true)
    }

    /// Returns the keys and the distinct values of pairs of a state.
    fn columns(&self, state: usize, end: usize) -> Result<Vec<ArrayRef>, Problem> {
        spend(KEY_STEPS * (end - self.pairs))?;
        let Some(distinct) = self.table.distinct(state) else { return Ok(Vec::new()) };
        let (groups, values) = distinct.columns(self.pairs..end)?;
        let mut columns = self.table.keys(groups.values())?;
        columns.push(values);
        // as groups have it
        columns.push(Arc::new(UInt64Array::from_value(0, groups.len())));
        Ok(columns)
    }

    fn computed<T>(&self, result: Result<T, Problem>) -> Result<T> {
        result.map_err(|problem| problem.to_error(&self.source))
    }
}
