//! CSV files as a format.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::Schema;

use super::cursor::{Scratch, whole_records};
use super::infer::Sampler;
use super::turns::CsvTurns;
use super::{CsvLayout, CsvOptions};
use crate::Result;
use crate::format::{Format, Inference};
use crate::io::compressed::Compression;
use crate::io::extent::Extent;
use crate::io::raw_file::RawFile;
use crate::record::TurnBytes;
use crate::sample::Sample;
use crate::text::file::{TextFile, ends_line};
use crate::turns::{BLOCK_BYTES, EachBlock, ScratchSpace};
use crate::turns::{GatherRecords, StreamTurns, TextRecords, Turns};

impl CsvLayout {
    /// Reads the header and the first records of a file.
    ///
    /// # Errors
    /// The errors of [`open`](Self::open); `Io`, `FileChanged`.
    pub(crate) fn of_file(
        file: &RawFile,
        options: CsvOptions,
        compression: Option<Compression>,
    ) -> Result<Self> {
        let text = TextFile { file, compression };
        let options = with_tabs(file.name(), options);
        let layout = Self::open(file.name(), options, |bytes_max| text.first_bytes(bytes_max))?;
        Ok(Self { compression, ..layout })
    }
}

/// Takes the tab as the delimiter if the name ends in .tsv and the descriptor does not give one.
fn with_tabs(name: &str, options: CsvOptions) -> CsvOptions {
    let ending = Path::new(Compression::of_name(name).1).extension();
    let tabs = ending.is_some_and(|ending| ending.eq_ignore_ascii_case("tsv")).then_some(b'\t');
    CsvOptions { delimiter: options.delimiter.or(tabs), ..options }
}

impl Format for CsvLayout {
    fn word(&self) -> &'static str {
        "csv"
    }

    fn schema(&self) -> Schema {
        CsvLayout::schema(self)
    }

    fn storage(&self, column: usize) -> Option<String> {
        CsvLayout::storage(self, column)
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
            None => Box::new(CsvTurns::new(self, file, extent.bytes, morsel_bytes as u64)),
        }
    }

    fn record_bytes_min(&self) -> usize {
        // each field ends with a delimiter or with the record
        self.fields.len().max(1)
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
        self.compression.is_none().then(|| format!("csv {}", CsvLayout::fingerprint(self)))
    }

    fn ends_record(&self, file: &RawFile, end: u64) -> bool {
        ends_line(file, end)
    }

    fn inference(&self) -> Option<&dyn Inference> {
        Some(self)
    }
}

impl TextRecords for CsvLayout {
    fn start(&self) -> u64 {
        self.start
    }

    fn whole_records(&self, bytes: &[u8]) -> usize {
        whole_records(bytes)
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

impl Inference for CsvLayout {
    fn infers_types(&self) -> bool {
        self.fields.iter().any(|field| !field.declared)
    }

    fn sample(&self) -> Sample {
        Sample::new(self.sampler())
    }

    fn with_types_of(
        &self,
        _name: &str,
        sample: Sample,
        unchanged: &[usize],
        shows: &dyn Fn(&str) -> bool,
    ) -> Result<Arc<dyn Format>> {
        Ok(Arc::new(self.with_types(&sample.into_values::<Sampler>(), unchanged, shows)))
    }
}
