//! Sorts rows, also more than fit into memory.
//!
//! Rows are buffered until the buffer or the memory is full. Then a [job](SortJob) sorts the buffer
//! in short steps, and drops the rows that cannot be in the answer: rows beyond the wanted number,
//! and all but the first of the rows that DISTINCT ON takes as equal. If few rows remain, they go
//! back into the buffer, and the last row becomes a *threshold* for the rows to come: so the top of
//! a file is found in memory. Otherwise they are written to a file as a *run*, and in the end the
//! runs are merged (external merge sort; Knuth, The Art of Computer Programming 3, 5.4).
//!
//! Every row has its position in the file as its last key. So no two rows are equal, and the answer
//! does not depend on how the work was divided.

mod job;
mod keys;
mod merge;
pub(crate) mod order;
mod run;
mod sorted;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt64Array};
use arrow::compute::filter;
use arrow::datatypes::SchemaRef;

use super::record_problem::RecordProblem;
use super::sort_order::SortOrder;
use super::spill::{SpillDirectory, memory_bytes};
use crate::budget::{Exceeded, MemoryBudget, Reservation};
use crate::expr::problem::Problem;
use crate::{Error, ErrorKind, Result};
use keys::SortKeyEncoder;
use run::Run;

pub(crate) use job::{SortJob, SortedRows};
pub(crate) use merge::MergeError;

/// Most rows of a batch that comes out of a sort.
pub(crate) const SORTED_ROWS_MAX: usize = 8 << 10;

/// With a limit, the buffer is sorted when it has this many rows more than twice the limit.
const TOP_ROWS_SLACK: usize = 4 << 10;

/// Most runs that are merged at once; each has a file open and a batch in memory.
const RUNS_MAX: usize = 128;

/// The memory divided by this is the size of a buffer: while some buffers are written, the threads
/// fill others, and sorting takes about as much again.
const BUFFERS: usize = 8;

/// The most jobs at a time: with as many, they come before more records, which need memory, too.
pub(crate) const JOBS_MAX: usize = BUFFERS / 2;

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
    /// The full buffers that no job has taken.
    full: Mutex<VecDeque<Buffer>>,
    /// Rows without values, by position. They fail the query only if they are in the answer.
    faults: Mutex<BTreeMap<u64, RowFault>>,
    memory: Arc<MemoryBudget>,
    /// True if there was no memory for the last rows.
    is_short: AtomicBool,
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
            full: Mutex::default(),
            faults: Mutex::default(),
            memory: Arc::clone(memory),
            is_short: AtomicBool::new(false),
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
        let wanted = self.rows_max().filter(|rows| order.distinct == 0 && *rows < positions.len());
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

    /// Adds rows: the plan's items and the positions of the rows. If memory is full they are added
    /// all the same, and the buffer waits for its job.
    pub(crate) fn push(&self, batch: RecordBatch) {
        let batch = [batch];
        let mut buffer = self.buffer();
        let added = buffer.add(&batch);
        self.is_short.store(added.is_err(), Ordering::Relaxed);
        if added.is_err() {
            buffer.push(&batch);
        } else if !self.is_full(&buffer) {
            return;
        }
        let full = buffer.take();
        drop(buffer);
        lock(&self.full).push_back(full);
    }

    /// Returns the schema of the rows.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.order.schema
    }

    /// Returns whether there was no memory for the last rows. Then fewer should come at a time.
    pub(crate) fn is_short_of_memory(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    /// Returns whether a buffer waits for its job.
    pub(crate) fn has_job(&self) -> bool {
        !lock(&self.full).is_empty()
    }

    /// Returns a job for a full buffer, to be done by any thread.
    pub(crate) fn job(self: &Arc<Self>) -> Option<SortJob> {
        let full = lock(&self.full).pop_front()?;
        Some(SortJob::new(Arc::clone(self), full))
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

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        lock(&self.buffer)
    }

    fn is_full(&self, buffer: &Buffer) -> bool {
        let rows_max =
            self.rows_max().map(|rows| rows.saturating_mul(2).saturating_add(TOP_ROWS_SLACK));
        let has_rows = rows_max.is_some_and(|rows_max| buffer.rows >= rows_max);
        has_rows || (self.spill.is_some() && buffer.bytes >= self.buffer_bytes_max())
    }

    fn buffer_bytes_max(&self) -> usize {
        self.memory.bytes_max() / BUFFERS
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

    fn too_large(&self, exceeded: Exceeded) -> Error {
        let Exceeded { key, bytes_max } = exceeded;
        let message = format!(
            "ORDER BY takes more than the {bytes_max} bytes of memory it may, and there is no \
             folder for what it could write; select less, add a LIMIT, or raise `{key}`"
        );
        Error::new(ErrorKind::LimitExceeded, message)
    }

    fn without_folder(&self) -> Error {
        Error::new(ErrorKind::LimitExceeded, "there is no folder for sorted runs")
    }

    /// Returns the number of rows that are wanted, if memory could have as many.
    fn rows_max(&self) -> Option<usize> {
        self.order.rows_max.and_then(|rows| usize::try_from(rows).ok())
    }

    fn computed<T>(&self, result: Result<T, Problem>) -> Result<T> {
        result.map_err(|problem| problem.to_error(&self.order.source))
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // after a panic the scan is over
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
