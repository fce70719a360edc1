//! The work of a sort in steps: full buffers become runs or smaller buffers, and many runs become
//! one. In the end, the rest becomes the rows of the answer.

use std::sync::Arc;

use arrow::array::RecordBatch;

use super::merge::{BatchSource, MergeError, RowFaults, SortedMerge};
use super::run::{Run, batch_rows};
use super::sorted::{Sorted, Sorting};
use super::{Buffer, RUNS_MAX, SORTED_ROWS_MAX, Sorter, lock};
use crate::Result;
use crate::gather::pace::{Pace, Progress};
use crate::gather::spill::memory_bytes;
use sift_files::io::waiting::Waiting;

/// Sorts a full buffer and stores the rows that remain: in memory if they are few or there is no
/// spill folder, else as a run.
#[derive(Debug)]
pub(crate) struct SortJob {
    sorter: Arc<Sorter>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Sorting(Box<Sorting>),
    /// The rows go back into the buffer, in these batches.
    Keeping(Box<Sorted>, Vec<RecordBatch>),
    /// The rows become a run, in batches of so many rows.
    Writing(Box<Sorted>, Run, usize),
    /// Runs become a run of this level.
    Merging(Box<RunMerge>, usize),
    Done,
}

impl SortJob {
    pub(super) fn new(sorter: Arc<Sorter>, buffer: Buffer) -> Self {
        Self { sorter, stage: Stage::Sorting(Box::new(Sorting::new(buffer))) }
    }

    /// Works until the step is over; returns true at the end.
    ///
    /// # Errors
    /// `LimitExceeded` if the rows outgrow memory and may not be written; `WouldBlock` if writing may
    /// not be waited for; `Io`.
    pub(crate) fn step(&mut self, pace: &Pace, waiting: Waiting) -> Result<bool> {
        loop {
            let stage = std::mem::replace(&mut self.stage, Stage::Done);
            self.stage = self.advance(stage, pace, waiting)?;
            if matches!(self.stage, Stage::Done) {
                return Ok(true);
            }
            if pace.is_over() {
                return Ok(false);
            }
        }
    }

    fn advance(&self, stage: Stage, pace: &Pace, waiting: Waiting) -> Result<Stage> {
        let sorter = &*self.sorter;
        Ok(match stage {
            Stage::Sorting(mut sorting) => match sorter.computed(sorting.step(sorter, pace))? {
                true => self.store(sorting.finish(sorter), waiting)?,
                false => Stage::Sorting(sorting),
            },
            Stage::Keeping(mut sorted, mut batches) => {
                match sorter.computed(sorted.next(SORTED_ROWS_MAX))? {
                    Some(batch) => {
                        batches.push(batch);
                        Stage::Keeping(sorted, batches)
                    }
                    None => self.keep(*sorted, batches)?,
                }
            }
            Stage::Writing(mut sorted, mut run, rows) => {
                match sorter.computed(sorted.next(rows))? {
                    Some(batch) => {
                        waiting.check()?;
                        run.write(&batch)?;
                        Stage::Writing(sorted, run, rows)
                    }
                    None => self.add_run(run, 0)?,
                }
            }
            Stage::Merging(mut merge, level) => match merge.step(pace, waiting)? {
                false => Stage::Merging(merge, level),
                true => self.add_run(merge.run, level)?,
            },
            Stage::Done => Stage::Done,
        })
    }

    /// Decides where the rows go.
    fn store(&self, sorted: Sorted, waiting: Waiting) -> Result<Stage> {
        let Some(spill) = &self.sorter.spill else {
            return Ok(Stage::Keeping(Box::new(sorted), Vec::new()));
        };
        let Buffer { rows, bytes, .. } = sorted.buffer;
        let row_bytes = bytes / rows.max(1) + 1;
        let left = sorted.len();
        if left <= rows / 2 && left * row_bytes <= self.sorter.buffer_bytes_max() / 2 {
            return Ok(Stage::Keeping(Box::new(sorted), Vec::new()));
        }
        waiting.check()?;
        let rows = batch_rows(row_bytes, self.sorter.memory.bytes_max());
        Ok(Stage::Writing(Box::new(sorted), Run::new(spill)?, rows))
    }

    /// Puts sorted rows back into the buffer. If there is no memory for them and they may not be
    /// written, they have to be few, or the rows that the order does not want many: other buffers
    /// that wait may take the memory.
    fn keep(&self, sorted: Sorted, batches: Vec<RecordBatch>) -> Result<Stage> {
        let sorter = &*self.sorter;
        if let Some((batch, row, key)) = sorted.last() {
            sorter.computed(sorter.lower_threshold(key, &sorter.keys.of(batch), row))?;
        }
        let bytes: usize = batches.iter().map(memory_bytes).sum();
        let few = sorted.len() <= sorted.buffer.rows / 2 || bytes <= sorter.buffer_bytes_max();
        // releases the memory of the unsorted rows
        drop(sorted);
        let mut buffer = sorter.buffer();
        match buffer.add(&batches) {
            Err(exceeded) if !few => return Err(sorter.too_large(exceeded)),
            Err(_) => buffer.push(&batches),
            Ok(()) => {}
        }
        Ok(Stage::Done)
    }

    fn add_run(&self, run: Run, level: usize) -> Result<Stage> {
        let mut levels = lock(&self.sorter.runs);
        if levels.len() <= level {
            levels.resize_with(level + 1, Vec::new);
        }
        levels[level].push(run);
        if levels[level].len() < RUNS_MAX {
            return Ok(Stage::Done);
        }
        let full = std::mem::take(&mut levels[level]);
        drop(levels);
        Ok(Stage::Merging(Box::new(RunMerge::new(&self.sorter, full)?), level + 1))
    }
}

/// A merge of runs into one run.
#[derive(Debug)]
struct RunMerge {
    merge: SortedMerge,
    run: Run,
}

impl RunMerge {
    fn new(sorter: &Sorter, runs: Vec<Run>) -> Result<Self> {
        let Some(spill) = &sorter.spill else { return Err(sorter.without_folder()) };
        let sources = runs.into_iter().map(|run| BatchSource::Run(run.read())).collect();
        let merge = SortedMerge::new(Arc::clone(&sorter.order), sources, RowFaults::default())?;
        Ok(Self { merge, run: Run::new(spill)? })
    }

    /// Merges until the step is over; returns true at the end.
    fn step(&mut self, pace: &Pace, waiting: Waiting) -> Result<bool> {
        waiting.check()?;
        loop {
            match self.merge.next(pace).map_err(MergeError::without_rows)? {
                Progress::Ready(batch) => self.run.write(&batch)?,
                Progress::Yielded => return Ok(false),
                Progress::Done => return Ok(true),
            }
            if pace.is_over() {
                return Ok(false);
            }
        }
    }
}

/// The rows of a sorter in order, after all were added.
#[derive(Debug)]
pub(crate) struct SortedRows {
    sorter: Arc<Sorter>,
    /// A row without values is an error only from this row on.
    offset: u64,
    stage: RowsStage,
}

#[derive(Debug)]
enum RowsStage {
    /// Full buffers are sorted first.
    Jobs(Option<Box<SortJob>>),
    /// The rows of the last buffer are sorted in memory.
    Sorting(Box<Sorting>),
    /// Some runs are merged into one, while there are too many.
    Runs(Option<Box<RunMerge>>, Vec<Run>, Box<Sorted>),
    Merging(Box<SortedMerge>),
}

impl SortedRows {
    pub(crate) fn new(sorter: Arc<Sorter>, offset: u64) -> Self {
        Self { sorter, offset, stage: RowsStage::Jobs(None) }
    }

    /// Returns the next rows, with all items and positions. After an error there are no more.
    ///
    /// # Errors
    /// The error of a row without values, after the rows before it; those of [`SortJob::step`].
    pub(crate) fn next(
        &mut self,
        pace: &Pace,
        waiting: Waiting,
    ) -> Result<Progress<RecordBatch>, MergeError> {
        loop {
            if let RowsStage::Merging(merge) = &mut self.stage {
                return merge.next(pace);
            }
            let stage = std::mem::replace(&mut self.stage, RowsStage::Jobs(None));
            self.stage = self.advance(stage, pace, waiting)?;
            if pace.is_over() {
                return Ok(Progress::Yielded);
            }
        }
    }

    fn advance(&self, stage: RowsStage, pace: &Pace, waiting: Waiting) -> Result<RowsStage> {
        let sorter = &self.sorter;
        Ok(match stage {
            RowsStage::Jobs(Some(mut job)) => match job.step(pace, waiting)? {
                true => RowsStage::Jobs(None),
                false => RowsStage::Jobs(Some(job)),
            },
            RowsStage::Jobs(None) => match sorter.job() {
                Some(job) => RowsStage::Jobs(Some(Box::new(job))),
                None => RowsStage::Sorting(Box::new(Sorting::new(sorter.buffer().take()))),
            },
            RowsStage::Sorting(mut sorting) => match sorter.computed(sorting.step(sorter, pace))? {
                false => RowsStage::Sorting(sorting),
                true => {
                    let runs = std::mem::take(&mut *lock(&sorter.runs));
                    let runs = runs.into_iter().flatten().collect();
                    RowsStage::Runs(None, runs, Box::new(sorting.finish(sorter)))
                }
            },
            RowsStage::Runs(Some(mut merge), mut runs, sorted) => {
                match merge.step(pace, waiting)? {
                    false => RowsStage::Runs(Some(merge), runs, sorted),
                    true => {
                        runs.push(merge.run);
                        RowsStage::Runs(None, runs, sorted)
                    }
                }
            }
            RowsStage::Runs(None, mut runs, sorted) if runs.len() > RUNS_MAX => {
                let rest = runs.split_off(RUNS_MAX);
                let merge = RunMerge::new(sorter, runs)?;
                RowsStage::Runs(Some(Box::new(merge)), rest, sorted)
            }
            RowsStage::Runs(None, runs, sorted) => {
                let runs = runs.into_iter().map(|run| BatchSource::Run(run.read()));
                let sources = runs.chain([BatchSource::Memory(sorted)]).collect();
                let rows = std::mem::take(&mut *lock(&sorter.faults));
                let faults = RowFaults { rows, offset: self.offset };
                let order = Arc::clone(&sorter.order);
                RowsStage::Merging(Box::new(SortedMerge::new(order, sources, faults)?))
            }
            merging @ RowsStage::Merging(_) => merging,
        })
    }
}
