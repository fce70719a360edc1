//! The turns of a compressed file: each begins where the one before it ends, and the one that comes
//! to the end says so.
//!
//! A turn decompresses its bytes under the lock, since only the turn before tells where they start;
//! the records in them are taken apart without it.

use std::sync::{Mutex, OnceLock};

use super::{Turn, lock};
use crate::Result;
use crate::csv::RECORD_BYTES_MAX;
use crate::io::compressed::Stream;
use crate::record::Piece;

/// Hands out a stream piece by piece.
#[derive(Default)]
pub(super) struct Turns {
    next: Mutex<Next>,
    /// Their number, once it is known.
    number: OnceLock<u64>,
}

/// The state between two turns.
#[derive(Default)]
struct Next {
    is_open: bool,
    /// Not while a turn has it: what a panic leaves has ended.
    stream: Option<Stream>,
    /// The start of a record that no turn has seen the end of.
    carry: Vec<u8>,
    /// Where that is in the bytes of the stream.
    start: u64,
    turn: u64,
    /// Compressed bytes that the turns have read.
    bytes_read: u64,
}

impl Turns {
    /// Number of turns, once it is known.
    pub(super) fn number(&self) -> Option<u64> {
        self.number.get().copied()
    }

    /// Takes the next turn of about `morsel` bytes and puts its piece at the start of `bytes`; `None`
    /// when none is left. `open` gives the stream from the first record on, which is at `start`;
    /// `whole_records` tells how many of some bytes are whole records.
    pub(super) fn next(
        &self,
        morsel: usize,
        bytes: &mut Vec<u8>,
        start: u64,
        open: impl FnOnce(u64) -> Result<Stream>,
        whole_records: impl Fn(&[u8]) -> usize,
    ) -> Option<(Turn, Piece)> {
        let mut next = lock(&self.next);
        if self.number.get().is_some() {
            return None;
        }
        let mut turn = Turn::new(next.turn);
        next.turn += 1;
        if !next.is_open {
            next.is_open = true;
            next.start = start;
            match open(start) {
                Ok(stream) => next.stream = Some(stream),
                Err(error) => turn.result = Err(error),
            }
        }
        let (piece, ended) = next.take(&mut turn, morsel, bytes, whole_records);
        if ended {
            // whoever comes next finds none left
            let _ = self.number.set(next.turn);
        }
        Some((turn, piece))
    }
}

impl Next {
    /// Puts what was kept and the next bytes of the stream at the start of `bytes`; and whether
    /// nothing comes behind them.
    fn take(
        &mut self,
        turn: &mut Turn,
        morsel: usize,
        bytes: &mut Vec<u8>,
        whole_records: impl Fn(&[u8]) -> usize,
    ) -> (Piece, bool) {
        let Some(mut stream) = self.stream.take() else {
            return (Piece { start: 0, whole: 0, used: 0 }, true);
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
            Some(Ok(())) => (Piece { start, whole, used }, true),
            // told of the record, whatever comes behind it
            _ if is_too_long => (Piece { start, whole, used }, true),
            Some(Err(error)) => {
                turn.result = Err(error);
                (Piece { start, whole, used: whole }, true)
            }
            None => {
                self.carry.extend_from_slice(&bytes[whole..used]);
                self.start += whole as u64;
                self.stream = Some(stream);
                (Piece { start, whole, used: whole }, false)
            }
        }
    }
}
