//! Copies of columns: values of the records of a file that are kept outside of it.
//!
//! A turn is some neighbouring zones of the file, and a block is one of them. A value that has no
//! sound copy, and the position of a record, come from the bytes of the zone. So an answer and its
//! errors are the same as without copies.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::{concat, take};
use arrow::error::ArrowError;

use crate::block::Block;
use crate::data_file::DataFile;
use crate::io::extent::Extent;
use crate::io::waiting::Waiting;
use crate::problem::column::ColumnProblem;
use crate::record::{RecordFault, Rows};
use crate::turns::{Buffer, EachBlock, MORSEL_BYTES_MAX, ReadTurn, Turn};
use crate::{Error, ErrorKind, Result};

/// The bytes that a record is taken to have where a morsel is given in bytes: the few columns that
/// are asked for, decoded.
const RECORD_BYTES: usize = 32;

/// Copies of some columns of a file, by zones.
pub trait ColumnCopies: fmt::Debug + Send + Sync {
    /// Returns the zones that an extent of the file consists of; `None` if these are not whole.
    fn zones(&self, extent: &Extent) -> Option<Vec<CopiedZone>>;

    /// Returns the values of a column for all records of a zone; `None` if there is no sound copy.
    ///
    /// # Errors
    /// `WouldBlock`, `Cancelled`
    fn column(&self, zone: usize, column: usize, waiting: Waiting) -> Result<Option<CopiedColumn>>;
}

/// The values of a column in a zone.
#[derive(Debug)]
pub struct CopiedColumn {
    /// One value for each record; texts may be a dictionary of texts.
    pub values: ArrayRef,
    /// The bytes that were read.
    pub bytes: u64,
}

/// A zone of a file with copies of columns.
#[derive(Clone, Debug)]
pub struct CopiedZone {
    /// The number of the zone in the file.
    pub zone: usize,
    /// The extent of its records, whose number is known.
    pub extent: Extent,
    /// The bytes of the copies that a plan reads.
    pub bytes: u64,
}

/// Returns the maximal number of records of a turn, for morsels of about `morsel_bytes`. Zones of
/// more records are not read from copies.
pub fn turn_records_max(file: &DataFile, morsel_bytes: usize) -> u64 {
    (morsel_bytes / file.record_bytes_min().max(RECORD_BYTES)) as u64
}

/// The turns of zones with copies.
pub(crate) struct CopyTurns {
    file: Arc<DataFile>,
    copies: Arc<dyn ColumnCopies>,
    zones: Vec<CopiedZone>,
    /// The number of zones up to the end of each turn.
    ends: Vec<usize>,
}

impl CopyTurns {
    /// Divides zones of a file, which come in order, into turns. A turn has no gap.
    pub(crate) fn new(
        file: Arc<DataFile>,
        copies: Arc<dyn ColumnCopies>,
        zones: Vec<CopiedZone>,
        morsel_bytes: usize,
    ) -> Self {
        let records_max = turn_records_max(&file, morsel_bytes);
        let records = |zone: &CopiedZone| zone.extent.records.unwrap_or(0);
        let (mut ends, mut in_turn) = (Vec::new(), 0);
        for (place, pair) in zones.windows(2).enumerate() {
            let [zone, next] = pair else { continue };
            in_turn += records(zone);
            let has_gap = zone.extent.bytes.end != next.extent.bytes.start;
            if has_gap || in_turn + records(next) > records_max {
                ends.push(place + 1);
                in_turn = 0;
            }
        }
        if !zones.is_empty() {
            ends.push(zones.len());
        }
        Self { file, copies, zones, ends }
    }

    /// Returns the number of records of the file before each turn.
    pub(crate) fn firsts(&self) -> Vec<u64> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.filter_map(|start| Some(self.zones.get(*start)?.extent.first_record)).collect()
    }

    fn zones_of(&self, turn: u64) -> &[CopiedZone] {
        let turn = usize::try_from(turn).unwrap_or(usize::MAX);
        let start = turn.checked_sub(1).and_then(|before| self.ends.get(before));
        let start = start.copied().unwrap_or(0);
        let end = self.ends.get(turn).copied().unwrap_or(start);
        self.zones.get(start..end).unwrap_or_default()
    }
}

impl ReadTurn for CopyTurns {
    fn count(&self) -> u64 {
        self.ends.len() as u64
    }

    fn bytes_max(&self) -> Option<u64> {
        Some(self.zones.iter().map(|zone| zone.bytes).sum())
    }

    fn read(
        &self,
        turn: &mut Turn,
        waiting: Waiting,
        _buffer: &mut Buffer,
        each: &mut EachBlock<'_>,
    ) -> Result<()> {
        for zone in self.zones_of(turn.number) {
            let block = CopyBlock::new(self, zone, waiting);
            let flow = each(&block);
            turn.bytes += block.bytes.get();
            if let Some(error) = block.failure.take() {
                return Err(error);
            }
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// The records of a zone.
struct CopyBlock<'a> {
    turns: &'a CopyTurns,
    zone: &'a CopiedZone,
    waiting: Waiting,
    /// The columns that were asked for, and their values if there is a sound copy.
    columns: RefCell<Vec<(usize, Option<ArrayRef>)>>,
    /// The position of each record, if it could be read.
    starts: OnceCell<Option<Vec<u64>>>,
    /// The bytes that were read so far.
    bytes: Cell<u64>,
    /// An error that is not the fault of a record.
    failure: Cell<Option<Error>>,
}

impl<'a> CopyBlock<'a> {
    fn new(turns: &'a CopyTurns, zone: &'a CopiedZone, waiting: Waiting) -> Self {
        Self {
            turns,
            zone,
            waiting,
            columns: RefCell::default(),
            starts: OnceCell::new(),
            bytes: Cell::new(0),
            failure: Cell::new(None),
        }
    }

    /// Returns the copied values of a column.
    fn copied(&self, column: usize) -> Result<Option<ArrayRef>> {
        let mut columns = self.columns.borrow_mut();
        if let Some((_, known)) = columns.iter().find(|(known, _)| *known == column) {
            return Ok(known.clone());
        }
        let copied = self.turns.copies.column(self.zone.zone, column, self.waiting)?;
        let copied = copied.filter(|copied| copied.values.len() == self.records());
        let values = copied.map(|CopiedColumn { values, bytes }| {
            self.count(bytes);
            values
        });
        columns.push((column, values.clone()));
        Ok(values)
    }

    /// Decodes a column of the bytes of the zone.
    fn decode_in_file(&self, column: usize, rows: Rows<'_>) -> Result<ArrayRef, RecordFault> {
        let arrays = self.in_file(|first, block| match rows {
            Rows::All => block.decode_column(column, Rows::All),
            Rows::Selected(rows) => {
                let before = |end| rows.partition_point(|row| (*row as usize) < end);
                let rows = rows.get(before(first)..before(first + block.records()));
                // a record of a zone has a number of 32 bits
                let first = u32::try_from(first).unwrap_or(u32::MAX);
                let rows: Vec<u32> =
                    rows.unwrap_or_default().iter().map(|row| row.saturating_sub(first)).collect();
                block.decode_column(column, Rows::Selected(&rows))
            }
        })?;
        let arrays: Vec<&dyn Array> = arrays.iter().map(|array| &**array).collect();
        concat(&arrays).map_err(|error| undecoded(&error))
    }

    /// Collects what `take` makes of the blocks of the zone in the file. It gets the number of
    /// records of the zone before each block, and counts from the start of the block.
    fn in_file<T>(
        &self,
        mut take: impl FnMut(usize, &dyn Block) -> Result<T, RecordFault>,
    ) -> Result<Vec<T>, RecordFault> {
        let file = &self.turns.file;
        let turns = file.turns(self.zone.extent.clone(), MORSEL_BYTES_MAX);
        let mut buffer = Buffer::default();
        let (mut taken, mut first, mut found) = (Vec::new(), 0, None);
        let placed =
            |first, fault: RecordFault| Some(RecordFault { record: first + fault.record, ..fault });
        while found.is_none()
            && let Some(turn) = turns.next(self.waiting, &mut buffer, &mut |_, block| {
                match take(first, block) {
                    Ok(of_block) => taken.push(of_block),
                    Err(fault) => found = placed(first, fault),
                }
                if found.is_none() {
                    found = block.fault().cloned().and_then(|fault| placed(first, fault));
                }
                first += block.records();
                if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        {
            self.count(turn.bytes);
            turn.result.map_err(|error| self.fail(error))?;
        }
        match found {
            Some(fault) => Err(fault),
            None if first == self.records() => Ok(taken),
            None => {
                let file = file.name().to_owned();
                Err(self.fail(ErrorKind::FileChanged { file }.into()))
            }
        }
    }

    /// Counts bytes that were read.
    fn count(&self, bytes: u64) {
        self.bytes.set(self.bytes.get() + bytes);
    }

    /// Makes the turn fail. The fault that is returned is told to nobody.
    fn fail(&self, error: Error) -> RecordFault {
        self.failure.set(Some(error));
        let problem = ColumnProblem::UnreadableFile.into();
        RecordFault { record: 0, byte: None, field: None, problem }
    }
}

impl Block for CopyBlock<'_> {
    fn records(&self) -> usize {
        self.zone.extent.records.and_then(|records| usize::try_from(records).ok()).unwrap_or(0)
    }

    fn decode_column(&self, column: usize, rows: Rows<'_>) -> Result<ArrayRef, RecordFault> {
        match (self.copied(column), rows) {
            (Err(error), _) => Err(self.fail(error)),
            (Ok(None), _) => self.decode_in_file(column, rows),
            (Ok(Some(values)), Rows::All) => Ok(values),
            (Ok(Some(values)), Rows::Selected(rows)) => {
                let rows = UInt32Array::from(rows.to_vec());
                take(&values, &rows, None).map_err(|error| undecoded(&error))
            }
        }
    }

    fn byte_of(&self, record: usize) -> Option<u64> {
        let starts = self.starts.get_or_init(|| {
            let starts = self.in_file(|_, block| Ok(block.starts())).ok()?;
            let starts: Option<Vec<Vec<u64>>> = starts.into_iter().collect();
            Some(starts?.concat())
        });
        starts.as_ref()?.get(record).copied()
    }
}

fn undecoded(error: &ArrowError) -> RecordFault {
    let problem = ColumnProblem::decoder(error).into();
    RecordFault { record: 0, byte: None, field: None, problem }
}
