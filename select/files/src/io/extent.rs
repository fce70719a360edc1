//! The parts of a file that are read: runs of whole records and their positions.

use std::ops::Range;
use std::sync::Arc;

use crate::record::RecordFault;

/// A run of whole records of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Records of the file before it.
    pub first_record: u64,
    /// Its records, where that is known.
    pub records: Option<u64>,
    /// From the start of its first record to that of the record after it; the numbers of the
    /// records where a file holds columns.
    pub bytes: Range<u64>,
}

impl Extent {
    /// Returns the number of its bytes.
    pub fn byte_len(&self) -> u64 {
        self.bytes.end.saturating_sub(self.bytes.start)
    }

    /// Goes on to the end of an extent that begins in this one or after it.
    pub fn extend_to(&mut self, other: &Self) {
        let end = other.records.map(|records| other.first_record + records);
        self.records = end.map(|end| end.saturating_sub(self.first_record));
        self.bytes.end = other.bytes.end;
    }
}

/// A part of a file that is read in one sweep. `G` reads the records of gathered runs.
#[derive(Clone, Debug)]
pub(crate) enum Sweep<G> {
    /// A run of records, piece by piece.
    Run(Extent),
    /// Small runs, many at a time.
    Gathered(G, Vec<Gathered>),
}

/// Longer runs are read by themselves.
const GATHERED_BYTES_MAX: u64 = 64 << 10;

/// Bytes that are gathered at a time: they stay in the second-level cache.
const GATHER_BYTES_MAX: u64 = 512 << 10;

/// Runs that are gathered at a time: about a millisecond of reading.
const GATHER_RUNS_MAX: usize = 512;

impl<G: Clone> Sweep<G> {
    /// Divides extents of a file, which come in order, into sweeps. Small runs are gathered, if the
    /// format can read gathered runs.
    pub(crate) fn of(extents: Vec<Extent>, gathering: Option<&G>) -> Vec<Self> {
        let Some(gathering) = gathering else {
            return extents.into_iter().map(Self::Run).collect();
        };
        let mut sweeps: Vec<Self> = Vec::new();
        let (mut small, mut bytes): (Vec<Extent>, u64) = (Vec::new(), 0);
        for extent in extents {
            let is_small = extent.records.is_some() && extent.byte_len() <= GATHERED_BYTES_MAX;
            let is_full =
                bytes + extent.byte_len() > GATHER_BYTES_MAX || small.len() == GATHER_RUNS_MAX;
            if !is_small || is_full {
                Self::gather(gathering, std::mem::take(&mut small), &mut sweeps);
                bytes = 0;
            }
            if is_small {
                bytes += extent.byte_len();
                small.push(extent);
            } else {
                sweeps.push(Self::Run(extent));
            }
        }
        Self::gather(gathering, small, &mut sweeps);
        sweeps
    }

    fn gather(gathering: &G, extents: Vec<Extent>, sweeps: &mut Vec<Self>) {
        match (extents.as_slice(), sweeps.last_mut()) {
            ([], _) => {}
            (_, Some(Self::Gathered(_, gathered))) => gathered.push(Gathered::new(extents)),
            ([one], _) => sweeps.push(Self::Run(one.clone())),
            _ => sweeps.push(Self::Gathered(gathering.clone(), vec![Gathered::new(extents)])),
        }
    }
}

/// Extents that are read into memory one after the other, as if the file had nothing between them.
#[derive(Clone, Debug)]
pub struct Gathered(Arc<[Extent]>);

impl Gathered {
    /// Takes extents whose numbers of records are known.
    fn new(extents: Vec<Extent>) -> Self {
        Self(extents.into())
    }

    pub(crate) fn extents(&self) -> &[Extent] {
        &self.0
    }

    /// Bytes of all.
    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(Extent::byte_len).sum()
    }

    /// Returns the fault of a gathered record as if the file had been read in its order.
    pub fn placed<P>(&self, fault: RecordFault<P>) -> RecordFault<P> {
        let record = self.record_of(fault.record as u64);
        RecordFault {
            record: usize::try_from(record).unwrap_or(usize::MAX),
            byte: fault.byte.map(|byte| self.byte_of(byte)),
            ..fault
        }
    }

    /// The number in the file of the record that is the `record`th in memory.
    fn record_of(&self, record: u64) -> u64 {
        let mut before = 0;
        for Extent { first_record, records, .. } in &*self.0 {
            let records = records.unwrap_or(0);
            if record < before + records {
                return first_record + (record - before);
            }
            before += records;
        }
        record
    }

    /// Returns the position in the file of the byte that is the `byte`th in memory.
    fn byte_of(&self, byte: u64) -> u64 {
        let mut before = 0;
        for extent in &*self.0 {
            if byte < before + extent.byte_len() {
                return extent.bytes.start + (byte - before);
            }
            before += extent.byte_len();
        }
        byte
    }
}
