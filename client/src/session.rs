//! The requests of one channel, one at a time: the state of the channel between them, and how it
//! becomes ready for the next one.
//!
//! A [`Connection`](crate::Connection) owns a session. The stream of an answer borrows it.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use prost::Message;
use sift_proto::frame::Kind;
use sift_proto::message::Cancel;

use crate::error::{Error, ErrorKind, Reason, Result, Usage, Violation};
use crate::ipc;
use crate::wire::{Frame, Wire};

/// The maximal number of bytes that are read and dropped after an answer was abandoned. A server
/// stops at Cancel, so this is what was on its way; a new connection is cheaper than more.
const DRAIN_BYTES_MAX: u64 = 64 << 20;

/// The maximal time for reading them.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// The maximal length of a schema that is remembered for the next answer.
const SCHEMA_BYTES_MAX: usize = 16 << 10;

/// The two directions of a channel, and whose turn it is.
pub(crate) struct Session {
    wire: Wire,
    state: State,
    host: String,
    /// True if batches come as narrow columns.
    is_narrow: bool,
    /// The number of Schema frames that have arrived.
    schemas: u32,
    /// The last schema that was decoded.
    kept: Option<Kept>,
}

/// A schema that is remembered for the next answer.
struct Kept {
    schema: SchemaRef,
    /// Its encoded bytes.
    body: Buffer,
    /// The number of the last Schema frame with it.
    number: u32,
}

/// The request that the next frame of the server belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// No request: the server waits for one.
    Ready,
    /// A request whose answer is a stream that ends with Finished or Failure.
    Streaming,
    /// A stream that was dropped; Cancel is on its way.
    Abandoned,
    /// A request whose answer is one message.
    Single,
    /// The channel cannot be used any more.
    Broken,
}

impl Session {
    /// Makes a session that is ready for a request. `host` is the server's name in errors.
    pub(crate) fn new(wire: Wire, host: String, is_narrow: bool) -> Self {
        Self { wire, state: State::Ready, host, is_narrow, schemas: 0, kept: None }
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Sends a request whose answer is a stream. The session must be settled.
    ///
    /// # Errors
    /// `Usage` if the request is larger than a frame.
    pub(crate) fn begin(&mut self, kind: Kind, request: &impl Message) -> Result<()> {
        self.wire.queue(kind, request).map_err(Usage::RequestTooLarge)?;
        self.state = State::Streaming;
        Ok(())
    }

    /// Reads the next frame of a stream.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, Reason>> {
        let frame = ready!(self.wire.poll_frame(cx))?;
        self.count_schema(frame.kind);
        Poll::Ready(frame.decompressed().map_err(Reason::from))
    }

    fn count_schema(&mut self, kind: Kind) {
        if kind == Kind::Schema {
            self.schemas = self.schemas.saturating_add(1);
        }
    }

    /// Returns the number of the Schema frame whose schema was kept, 0 if there is none.
    pub(crate) fn schema_kept(&self) -> u32 {
        self.kept.as_ref().map_or(0, |kept| kept.number)
    }

    /// Notes that the stream has ended, so that the next request can follow.
    pub(crate) fn end(&mut self) {
        self.state = State::Ready;
        self.wire.forget_bodies();
    }

    /// Notes that the stream broke off, so that no request can follow.
    pub(crate) fn break_off(&mut self) {
        self.state = State::Broken;
    }

    /// Cancels the stream, without waiting.
    pub(crate) fn abandon(&mut self) {
        self.wire.forget_bodies();
        if self.state == State::Streaming {
            self.state = match self.wire.queue(Kind::Cancel, &Cancel {}) {
                Ok(()) => State::Abandoned,
                Err(_too_large) => State::Broken,
            };
            self.wire.flush_now();
        }
    }

    /// Sends a request whose answer is one message, and waits for it.
    ///
    /// # Errors
    /// `Failed` and `ClientServer`; `Usage` if the request is larger than a frame.
    pub(crate) async fn single<M: Message + Default>(
        &mut self,
        kind: Kind,
        request: &impl Message,
        answer: Kind,
        expected: &'static str,
    ) -> Result<M> {
        self.settle().await?;
        self.wire.queue(kind, request).map_err(Usage::RequestTooLarge)?;
        self.state = State::Single;
        let frame = match self.wire.frame().await {
            Ok(frame) => frame,
            Err(reason) => return Err(self.broken(reason)),
        };
        self.state = State::Ready;
        let decoded = match frame.kind {
            kind if kind == answer => frame.message().map_err(Reason::from),
            Kind::Failure => match frame.message() {
                Ok(failure) => return Err(Error::failed(failure)),
                Err(violation) => Err(violation.into()),
            },
            _ => Err(frame.out_of_order(expected).into()),
        };
        decoded.map_err(|reason| self.broken(reason))
    }

    /// Makes the session ready for a request, after whatever was abandoned before.
    ///
    /// # Errors
    /// `ClientServer` if the channel is broken, or does not become ready in time.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        let drained = match self.state {
            State::Ready => return Ok(()),
            State::Broken => return Err(self.broken(Reason::Closed)),
            State::Streaming => {
                self.abandon();
                tokio::time::timeout(DRAIN_TIME_MAX, self.drain()).await
            }
            State::Abandoned | State::Single => {
                tokio::time::timeout(DRAIN_TIME_MAX, self.drain()).await
            }
        };
        match drained {
            Ok(Ok(())) => {
                self.state = State::Ready;
                Ok(())
            }
            Ok(Err(reason)) => Err(self.broken(reason)),
            Err(_elapsed) => Err(self.broken(Reason::Abandoned)),
        }
    }

    /// Reads on to the end of an abandoned answer.
    async fn drain(&mut self) -> Result<(), Reason> {
        let mut bytes = 0;
        while bytes <= DRAIN_BYTES_MAX {
            let Frame { kind, body } = self.wire.frame().await?;
            bytes += body.len() as u64;
            self.count_schema(kind);
            match (self.state, kind) {
                (_, Kind::Failure)
                | (State::Abandoned, Kind::Finished)
                | (
                    State::Single,
                    Kind::FileList | Kind::Description | Kind::Explanation | Kind::ChannelReport,
                ) => return Ok(()),
                _ => {}
            }
        }
        Err(Reason::Abandoned)
    }

    /// Marks the channel as broken, and makes the error of a request that has no stream.
    pub(crate) fn broken(&mut self, reason: Reason) -> Error {
        self.break_off();
        ErrorKind::ClientServer { host: self.host.clone(), reason }.into()
    }

    /// Decodes the body of a Schema frame. Programs send the same Select again and again, so it is
    /// most often the last one. Then its body may be empty.
    ///
    /// # Errors
    /// [`Violation::Arrow`].
    pub(crate) fn schema(&mut self, body: &Buffer) -> Result<SchemaRef, Violation> {
        if let Some(kept) = &mut self.kept
            && (kept.body.as_slice() == body.as_slice() || (body.is_empty() && self.is_narrow))
        {
            kept.number = self.schemas;
            return Ok(SchemaRef::clone(&kept.schema));
        }
        let schema = ipc::schema(body)?;
        if body.len() <= SCHEMA_BYTES_MAX {
            let (schema, body) = (SchemaRef::clone(&schema), body.clone());
            self.kept = Some(Kept { schema, body, number: self.schemas });
        }
        Ok(schema)
    }
}
