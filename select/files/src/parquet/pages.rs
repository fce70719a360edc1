//! The pages of one column chunk, one after the other, as the parquet crate's decoders ask for
//! them.
//!
//! A page is read when it is asked for and no sooner; one that is skipped costs its header, or
//! nothing where the file has an offset index. What the file says about pages is checked before
//! memory is taken or a decoder sees it: lengths against the chunk and a bound, the number of
//! values against the rows that the offset index and the row group claim, checksums where there are
//! any. A column without repetition has one value a record, so pages are counted in records.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use parquet::basic::{Encoding, Type};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};

use super::cipher::{ChunkCipher, LENGTH_BYTES, Module, module_bytes};
use super::codec::Codec;
use super::footer::external;
use super::header::{Header, PageKind};
use super::memory::PageMemory;
use super::window::Window;
use super::{Chunk, Location};
use crate::columnar::input::Input;
use crate::problem::column::ColumnProblem;
use crate::problem::thrift::ThriftProblem;

/// The most bytes of a page, stored or not. Writers make pages of about a mebibyte, and a few of
/// them one of a hundred.
const PAGE_BYTES_MAX: usize = 256 << 20;

/// The longest header: it may hold the least and greatest value of its page.
const HEADER_BYTES_MAX: usize = 1 << 20;

/// Bytes that are read at least where a header is sought, if it is not known where the page ends.
const WINDOW_BYTES: usize = 16 << 10;

/// The most bytes that are read together with a header, or kept for the next page.
const WINDOW_BYTES_MAX: usize = 1 << 20;

/// The pages of a column chunk that a decoder has been given.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// Records of the pages up to the last one, those included that were stepped over.
    pub(super) records: AtomicU64,
    /// The longest of the values that may take more bytes in memory than in their page, or a bound.
    pub(super) value_bytes_max: AtomicUsize,
}

/// The pages of a column chunk from its start.
pub(super) struct Pages {
    given: Arc<Given>,
    /// Bytes of the dictionary and of the last page that the decoder has.
    held: (u64, u64),
    input: Arc<Input>,
    chunk: Chunk,
    codec: Codec,
    /// The position of the next header.
    at: u64,
    /// The next header, if it has been read already, and its length.
    next: Option<(Header, usize)>,
    /// Index of the next page of data.
    page: usize,
    /// Records of the pages before it.
    records: u64,
    window: Window,
    memory: PageMemory,
    /// Pages that a decoder may still have.
    lent: Vec<Bytes>,
}

impl Pages {
    /// Starts with the first page.
    ///
    /// # Errors
    /// `UnreadCodec`
    pub(super) fn new(
        input: Arc<Input>,
        chunk: Chunk,
        given: Arc<Given>,
        memory: PageMemory,
    ) -> Result<Self, ColumnProblem> {
        let codec = Codec::new(chunk.compression, &memory)?;
        let at = chunk.bytes.start;
        let window = Window::new(memory.window());
        let (held, next, lent) = ((0, 0), None, Vec::new());
        let (page, records) = (0, 0);
        Ok(Self { given, held, input, chunk, codec, at, next, page, records, window, memory, lent })
    }

    /// Goes to the next page that somebody reads, and tells its header; `None` after the last.
    fn header(&mut self) -> Result<Option<Header>> {
        loop {
            if let Some((header, _)) = self.next {
                return Ok(Some(header));
            }
            if self.records >= self.chunk.records {
                return Ok(None);
            }
            if let Some(location) = self.chunk.location(self.page)
                && self.at >= location.bytes.start
            {
                self.at = location.bytes.start;
            }
            let (header, length) = self.read_header()?;
            let body = self.at + length as u64;
            let end = body.checked_add(header.stored_bytes as u64);
            if end.is_none_or(|end| end > self.chunk.bytes.end) {
                return Err(external(ColumnProblem::PageOutsideChunk));
            }
            if header.stored_bytes.max(header.bytes) > PAGE_BYTES_MAX {
                let (bytes, bytes_max) = (header.stored_bytes.max(header.bytes), PAGE_BYTES_MAX);
                return Err(external(ColumnProblem::LongPage { bytes, bytes_max }));
            }
            if header.page == PageKind::Other {
                self.at = body + header.stored_bytes as u64;
                continue;
            }
            match header.page {
                PageKind::Dictionary { values, .. } => {
                    let bytes = u64::from(values) * self.chunk.value_bytes_min;
                    if bytes > header.bytes as u64 {
                        return Err(external(ColumnProblem::DictionaryTooFull));
                    }
                }
                page => self.check_values(page.values().unwrap_or(0).into())?,
            }
            self.next = Some((header, length));
        }
    }

    /// Checks that a page of so many values agrees with the rest of the metadata.
    fn check_values(&self, values: u64) -> Result<()> {
        let left = self.chunk.records - self.records;
        let expected = self.chunk.location(self.page).map(|location| location.records);
        match expected {
            Some(expected) if expected != values => {
                Err(external(ColumnProblem::OtherPageValues { found: values, expected }))
            }
            _ if values > left => {
                Err(external(ColumnProblem::MorePageValues { records: self.chunk.records }))
            }
            _ => Ok(()),
        }
    }

    /// The header at `at` and its length.
    fn read_header(&mut self) -> Result<(Header, usize)> {
        let left = self.chunk.bytes.end.saturating_sub(self.at);
        let left = usize::try_from(left).unwrap_or(usize::MAX).min(HEADER_BYTES_MAX);
        if let Some(cipher) = self.chunk.cipher.clone() {
            return self.open_header(&cipher, left);
        }
        let mut wanted = 1;
        loop {
            let bytes = self.peek(wanted.min(left))?;
            let found = bytes.len();
            match Header::parse(bytes) {
                Ok(header) => return Ok(header),
                // the rest of the header may follow
                Err(error) if error.problem == ThriftProblem::Truncated && found < left => {}
                Err(error) => return Err(external(error.into())),
            }
            wanted = found.saturating_mul(4).max(WINDOW_BYTES);
        }
    }

    /// The header in the module at `at`, which has no more bytes than `left`, and the length of
    /// that.
    fn open_header(&mut self, cipher: &ChunkCipher, left: usize) -> Result<(Header, usize)> {
        let length = module_bytes(self.peek(LENGTH_BYTES.min(left))?);
        let length = length.filter(|length| *length <= left);
        let length = length.ok_or_else(|| external(ColumnProblem::LongHeader))?;
        let page = self.page_number()?;
        let module = self.peek(length)?;
        // what comes first may be a dictionary
        let first = (page == 0).then_some(Module::DictionaryPageHeader);
        let opened = first
            .into_iter()
            .chain([Module::DataPageHeader(page)])
            .find_map(|kind| cipher.open(kind, module));
        let header = opened.ok_or_else(|| external(ColumnProblem::Undecrypted))?;
        let header = Header::parse(&header);
        let (header, _) = header.map_err(|error| external(error.into()))?;
        let stored_bytes = header.stored_bytes + cipher.scheme.uncounted_bytes();
        Ok((Header { stored_bytes, ..header }, length))
    }

    /// Returns the page number that the modules of an encrypted page are bound to.
    fn page_number(&self) -> Result<u16> {
        let number = i16::try_from(self.page).map(i16::cast_unsigned);
        number.map_err(|_more| external(ColumnProblem::TooManyPages))
    }

    /// Decrypts the module of a page; `None` if it is not encrypted.
    fn decrypt(&self, header: &Header, stored: &[u8]) -> Result<Option<Vec<u8>>> {
        let Some(cipher) = &self.chunk.cipher else { return Ok(None) };
        let module = match header.page {
            PageKind::Dictionary { .. } => Module::DictionaryPage,
            _ => Module::DataPage(self.page_number()?),
        };
        let opened =
            cipher.open(module, stored).filter(|_| module_bytes(stored) == Some(stored.len()));
        opened.map(Some).ok_or_else(|| external(ColumnProblem::Undecrypted))
    }

    /// At least `length` bytes from `at`, all that are at hand.
    fn peek(&mut self, length: usize) -> Result<&[u8]> {
        if self.window.at_hand(self.at).len() < length {
            let left = self.chunk.bytes.end.saturating_sub(self.at);
            // the whole page, if it is known where it ends
            let page = self.chunk.location(self.page).map(|location| &location.bytes);
            let page = page.filter(|page| page.start == self.at).map(|page| page.end - page.start);
            let wanted = page.unwrap_or(WINDOW_BYTES as u64).min(WINDOW_BYTES_MAX as u64);
            let length = length.max(usize::try_from(left.min(wanted)).unwrap_or(WINDOW_BYTES));
            self.window.fill(&self.input, self.at, length).map_err(external)?;
        }
        Ok(self.window.at_hand(self.at))
    }

    /// Reads the bytes of a page whose header was read, and checks them.
    fn read_body(&mut self, header: &Header, at: u64) -> Result<()> {
        self.window.fill(&self.input, at, header.stored_bytes).map_err(external)?;
        let mut checksum = flate2::Crc::new();
        if let Some(expected) = header.checksum {
            checksum.update(self.body(header, at));
            if checksum.sum() != expected {
                return Err(external(ColumnProblem::WrongChecksum));
            }
        }
        Ok(())
    }

    /// The bytes of a page that was read.
    fn body(&self, header: &Header, at: u64) -> &[u8] {
        self.window.at_hand(at).get(..header.stored_bytes).unwrap_or_default()
    }

    /// Steps over the page whose header was read.
    fn step(&mut self, header: &Header, length: usize) {
        self.next = None;
        self.at += length as u64 + header.stored_bytes as u64;
        if let Some(values) = header.page.values() {
            self.pass(values.into());
        }
    }

    /// Counts a page of data that was passed.
    fn pass(&mut self, records: u64) {
        self.page += 1;
        self.records += records;
        self.given.records.store(self.records, Ordering::Relaxed);
    }

    /// Counts the memory of a page that is about to be read, in place of that of the one before it:
    /// a decoder has one page and the dictionary.
    fn hold(&mut self, header: &Header) -> Result<()> {
        let bytes = header.bytes.max(header.stored_bytes) as u64;
        self.input.hold(bytes).map_err(external)?;
        let held = match header.page {
            PageKind::Dictionary { .. } => &mut self.held.0,
            _ => &mut self.held.1,
        };
        self.input.release(std::mem::replace(held, bytes));
        Ok(())
    }

    /// Notes how long values may be that take fewer bytes in the page than in memory.
    fn note_values(&self, header: &Header, page: &[u8]) {
        if self.chunk.physical_type != Type::BYTE_ARRAY {
            return;
        }
        let bytes = match header.page {
            PageKind::Dictionary { .. } => longest_value(page),
            // each may repeat the start of the one before it
            page if page.encoding() == Some(Encoding::DELTA_BYTE_ARRAY) => header.bytes,
            _ => return,
        };
        self.given.value_bytes_max.fetch_max(bytes, Ordering::Relaxed);
    }

    /// Decompresses the page that was read, or was `opened`.
    fn decompress(&mut self, header: &Header, at: u64, opened: Option<&[u8]>) -> Result<Bytes> {
        self.memory.recover(&mut self.lent);
        let mut page = self.memory.page(header.bytes);
        let body = self.window.at_hand(at).get(..header.stored_bytes).unwrap_or_default();
        let body = opened.unwrap_or(body);
        let (plain, compressed) = match header.page {
            PageKind::DataV2(page) => {
                let levels = u64::from(page.definition_bytes) + u64::from(page.repetition_bytes);
                let levels = usize::try_from(levels).unwrap_or(usize::MAX);
                if levels > header.bytes || levels > body.len() {
                    return Err(external(ColumnProblem::LongLevels));
                }
                (levels, page.compressed)
            }
            _ => (0, true),
        };
        let bytes = header.bytes - plain;
        let (levels, values) = body.split_at(plain);
        page.extend_from_slice(levels);
        // a page of nulls has no values, compressed or not
        let made = match &mut self.codec {
            _ if bytes == 0 => Some(()),
            codec if compressed => codec.decompress(values, &mut page, bytes),
            _ => Codec::None.decompress(values, &mut page, bytes),
        };
        made.ok_or_else(|| wrong_size(header))?;
        let page = Bytes::from(page);
        self.lent.push(page.clone());
        Ok(page)
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some(header) = self.header()? else { return Ok(None) };
        let length = self.next.map_or(0, |(_, length)| length);
        self.hold(&header)?;
        let at = self.at + length as u64;
        self.read_body(&header, at)?;
        let opened = self.decrypt(&header, self.body(&header, at))?;
        let buf = self.decompress(&header, at, opened.as_deref())?;
        if self.window.capacity() > WINDOW_BYTES_MAX {
            self.window = Window::default();
        }
        self.note_values(&header, &buf);
        self.step(&header, length);
        Ok(Some(page(&header, buf)?))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        let is_data = self.next.is_some() || self.is_at_data();
        if is_data && let Some(location) = self.chunk.location(self.page) {
            let records = usize::try_from(location.records).ok();
            return Ok(Some(PageMetadata {
                num_rows: records,
                num_levels: records,
                is_dict: false,
            }));
        }
        let Some(header) = self.header()? else { return Ok(None) };
        let records = header.page.values().map(|values| values as usize);
        let is_dict = records.is_none();
        Ok(Some(PageMetadata { num_rows: records, num_levels: records, is_dict }))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        if self.next.is_none()
            && self.is_at_data()
            && let Some(location) = self.chunk.location(self.page)
        {
            let &Location { bytes: Range { end, .. }, records } = location;
            self.at = end;
            self.pass(records);
            return Ok(());
        }
        if let Some(header) = self.header()? {
            let length = self.next.map_or(0, |(_, length)| length);
            self.step(&header, length);
        }
        Ok(())
    }
}

impl Pages {
    /// Returns whether the next page is known to be a data page: if the offset index is known, only
    /// the dictionary comes before the first data page.
    fn is_at_data(&self) -> bool {
        let location = self.chunk.location(self.page);
        location.is_some_and(|location| self.page > 0 || self.at >= location.bytes.start)
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

fn page(header: &Header, buf: Bytes) -> Result<Page> {
    Ok(match header.page {
        PageKind::Data { values, encoding, definition, repetition } => Page::DataPage {
            buf,
            num_values: values,
            encoding,
            def_level_encoding: definition,
            rep_level_encoding: repetition,
            statistics: None,
        },
        PageKind::DataV2(page) => Page::DataPageV2 {
            buf,
            num_values: page.values,
            encoding: page.encoding,
            num_nulls: page.nulls,
            num_rows: page.rows,
            def_levels_byte_len: page.definition_bytes,
            rep_levels_byte_len: page.repetition_bytes,
            is_compressed: false,
            statistics: None,
        },
        PageKind::Dictionary { values, encoding } => {
            Page::DictionaryPage { buf, num_values: values, encoding, is_sorted: false }
        }
        PageKind::Other => return Err(external(ColumnProblem::UnknownPage)),
    })
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.input.release(self.held.0 + self.held.1);
        self.memory.recover(&mut self.lent);
        self.memory.take_window(std::mem::take(&mut self.window).into_buffer());
        if let Codec::Zstd(decoder) = std::mem::replace(&mut self.codec, Codec::None) {
            self.memory.take_decoder(decoder);
        }
    }
}

/// Bytes of the longest value of a dictionary: each comes after its length, of 32 bits.
fn longest_value(mut dictionary: &[u8]) -> usize {
    let mut longest = 0;
    while let Some((length, rest)) = dictionary.split_first_chunk() {
        let length = u32::from_le_bytes(*length) as usize;
        longest = longest.max(length.min(rest.len()));
        dictionary = rest.get(length..).unwrap_or_default();
    }
    longest
}

fn wrong_size(header: &Header) -> ParquetError {
    external(ColumnProblem::PageNotDecompressed { bytes: header.bytes })
}
