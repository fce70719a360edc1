//! A scan that walks a key: one feed for each step of the walk, or for the whole scan after all.
//!
//! The rows of all steps are in one sorter. The turns of a step are counted on from those of the
//! steps before it, and appended records are read last. So equal rows stay in the order of the
//! file.

use std::sync::Arc;

use super::access::{AccessPath, KeyWalk, WalkStep};
use super::final_stage::Sink;
use super::{Scan, ScanOptions, State};
use crate::Result;
use crate::plan::Plan;
use sift_files::copies::ColumnCopies;
use sift_files::feed::Feed;
use sift_files::io::extent::Extent;
use sift_files::io::waiting::Waiting;
use sift_files::turns::Origin;

/// The extents that a feed reads, and the copies that it reads instead, by file.
#[derive(Debug, Default)]
pub(super) struct Reads {
    pub(super) extents: Vec<Vec<Extent>>,
    pub(super) copies: Vec<Option<Arc<dyn ColumnCopies>>>,
}

impl Reads {
    fn of(path: AccessPath) -> Self {
        Self { copies: path.feed_copies(), extents: path.extents }
    }

    /// Returns these records of the only file.
    fn records(extents: Vec<Extent>) -> Self {
        Self { extents: vec![extents], copies: Vec::new() }
    }
}

/// The walk of a scan.
#[derive(Debug)]
pub(crate) struct Walk {
    plan: Plan,
    keys: KeyWalk,
    /// The records that have passed WHERE.
    passed: u64,
    /// The path of the scan without the walk.
    path: AccessPath,
    options: ScanOptions,
}

impl Walk {
    /// Returns the walk of an access path, if it has one, and the extents to begin with.
    pub(super) fn of(
        plan: &Plan,
        mut path: AccessPath,
        options: &ScanOptions,
    ) -> (Option<Box<Self>>, Reads) {
        let Some((keys, first)) = path.walk.take() else { return (None, Reads::of(path)) };
        let (plan, options) = (plan.clone(), options.clone());
        (Some(Box::new(Self { plan, keys, passed: 0, path, options })), Reads::records(first))
    }

    /// Returns the number of records that are not read when the walk is complete.
    fn pruned(&self) -> u64 {
        let indexes = self.plan.source().parts.iter().filter_map(|part| part.index.as_ref());
        let records: u64 = indexes.map(|index| index.record_count()).sum();
        records.saturating_sub(self.keys.records())
    }

    /// Counts records that have passed WHERE.
    pub(super) fn count(&mut self, passed: u64) {
        self.passed += passed;
    }

    /// Looks up the next step.
    ///
    /// # Errors
    /// `WouldBlock` if it may not wait, and would have to.
    pub(super) fn next(&mut self, waiting: Waiting) -> Result<WalkStep> {
        Ok(self.keys.next(self.plan.bound(), self.passed, waiting)?)
    }
}

impl Scan {
    /// Goes on with the next part of a scan that walks a key.
    pub(super) fn walk_on(&mut self, walk: Box<Walk>, step: Result<WalkStep>) {
        let Reads { extents, copies } = match step {
            Err(error) => return self.end(Err(error)),
            Ok(WalkStep::Read(extents)) => {
                self.walk = Some(walk);
                Reads::records(extents)
            }
            Ok(WalkStep::Complete(appended)) => {
                self.statistics.records_pruned = walk.pruned();
                Reads::records(appended)
            }
            Ok(WalkStep::Scan) => match Sink::new(&self.plan, &walk.options) {
                Err(error) => return self.end(Err(error)),
                Ok(sink) => {
                    self.sink = Arc::new(sink);
                    self.turns.clear();
                    self.origin = Origin::default();
                    self.statistics.records_scanned = 0;
                    self.statistics.records_pruned = walk.path.records_pruned();
                    Reads::of(walk.path)
                }
            },
        };
        let files = self.plan.source().files();
        self.feed = Arc::new(Feed::of_extents(&files, extents, &copies, self.morsel_bytes));
        self.turns_before = self.turns.len() as u64;
        (self.started, self.absorbed) = (0, 0);
        self.state = State::Scanning;
        self.end_when_complete();
    }
}
