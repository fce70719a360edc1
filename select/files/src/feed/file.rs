//! Hands a sweep of a file out piece by piece to the threads of one scan.

use std::fmt;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::{Buffer, Buffers, Origin, Turn, lock, stream};
use crate::block::Block;
use crate::data_file::{DataFile, Layout};
use crate::fixed::PADDING_BYTES;
use crate::io::compressed::{Compression, Stream};
use crate::io::extent::{Extent, Gathered, Sweep};
use crate::io::raw_file::RawFile;
use crate::io::waiting::Waiting;
use crate::record::Piece;
use crate::{Result, csv, fixed, ipc, json, parquet};

/// Bytes that are read and decoded at a time: they stay in the second-level cache between the read,
/// the predicate and the other columns.
const BLOCK_BYTES: usize = 768 << 10;

/// The most bytes of a turn: a CSV turn is in memory as a whole.
const MORSEL_BYTES_MAX: usize = 64 << 20;

/// Hands out a sweep of a file piece by piece; shared by the threads of one scan.
pub(super) struct FileFeed {
    file: Arc<DataFile>,
    /// Where it lies in the file, and how many records come before it.
    bytes: Range<u64>,
    first_record: u64,
    turns: u64,
    /// Whole records of a turn for fixed-length files, bytes otherwise.
    morsel: u64,
    order: Order,
    buffers: Arc<Buffers>,
}

/// What the threads share to get their turns in order.
enum Order {
    /// Number of the next turn, which tells its place.
    Numbered(AtomicU64),
    Csv(InOrder),
    /// As of text in a compressed file, whose number of turns its end tells.
    Stream(Compression, stream::Turns),
    /// As of fixed-length files.
    Parquet(AtomicU64, parquet::Turns),
    /// One for each gathering.
    Gathered(AtomicU64, Vec<Gathered>),
}

/// Turns of which each begins where the one before it ends.
#[derive(Default)]
struct InOrder {
    /// So many turns have somebody who takes them: nobody waits at the cursor for one that is not
    /// there.
    claimed: AtomicU64,
    cursor: Mutex<csv::Cursor>,
}

/// What is done with a block; the number of its turn in the extent comes first.
type EachOfFile<'a> = dyn FnMut(u64, &Block<'_>) -> ControlFlow<()> + 'a;

impl fmt::Debug for FileFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileFeed").field("turns", &self.turns).finish_non_exhaustive()
    }
}

impl FileFeed {
    /// Hands the sweep out from its start. A turn reads about `morsel_bytes`, at most 64 MiB and at least one
    /// record of a fixed-length file; a turn of a CSV file may have no records, when one goes through all of it.
    pub(super) fn new(
        file: Arc<DataFile>,
        sweep: Sweep,
        morsel_bytes: usize,
        buffers: Arc<Buffers>,
    ) -> Self {
        let extent = match sweep {
            Sweep::Run(extent) => extent,
            Sweep::Gathered(gathered) => {
                let turns = gathered.len() as u64;
                let order = Order::Gathered(AtomicU64::new(0), gathered);
                return Self {
                    file,
                    bytes: 0..0,
                    first_record: 0,
                    turns,
                    morsel: 0,
                    order,
                    buffers,
                };
            }
        };
        let bytes = extent.byte_len();
        let morsel_bytes = morsel_bytes.clamp(1, MORSEL_BYTES_MAX);
        let (turns, morsel, order) = match &file.layout {
            Layout::Csv(_) | Layout::Json(_) if let Some(compression) = file.compression => {
                (0, morsel_bytes as u64, Order::Stream(compression, stream::Turns::default()))
            }
            Layout::Fixed(layout) => {
                let records = (morsel_bytes / layout.stride).max(1) as u64;
                let turns = (bytes / layout.stride as u64).div_ceil(records);
                (turns, records, Order::Numbered(AtomicU64::new(0)))
            }
            Layout::Csv(_) => {
                let morsel = morsel_bytes as u64;
                (bytes.div_ceil(morsel), morsel, Order::Csv(InOrder::default()))
            }
            Layout::Arrow(layout) => {
                (layout.turns(), morsel_bytes as u64, Order::Numbered(AtomicU64::new(0)))
            }
            Layout::Parquet(layout) => {
                let turns = parquet::Turns::new(layout, &extent.bytes, morsel_bytes);
                (turns.len(), morsel_bytes as u64, Order::Parquet(AtomicU64::new(0), turns))
            }
            Layout::Json(_) => {
                let morsel = morsel_bytes as u64;
                let turns = bytes.div_ceil(morsel);
                (turns, morsel, Order::Numbered(AtomicU64::new(0)))
            }
        };
        let Extent { first_record, bytes, .. } = extent;
        Self { file, bytes, first_record, turns, morsel, order, buffers }
    }

    /// Where the records of a turn come from, where that is known; `file` is its index.
    pub(super) fn origin(&self, turn: u64, file: usize) -> Option<Origin> {
        if let Order::Gathered(_, gathered) = &self.order {
            let gathered = gathered.get(usize::try_from(turn).ok()?).cloned();
            return Some(Origin { file, records_before: 0, gathered });
        }
        let records_before = self.first_record;
        (turn == 0).then_some(Origin { file, records_before, gathered: None })
    }

    /// Number of turns, once it is known.
    pub(super) fn turns(&self) -> Option<u64> {
        match &self.order {
            Order::Stream(_, turns) => turns.number(),
            _ => Some(self.turns),
        }
    }

    /// Bytes that are read at most, where that is known before they are.
    pub(super) fn bytes_max(&self) -> Option<u64> {
        match (&self.file.layout, &self.order) {
            (_, Order::Gathered(_, gathered)) => Some(gathered.iter().map(Gathered::len).sum()),
            (
                Layout::Fixed(_) | Layout::Csv(_) | Layout::Json(_),
                Order::Numbered(_) | Order::Csv(_),
            ) => Some(self.bytes.end - self.bytes.start),
            _ => None,
        }
    }

    /// Takes the next turn: reads its piece and gives its number and its blocks to `each`, in the
    /// file's order, until that breaks; `None` when none is left. Callable from many threads at
    /// once.
    pub(super) fn next(&self, waiting: Waiting, each: &mut EachOfFile<'_>) -> Option<Turn> {
        let raw = &self.file.raw().with_waiting(waiting);
        let mut buffer = lock(&self.buffers.0).pop().unwrap_or_default();
        let turn = match (&self.file.layout, &self.order) {
            (Layout::Fixed(layout), Order::Numbered(next)) => {
                self.numbered(next).map(|mut turn| {
                    turn.result = self.fixed(raw, layout, &mut turn, &mut buffer.bytes, each);
                    turn
                })
            }
            (Layout::Json(layout), Order::Numbered(next)) => self.numbered(next).map(|mut turn| {
                turn.result = self.json(raw, layout, &mut turn, &mut buffer, each);
                turn
            }),
            (Layout::Csv(layout), Order::Csv(InOrder { claimed, cursor })) => {
                (claimed.fetch_add(1, Ordering::Relaxed) < self.turns)
                    .then(|| self.csv(raw, layout, lock(cursor), &mut buffer, each))
            }
            (Layout::Arrow(layout), Order::Numbered(next)) => {
                let number = next.fetch_add(1, Ordering::Relaxed);
                (number < self.turns).then(|| {
                    let mut turn = Turn::new(number);
                    let each = &mut |block: ipc::Block<'_>| each(number, &Block::Arrow(block));
                    turn.result = layout.blocks(number, raw, &mut turn.bytes, each);
                    turn
                })
            }
            (Layout::Parquet(layout), Order::Parquet(next, turns)) => {
                let number = next.fetch_add(1, Ordering::Relaxed);
                turns.turn(number).map(|records| {
                    let mut turn = Turn::new(number);
                    let each =
                        &mut |block: parquet::Block<'_>| each(number, &Block::Parquet(block));
                    turn.result = records.blocks(layout, raw, &mut turn.bytes, each);
                    turn
                })
            }
            (layout, Order::Gathered(next, gathered)) => self.numbered(next).map(|mut turn| {
                if let Some(gathered) =
                    gathered.get(usize::try_from(turn.number).unwrap_or(usize::MAX))
                {
                    turn.result =
                        self.gathered(raw, layout, gathered, &mut turn, &mut buffer, each);
                }
                turn
            }),
            (layout, Order::Stream(compression, turns)) => {
                self.stream(layout, *compression, turns, &mut buffer, each)
            }
            // a feed is made with the order of its source's layout
            _ => None,
        };
        lock(&self.buffers.0).push(buffer);
        turn
    }

    /// Only the turn before tells where the records of a turn start.
    fn stream(
        &self,
        layout: &Layout,
        compression: Compression,
        turns: &stream::Turns,
        buffer: &mut Buffer,
        each: &mut EachOfFile<'_>,
    ) -> Option<Turn> {
        let morsel = usize::try_from(self.morsel).unwrap_or(usize::MAX);
        let open = |start| {
            let mut stream = Stream::new(self.file.raw().clone(), compression)?;
            stream.skip(start);
            Ok(stream)
        };
        let Buffer { bytes, csv, json } = buffer;
        let mut flow = ControlFlow::Continue(());
        let mut turn = match layout {
            Layout::Csv(layout) => {
                let (turn, piece) =
                    turns.next(morsel, bytes, layout.start, open, csv::whole_records)?;
                let each = &mut |block: csv::Block<'_>| {
                    flow = each(turn.number, &Block::Csv(block));
                    flow
                };
                layout.blocks(&piece, bytes, BLOCK_BYTES, csv, each);
                turn
            }
            Layout::Json(layout) => {
                let (turn, piece) =
                    turns.next(morsel, bytes, layout.start, open, json::whole_records)?;
                let each = &mut |block: json::Block<'_>| {
                    flow = each(turn.number, &Block::Json(block));
                    flow
                };
                layout.blocks(&piece, bytes, BLOCK_BYTES, json, each);
                turn
            }
            Layout::Fixed(_) | Layout::Parquet(_) | Layout::Arrow(_) => return None,
        };
        if flow.is_break() {
            // it ends before what could not be decompressed
            turn.result = Ok(());
        }
        Some(turn)
    }

    /// The next of the turns whose numbers tell their places.
    fn numbered(&self, next: &AtomicU64) -> Option<Turn> {
        let number = next.fetch_add(1, Ordering::Relaxed);
        (number < self.turns).then(|| Turn::new(number))
    }

    /// The records lie apart in the file and one behind the other in memory; their places there count
    /// from 0.
    fn gathered(
        &self,
        raw: &RawFile,
        layout: &Layout,
        gathered: &Gathered,
        turn: &mut Turn,
        buffer: &mut Buffer,
        each: &mut EachOfFile<'_>,
    ) -> Result<()> {
        let Buffer { bytes, csv, json } = buffer;
        let length = usize::try_from(gathered.len()).unwrap_or(usize::MAX);
        bytes.resize(length + PADDING_BYTES, 0);
        let mut at = 0;
        for extent in gathered.extents() {
            let end = at + usize::try_from(extent.byte_len()).unwrap_or(usize::MAX);
            raw.read(&mut bytes[at..end], extent.bytes.start)?;
            at = end;
        }
        turn.bytes = gathered.len();
        // the last record of a text file may have no line feed
        let is_open = length > 0 && bytes[length - 1] != b'\n';
        bytes[length] = b'\n';
        let used = length + usize::from(is_open);
        let piece = Piece { start: 0, whole: used, used };
        match layout {
            Layout::Fixed(layout) => {
                let _ = each(turn.number, &Block::Fixed(fixed::Block::new(layout, bytes, 0)));
            }
            Layout::Csv(layout) => {
                let each = &mut |block: csv::Block<'_>| each(turn.number, &Block::Csv(block));
                layout.blocks(&piece, bytes, BLOCK_BYTES, csv, each);
            }
            Layout::Json(layout) => {
                let each = &mut |block: json::Block<'_>| each(turn.number, &Block::Json(block));
                layout.blocks(&piece, bytes, BLOCK_BYTES, json, each);
            }
            // they are not gathered
            Layout::Parquet(_) | Layout::Arrow(_) => {}
        }
        Ok(())
    }

    /// Records are as long as one another, so a turn knows its place by its number.
    fn fixed(
        &self,
        raw: &RawFile,
        layout: &fixed::Layout,
        turn: &mut Turn,
        buffer: &mut Vec<u8>,
        each: &mut EachOfFile<'_>,
    ) -> Result<()> {
        let stride = layout.stride as u64;
        let turn_bytes = self.morsel * stride;
        let mut start = self.bytes.start + turn.number * turn_bytes;
        let end = self.bytes.end.min(start + turn_bytes);
        let block_bytes = layout.stride * (BLOCK_BYTES / layout.stride).max(1);
        let bytes_of = |start| usize::try_from(end - start).unwrap_or(usize::MAX).min(block_bytes);
        buffer.resize(bytes_of(start) + PADDING_BYTES, 0);
        while start < end {
            let bytes = bytes_of(start);
            raw.read(&mut buffer[..bytes], start)?;
            turn.bytes += bytes as u64;
            let block = fixed::Block::new(layout, &buffer[..bytes + PADDING_BYTES], start);
            if each(turn.number, &Block::Fixed(block)).is_break() {
                break;
            }
            start += bytes as u64;
        }
        Ok(())
    }

    /// The records of a turn are those that start in its bytes.
    fn json(
        &self,
        raw: &RawFile,
        layout: &json::Layout,
        turn: &mut Turn,
        buffer: &mut Buffer,
        each: &mut EachOfFile<'_>,
    ) -> Result<()> {
        let Range { start: first, end } = self.bytes;
        let start = first + turn.number * self.morsel;
        let range = start..end.min(start + self.morsel);
        turn.bytes = range.end - range.start;
        let read = |bytes: &mut [u8], at| raw.read(bytes, at);
        let Buffer { bytes, json: scratch, .. } = buffer;
        let (start, piece) = json::take(bytes, range, first, end, read)?;
        let each = &mut |block: json::Block<'_>| each(turn.number, &Block::Json(block));
        layout.blocks(&piece, &bytes[start..], BLOCK_BYTES, scratch, each);
        Ok(())
    }

    /// Only its number and the turn before tell where the records of a turn start, so the lock is
    /// held while it is read; the records are taken apart without it.
    fn csv(
        &self,
        raw: &RawFile,
        layout: &csv::Layout,
        mut cursor: MutexGuard<'_, csv::Cursor>,
        buffer: &mut Buffer,
        each: &mut EachOfFile<'_>,
    ) -> Turn {
        let mut turn = Turn::new(cursor.turn);
        cursor.turn += 1;
        if cursor.ended {
            return turn;
        }
        let end = self.bytes.end;
        let start = self.bytes.start + turn.number * self.morsel;
        let range = start..end.min(start + self.morsel);
        turn.bytes = range.end - range.start;
        let read = |bytes: &mut [u8]| raw.read(bytes, start);
        let piece = cursor.take(&mut buffer.bytes, range, end, read);
        drop(cursor);
        match piece {
            Ok(piece) => {
                let each = &mut |block: csv::Block<'_>| each(turn.number, &Block::Csv(block));
                layout.blocks(&piece, &buffer.bytes, BLOCK_BYTES, &mut buffer.csv, each);
            }
            Err(error) => turn.result = Err(error),
        }
        turn
    }
}
