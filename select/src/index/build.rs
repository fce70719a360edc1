//! Builds an index: reads all records of a file on all threads and computes its zone map.

use std::fmt;
use std::ops::{ControlFlow, Range};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::datatypes::DataType;

use super::bounds::{Bounds, to_array};
use super::pages::PageWriter;
use super::{Index, changed_while_read, copy, copy_build, end_checksum, key_build};
use crate::budget::MemoryBudget;
use crate::gather::spill::SpillDirectory;
use crate::{Error, ErrorKind, Result};
use sift_files::block::Block;
use sift_files::data_file::DataFile;
use sift_files::feed::Feed;
use sift_files::io::waiting::Waiting;
use sift_files::record::{RecordFault, Rows};
use sift_files::statistics::ColumnStatistics;

/// Bytes of a morsel, which a thread reads at a time.
pub(super) const MORSEL_BYTES: usize = 4 << 20;

/// The options for building an index.
pub struct BuildOptions<'a> {
    /// Bytes of a zone, about: at most those that a scan decodes at a time.
    pub zone_bytes: u64,
    /// Memory for sorting keys.
    pub memory: Arc<MemoryBudget>,
    /// The folder for sorting keys that outgrow the memory; without it that is an error.
    pub spill: Option<Arc<SpillDirectory>>,
    /// The names of the columns to copy.
    pub columns: &'a [String],
    /// Called with the reason why a column is not copied: some record has no value of its type.
    pub uncopied: &'a dyn Fn(Error),
    /// Called with the bytes of each morsel that was read. The file is read once, once more for
    /// each of its keys, and once more if columns are copied.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

impl Default for BuildOptions<'_> {
    /// Returns zones of a megabyte, 256 MiB of memory, no spill folder and no columns to copy.
    fn default() -> Self {
        Self {
            zone_bytes: 1 << 20,
            memory: Arc::new(MemoryBudget::new("BuildOptions::memory", 256 << 20)),
            spill: None,
            columns: &[],
            uncopied: &|_| {},
            progress: &|_| {},
        }
    }
}

impl fmt::Debug for BuildOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuildOptions").field("zone_bytes", &self.zone_bytes).finish_non_exhaustive()
    }
}

/// The size of a zone, about.
#[derive(Clone, Copy)]
struct ZoneSize {
    bytes: u64,
    records_max: usize,
}

/// The statistics of one zone.
struct Zone {
    /// The position of the zone in the file.
    start: u64,
    records: u64,
    /// Statistics by column; `None` if the column does not decode.
    columns: Vec<Option<ZoneColumn>>,
}

struct ZoneColumn {
    bounds: Bounds,
    nulls: u64,
}

/// The zones of one turn of the feed.
struct TurnZones {
    turn: u64,
    zones: Vec<Zone>,
    /// A record whose end cannot be found.
    fault: Option<RecordFault>,
    result: Result<()>,
}

impl Index {
    /// Reads all records of a file on the current rayon pool, divides them into zones, copies
    /// columns, and sorts the records by the keys that its descriptor declares.
    ///
    /// # Errors
    /// `Unsupported` for formats that have no index; `UnknownColumn` for a column to copy; `Record`
    /// if records cannot be delimited, a record has no value of a key's column, or two records have
    /// the same unique key; `LimitExceeded` if a key outgrows memory or a value is too long for a
    /// key; `FileChanged`, `Io`.
    pub(crate) fn build(file: &Arc<DataFile>, options: &BuildOptions<'_>) -> Result<Self> {
        let name = file.name();
        let Some(layout) = file.fingerprint() else {
            let message = format!("{name}: {} files have no index", file.format());
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        let copied = copy_build::columns(file, options.columns)?;
        file.raw().write_back()?;
        let size = ZoneSize {
            bytes: options.zone_bytes,
            records_max: if copied.is_empty() { usize::MAX } else { copy::ZONE_RECORDS_MAX },
        };
        let zones = zones(file, size, options.progress)?;
        let fields = file.schema.fields().iter().enumerate();
        let columns = fields.map(|(column, field)| {
            column_statistics(&zones, column, field.data_type()).ok_or_else(|| {
                let message = format!("{name}: bounds of another type than their column");
                Error::new(ErrorKind::Unsupported, message)
            })
        });
        let mut index = Self {
            identity: file.identity(),
            is_settled: file.raw().look().is_settled(),
            name: name.to_owned(),
            layout,
            columns: columns.collect::<Result<_>>()?,
            starts: zones.iter().map(|zone| zone.start).collect(),
            records: zones.iter().map(|zone| zone.records).collect(),
            end_checksum: end_checksum(file, file.identity().bytes)?,
            keys: Vec::new(),
            copies: Vec::new(),
            pages: None,
        };
        if !copied.is_empty() || !file.keys.is_empty() {
            let unwritten = |error| {
                let message = format!("{name}: the index cannot be written: {error}");
                Error::new(ErrorKind::Io, message)
            };
            let mut writer = PageWriter::new(options.spill.as_deref()).map_err(unwritten)?;
            index.copies = copy_build::copies(file, &index, &copied, options, &mut writer)?;
            let keys = key_build::keys(file, &index, options, &mut writer)?;
            let pages = Arc::new(writer.finish().map_err(unwritten)?);
            index.keys = keys.into_iter().map(|key| key.with_pages(&pages)).collect();
            index.pages = Some(pages);
        }
        if file.changed()? {
            return Err(changed_while_read(name));
        }
        Ok(index)
    }
}

fn column_statistics(
    zones: &[Zone],
    column: usize,
    data_type: &DataType,
) -> Option<ColumnStatistics> {
    let known = || zones.iter().map(|zone| zone.columns[column].as_ref());
    let min: Vec<_> = known().map(|known| known?.bounds.min.clone()).collect();
    let max: Vec<_> = known().map(|known| known?.bounds.max.clone()).collect();
    Some(ColumnStatistics {
        min: to_array(&min, data_type)?,
        max: to_array(&max, data_type)?,
        null_counts: known().map(|known| Some(known?.nulls)).collect::<UInt64Array>(),
        decodes: known().map(|known| known.is_some()).collect(),
    })
}

/// Returns all zones of the file, in order.
fn zones(
    file: &Arc<DataFile>,
    size: ZoneSize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Zone>> {
    let feed = Feed::new(&[Arc::clone(file)], MORSEL_BYTES);
    let columns = file.schema.fields().len();
    let turns = Mutex::new(Vec::new());
    let work = || {
        loop {
            let (mut zones, mut fault) = (Vec::new(), None);
            let turn = feed.next(Waiting::Allowed, &mut |_, block| {
                add_zones(block, columns, size, &mut zones);
                fault = block.fault().cloned();
                if fault.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            let Some(turn) = turn else { return };
            progress(turn.bytes);
            let (turn, result) = (turn.number, turn.result.map_err(Error::from));
            let is_end = fault.is_some() || result.is_err();
            let of_turn = TurnZones { turn, zones, fault, result };
            turns.lock().unwrap_or_else(PoisonError::into_inner).push(of_turn);
            if is_end {
                return;
            }
        }
    };
    rayon::scope(|scope| (0..rayon::current_num_threads()).for_each(|_| scope.spawn(|_| work())));
    let mut turns = turns.into_inner().unwrap_or_else(PoisonError::into_inner);
    turns.sort_unstable_by_key(|of_turn| of_turn.turn);
    let (mut zones, mut records) = (Vec::new(), 0);
    for of_turn in turns {
        let before_fault: u64 = of_turn.zones.iter().map(|zone| zone.records).sum();
        records += before_fault;
        zones.extend(of_turn.zones);
        of_turn.result?;
        if let Some(fault) = of_turn.fault {
            // the fault has the index of the record in its block, and all records of the block are
            // counted
            let records_before = records - fault.record as u64;
            return Err(fault.to_error(file.name(), records_before).into());
        }
    }
    Ok(zones)
}

fn add_zones(block: &dyn Block, columns: usize, size: ZoneSize, zones: &mut Vec<Zone>) {
    let columns: Vec<Option<ArrayRef>> = (0..columns)
        .map(|column| {
            block.decode(&[column], Rows::All).ok().and_then(|arrays| arrays.into_iter().next())
        })
        .collect();
    let mut first = 0;
    while first < block.records() {
        let records = zone_records(block, first, size);
        let known = |column: &Option<ArrayRef>| {
            let values = column.as_ref()?.slice(first, records.len());
            Some(ZoneColumn { bounds: Bounds::of(&values), nulls: values.null_count() as u64 })
        };
        zones.push(Zone {
            start: byte_of(block, first),
            records: records.len() as u64,
            columns: columns.iter().map(known).collect(),
        });
        first = records.end;
    }
}

/// Returns the records of the zone that starts with `first`: those that start within its bytes, as
/// far as they are not too many.
fn zone_records(block: &dyn Block, first: usize, size: ZoneSize) -> Range<usize> {
    let end = byte_of(block, first).saturating_add(size.bytes);
    let (mut low, mut high) =
        (first + 1, block.records().min(first.saturating_add(size.records_max)));
    while low < high {
        let middle = low + (high - low) / 2;
        if byte_of(block, middle) < end { low = middle + 1 } else { high = middle }
    }
    first..low
}

/// Returns the position of a record, which every format with an index knows.
fn byte_of(block: &dyn Block, record: usize) -> u64 {
    block.byte_of(record).unwrap_or_default()
}
