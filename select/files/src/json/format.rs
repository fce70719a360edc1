//! Files of JSON Lines as a format: a turn finds its records without the other turns.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::Schema;

use super::block::Scratch;
use super::infer::JsonSample;
use super::{Declared, JsonLayout, RECORD_BYTES_MIN, lines};
use crate::Result;
use crate::format::{Format, Inference};
use crate::io::compressed::Compression;
use crate::io::extent::Extent;
use crate::io::raw_file::RawFile;
use crate::io::waiting::Waiting;
use crate::record::TurnBytes;
use crate::sample::Sample;
use crate::text::file::{TextFile, ends_line};
use crate::turns::{BLOCK_BYTES, Buffer, EachBlock, ReadTurn, ScratchSpace};
use crate::turns::{GatherRecords, Numbered, StreamTurns, TextRecords, Turn, Turns};

impl JsonLayout {
    /// Reads the first records of a file.
    ///
    /// # Errors
    /// The errors of [`open`](Self::open); `Io`, `FileChanged`.
    pub(crate) fn of_file(
        file: &RawFile,
        declared: Vec<Declared>,
        compression: Option<Compression>,
    ) -> Result<Self> {
        let text = TextFile { file, compression };
        let layout = Self::open(file.name(), declared, |bytes_max| text.first_bytes(bytes_max))?;
        Ok(Self { compression, ..layout })
    }
}

impl Format for JsonLayout {
    fn word(&self) -> &'static str {
        "jsonl"
    }

    fn schema(&self) -> Schema {
        JsonLayout::schema(self)
    }

    fn storage(&self, column: usize) -> Option<String> {
        JsonLayout::storage(self, column)
    }

    fn positions(&self, file_bytes: u64) -> Range<u64> {
        match self.compression {
            None => self.start..file_bytes,
            // positions in the text are not positions in the file
            Some(_) => 0..file_bytes,
        }
    }

    fn turns(
        self: Arc<Self>,
        file: RawFile,
        extent: Extent,
        morsel_bytes: usize,
    ) -> Box<dyn Turns> {
        match self.compression {
            Some(compression) => Box::new(StreamTurns::new(file, compression, self, morsel_bytes)),
            None => {
                let (bytes, morsel_bytes) = (extent.bytes, morsel_bytes as u64);
                Box::new(Numbered::new(JsonTurns { layout: self, file, bytes, morsel_bytes }))
            }
        }
    }

    fn record_bytes_min(&self) -> usize {
        RECORD_BYTES_MIN
    }

    fn has_records(&self, file: &RawFile) -> Result<bool> {
        TextFile { file, compression: self.compression }.goes_beyond(self.start)
    }

    fn compression(&self) -> Option<Compression> {
        self.compression
    }

    fn gathering(self: Arc<Self>) -> Option<Arc<dyn GatherRecords>> {
        self.compression.is_none().then_some(self as _)
    }

    fn fingerprint(&self) -> Option<String> {
        // the positions of records in a compressed file are not known
        self.compression.is_none().then(|| format!("jsonl {}", JsonLayout::fingerprint(self)))
    }

    fn ends_record(&self, file: &RawFile, end: u64) -> bool {
        ends_line(file, end)
    }

    fn inference(&self) -> Option<&dyn Inference> {
        Some(self)
    }
}

impl TextRecords for JsonLayout {
    fn start(&self) -> u64 {
        self.start
    }

    fn whole_records(&self, bytes: &[u8]) -> usize {
        lines::whole_records(bytes)
    }

    fn blocks_of(
        &self,
        turn: &TurnBytes,
        bytes: &[u8],
        scratch: &mut ScratchSpace,
        each: &mut EachBlock<'_>,
    ) {
        scratch.with(|scratch: &mut Scratch| {
            self.blocks(turn, bytes, BLOCK_BYTES, scratch, &mut |block| each(&block));
        });
    }
}

impl Inference for JsonLayout {
    fn infers_types(&self) -> bool {
        self.is_inferred || self.fields.iter().any(|field| !field.declared)
    }

    fn infers_columns(&self) -> bool {
        self.is_inferred
    }

    fn sample(&self) -> Sample {
        Sample::new(JsonSample::default())
    }

    fn with_types_of(
        &self,
        name: &str,
        sample: Sample,
        unchanged: &[usize],
        shows: &dyn Fn(&str) -> bool,
    ) -> Result<Arc<dyn Format>> {
        Ok(Arc::new(self.with_types(name, sample.into_values(), unchanged, shows)?))
    }
}

/// Turns of about `morsel_bytes`: the records of a turn are those that start in its bytes.
struct JsonTurns {
    layout: Arc<JsonLayout>,
    file: RawFile,
    bytes: Range<u64>,
    morsel_bytes: u64,
}

impl ReadTurn for JsonTurns {
    fn count(&self) -> u64 {
        self.bytes.end.saturating_sub(self.bytes.start).div_ceil(self.morsel_bytes)
    }

    fn bytes_max(&self) -> Option<u64> {
        Some(self.bytes.end.saturating_sub(self.bytes.start))
    }

    fn read(
        &self,
        turn: &mut Turn,
        waiting: Waiting,
        buffer: &mut Buffer,
        each: &mut EachBlock<'_>,
    ) -> Result<()> {
        let Range { start: first, end } = self.bytes;
        let start = first + turn.number * self.morsel_bytes;
        let range = start..end.min(start + self.morsel_bytes);
        turn.bytes = range.end - range.start;
        let file = self.file.with_waiting(waiting);
        let read = |bytes: &mut [u8], at| file.read(bytes, at);
        let Buffer { bytes, scratch } = buffer;
        let (start, turn_bytes) = lines::take(bytes, range, first, end, read)?;
        self.layout.blocks_of(&turn_bytes, &bytes[start..], scratch, each);
        Ok(())
    }
}
