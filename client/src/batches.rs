//! The answer to a Select: a stream of Arrow batches, or of records of a serde type.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures_core::Stream;
use serde::de::DeserializeOwned;
use sift_proto::frame::Kind;
use sift_proto::message::Statistics;

use crate::answer::Answer;
use crate::error::{ErrorKind, Result, Violation};
use crate::{ipc, record};

/// The batches of an answer, as they arrive.
///
/// The answer is complete only after `next` has returned `None`. If the stream is dropped before,
/// it cancels its query.
pub struct BatchStream<'c> {
    answer: Answer<'c>,
    schema: SchemaRef,
    ended: bool,
}

impl<'c> BatchStream<'c> {
    /// Waits for the schema.
    pub(crate) async fn start(mut answer: Answer<'c>) -> Result<Self> {
        let frame = poll_fn(|cx| answer.poll_frame(cx)).await?;
        let schema = match frame {
            Some(frame) if frame.kind == Kind::Schema => answer.session.schema(&frame.body),
            Some(frame) => Err(frame.out_of_order("Schema")),
            None => Err(Violation::Order { got: Kind::Finished, expected: "Schema" }),
        };
        match schema {
            Ok(schema) => Ok(Self { answer, schema, ended: false }),
            Err(violation) => Err(answer.broken(violation)),
        }
    }

    /// Returns the names and types of the columns.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the next batch; `None` at the end of the complete answer. If the future is dropped,
    /// the next call goes on where it was.
    ///
    /// # Errors
    /// `Failed` if the server gives up, `BrokenStream` if the end marker did not arrive. Every call
    /// after an error is an error.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        poll_fn(|cx| self.poll_batch(cx)).await
    }

    /// Returns the number of bytes of the batches so far, after they were decompressed.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.answer.bytes
    }

    /// Returns the statistics of the answer after `next` has returned `None`.
    #[must_use]
    pub fn statistics(&self) -> Option<&Statistics> {
        self.answer.statistics()
    }

    /// Returns the same answer as records of a type, whose fields have the names of the columns.
    #[must_use]
    pub fn records<T: DeserializeOwned>(self) -> RecordStream<'c, T> {
        RecordStream { batches: self, records: Vec::new().into_iter() }
    }

    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<RecordBatch>>> {
        let Some(frame) = ready!(self.answer.poll_frame(cx))? else {
            return Poll::Ready(Ok(None));
        };
        let bytes = frame.body.len() as u64;
        let batch = match frame.kind {
            Kind::Batch => ipc::batch(&frame.body, &self.schema),
            Kind::Narrow => {
                sift_codec::decode(&frame.body, &self.schema).map_err(Violation::Narrow)
            }
            _ => Err(frame.out_of_order("Batch or Finished")),
        };
        Poll::Ready(match batch {
            Ok(batch) => {
                self.answer.records += batch.num_rows() as u64;
                self.answer.bytes += bytes;
                Ok(Some(batch))
            }
            Err(violation) => Err(self.answer.broken(violation)),
        })
    }
}

impl Stream for BatchStream<'_> {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let polled = ready!(self.poll_batch(cx)).transpose();
        self.ended = !matches!(polled, Some(Ok(_)));
        Poll::Ready(polled)
    }
}

/// The records of an answer, each as a `T`. `T` is a struct whose fields have the names of columns,
/// in any order, or a tuple with a value for each column.
///
/// | column | field |
/// | --- | --- |
/// | integer | an integer type that holds the value, or `f64` |
/// | decimal | [`Decimal`](crate::Decimal), or `String` with the same exact digits, or `f64` |
/// | float | `f64`, `f32` |
/// | text | `String` |
/// | boolean | `bool` |
/// | binary | `Vec<u8>` |
/// | date | `String`: `YYYY-MM-DD` |
/// | timestamp | `String`: `YYYY-MM-DDTHH:MM:SS`, with a fraction if it is not 0 |
///
/// A column that can have NULL needs an `Option`. Integers and decimals are exact. An `f64` gets
/// the nearest value that it can hold: integers are exact up to 2^53, and most decimals are not
/// exact.
pub struct RecordStream<'c, T> {
    batches: BatchStream<'c>,
    records: std::vec::IntoIter<T>,
}

impl<T: DeserializeOwned> RecordStream<'_, T> {
    /// Returns the next record; `None` at the end of the complete answer. If the future is dropped,
    /// the next call goes on where it was.
    ///
    /// # Errors
    /// The errors of [`BatchStream::next`], and `Record` if a batch does not fit `T`.
    pub async fn next(&mut self) -> Result<Option<T>> {
        poll_fn(|cx| self.poll_record(cx)).await
    }

    /// Returns the statistics of the answer after `next` has returned `None`.
    #[must_use]
    pub fn statistics(&self) -> Option<&Statistics> {
        self.batches.statistics()
    }

    fn poll_record(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        loop {
            if let Some(record) = self.records.next() {
                return Poll::Ready(Ok(Some(record)));
            }
            let before = self.batches.answer.records;
            let Some(batch) = ready!(self.batches.poll_batch(cx))? else {
                return Poll::Ready(Ok(None));
            };
            let records = record::of_batch(&batch).map_err(|problem| {
                let last = self.batches.answer.records;
                ErrorKind::Record { first: before + 1, last, problem }
            })?;
            self.records = records.into_iter();
        }
    }
}

// no record is ever pinned
impl<T> Unpin for RecordStream<'_, T> {}

impl<T: DeserializeOwned> Stream for RecordStream<'_, T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.batches.ended {
            return Poll::Ready(None);
        }
        let polled = ready!(self.poll_record(cx)).transpose();
        self.batches.ended = !matches!(polled, Some(Ok(_)));
        Poll::Ready(polled)
    }
}
