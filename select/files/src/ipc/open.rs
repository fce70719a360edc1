//! The footer of an Arrow file, and the metadata of its messages: read once, bounded and checked.

use std::ops::Range;
use std::panic::catch_unwind;
use std::sync::OnceLock;

use arrow::ipc;

use super::buffers::Message;
use super::{ArrowLayout, Dictionary, schema};
use crate::damage::Damage;
use crate::error::{Limit, Unsupported};
use crate::io::cursor::{ByteCursor, Truncated};
use crate::io::raw_file::RawFile;
use crate::{Error, ErrorKind, Result};

const MAGIC: &[u8; 6] = b"ARROW1";

/// The length of the footer and the magic.
const TAIL_BYTES: usize = 10;

/// The most bytes of the footer, and of the metadata of all messages together.
const METADATA_BYTES_MAX: u64 = 256 << 20;

impl ArrowLayout {
    /// Reads the footer of `file`, and what its messages say of themselves.
    ///
    /// # Errors
    /// `Record` when it is not an Arrow file or damaged, `LimitExceeded`, `Io`.
    pub(crate) fn open(file: &RawFile) -> Result<Self> {
        let opener = Opener { file };
        let footer = opener.footer()?;
        let damaged = || opener.damaged(Damage::ArrowFooter);
        let footer = ipc::root_as_footer(&footer).map_err(|_invalid| damaged())?;
        let described = footer.schema().ok_or_else(damaged)?;
        if described.endianness() != ipc::Endianness::Little {
            let (file, reason) = (file.name().to_owned(), Unsupported::BigEndian);
            return Err(ErrorKind::Unsupported { file, reason }.into());
        }
        // Arrow panics at types that it does not know
        let fields = catch_unwind(|| {
            described
                .fields()
                .map(|_| ipc::convert::fb_to_schema(described))
                .map(|schema| schema.fields)
        });
        let fields = fields.map_err(|_panic| damaged())?.unwrap_or_default();
        let (mut columns, shapes) = schema::columns(&fields, described).ok_or_else(damaged)?;
        let mut left = METADATA_BYTES_MAX;
        let blocks = footer.recordBatches().unwrap_or_default();
        let batches = blocks.iter().map(|block| opener.batch(block, &mut left));
        let batches: Vec<Message> = batches.collect::<Result<_>>()?;
        for column in &mut columns {
            // what is declared to have no NULL may have some
            let path = column.leaf.iter().flat_map(|leaf| &leaf.path);
            let has_nulls = |field: &usize| {
                batches.iter().any(|batch| batch.nulls.get(*field).is_some_and(|nulls| *nulls > 0))
            };
            if path.into_iter().any(has_nulls) {
                column.field.set_nullable(true);
            }
        }
        let mut dictionaries: Vec<Dictionary> = Vec::new();
        for block in footer.dictionaries().unwrap_or_default() {
            let (id, message) = opener.dictionary(block, &mut left)?;
            match dictionaries.iter_mut().find(|dictionary| dictionary.id == id) {
                Some(dictionary) => dictionary.messages.push(message),
                None => {
                    let values = OnceLock::new();
                    dictionaries.push(Dictionary { id, messages: vec![message], values });
                }
            }
        }
        Ok(Self { columns, shapes, batches, dictionaries })
    }
}

struct Opener<'a> {
    file: &'a RawFile,
}

impl Opener<'_> {
    fn footer(&self) -> Result<Vec<u8>> {
        let Some(tail_start) = self.file.bytes().checked_sub(TAIL_BYTES as u64) else {
            return Err(self.damaged(Damage::ShortArrow { bytes: self.file.bytes() }));
        };
        let mut tail = [0; TAIL_BYTES];
        self.file.read(&mut tail, tail_start)?;
        let [l0, l1, l2, l3, magic @ ..] = tail;
        if magic != *MAGIC {
            return Err(self.damaged(Damage::NotArrow));
        }
        let length = u64::from(u32::from_le_bytes([l0, l1, l2, l3]));
        let Some(start) = tail_start.checked_sub(length) else {
            let bytes = self.file.bytes();
            return Err(self.damaged(Damage::LongArrowFooter { length, bytes }));
        };
        self.read(start..tail_start, &mut METADATA_BYTES_MAX.clone())
    }

    fn batch(&self, block: &ipc::Block, left: &mut u64) -> Result<Message> {
        let (metadata, body) = self.message(block, left)?;
        let batch = self.root(&metadata)?.header_as_record_batch();
        let message = batch.and_then(|batch| Message::new(batch, &body));
        message.ok_or_else(|| self.damaged(Damage::RecordBatch))
    }

    /// The number of a dictionary and values of it.
    fn dictionary(&self, block: &ipc::Block, left: &mut u64) -> Result<(i64, Message)> {
        let (metadata, body) = self.message(block, left)?;
        let batch = self.root(&metadata)?.header_as_dictionary_batch();
        let message =
            batch.and_then(|batch| Some((batch.id(), Message::new(batch.data()?, &body)?)));
        message.ok_or_else(|| self.damaged(Damage::Dictionary))
    }

    /// The metadata of a message, and where its body is.
    fn message(&self, block: &ipc::Block, left: &mut u64) -> Result<(Vec<u8>, Range<u64>)> {
        let place = || {
            let start = u64::try_from(block.offset()).ok()?;
            let body = start.checked_add(u64::try_from(block.metaDataLength()).ok()?)?;
            let end = body.checked_add(u64::try_from(block.bodyLength()).ok()?)?;
            (end <= self.file.bytes()).then_some((start..body, body..end))
        };
        let damaged = || self.damaged(Damage::MessageOutsideFile);
        let (metadata, body) = place().ok_or_else(damaged)?;
        let metadata = self.read(metadata, left)?;
        // before version 0.15 there was no marker before the length
        let mut cursor = ByteCursor::new(&metadata);
        if cursor.u32_le().map_err(|Truncated| damaged())? == u32::MAX {
            cursor.u32_le().map_err(|Truncated| damaged())?;
        }
        Ok((cursor.rest().to_vec(), body))
    }

    fn root<'m>(&self, metadata: &'m [u8]) -> Result<ipc::Message<'m>> {
        ipc::root_as_message(metadata).map_err(|_invalid| self.damaged(Damage::MessageMetadata))
    }

    fn read(&self, place: Range<u64>, left: &mut u64) -> Result<Vec<u8>> {
        let length = place.end - place.start;
        let Some(rest) = left.checked_sub(length) else {
            let file = self.file.name().to_owned();
            let limit = Limit::Messages { bytes_max: METADATA_BYTES_MAX };
            return Err(ErrorKind::LimitExceeded { file, limit }.into());
        };
        *left = rest;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        self.file.read(&mut bytes, place.start)?;
        Ok(bytes)
    }

    fn damaged(&self, damage: Damage) -> Error {
        Error::damaged(self.file.name(), damage)
    }
}
