//! The requests of a connection, one at a time.

use sift_proto::frame::Kind;
use sift_proto::message::{
    self, ChannelReport, ChannelRequest, DescribeRequest, Description, ExplainRequest, Explanation,
    FileEntry, FileList, ListRequest, SelectRequest,
};

use crate::answer::Answer;
use crate::batches::BatchStream;
use crate::channel::Channel;
use crate::error::{Reason, Result, Usage};
use crate::fetch::Fetch;
use crate::query::Query;
use crate::session::Session;

/// A connection to a server.
pub struct Connection {
    session: Session,
    channel: Channel,
    sql_bytes_max: usize,
}

impl Connection {
    pub(crate) fn new(session: Session, channel: Channel, sql_bytes_max: usize) -> Self {
        Self { session, channel, sql_bytes_max }
    }

    /// Returns the channel, as this end negotiated it.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Selects records. The stream borrows the connection; dropping it cancels the query.
    ///
    /// # Errors
    /// `Failed` if the server refuses, `BrokenStream` and `ClientServer` about the channel, `Usage`
    /// if the text is longer than the server accepts.
    pub async fn select(&mut self, query: impl Into<Query>) -> Result<BatchStream<'_>> {
        let (sql, parameters) = self.bounded(query.into())?;
        self.session.settle().await?;
        let schema_kept = self.session.schema_kept();
        let request = SelectRequest { sql, parameters, schema_kept };
        let answer = Answer::begin(&mut self.session, Kind::Select, &request)?;
        BatchStream::start(answer).await
    }

    /// Fetches the bytes of a file, or a range of them.
    pub fn fetch(&mut self, file: impl Into<String>) -> Fetch<'_> {
        Fetch::new(&mut self.session, file.into())
    }

    /// Lists the files whose paths match a glob. An empty glob matches all files.
    ///
    /// # Errors
    /// `Failed` and `ClientServer`.
    pub async fn files(&mut self, pattern: impl Into<String>) -> Result<Vec<FileEntry>> {
        let request = ListRequest { pattern: pattern.into() };
        let list: FileList =
            self.session.single(Kind::List, &request, Kind::FileList, "FileList").await?;
        Ok(list.files)
    }

    /// Describes a file: its format, fields and protection.
    ///
    /// # Errors
    /// `Failed` and `ClientServer`.
    pub async fn describe(&mut self, file: impl Into<String>) -> Result<Description> {
        let request = DescribeRequest { file: file.into() };
        self.session.single(Kind::Describe, &request, Kind::Description, "Description").await
    }

    /// Returns a text about how the server would evaluate a Select.
    ///
    /// # Errors
    /// `Failed` and `ClientServer`, `Usage` if the text is longer than the server accepts.
    pub async fn explain(&mut self, query: impl Into<Query>) -> Result<String> {
        let (sql, parameters) = self.bounded(query.into())?;
        self.explanation(ExplainRequest { sql, parameters, analyze: false }).await
    }

    /// Does the same as [`explain`](Self::explain), but the server also evaluates the Select, drops
    /// its records, and reports measured numbers.
    ///
    /// # Errors
    /// `Failed` and `ClientServer`, `Usage` if the text is longer than the server accepts.
    pub async fn explain_analyze(&mut self, query: impl Into<Query>) -> Result<String> {
        let (sql, parameters) = self.bounded(query.into())?;
        self.explanation(ExplainRequest { sql, parameters, analyze: true }).await
    }

    async fn explanation(&mut self, request: ExplainRequest) -> Result<String> {
        let explanation: Explanation =
            self.session.single(Kind::Explain, &request, Kind::Explanation, "Explanation").await?;
        Ok(explanation.text)
    }

    /// Returns the channel as the server sees it, after comparing it with this end's view.
    ///
    /// # Errors
    /// `ClientServer` with [`Reason::ChannelDiffers`] if the two views differ.
    pub async fn report(&mut self) -> Result<ChannelReport> {
        let report: ChannelReport = self
            .session
            .single(Kind::Channel, &ChannelRequest {}, Kind::ChannelReport, "ChannelReport")
            .await?;
        match self.channel.difference(&report) {
            None => Ok(report),
            Some(difference) => Err(self.session.broken(Reason::ChannelDiffers(difference))),
        }
    }

    fn bounded(&self, query: Query) -> Result<(String, Vec<message::Value>)> {
        let bytes = query.sql.len();
        if bytes > self.sql_bytes_max {
            return Err(Usage::SelectTooLong { bytes, bytes_max: self.sql_bytes_max }.into());
        }
        Ok((query.sql, query.parameters.iter().map(message::Value::from).collect()))
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

    /// Compiles only if a connection and the streams that borrow it can move between threads.
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
