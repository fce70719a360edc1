//! Reads groups back from files, partition by partition: each becomes a table, or is divided again.

use std::sync::Arc;

use super::GroupTables;
use super::flush::FlushJob;
use super::spool::{Partition, Spool, Spools};
use super::table::GroupTable;
use crate::Result;
use crate::gather::pace::{Pace, Progress};
use sift_files::io::waiting::Waiting;

/// The partitions that are not in a table yet.
#[derive(Debug)]
pub(super) struct Partitions {
    left: Vec<Partition>,
    open: Option<Open>,
}

/// The partition that is read now.
#[derive(Debug)]
struct Open {
    partition: Partition,
    table: GroupTable,
    /// The files of its groups, if it is too large for memory.
    below: Option<Arc<Spools>>,
    /// A full table on its way there.
    flush: Option<FlushJob>,
}

impl Partitions {
    pub(super) fn new(spool: &Arc<Spool>) -> Result<Self> {
        Ok(Self { left: spool.finish()?, open: None })
    }

    /// Returns the groups of the next partition; `empty` makes a table for them.
    ///
    /// # Errors
    /// `LimitExceeded` if a partition cannot be divided any more; the errors of files.
    pub(super) fn next(
        &mut self,
        tables: &GroupTables,
        empty: impl Fn() -> Result<GroupTable>,
        pace: &Pace,
        waiting: Waiting,
    ) -> Result<Progress<GroupTable>> {
        loop {
            let Some(mut open) = self.open.take() else {
                let Some(partition) = self.left.pop() else { return Ok(Progress::Done) };
                self.open = Some(Open { partition, table: empty()?, below: None, flush: None });
                continue;
            };
            waiting.check()?;
            if let Some(flush) = &mut open.flush {
                if flush.step(pace, waiting)? {
                    open.flush = None;
                }
                self.open = Some(open);
            } else if let Some(batch) = open.partition.next()? {
                tables.computed(open.table.absorb(batch.columns()))?;
                if let Some(exceeded) = tables.exceeded(&mut open.table)? {
                    let full = std::mem::replace(&mut open.table, empty()?);
                    let below = if full.is_divisible() { open.below()? } else { None };
                    let Some(below) = below else {
                        return Err(tables.too_large(full.len(), exceeded));
                    };
                    open.flush = Some(FlushJob::new(full, below, &tables.source));
                }
                self.open = Some(open);
            } else if let Some(below) = open.below.take() {
                if open.table.len() > 0 {
                    let rest = std::mem::replace(&mut open.table, empty()?);
                    open.flush = Some(FlushJob::new(rest, Arc::clone(&below), &tables.source));
                    open.below = Some(below);
                    self.open = Some(open);
                } else {
                    self.left.extend(below.groups.finish()?);
                }
            } else {
                return Ok(Progress::Ready(open.table));
            }
            if pace.is_over() {
                return Ok(Progress::Yielded);
            }
        }
    }
}

impl Open {
    /// Returns the files one level below.
    fn below(&mut self) -> Result<Option<Arc<Spools>>> {
        if self.below.is_none()
            && let Some(spool) = self.partition.spool.below()?
        {
            self.below = Some(Arc::new(Spools::only(Arc::new(spool))));
        }
        Ok(self.below.clone())
    }
}
