//! The buffers of a record batch: where they are in the file, how they are compressed, and never
//! more bytes than the turn has room for.

use std::io::Read;
use std::ops::Range;

use arrow::buffer::{Buffer, MutableBuffer};
use arrow::ipc;

use crate::columnar::input::Input;
use crate::io::cursor::{ByteCursor, Truncated};
use crate::problem::column::ColumnProblem;

/// The most records of a record batch: so many bits make the largest buffer.
const RECORDS_MAX: i64 = 1 << 31;

/// A record batch, or the values of a dictionary, as its metadata tells.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) records: usize,
    /// Number of NULLs of each field.
    pub(super) nulls: Vec<u64>,
    /// The positions in the file of the buffers of all fields, one field after the other.
    buffers: Vec<Range<u64>>,
    /// For each field that has so many buffers as it likes, how many more.
    variadic: Vec<usize>,
    codec: Option<ipc::CompressionType>,
}

impl Message {
    /// Reads the description of a record batch whose buffers lie in `body`; `None` if it cannot be
    /// true.
    pub(super) fn new(batch: ipc::RecordBatch<'_>, body: &Range<u64>) -> Option<Self> {
        if !(0..=RECORDS_MAX).contains(&batch.length()) {
            return None;
        }
        let codec = match batch.compression() {
            None => None,
            Some(compression) if compression.method() == ipc::BodyCompressionMethod::BUFFER => {
                Some(compression.codec())
            }
            Some(_) => return None,
        };
        let nodes = batch.nodes().unwrap_or_default();
        let nulls = nodes.iter().map(|node| u64::try_from(node.null_count()).ok());
        let buffers = batch.buffers().unwrap_or_default();
        let buffers = buffers.iter().map(|buffer| {
            let start = body.start.checked_add(u64::try_from(buffer.offset()).ok()?)?;
            let end = start.checked_add(u64::try_from(buffer.length()).ok()?)?;
            (end <= body.end).then_some(start..end)
        });
        let variadic = batch.variadicBufferCounts().unwrap_or_default();
        let variadic = variadic.iter().map(|count| usize::try_from(count).ok());
        Some(Self {
            records: usize::try_from(batch.length()).ok()?,
            nulls: nulls.collect::<Option<_>>()?,
            buffers: buffers.collect::<Option<_>>()?,
            variadic: variadic.collect::<Option<_>>()?,
            codec,
        })
    }

    /// The buffers of the field with an index among these shapes.
    pub(super) fn buffers_of(
        &self,
        shapes: &[super::schema::Shape],
        index: usize,
    ) -> Option<&[Range<u64>]> {
        let mut variadic = self.variadic.iter();
        let mut start = 0_usize;
        for (place, shape) in shapes.iter().enumerate() {
            let more = if shape.is_variadic { *variadic.next()? } else { 0 };
            let end = start.checked_add(shape.buffers)?.checked_add(more)?;
            if place == index {
                return self.buffers.get(start..end);
            }
            start = end;
        }
        None
    }

    /// Reads the bytes of a buffer.
    pub(super) fn read(&self, place: &Range<u64>, input: &Input) -> Result<Buffer, ColumnProblem> {
        let length = usize::try_from(place.end - place.start).map_err(ColumnProblem::decoder)?;
        if length == 0 {
            return Ok(Buffer::default());
        }
        input.hold(length as u64)?;
        let mut stored = MutableBuffer::from_len_zeroed(length);
        input.read_into(place.start, &mut stored)?;
        let stored = Buffer::from(stored);
        let Some(codec) = self.codec else { return Ok(stored) };
        let mut cursor = ByteCursor::new(&stored);
        let unpacked = cursor.u64_le();
        let unpacked = unpacked.map_err(|Truncated| ColumnProblem::ShortCompressed)?;
        let compressed = cursor.rest();
        let bytes = match unpacked.cast_signed() {
            // compressed it would be longer
            -1 => return Ok(stored.slice(8)),
            bytes => u64::try_from(bytes),
        };
        let bytes = bytes.map_err(|_negative| ColumnProblem::NoCompressedLength)?;
        input.hold(bytes)?;
        let mut buffer = Vec::new();
        let decompressed = match codec {
            ipc::CompressionType::LZ4_FRAME => {
                let decoder = lz4_flex::frame::FrameDecoder::new(compressed);
                decoder.take(bytes + 1).read_to_end(&mut buffer)
            }
            ipc::CompressionType::ZSTD => zstd::Decoder::with_buffer(compressed)
                .and_then(|decoder| decoder.take(bytes + 1).read_to_end(&mut buffer)),
            _ => return Err(ColumnProblem::UnknownCodec),
        };
        if decompressed.is_err() || buffer.len() as u64 != bytes {
            return Err(ColumnProblem::BufferNotDecompressed { bytes });
        }
        input.release(length as u64);
        // values begin where their type may begin
        Ok(Buffer::from_slice_ref(&buffer))
    }
}
