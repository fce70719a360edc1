//! Groups in files, divided by the hash of their keys.
//!
//! All partitions of a spool are in one file, so that it costs one descriptor. A partition that is
//! too large for memory is divided again by other bits of the hash, one *level* below.

use std::sync::{Arc, Mutex};

use ahash::RandomState;
use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::row::{RowConverter, SortField};

use super::{Grouping, KEY_STEPS, lock};
use crate::Result;
use crate::expr::problem::Problem;
use crate::gather::spill::{Frame, SpillDirectory, SpillFile, Spilling, memory_bytes};
use sift_files::cancel::spend;

/// The number of partitions; a power of two.
const PARTITIONS: usize = 16;

/// The most levels: the hash has no more bits.
const LEVELS: u32 = u64::BITS / PARTITIONS.ilog2();

/// Bytes of a partition that wait in memory, about, before they are written together.
const FRAME_BYTES: usize = 64 << 10;

/// The groups and the distinct values of a Select in files.
#[derive(Debug)]
pub(super) struct Spools {
    pub(super) groups: Arc<Spool>,
    /// The distinct values of states, each with the keys of its group; with the state's number.
    pub(super) pairs: Vec<(usize, Arc<Spool>)>,
}

impl Spools {
    pub(super) fn new(
        grouping: &Grouping,
        directory: &Arc<SpillDirectory>,
        source: &str,
    ) -> Result<Self> {
        let keys: Vec<DataType> =
            grouping.keys.iter().map(|key| key.expr.data_type.clone()).collect();
        let hasher = RandomState::new();
        let spool = |types: Vec<DataType>| {
            Spool::new(types, 0, hasher.clone(), directory, source).map(Arc::new)
        };
        let pairs = grouping.states().enumerate().filter_map(|(state, aggregate)| {
            let types = keys.iter().chain([aggregate.distinct_type()?]).cloned().collect();
            Some(spool(types).map(|spool| (state, spool)))
        });
        let pairs = pairs.collect::<Result<_>>()?;
        Ok(Self { groups: spool(keys)?, pairs })
    }

    /// Makes files without distinct values.
    pub(super) fn only(groups: Arc<Spool>) -> Self {
        Self { groups, pairs: Vec::new() }
    }
}

/// Groups in a file.
#[derive(Debug)]
pub(super) struct Spool {
    /// The types of the keys, which are the first columns of the groups.
    types: Vec<DataType>,
    rows: RowConverter,
    hasher: RandomState,
    level: u32,
    file: SpillFile,
    directory: Arc<SpillDirectory>,
    source: String,
    partitions: Mutex<Vec<Filling>>,
}

#[derive(Debug, Default)]
struct Filling {
    /// The batches that are not written yet, and their bytes.
    batches: Vec<RecordBatch>,
    bytes: usize,
    frames: Vec<Frame>,
}

impl Spool {
    fn new(
        types: Vec<DataType>,
        level: u32,
        hasher: RandomState,
        directory: &Arc<SpillDirectory>,
        source: &str,
    ) -> Result<Self> {
        let fields = types.iter().cloned().map(SortField::new).collect();
        let rows = RowConverter::new(fields).map_err(|e| Problem::from(e).to_error(source))?;
        let file = SpillFile::new(directory, Spilling::Group)?;
        let partitions = Mutex::new((0..PARTITIONS).map(|_| Filling::default()).collect());
        let (directory, source) = (Arc::clone(directory), source.to_owned());
        Ok(Self { types, rows, hasher, level, file, directory, source, partitions })
    }

    /// Makes a spool for the groups of one partition; `None` if the hash has no more bits.
    pub(super) fn below(&self) -> Result<Option<Self>> {
        let level = self.level + 1;
        if level == LEVELS {
            return Ok(None);
        }
        let (types, hasher) = (self.types.clone(), self.hasher.clone());
        Self::new(types, level, hasher, &self.directory, &self.source).map(Some)
    }

    /// Adds groups: the columns of their keys, and any others. Several threads may do this.
    ///
    /// # Errors
    /// `LimitExceeded` if the disk space is used up; `Io`.
    pub(super) fn push(&self, columns: Vec<ArrayRef>) -> Result<()> {
        for (partition, batch) in self.divided(columns).map_err(|p| p.to_error(&self.source))? {
            let full = {
                let mut partitions = lock(&self.partitions);
                let partition = &mut partitions[partition];
                partition.bytes += memory_bytes(&batch);
                partition.batches.push(batch);
                if partition.bytes < FRAME_BYTES {
                    continue;
                }
                partition.bytes = 0;
                std::mem::take(&mut partition.batches)
            };
            self.write(partition, &full)?;
        }
        Ok(())
    }

    /// Returns the groups of each partition.
    fn divided(&self, columns: Vec<ArrayRef>) -> Result<Vec<(usize, RecordBatch)>, Problem> {
        let fields = columns.iter().enumerate().map(|(number, column)| {
            Field::new(number.to_string(), column.data_type().clone(), true)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let batch = RecordBatch::try_new(schema, columns)?;
        spend(KEY_STEPS * batch.num_rows())?;
        if self.types.is_empty() {
            return Ok(vec![(0, batch)]);
        }
        let rows = self.rows.convert_columns(&batch.columns()[..self.types.len()])?;
        let shift = u64::BITS - PARTITIONS.ilog2() * (self.level + 1);
        let mut partitions: [Vec<u32>; PARTITIONS] = Default::default();
        for (row, number) in rows.iter().zip(0..) {
            let hash = self.hasher.hash_one(row.data()) >> shift;
            #[expect(clippy::cast_possible_truncation, reason = "only the lowest bits are used")]
            partitions[hash as usize % PARTITIONS].push(number);
        }
        let partitions = partitions.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty());
        let taken = |(partition, rows)| {
            Ok((partition, take_record_batch(&batch, &UInt32Array::from(rows))?))
        };
        partitions.map(taken).collect()
    }

    fn write(&self, partition: usize, batches: &[RecordBatch]) -> Result<()> {
        let Some(first) = batches.first() else { return Ok(()) };
        let batch = concat_batches(first.schema_ref(), batches)
            .map_err(|error| Problem::from(error).to_error(&self.source))?;
        let frame = self.file.write(&batch)?;
        lock(&self.partitions)[partition].frames.push(frame);
        Ok(())
    }

    /// Writes what waits in memory and returns the partitions, after all groups were added.
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub(super) fn finish(self: &Arc<Self>) -> Result<Vec<Partition>> {
        for number in 0..PARTITIONS {
            let batches = std::mem::take(&mut lock(&self.partitions)[number].batches);
            self.write(number, &batches)?;
        }
        let partitions = std::mem::take(&mut *lock(&self.partitions)).into_iter();
        let partitions = partitions.filter(|partition| !partition.frames.is_empty());
        let partition =
            |partition: Filling| Partition { spool: Arc::clone(self), frames: partition.frames };
        Ok(partitions.map(partition).collect())
    }
}

/// A partition of a spool: groups with equal keys are in one partition.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) spool: Arc<Spool>,
    /// The frames that were not read yet.
    frames: Vec<Frame>,
}

impl Partition {
    /// Reads some of the groups, in any order; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>> {
        self.frames.pop().map(|frame| self.spool.file.read(frame)).transpose()
    }
}
