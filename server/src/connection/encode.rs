//! Encodes batches as Arrow IPC messages, one for each frame, without copying the columns.
//!
//! A message is a list of buffers that share the columns' memory. Its metadata and its columns are
//! padded to [`ALIGNMENT`] bytes, so each column starts at a multiple of that in the frame's body.
//! A client that reads the body into aligned memory can use the columns in place.
//! <https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format>

use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::MetadataVersion;
use arrow::ipc::writer::{IpcWriteOptions, StreamEncoder};
use arrow::record_batch::RecordBatch;
use sift_proto::frame::BODY_BYTES_MAX;

use crate::fault::Fault;

/// One message: buffers that are sent one after the other.
pub(crate) type Message = Vec<Buffer>;

/// The alignment of the widest type. With 64, as Arrow proposes, answers of a few records are a
/// twentieth longer.
const ALIGNMENT: usize = 16;

/// The maximal size of a schema message whose encoder is reused for the next answer.
const SCHEMA_BYTES_MAX: usize = 16 << 10;

/// Turns batches of one schema into messages.
pub(crate) struct Encoder {
    encoder: StreamEncoder,
    schema: SchemaRef,
    /// The message with the schema.
    schema_message: Vec<u8>,
    /// The bytes of the schema at the beginning of the next message: arrow's first batch repeats
    /// it.
    schema_bytes: usize,
    message_bytes_max: usize,
    /// The number of the last Schema frame on the connection that had this schema.
    pub(crate) schema_number: u32,
}

impl Encoder {
    /// Makes an encoder for batches of `schema`.
    pub(crate) fn new(schema: SchemaRef) -> Result<Self, Fault> {
        Self::with_bound(schema, BODY_BYTES_MAX as usize)
    }

    fn with_bound(schema: SchemaRef, message_bytes_max: usize) -> Result<Self, Fault> {
        let new = || {
            let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)?;
            StreamEncoder::try_new_with_options(&schema, options)
        };
        let ended = new().and_then(StreamEncoder::finish).map_err(internal)?;
        let mut message: Vec<u8> = ended.iter().flat_map(|part| part.as_slice()).copied().collect();
        message.truncate(message.len().saturating_sub(END_BYTES));
        let (encoder, schema_bytes) = (new().map_err(internal)?, message.len());
        Ok(Self {
            encoder,
            schema,
            schema_message: message,
            schema_bytes,
            message_bytes_max,
            schema_number: 0,
        })
    }

    /// Returns whether the encoder is small enough to be reused for later answers.
    pub(crate) fn is_small(&self) -> bool {
        self.schema_message.len() <= SCHEMA_BYTES_MAX
    }

    /// Returns the schema of the batches.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the message that comes before the batches.
    pub(crate) fn schema_message(&self) -> &[u8] {
        &self.schema_message
    }

    /// Returns the messages of `batch`, which is split if a message would not fit into a frame.
    /// Each call of [`next`](Pieces::next) encodes one message.
    pub(crate) fn pieces(&mut self, batch: RecordBatch) -> Pieces<'_> {
        Pieces { encoder: self, rest: vec![batch] }
    }
}

/// The messages of one batch.
pub(crate) struct Pieces<'a> {
    encoder: &'a mut Encoder,
    /// The batches that are not encoded yet, in reverse order.
    rest: Vec<RecordBatch>,
}

impl Pieces<'_> {
    /// Returns the next message.
    ///
    /// # Errors
    /// `TooLarge` for a single record that does not fit into a frame.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, Fault> {
        while let Some(batch) = self.rest.pop() {
            if batch.num_rows() == 0 {
                continue;
            }
            let schema_bytes = std::mem::take(&mut self.encoder.schema_bytes);
            let mut message = self.encoder.encoder.encode(&batch).map_err(internal)?;
            cut(&mut message, schema_bytes);
            let bytes: usize = message.iter().map(Buffer::len).sum();
            if bytes <= self.encoder.message_bytes_max {
                return Ok(Some(message));
            }
            let rows = batch.num_rows();
            if rows == 1 {
                let max = self.encoder.message_bytes_max;
                return Err(Fault::TooLarge { what: "record", got: bytes, max, unit: "bytes" });
            }
            self.rest.push(batch.slice(rows / 2, rows - rows / 2));
            self.rest.push(batch.slice(0, rows / 2));
        }
        Ok(None)
    }
}

/// The size of the end of a stream: a marker and a length of 0.
const END_BYTES: usize = 8;

/// Removes the first `bytes` of a message.
fn cut(message: &mut Message, mut bytes: usize) {
    while let Some(first) = message.first_mut().filter(|_| bytes > 0) {
        if first.len() > bytes {
            first.advance(bytes);
            return;
        }
        bytes -= first.len();
        message.remove(0);
    }
}

fn internal(error: ArrowError) -> Fault {
    tracing::error!(%error, "a batch does not encode");
    Fault::Internal("a batch does not encode")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::ipc::reader::StreamReader;

    use super::*;

    fn batch(rows: i64) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        let texts: ArrayRef = Arc::new(
            (0..rows).map(|n| (n % 3 != 0).then(|| format!("text {n}"))).collect::<StringArray>(),
        );
        RecordBatch::try_from_iter_with_nullable([("n", numbers, false), ("t", texts, true)])
            .unwrap()
    }

    fn joined(message: &Message) -> Vec<u8> {
        message.iter().flat_map(|buffer| buffer.as_slice()).copied().collect()
    }

    #[test]
    fn any_bound_gives_the_same_records() {
        let batch = batch(1000);
        for bound in [1 << 10, 4 << 10, 1 << 20] {
            let mut encoder = Encoder::with_bound(batch.schema(), bound).unwrap();
            // for one answer after the other
            for _ in 0..2 {
                let mut stream = encoder.schema_message().to_vec();
                let mut pieces = encoder.pieces(batch.clone());
                while let Some(message) = pieces.next().unwrap() {
                    let bytes = joined(&message);
                    assert!(bytes.len() <= bound);
                    stream.extend(bytes);
                }
                let read: Vec<_> =
                    StreamReader::try_new(&stream[..], None).unwrap().map(Result::unwrap).collect();
                let read = arrow::compute::concat_batches(&batch.schema(), &read).unwrap();
                assert_eq!(read, batch);
            }
        }
    }

    #[test]
    fn a_record_beyond_every_frame_is_refused() {
        let mut encoder = Encoder::with_bound(batch(1).schema(), 64).unwrap();
        let fault = encoder.pieces(batch(8)).next().unwrap_err();
        assert!(fault.to_string().starts_with("record of "), "{fault}");
    }

    #[test]
    fn columns_are_shared_and_aligned() {
        let batch = batch(1000);
        let mut encoder = Encoder::new(batch.schema()).unwrap();
        let message = encoder.pieces(batch.clone()).next().unwrap().unwrap();
        let values = batch.column(0).to_data().buffers()[0].as_ptr();
        let mut at = 0;
        let mut found = false;
        for buffer in &message {
            if buffer.as_ptr() == values {
                assert_eq!(at % ALIGNMENT, 0);
                found = true;
            }
            at += buffer.len();
        }
        assert!(found);
    }
}
