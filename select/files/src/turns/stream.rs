//! The turns of a compressed text file: each begins where the turn before it ends, and the one that
//! comes to the end says so.
//!
//! A turn decompresses its bytes under the lock, since only the turn before tells where they start.
//! The records in them are found without it.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, OnceLock};

use super::{Buffer, EachBlock, EachOfFile, ScratchSpace, Turn, Turns, lock};
use crate::io::compressed::{Compression, Stream};
use crate::io::raw_file::RawFile;
use crate::io::waiting::Waiting;
use crate::record::{RECORD_BYTES_MAX, TurnBytes};

/// A format of text records, which are read from the start to the end.
pub(crate) trait TextRecords: Send + Sync {
    /// Returns where the first record starts.
    fn start(&self) -> u64;

    /// Returns how many of some bytes, which start with a record, are whole records.
    fn whole_records(&self, bytes: &[u8]) -> usize;

    /// Gives the blocks of the bytes of a turn to `each` until that breaks or one has a fault.
    fn blocks_of(
        &self,
        turn: &TurnBytes,
        bytes: &[u8],
        scratch: &mut ScratchSpace,
        each: &mut EachBlock<'_>,
    );
}

/// Hands out a compressed file in turns of `morsel_bytes` of its text.
pub(crate) struct StreamTurns<F> {
    file: RawFile,
    compression: Compression,
    format: Arc<F>,
    morsel_bytes: usize,
    next: Mutex<Next>,
    /// The number of turns, once it is known.
    count: OnceLock<u64>,
}

/// The state between two turns.
#[derive(Default)]
struct Next {
    is_open: bool,
    /// `None` while a turn has it. A panic loses it, which ends the stream.
    stream: Option<Stream>,
    /// The start of a record that no turn has seen the end of.
    carry: Vec<u8>,
    /// The position of `carry` in the bytes of the stream.
    start: u64,
    turn: u64,
    /// Compressed bytes that the turns have read.
    bytes_read: u64,
}

impl<F: TextRecords> StreamTurns<F> {
    pub(crate) fn new(
        file: RawFile,
        compression: Compression,
        format: Arc<F>,
        morsel_bytes: usize,
    ) -> Self {
        let (next, count) = (Mutex::default(), OnceLock::new());
        Self { file, compression, format, morsel_bytes, next, count }
    }

    /// Takes the next turn and puts its bytes at the start of `bytes`; `None` when none is left.
    fn take(&self, waiting: Waiting, bytes: &mut Vec<u8>) -> Option<(Turn, TurnBytes)> {
        let mut next = lock(&self.next);
        if self.count.get().is_some() {
            return None;
        }
        let mut turn = Turn::new(next.turn);
        next.turn += 1;
        // decompressing takes long, and the decoder reads its file with permission to wait
        if let Err(would_block) = waiting.check() {
            turn.result = Err(would_block.into());
            return Some((turn, TurnBytes { start: 0, whole: 0, used: 0 }));
        }
        if !next.is_open {
            next.is_open = true;
            next.start = self.format.start();
            match Stream::starting_at(self.file.clone(), self.compression, next.start) {
                Ok(stream) => next.stream = Some(stream),
                Err(error) => turn.result = Err(error),
            }
        }
        let whole_records = |bytes: &[u8]| self.format.whole_records(bytes);
        let (turn_bytes, ended) = next.take(&mut turn, self.morsel_bytes, bytes, whole_records);
        if ended {
            // the next thread to come finds none left
            let _ = self.count.set(next.turn);
        }
        Some((turn, turn_bytes))
    }
}

impl<F: TextRecords> Turns for StreamTurns<F> {
    fn count(&self) -> Option<u64> {
        self.count.get().copied()
    }

    fn bytes_max(&self) -> Option<u64> {
        None
    }

    fn next(
        &self,
        waiting: Waiting,
        buffer: &mut Buffer,
        each: &mut EachOfFile<'_>,
    ) -> Option<Turn> {
        let Buffer { bytes, scratch } = buffer;
        let (mut turn, turn_bytes) = self.take(waiting, bytes)?;
        let mut flow = ControlFlow::Continue(());
        self.format.blocks_of(&turn_bytes, bytes, scratch, &mut |block| {
            flow = each(turn.number, block);
            flow
        });
        if flow.is_break() {
            // it ends before what could not be decompressed
            turn.result = Ok(());
        }
        Some(turn)
    }
}

impl<F> fmt::Debug for StreamTurns<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamTurns").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Next {
    /// Puts `carry` and the next bytes of the stream at the start of `bytes`. Also returns whether
    /// they are the last.
    fn take(
        &mut self,
        turn: &mut Turn,
        morsel: usize,
        bytes: &mut Vec<u8>,
        whole_records: impl Fn(&[u8]) -> usize,
    ) -> (TurnBytes, bool) {
        let Some(mut stream) = self.stream.take() else {
            return (TurnBytes { start: 0, whole: 0, used: 0 }, true);
        };
        let kept = self.carry.len();
        // never shortened: to lengthen it again would be to fill it with zeros
        if bytes.len() <= kept + morsel {
            bytes.resize(kept + morsel + 1, 0);
        }
        bytes[..kept].copy_from_slice(&self.carry);
        self.carry.clear();
        let (fresh, end) = stream.read(&mut bytes[kept..kept + morsel]);
        turn.bytes = stream.bytes_read() - self.bytes_read;
        self.bytes_read = stream.bytes_read();
        let mut used = kept + fresh;
        if let (Some(Ok(())), true) = (&end, used > 0 && bytes[used - 1] != b'\n') {
            bytes[used] = b'\n';
            used += 1;
        }
        let whole = whole_records(&bytes[..used]);
        let start = self.start;
        let is_too_long = used - whole > RECORD_BYTES_MAX;
        match end {
            Some(Ok(())) => (TurnBytes { start, whole, used }, true),
            // told of the record, whatever comes after it
            _ if is_too_long => (TurnBytes { start, whole, used }, true),
            Some(Err(error)) => {
                turn.result = Err(error);
                (TurnBytes { start, whole, used: whole }, true)
            }
            None => {
                self.carry.extend_from_slice(&bytes[whole..used]);
                self.start += whole as u64;
                self.stream = Some(stream);
                (TurnBytes { start, whole, used: whole }, false)
            }
        }
    }
}
