//! Merges the tables of the threads in memory, in steps.

use super::flush::FlushJob;
use super::table::{GroupTable, translated};
use super::{CHUNK_GROUPS, GroupTables, KEY_STEPS};
use crate::Result;
use crate::expr::problem::Problem;
use crate::gather::pace::Pace;
use sift_files::cancel::spend;

/// The merge of tables into the first one.
#[derive(Debug)]
pub(super) struct TableMerge {
    all: GroupTable,
    others: Vec<GroupTable>,
    /// The table that is added now.
    current: Option<Adding>,
}

/// A table that is added to another one.
#[derive(Debug)]
struct Adding {
    table: GroupTable,
    /// The groups of the other table that its groups were added to.
    here: Vec<u32>,
    /// The number of states whose distinct values were added, and how many of the next one were.
    states: usize,
    pairs: usize,
}

/// The state of a merge after a step.
#[derive(Debug)]
pub(super) enum Merged {
    Yielded(Box<TableMerge>),
    /// All groups in one table.
    Done(Box<GroupTable>),
    /// Memory is full: the groups have to be written.
    Full(Vec<FlushJob>),
}

impl TableMerge {
    pub(super) fn new(all: GroupTable, others: Vec<GroupTable>) -> Self {
        Self { all, others, current: None }
    }

    /// Merges until the step is over.
    pub(super) fn step(mut self: Box<Self>, tables: &GroupTables, pace: &Pace) -> Result<Merged> {
        loop {
            let Some(mut adding) = self.current.take() else {
                let Some(table) = self.others.pop() else {
                    return Ok(Merged::Done(Box::new(self.all)));
                };
                self.current = Some(Adding { table, here: Vec::new(), states: 0, pairs: 0 });
                continue;
            };
            let has_more = tables.computed(adding.step(&mut self.all))?;
            self.current = has_more.then_some(adding);
            if tables.exceeded(&mut self.all)?.is_some() {
                return self.flushed(tables).map(Merged::Full);
            }
            if pace.is_over() {
                return Ok(Merged::Yielded(self));
            }
        }
    }

    /// Returns the jobs that write all tables.
    fn flushed(self, tables: &GroupTables) -> Result<Vec<FlushJob>> {
        let spools = tables.spools()?;
        let job = |table| FlushJob::new(table, spools.clone(), &tables.source);
        let rest = self.current.map(|adding| {
            let Adding { table, here, states, pairs } = adding;
            job(table).after(here.len(), states, pairs)
        });
        Ok(self.others.into_iter().chain([self.all]).map(job).chain(rest).collect())
    }
}

impl Adding {
    /// Adds some groups or distinct values; returns false at the end.
    fn step(&mut self, all: &mut GroupTable) -> Result<bool, Problem> {
        let (start, groups) = (self.here.len(), self.table.len());
        if start < groups {
            let columns = self.table.partial(start..groups.min(start + CHUNK_GROUPS))?;
            self.here.extend_from_slice(all.absorb(&columns)?);
            return Ok(true);
        }
        if self.states == all.states.len() {
            return Ok(false);
        }
        match self.table.distinct(self.states) {
            Some(distinct) if self.pairs < distinct.len() => {
                let end = distinct.len().min(self.pairs + CHUNK_GROUPS);
                spend(KEY_STEPS * (end - self.pairs))?;
                let (groups, values) = distinct.columns(self.pairs..end)?;
                all.add_distinct(self.states, &translated(&groups, &self.here), &values)?;
                self.pairs = end;
            }
            _ => (self.states, self.pairs) = (self.states + 1, 0),
        }
        Ok(true)
    }
}
