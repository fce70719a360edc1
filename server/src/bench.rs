//! The encoder as a public function, for benchmarks only.

use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use crate::connection::encode::Encoder;

/// Encodes an answer as the server sends it. Returns the number of bytes of its messages.
///
/// # Errors
/// The reason why a batch cannot be encoded.
pub fn encode(schema: SchemaRef, batches: &[RecordBatch]) -> Result<usize, String> {
    let mut encoder = Encoder::new(schema).map_err(|fault| fault.to_string())?;
    let mut bytes = encoder.schema_message().len();
    for batch in batches {
        let mut pieces = encoder.pieces(batch.clone());
        while let Some(message) = pieces.next().map_err(|fault| fault.to_string())? {
            bytes += message.iter().map(Buffer::len).sum::<usize>();
        }
    }
    Ok(bytes)
}
