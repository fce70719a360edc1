//! Sorts rows, also more than fit into memory.
//!
//! Rows are buffered until the buffer is full. Then it is sorted, and rows that cannot be in the
//! answer are dropped: rows beyond the wanted number, and all but the first of the rows that
//! DISTINCT ON takes as equal. If few rows remain, they stay in the buffer, and the last row
//! becomes a *threshold* for the rows to come: so the top of a file is found in memory. Otherwise
//! they are written to a file as a *run*, and in the end the runs are merged (external merge sort;
//! Knuth, The Art of Computer Programming 3, 5.4).
//!
//! Every row has its position in the file as its last key. So no two rows are equal, and the answer
//! does not depend on how the work was divided.

mod keys;
mod merge;
mod order;
mod run;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt64Array};
use arrow::compute::{filter, interleave_record_batch};

use super::record_problem::RecordProblem;
use super::sort_order::SortOrder;
use crate::budget::{Exceeded, MemoryBudget, Reservation};
use crate::expr::problem::Problem;
use crate::{Error, ErrorKind, Result};
use keys::SortKeyEncoder;
use merge::{BatchSource, RowFaults};
use run::{Run, RunWriter};
use sift_files::cancel::spend;
use sift_files::io::waiting::Waiting;

pub(crate) use merge::{MergeError, SortedMerge};
pub use run::SpillDirectory;

/// Most rows of a batch that comes out of a sort.
pub(crate) const SORTED_ROWS_MAX: usize = 8 << 10;

/// With a limit, the buffer is sorted when it has this many rows more than twice the limit.
const TOP_ROWS_SLACK: usize = 4 << 10;

/// Most runs that are merged at once; each has a file open and a batch in memory.
const RUNS_MAX: usize = 128;

/// The memory divided by this is the size of a buffer: while one buffer is written, the threads
/// fill others, and sorting takes about as much again.
const BUFFERS: usize = 8;

/// Sorts the rows of one query; shared by its threads.
#[derive(Debug)]
pub(crate) struct Sorter {
    order: Arc<SortOrder>,
    keys: SortKeyEncoder,
    /// The last row that is wanted so far: rows after it are not in the answer.
    threshold: RwLock<Option<Arc<Threshold>>>,
    buffer: Mutex<Buffer>,
    /// The runs by level: a run of level `n` was merged from runs of level `n - 1`.
    runs: Mutex<Vec<Vec<Run>>>,
    /// Locked for reading by each thread that holds memory beside the buffer, so that a thread
    /// without memory can wait for all of them.
    compacting: RwLock<()>,
    /// Rows without values, by position. They fail the query only if they are in the answer.
    faults: Mutex<BTreeMap<u64, RowFault>>,
    memory: Arc<MemoryBudget>,
    spill: Option<Arc<SpillDirectory>>,
}

/// The row that other rows are compared with.
#[derive(Debug)]
struct Threshold {
    key: Box<[u8]>,
    /// The value of its first key: comparing this column excludes most rows, so that full keys are
    /// made only for the others.
    first: ArrayRef,
}

/// A row that has no values, and the reason.
#[derive(Debug)]
struct RowFault {
    key: Box<[u8]>,
    record_problem: RecordProblem,
}

#[derive(Debug)]
struct Buffer {
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
    reservation: Reservation,
}

impl Sorter {
    /// Makes a sorter without rows.
    ///
    /// # Errors
    /// The error of a type that cannot be sorted.
    pub(crate) fn new(
        order: Arc<SortOrder>,
        memory: &Arc<MemoryBudget>,
        spill: Option<Arc<SpillDirectory>>,
    ) -> Result<Self, Problem> {
        Ok(Self {
            keys: SortKeyEncoder::new(&order)?,
            order,
            threshold: RwLock::default(),
            buffer: Mutex::new(Buffer::new(memory)),
            runs: Mutex::default(),
            compacting: RwLock::default(),
            faults: Mutex::default(),
            memory: Arc::clone(memory),
            spill,
        })
    }

    /// Returns a mask of the rows that may be in the answer; `None` for all. `keys` are the values
    /// of the order's keys, `positions` the positions of the rows.
    pub(crate) fn candidates(
        &self,
        keys: &[ArrayRef],
        positions: &ArrayRef,
    ) -> Result<Option<BooleanArray>, Problem> {
        let order = &self.order;
        let threshold = self.threshold();
        let wanted = order.rows_max.and_then(|rows| usize::try_from(rows).ok());
        let wanted = wanted.filter(|rows| order.distinct == 0 && *rows < positions.len());
        let near = match &threshold {
            None if wanted.is_none() => return Ok(None),
            None => None,
            Some(threshold) => self.keys.not_after(keys, &threshold.first)?,
        };
        let places: Vec<usize> = match &near {
            None => (0..positions.len()).collect(),
            Some(near) => near.values().set_indices().collect(),
        };
        if places.is_empty() {
            return Ok(near);
        }
        let filtered = |values: &ArrayRef| match &near {
            None => Ok(Arc::clone(values)),
            Some(near) => filter(values, near),
        };
        let keys = keys.iter().map(filtered).collect::<Result<Vec<_>, _>>()?;
        let rows = self.keys.rows(&keys, &filtered(positions)?)?;
        let is_below = |row: &usize| {
            threshold.as_ref().is_none_or(|threshold| rows.row(*row).data() < &*threshold.key)
        };
        let mut kept: Vec<usize> = (0..places.len()).filter(is_below).collect();
        if let Some(wanted) = wanted.filter(|wanted| (1..kept.len()).contains(wanted)) {
            let (_, last, _) =
                kept.select_nth_unstable_by(wanted - 1, |a, b| rows.row(*a).cmp(&rows.row(*b)));
            self.lower_threshold(rows.row(*last).data(), &keys, *last)?;
            kept.truncate(wanted);
        }
        if kept.len() == positions.len() {
            return Ok(None);
        }
        let mut mask = vec![false; positions.len()];
        kept.into_iter().for_each(|row| mask[places[row]] = true);
        Ok(Some(mask.into()))
    }

    /// Adds rows: the plan's items and the positions of the rows.
    ///
    /// # Errors
    /// `LimitExceeded` if they outgrow memory and may not be written; `WouldBlock` if they would be
    /// written and that may not be waited for; `Io`.
    pub(crate) fn push(&self, batch: RecordBatch, waiting: Waiting) -> Result<()> {
        let batch = [batch];
        {
            let _sorting = self.compacting.read().unwrap_or_else(PoisonError::into_inner);
            let mut buffer = self.buffer();
            if buffer.add(&batch).is_ok() {
                let full = self.is_full(&buffer).then(|| buffer.take());
                drop(buffer);
                return full.map_or(Ok(()), |full| self.compact(full, waiting));
            }
        }
        // alone, because other threads may hold memory that they are about to release
        let _alone = self.compacting.write().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = self.buffer();
        if buffer.add(&batch).is_ok() {
            return Ok(());
        }
        let mut full = buffer.take();
        drop(buffer);
        full.push(&batch);
        self.compact(full, waiting)
    }

    /// Adds the reason why a row has no values except those of its keys. It has to be called before
    /// the row is [pushed](Self::push).
    pub(crate) fn push_fault(
        &self,
        keys: &[ArrayRef],
        position: u64,
        record_problem: RecordProblem,
    ) -> Result<(), Problem> {
        let positions: ArrayRef = Arc::new(UInt64Array::from(vec![position]));
        let key = self.keys.rows(keys, &positions)?.row(0).data().into();
        lock(&self.faults).insert(position, RowFault { key, record_problem });
        Ok(())
    }

    /// Returns the rows in order, after all were added. A row without values is an error only from
    /// the row `offset` on.
    ///
    /// # Errors
    /// The errors of [`push`](Self::push).
    pub(crate) fn merge(&self, offset: u64, waiting: Waiting) -> Result<SortedMerge> {
        let buffer = self.buffer().take();
        let sorted = self.sort(&buffer.batches)?;
        let sorted = sorted.batches().map_err(|problem| self.computation(&problem))?;
        let mut runs: Vec<Run> =
            std::mem::take(&mut *lock(&self.runs)).into_iter().flatten().collect();
        while runs.len() > RUNS_MAX {
            let rest = runs.split_off(RUNS_MAX);
            let merged = self.merge_runs(runs, waiting)?;
            runs = rest;
            runs.push(merged);
        }
        let faults = std::mem::take(&mut *lock(&self.faults));
        let mut sources = runs.into_iter().map(Run::read).collect::<Result<Vec<_>>>()?;
        sources.push(BatchSource::Memory(sorted.into_iter()));
        let faults = RowFaults { rows: faults, offset };
        SortedMerge::new(Arc::clone(&self.order), sources, faults, buffer.reservation)
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        lock(&self.buffer)
    }

    fn is_full(&self, buffer: &Buffer) -> bool {
        let rows_max = self
            .order
            .rows_max
            .and_then(|rows| usize::try_from(rows).ok())
            .map(|rows| rows.saturating_mul(2).saturating_add(TOP_ROWS_SLACK));
        let has_rows = rows_max.is_some_and(|rows_max| buffer.rows >= rows_max);
        has_rows || (self.spill.is_some() && buffer.bytes >= self.buffer_bytes_max())
    }

    fn buffer_bytes_max(&self) -> usize {
        self.memory.bytes_max() / BUFFERS
    }

    /// Sorts a full buffer and stores the rows that remain: in memory if they are few or there is
    /// no spill folder, else as a run.
    fn compact(&self, full: Buffer, waiting: Waiting) -> Result<()> {
        let Buffer { batches, rows, bytes, reservation } = full;
        let sorted = self.sort(&batches)?;
        let Some(spill) = &self.spill else {
            return self.keep(&sorted, reservation)?.map_err(|exceeded| self.too_large(exceeded));
        };
        let row_bytes = bytes / rows.max(1) + 1;
        let left = sorted.indices.len();
        let is_little = left <= rows / 2 && left * row_bytes <= self.buffer_bytes_max() / 2;
        if is_little && self.keep(&sorted, reservation)?.is_ok() {
            return Ok(());
        }
        waiting.check()?;
        let mut run = RunWriter::new(spill, &self.order.schema)?;
        for rows in sorted.chunks(run::batch_rows(row_bytes, self.memory.bytes_max())) {
            run.write(&sorted.batch(rows).map_err(|problem| self.computation(&problem))?)?;
        }
        self.add_run(run.finish()?, 0, waiting)
    }

    /// Puts sorted rows back into the buffer, if there is memory for them. Releases `reservation`,
    /// which is that of the unsorted rows.
    fn keep(
        &self,
        sorted: &Sorted<'_>,
        reservation: Reservation,
    ) -> Result<std::result::Result<(), Exceeded>> {
        let batches = sorted.batches().map_err(|problem| self.computation(&problem))?;
        let wanted = self.order.rows_max;
        if let Some((batch, row)) = sorted.indices.last().copied()
            && wanted == Some(sorted.indices.len() as u64)
        {
            let keys = self.keys.of(&sorted.batches[batch]);
            self.lower_threshold(sorted.key((batch, row)), &keys, row)
                .map_err(|problem| self.computation(&problem))?;
        }
        drop(reservation);
        Ok(self.buffer().add(&batches))
    }

    /// Lowers the threshold to a row, given its key and the values that the key is made of. At
    /// least as many rows as are wanted do not come after this row.
    fn lower_threshold(&self, key: &[u8], keys: &[ArrayRef], row: usize) -> Result<(), Problem> {
        let mut threshold = self.threshold.write().unwrap_or_else(PoisonError::into_inner);
        if threshold.as_ref().is_none_or(|known| *key < *known.key) {
            let first = self.keys.first(keys, row)?;
            *threshold = Some(Arc::new(Threshold { key: key.into(), first }));
            lock(&self.faults).retain(|_, fault| *fault.key <= *key);
        }
        Ok(())
    }

    fn threshold(&self) -> Option<Arc<Threshold>> {
        self.threshold.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn sort<'b>(&self, batches: &'b [RecordBatch]) -> Result<Sorted<'b>> {
        Sorted::new(&self.keys, &self.order, batches).map_err(|problem| self.computation(&problem))
    }

    fn add_run(&self, run: Run, level: usize, waiting: Waiting) -> Result<()> {
        let full = {
            let mut levels = lock(&self.runs);
            if levels.len() <= level {
                levels.resize_with(level + 1, Vec::new);
            }
            levels[level].push(run);
            if levels[level].len() < RUNS_MAX {
                return Ok(());
            }
            std::mem::take(&mut levels[level])
        };
        let merged = self.merge_runs(full, waiting)?;
        self.add_run(merged, level + 1, waiting)
    }

    /// Merges runs into one run.
    fn merge_runs(&self, runs: Vec<Run>, waiting: Waiting) -> Result<Run> {
        let Some(spill) = &self.spill else {
            return Err(Error::new(ErrorKind::LimitExceeded, "there is no folder for sorted runs"));
        };
        let sources = runs.into_iter().map(Run::read).collect::<Result<Vec<_>>>()?;
        let reservation = Reservation::new(Arc::clone(&self.memory));
        let mut merge =
            SortedMerge::new(Arc::clone(&self.order), sources, RowFaults::default(), reservation)?;
        waiting.check()?;
        let mut spilled = RunWriter::new(spill, &self.order.schema)?;
        while let Some(batch) = merge.next().map_err(MergeError::without_rows)? {
            spilled.write(&batch)?;
        }
        spilled.finish()
    }

    fn too_large(&self, exceeded: Exceeded) -> Error {
        let Exceeded { key, bytes_max } = exceeded;
        let message = format!(
            "ORDER BY takes more than the {bytes_max} bytes of memory it may, and there is no \
             folder for what it could write; select less, add a LIMIT, or raise `{key}`"
        );
        Error::new(ErrorKind::LimitExceeded, message)
    }

    fn computation(&self, problem: &Problem) -> Error {
        problem.to_error(&self.order.source)
    }
}

impl Buffer {
    fn new(memory: &Arc<MemoryBudget>) -> Self {
        let reservation = Reservation::new(Arc::clone(memory));
        Self { batches: Vec::new(), rows: 0, bytes: 0, reservation }
    }

    /// Adds batches if there is memory for them.
    fn add(&mut self, batches: &[RecordBatch]) -> Result<(), Exceeded> {
        let more: usize = batches.iter().map(memory_bytes).sum();
        self.reservation.resize(self.bytes + more)?;
        self.push(batches);
        Ok(())
    }

    fn push(&mut self, batches: &[RecordBatch]) {
        self.bytes += batches.iter().map(memory_bytes).sum::<usize>();
        self.rows += batches.iter().map(RecordBatch::num_rows).sum::<usize>();
        self.batches.extend_from_slice(batches);
    }

    /// Takes all rows out of the buffer, with their memory.
    fn take(&mut self) -> Self {
        Self {
            batches: std::mem::take(&mut self.batches),
            rows: std::mem::take(&mut self.rows),
            bytes: std::mem::take(&mut self.bytes),
            reservation: self.reservation.take(),
        }
    }
}

/// Batches, and the order of their rows.
struct Sorted<'b> {
    batches: &'b [RecordBatch],
    /// The keys of each batch.
    rows: Vec<arrow::row::Rows>,
    /// The batch and the row of each row, in order.
    indices: Vec<(usize, usize)>,
}

impl<'b> Sorted<'b> {
    /// Sorts the rows, and drops those that the order does not want.
    fn new(
        keys: &SortKeyEncoder,
        order: &SortOrder,
        batches: &'b [RecordBatch],
    ) -> Result<Self, Problem> {
        let rows_of = |batch: &RecordBatch| {
            spend(batch.num_rows())?;
            keys.rows_of(batch)
        };
        let rows = batches.iter().map(rows_of).collect::<Result<Vec<_>, _>>()?;
        let each = |(batch, rows): (usize, &RecordBatch)| {
            (0..rows.num_rows()).map(move |row| (batch, row))
        };
        let mut indices: Vec<(usize, usize)> = batches.iter().enumerate().flat_map(each).collect();
        order::sort_by(&mut indices, |a, b| rows[a.0].row(a.1).cmp(&rows[b.0].row(b.1)))?;
        let leading: Vec<_> =
            batches.iter().map(|b| keys.leading_rows_of(b)).collect::<Result<_, _>>()?;
        if let Some(leading) = leading.into_iter().collect::<Option<Vec<_>>>()
            && order.distinct > 0
        {
            indices.dedup_by(|a, b| leading[a.0].row(a.1) == leading[b.0].row(b.1));
        }
        if let Some(wanted) = order.rows_max.and_then(|rows| usize::try_from(rows).ok()) {
            indices.truncate(wanted);
        }
        Ok(Self { batches, rows, indices })
    }

    fn key(&self, (batch, row): (usize, usize)) -> &[u8] {
        self.rows[batch].row(row).data()
    }

    /// Returns the remaining rows as new batches.
    fn batches(&self) -> Result<Vec<RecordBatch>, Problem> {
        self.chunks(SORTED_ROWS_MAX).map(|rows| self.batch(rows)).collect()
    }

    fn chunks(&self, rows: usize) -> impl Iterator<Item = &[(usize, usize)]> {
        self.indices.chunks(rows)
    }

    /// Returns some rows as a new batch.
    fn batch(&self, rows: &[(usize, usize)]) -> Result<RecordBatch, Problem> {
        spend(rows.len() + self.batches.len())?;
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        Ok(interleave_record_batch(&batches, rows)?)
    }
}

/// Returns the bytes of the rows of a batch; of a shared buffer only the batch's part counts.
fn memory_bytes(batch: &RecordBatch) -> usize {
    let of = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or(0);
    batch.columns().iter().map(of).sum()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // after a panic the scan is over
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
