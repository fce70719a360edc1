//! Encodes batches as narrow columns, and compresses them, on the threads of the pool.
//!
//! The batches leave in the order of the answer, while later ones are still being encoded. A small
//! batch is encoded at once, because a thread of the pool would cost more than the work.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use sift_codec::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, EncodeError, arrow_bytes};
use sift_proto::frame::{BODY_BYTES_MAX, Compression, HEADER_BYTES, Kind, compress};
use tokio::sync::oneshot;

use super::wire::header;
use crate::fault::Fault;
use crate::memory::AnswerBytes;
use crate::pool::{self, Share};
use crate::schedule::{PANIC, guarded};

/// The size of a batch up to which it is encoded on the connection's thread.
const SMALL_BYTES_MAX: usize = 32 << 10;

/// The size of a batch for one frame, as Arrow: large enough for dictionaries to pay, small enough
/// for the processor's cache.
const FRAME_BYTES: usize = 4 << 20;

/// The frames of one batch.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Encoded {
    /// Whole frames, with their headers.
    pub(crate) frames: Vec<Vec<u8>>,
    /// The bytes of the batch as Arrow, without metadata.
    pub(crate) arrow_bytes: u64,
    /// The bytes of the frames before they were compressed.
    pub(crate) narrow_bytes: u64,
    /// The compression that was asked for. A frame that it would not make smaller is as it was.
    pub(crate) compression: Option<Compression>,
}

/// The batches that are being encoded, in the order of the answer.
#[derive(Debug)]
pub(crate) struct Encoding {
    share: Arc<Share>,
    pending: VecDeque<(usize, Pending)>,
    /// The memory of the pending batches, which are counted with them.
    memory: AnswerBytes,
    bytes: usize,
}

#[derive(Debug)]
enum Pending {
    Done(Result<Encoded, Fault>),
    Running(oneshot::Receiver<Result<Encoded, Fault>>),
}

impl Encoding {
    /// Makes an encoder without batches. Large ones are encoded in its `share` of the threads, and
    /// count in its `memory`.
    pub(crate) fn new(share: Arc<Share>, memory: AnswerBytes) -> Self {
        Self { share, pending: VecDeque::new(), memory, bytes: 0 }
    }

    /// Returns whether another batch may be added: each thread of the pool has one, and one waits.
    pub(crate) fn has_room(&self) -> bool {
        self.pending.len() <= pool::threads()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Returns the number of batches that are not sent.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Starts to encode the next batch.
    pub(crate) fn push(&mut self, batch: RecordBatch, compression: Option<Compression>) {
        let bytes = batch.get_array_memory_size();
        self.count(self.bytes + bytes);
        let pending = if arrow_bytes(&batch) <= SMALL_BYTES_MAX {
            Pending::Done(encoded(&batch, compression))
        } else {
            let (sender, receiver) = oneshot::channel();
            self.share.spawn(move || {
                // if the receiving end was dropped, nobody needs the frames
                if !sender.is_closed() {
                    let frames = guarded(|| encoded(&batch, compression));
                    let _ = sender.send(frames.unwrap_or_else(Err));
                }
            });
            Pending::Running(receiver)
        };
        self.pending.push_back((bytes, pending));
    }

    fn count(&mut self, bytes: usize) {
        self.bytes = bytes;
        self.memory.set(bytes);
    }

    /// Waits for the frames of the first batch; `None` if there is none. Dropping the future loses
    /// nothing.
    pub(crate) async fn next(&mut self) -> Option<Result<Encoded, Fault>> {
        let (_, first) = self.pending.front_mut()?;
        if let Pending::Running(receiver) = first {
            *first = Pending::Done(receiver.await.unwrap_or(Err(PANIC)));
        }
        let (bytes, pending) = self.pending.pop_front()?;
        self.count(self.bytes - bytes);
        match pending {
            Pending::Done(done) => Some(done),
            Pending::Running(_) => Some(Err(PANIC)),
        }
    }
}

/// Encodes a batch, in as many frames as it needs.
///
/// # Errors
/// `TooLarge` for a single record that does not fit into a frame.
fn encoded(batch: &RecordBatch, compression: Option<Compression>) -> Result<Encoded, Fault> {
    let mut encoded = Encoded { compression, ..Encoded::default() };
    append(batch, BODY_BYTES_MAX as usize, &mut encoded)?;
    Ok(encoded)
}

fn append(batch: &RecordBatch, body_bytes_max: usize, encoded: &mut Encoded) -> Result<(), Fault> {
    let (records, bytes) = (batch.num_rows(), arrow_bytes(batch));
    if records == 0 {
        return Ok(());
    }
    let mut split = || {
        let half = records / 2;
        append(&batch.slice(0, half), body_bytes_max, encoded)?;
        append(&batch.slice(half, records - half), body_bytes_max, encoded)
    };
    if records > 1 && (bytes > FRAME_BYTES || records > BATCH_RECORDS_MAX) {
        return split();
    }
    let mut frame = vec![0; HEADER_BYTES];
    let written = sift_codec::encode(batch, &mut frame);
    let body_bytes = frame.len() - HEADER_BYTES;
    match written {
        Ok(()) if body_bytes <= body_bytes_max => {}
        Ok(()) | Err(EncodeError::TooLarge { .. }) if records > 1 => return split(),
        Ok(()) => return Err(too_large(body_bytes, body_bytes_max)),
        Err(EncodeError::TooLarge { bytes, .. }) => return Err(too_large(bytes, BATCH_BYTES_MAX)),
        Err(error) => {
            tracing::error!(%error, "a batch does not encode");
            return Err(Fault::Internal("a batch does not encode"));
        }
    }
    if let Some(place) = frame.first_chunk_mut() {
        *place = header(Kind::Narrow, body_bytes)?;
    }
    encoded.arrow_bytes += bytes as u64;
    encoded.narrow_bytes += body_bytes as u64;
    let compressed = encoded.compression.and_then(|compression| compress(compression, &frame));
    encoded.frames.push(compressed.unwrap_or(frame));
    Ok(())
}

fn too_large(got: usize, max: usize) -> Fault {
    Fault::TooLarge { what: "record", got, max, unit: "bytes" }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use arrow::compute::concat_batches;
    use sift_proto::frame::{decompress, decompressed_bytes};

    use super::*;
    use crate::memory::{AnswerMemory, UserMemory};
    use crate::pool::Pool;

    fn batch(rows: i64) -> RecordBatch {
        let noise = || fastrand::u64(..).to_string();
        RecordBatch::try_from_iter([
            ("n", Arc::new(Int64Array::from_iter_values(0..rows)) as _),
            ("t", Arc::new((0..rows).map(|_| Some(noise())).collect::<StringArray>()) as _),
        ])
        .unwrap()
    }

    fn read(frames: &[Vec<u8>], like: &RecordBatch, body_bytes_max: usize) -> RecordBatch {
        let batches = frames.iter().map(|frame| {
            let (header, body) = frame.split_at(HEADER_BYTES);
            assert!(body.len() <= body_bytes_max);
            let body = match header[0] {
                24 => body.to_vec(),
                _ => {
                    let mut out = vec![0; decompressed_bytes(body).unwrap()];
                    assert_eq!(decompress(body, &mut out), Ok(Kind::Narrow));
                    out
                }
            };
            sift_codec::decode(&body, &like.schema()).unwrap()
        });
        concat_batches(&like.schema(), &batches.collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn any_bound_and_compression_gives_the_same_records() {
        let batch = batch(1000);
        for compression in [None, Some(Compression::Lz4), Some(Compression::Zstd(1))] {
            for bound in [1 << 10, 4 << 10, 1 << 20] {
                let mut encoded = Encoded { compression, ..Encoded::default() };
                append(&batch, bound, &mut encoded).unwrap();
                assert_eq!(read(&encoded.frames, &batch, bound), batch);
                assert_eq!(encoded.arrow_bytes, arrow_bytes(&batch) as u64);
            }
        }
    }

    #[test]
    fn a_record_beyond_every_frame_is_refused() {
        let fault = append(&batch(8), 16, &mut Encoded::default()).unwrap_err();
        assert!(fault.to_string().starts_with("record of "), "{fault}");
    }

    #[tokio::test]
    async fn batches_leave_in_order() {
        let memory = Arc::new(UserMemory::new(Arc::new(AnswerMemory::new(1 << 30))));
        let mut encoding =
            Encoding::new(Arc::new(Pool::new(usize::MAX).share("")), AnswerBytes::new(memory));
        let batches = [batch(5000), batch(3), batch(4000), batch(0)];
        for batch in &batches {
            encoding.push(batch.clone(), None);
        }
        for batch in &batches {
            let frames = encoding.next().await.unwrap().unwrap().frames;
            assert_eq!(frames.is_empty(), batch.num_rows() == 0);
            if !frames.is_empty() {
                assert_eq!(read(&frames, batch, usize::MAX), *batch);
            }
        }
        assert!(encoding.is_empty() && encoding.next().await.is_none());
    }
}
