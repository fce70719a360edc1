//! One channel with one request at a time.

use std::time::Duration;

use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use prost::Message;
use sift_proto::frame::Kind;
use sift_proto::message::{
    self, Cancel, ChannelReport, ChannelRequest, DescribeRequest, Description, ExplainRequest,
    Explanation, FileEntry, FileList, ListRequest, SelectRequest,
};

use crate::answer::Answer;
use crate::batches::BatchStream;
use crate::channel::Channel;
use crate::connect::Connector;
use crate::error::{Error, ErrorKind, Reason, Result, Usage, Violation};
use crate::fetch::Fetch;
use crate::ipc;
use crate::options::ConnectOptions;
use crate::query::Query;
use crate::wire::{Frame, Wire};

/// Most bytes read and thrown away after an answer was abandoned. A server stops at Cancel, so this
/// is what was on its way; a new connection is cheaper than more.
const DRAIN_BYTES_MAX: u64 = 64 << 20;

/// Most time that takes.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// A longer schema is not remembered.
const SCHEMA_BYTES_MAX: usize = 16 << 10;

/// A channel to a server.
pub struct Connection {
    pub(crate) wire: Wire,
    pub(crate) channel: Channel,
    pub(crate) state: State,
    sql_bytes_max: usize,
    /// The schema of the answer before, and the bytes that it came as.
    schema: Option<(Buffer, SchemaRef)>,
}

/// What the next frame of the server belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing: the server waits for a request.
    Ready,
    /// A stream that ends with Finished or Failure.
    Streaming,
    /// A stream that nobody wants any more; Cancel is on its way.
    Abandoned,
    /// One message.
    Single,
    /// Nothing can be said on this channel any more.
    Broken,
}

impl Connection {
    /// Connects and agrees on a channel that meets the options. For many connections make a
    /// [`Connector`].
    ///
    /// # Errors
    /// As [`Connector::new`] and [`Connector::connect`].
    pub async fn connect(options: &ConnectOptions) -> Result<Self> {
        // there is no later connection that could resume its session
        Connector::new(options.clone().resume(false))?.connect().await
    }

    pub(crate) fn new(wire: Wire, channel: Channel, sql_bytes_max: usize) -> Self {
        Self { wire, channel, state: State::Ready, sql_bytes_max, schema: None }
    }

    /// The proof of what the channel is, as this end has negotiated it.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Selects records. The stream borrows the connection; dropping it cancels the query.
    ///
    /// # Errors
    /// `Failed` with the server's refusal, `BrokenStream` and `ClientServer` about the channel,
    /// `Usage` when the text is longer than the server takes.
    pub async fn select(&mut self, query: impl Into<Query>) -> Result<BatchStream<'_>> {
        let (sql, parameters) = self.bounded(query.into())?;
        self.settle().await?;
        let answer = self.ask(Kind::Select, &SelectRequest { sql, parameters })?;
        BatchStream::start(answer).await
    }

    /// Fetches a whole file or a range of its bytes, as it stands.
    pub fn fetch(&mut self, file: impl Into<String>) -> Fetch<'_> {
        Fetch::new(self, file.into())
    }

    /// The files whose paths match a glob; all for an empty one.
    ///
    /// # Errors
    /// `Failed` and `ClientServer`.
    pub async fn files(&mut self, pattern: impl Into<String>) -> Result<Vec<FileEntry>> {
        let request = ListRequest { pattern: pattern.into() };
        let list: FileList = self.single(Kind::List, &request, Kind::FileList, "FileList").await?;
        Ok(list.files)
    }

    /// What a file is: format, fields, protection.
    ///
    /// # Errors
    /// `Failed` and `ClientServer`.
    pub async fn describe(&mut self, file: impl Into<String>) -> Result<Description> {
        let request = DescribeRequest { file: file.into() };
        self.single(Kind::Describe, &request, Kind::Description, "Description").await
    }

    /// How the server would evaluate a Select.
    ///
    /// # Errors
    /// `Failed` and `ClientServer`, `Usage` when the text is longer than the server takes.
    pub async fn explain(&mut self, query: impl Into<Query>) -> Result<String> {
        let (sql, parameters) = self.bounded(query.into())?;
        self.explanation(ExplainRequest { sql, parameters, analyze: false }).await
    }

    /// As [`explain`](Self::explain); the server evaluates it too, drops its records, and tells what
    /// really happened.
    ///
    /// # Errors
    /// `Failed` and `ClientServer`, `Usage` when the text is longer than the server takes.
    pub async fn explain_analyze(&mut self, query: impl Into<Query>) -> Result<String> {
        let (sql, parameters) = self.bounded(query.into())?;
        self.explanation(ExplainRequest { sql, parameters, analyze: true }).await
    }

    async fn explanation(&mut self, request: ExplainRequest) -> Result<String> {
        let explanation: Explanation =
            self.single(Kind::Explain, &request, Kind::Explanation, "Explanation").await?;
        Ok(explanation.text)
    }

    /// The channel as the server sees it, checked against this end.
    ///
    /// # Errors
    /// `ClientServer` with [`Reason::ChannelDiffers`] when the two ends do not see the same.
    pub async fn report(&mut self) -> Result<ChannelReport> {
        let report: ChannelReport = self
            .single(Kind::Channel, &ChannelRequest {}, Kind::ChannelReport, "ChannelReport")
            .await?;
        match self.channel.difference(&report) {
            None => Ok(report),
            Some(difference) => Err(self.broken(Reason::ChannelDiffers(difference))),
        }
    }

    fn bounded(&self, query: Query) -> Result<(String, Vec<message::Value>)> {
        let bytes = query.sql.len();
        if bytes > self.sql_bytes_max {
            return Err(Usage::SelectTooLong { bytes, bytes_max: self.sql_bytes_max }.into());
        }
        Ok((query.sql, query.parameters.iter().map(message::Value::from).collect()))
    }

    /// Decodes the body of a Schema frame. Programs ask the same again and again, so it is most often the
    /// one before.
    pub(crate) fn schema(&mut self, body: &Buffer) -> Result<SchemaRef, Violation> {
        if let Some((known, schema)) = &self.schema
            && known.as_slice() == body.as_slice()
        {
            return Ok(SchemaRef::clone(schema));
        }
        let schema = ipc::schema(body)?;
        if body.len() <= SCHEMA_BYTES_MAX {
            self.schema = Some((body.clone(), SchemaRef::clone(&schema)));
        }
        Ok(schema)
    }

    /// Sends a request whose answer is a stream. The connection must be settled.
    pub(crate) fn ask(&mut self, kind: Kind, request: &impl Message) -> Result<Answer<'_>> {
        self.wire.queue(kind, request).map_err(Usage::RequestTooLarge)?;
        self.state = State::Streaming;
        Ok(Answer::new(self))
    }

    /// Sends a request whose answer is one message.
    async fn single<M: Message + Default>(
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

    /// Makes the connection ready for a request, after whatever was abandoned before.
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

    /// Cancels the answer under way, without waiting.
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

    /// Reads on to the end of an abandoned answer.
    async fn drain(&mut self) -> Result<(), Reason> {
        let mut bytes = 0;
        while bytes <= DRAIN_BYTES_MAX {
            let Frame { kind, body } = self.wire.frame().await?;
            bytes += body.len() as u64;
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

    /// Marks the connection as broken, for a request that has no stream.
    fn broken(&mut self, reason: Reason) -> Error {
        self.state = State::Broken;
        ErrorKind::ClientServer { host: self.channel.host.clone(), reason }.into()
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("channel", &self.channel).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compiles only if a connection and what borrows it can move between threads.
    #[test]
    fn requests_are_send() {
        fn is_send(_: impl Send) {}
        let _never_run = |connection: &'static mut Connection| {
            is_send(async {
                let mut batches = connection.select("SELECT").await?;
                while batches.next().await?.is_some() {}
                drop(batches);
                connection.fetch("f").to_file("f").await?;
                connection.report().await
            });
        };
    }
}
