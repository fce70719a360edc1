//! The answer to each kind of request: calls of the catalogue and the scan, and the frames of the
//! result.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use arrow::record_batch::RecordBatch;
use prost::Message;
use sift_proto::frame::{Frame, Kind};
use sift_proto::message::{
    self, ChannelReport, ChannelRequest, DescribeRequest, ExplainRequest, Explanation,
    FetchRequest, Finished, ListRequest, SelectRequest,
};
use sift_select::{Plan, ScanOptions, Waiting, explain};
use tokio::io::AsyncWrite;

use super::account::{RequestAccount, micros};
use super::audited::{self, Sent};
use super::encode::Encoder;
use super::fetch;
use super::narrow::{Encoded, Encoding};
use super::parameter;
use super::time_limit::TimeLimit;
use super::wire::Writer;
use crate::access::grant::Caller;
use crate::access::transport::Transport;
use crate::blocking::{Length, blocking};
use crate::catalogue::{NamePattern, Planned};
use crate::fault::{Fault, Stop};
use crate::link::{self, Link};
use crate::memory::AnswerBytes;
use crate::metrics::Metrics;
use crate::permits::Permit;
use crate::pool::{self, Share};
use crate::quota::{Place, Quota};
use crate::rules::Rules;
use crate::schedule::{Batches, Resources};
use crate::sessions::Wait;
use crate::shared::Shared;

/// The maximal size of a text and its parameters for planning on the connection's thread. Planning
/// them is brief if the text has been parsed before and the file is open.
const BRIEF_BYTES_MAX: usize = 4 << 10;

/// The state that an answer needs.
pub(crate) struct Answer<'a, W> {
    pub(crate) shared: &'a Shared,
    /// The rules at the begin of the request.
    pub(crate) rules: Arc<Rules>,
    /// The request, for the audit log.
    pub(crate) sent: Sent<'a>,
    pub(crate) quota: &'a Quota,
    pub(crate) writer: &'a mut Writer<W>,
    /// The encoder of the previous answer, because programs repeat their Selects.
    pub(crate) encoder: &'a mut Option<Encoder>,
    /// The number of Schema frames on the connection.
    pub(crate) schemas: &'a mut u32,
    /// True if the client takes batches as narrow columns.
    pub(crate) narrow: bool,
    pub(crate) link: &'a mut Link,
    pub(crate) account: &'a mut RequestAccount,
    /// The share of the Select in the threads.
    pub(crate) share: Arc<Share>,
    /// The time limit of the Select. Dropping it stops the work.
    pub(crate) time_limit: TimeLimit,
    pub(crate) started: Instant,
    /// The running scan.
    pub(crate) batches: Option<Batches>,
}

impl<W> Drop for Answer<'_, W> {
    /// Counts the work even if the client has left.
    fn drop(&mut self) {
        self.count_scan();
    }
}

impl<W> Answer<'_, W> {
    /// Adds the statistics of the scan to the account.
    fn count_scan(&mut self) {
        if let Some(batches) = &self.batches {
            self.account.count_scan(&batches.statistics());
        }
    }
}

impl<W: AsyncWrite + Unpin> Answer<'_, W> {
    /// Sends the whole answer, with the end marker if its kind has one.
    pub(crate) async fn send(mut self, request: Frame) -> Result<(), Stop> {
        self.shared.audit.ready().await?;
        let _place = match request.kind {
            Kind::Channel => None,
            _ => Some(self.place().await?),
        };
        match request.kind {
            Kind::Select => self.select(decode(&request)?).await,
            Kind::Fetch => self.fetch(decode(&request)?).await,
            Kind::List => self.list(decode(&request)?).await,
            Kind::Describe => self.describe(decode(&request)?).await,
            Kind::Explain => self.explain(decode(&request)?).await,
            Kind::Channel => {
                let ChannelRequest {} = decode(&request)?;
                let user = self.sent.user.name.clone();
                let report = ChannelReport { user, ..self.sent.facts.report() };
                self.send_last(Kind::ChannelReport, &report).await
            }
            other => Err(Fault::Unexpected(other, "a request").into()),
        }
    }

    /// Waits until the user may have one more request.
    async fn place(&mut self) -> Result<Place, Fault> {
        let _queued = self.shared.metrics.as_deref().map(Metrics::queued);
        let running = self.sent.running;
        running.waits_for(Wait::Queue);
        let place = running.interrupt.or(self.quota.place(&self.rules.limits)).await;
        running.waits_for(Wait::File);
        self.account.queue_time = self.started.elapsed();
        place
    }

    async fn select(&mut self, request: SelectRequest) -> Result<(), Stop> {
        let scan = self.scan();
        let then =
            move |planned: Planned, waiting| Ok((scan(planned.plan.clone(), waiting)?, planned));
        let planned = self.plan(request.sql, request.parameters, then).await?;
        let (batches, Planned { plan, is_protected, query_time, files: _files }) = planned;
        self.shorten(query_time);
        self.account.asked.planned(&plan);
        self.scan_begins(batches);
        self.account.statistics.file_bytes = Some(plan.source().bytes());
        self.account.of_part = !plan.view().is_whole();
        let previous = self.encoder.take().filter(|previous| previous.schema() == plan.schema());
        let mut encoder = match previous {
            Some(previous) => previous,
            None => Encoder::new(Arc::clone(plan.schema()))?,
        };
        self.schema(&mut encoder, request.schema_kept).await?;
        let may_compress = self.may_compress(is_protected);
        let sent = match self.narrow {
            true => self.narrow_batches(may_compress).await,
            false => self.batches(&mut encoder).await,
        };
        *self.encoder = sent.is_ok().then_some(encoder).filter(Encoder::is_small);
        self.count_scan();
        sent?;
        self.finish().await
    }

    /// Sends the schema, or an empty body if the client has kept it from the frame with the number
    /// `kept`.
    async fn schema(&mut self, encoder: &mut Encoder, kept: u32) -> Result<(), Stop> {
        let is_kept = self.narrow && kept > 0 && kept == encoder.schema_number;
        let message = if is_kept { &[] } else { encoder.schema_message() };
        self.writer.send_parts(Kind::Schema, std::iter::once(message)).await?;
        *self.schemas = self.schemas.saturating_add(1);
        encoder.schema_number = *self.schemas;
        Ok(())
    }

    /// Returns whether an answer may be compressed. The length of compressed records tells a
    /// listener which values stand beside each other.
    fn may_compress(&self, is_protected: bool) -> bool {
        !is_protected || self.rules.compress_protected
    }

    /// Sends the batches as narrow columns. Later ones are scanned and encoded while one is sent.
    async fn narrow_batches(&mut self, may_compress: bool) -> Result<(), Stop> {
        let memory = AnswerBytes::new(Arc::clone(self.quota.memory()));
        let mut encoding = Encoding::new(Arc::clone(&self.share), memory);
        let mut is_complete = false;
        let (mut since, mut blocked_before) = (Instant::now(), self.writer.blocked());
        loop {
            let Some(batches) = &mut self.batches else { return Ok(()) };
            let ready = {
                let next = next_ready(batches, &mut encoding, is_complete);
                let mut next = pin!(self.sent.running.interrupt.or(next));
                match poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await {
                    Poll::Ready(next) => next,
                    Poll::Pending => {
                        // finished batches must not wait for the next one
                        self.writer.flush().await?;
                        self.time_limit.within(next).await
                    }
                }
            };
            match ready? {
                Ready::Batch(batch) => {
                    self.sent.running.add_records(batch.num_rows());
                    let compression = self.link.compression().filter(|_| may_compress);
                    encoding.push(batch, compression);
                }
                Ready::Complete => is_complete = true,
                Ready::End => return Ok(()),
                Ready::Encoded(encoded) => {
                    let statistics = &mut self.account.statistics;
                    statistics.arrow_bytes += encoded.arrow_bytes;
                    statistics.narrow_bytes += encoded.narrow_bytes;
                    let (plain_bytes, compression) = (encoded.narrow_bytes, encoded.compression);
                    let mut bytes = 0;
                    self.sent.running.waits_for(Wait::Peer);
                    for frame in encoded.frames {
                        self.sent.running.interrupt.check()?;
                        self.writer.send_whole(&frame).await?;
                        bytes += frame.len() as u64;
                        self.sent.running.set_bytes(self.writer.counts().0);
                    }
                    self.sent.running.waits_for(Wait::Pool);
                    if let Some(batches) = &mut self.batches {
                        batches.sent();
                    }
                    let (now, blocked) = (Instant::now(), self.writer.blocked());
                    self.link.sent(link::Sent {
                        compression,
                        plain_bytes,
                        bytes,
                        blocked: blocked - blocked_before,
                        elapsed: now - since,
                    });
                    (since, blocked_before) = (now, blocked);
                }
            }
        }
    }

    /// Sends the batches as Arrow IPC messages, to clients that know no other form.
    async fn batches(&mut self, encoder: &mut Encoder) -> Result<(), Stop> {
        loop {
            let Some(batches) = &mut self.batches else { return Ok(()) };
            let next = {
                let mut next = pin!(self.sent.running.interrupt.or(batches.next(0)));
                match poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await {
                    Poll::Ready(next) => next,
                    Poll::Pending => {
                        // finished batches must not wait for the next one
                        self.writer.flush().await?;
                        self.time_limit.within(next).await
                    }
                }
            };
            let Some(batch) = next? else { return Ok(()) };
            self.sent.running.add_records(batch.num_rows());
            self.sent.running.waits_for(Wait::Peer);
            let mut pieces = encoder.pieces(batch);
            while let Some(message) = pieces.next()? {
                self.sent.running.interrupt.check()?;
                let parts = message.iter().map(|buffer| buffer.as_slice());
                self.writer.send_parts(Kind::Batch, parts).await?;
                self.sent.running.set_bytes(self.writer.counts().0);
            }
            self.sent.running.waits_for(Wait::Pool);
            batches.sent();
        }
    }

    /// Plans a Select and then calls `then` on the same thread, which may read files. Both may be
    /// started twice. A Select over a pattern needs a permit to walk through the folders.
    async fn plan<T: Send + 'static>(
        &mut self,
        sql: String,
        values: Vec<message::Value>,
        then: impl Fn(Planned, Waiting) -> Result<T, Fault> + Send + Sync + 'static,
    ) -> Result<T, Fault> {
        let max = self.rules.limits.sql_bytes_max.get() as usize;
        if sql.len() > max {
            return Err(Fault::TooLarge { what: "SQL text", got: sql.len(), max, unit: "bytes" });
        }
        self.sent.running.tell(&sql);
        let for_slow = self.rules.slow_query_time.is_some();
        self.account.asked.note(&sql, &values, self.shared.audit.forms(), for_slow);
        let bytes = sql.len() + values.iter().map(Message::encoded_len).sum::<usize>();
        let length = if bytes <= BRIEF_BYTES_MAX { Length::Brief } else { Length::Unknown };
        let parameters = parameter::from_message(values)?;
        let caller = self.caller();
        let catalogue = Arc::clone(&self.rules.catalogue);
        let statements = Arc::clone(&self.shared.statements);
        let cancel = self.time_limit.cancel().clone();
        let file = Arc::new(OnceLock::new());
        let named = Arc::clone(&file);
        let work = Arc::new(move |waiting, permit: Option<&Permit>| {
            cancel.during(|| {
                let select = statements.parsed(&sql, waiting)?;
                let from = select.from();
                named.get_or_init(|| from.unwrap_or_default().to_owned());
                if permit.is_none() && from.is_some_and(NamePattern::is_one) {
                    return Ok(None);
                }
                let planned = catalogue.plan(from, &select, &parameters, &caller, waiting)?;
                then(planned, waiting).map(Some)
            })
        });
        let (shared, user) = (self.shared, self.sent.user);
        let planned = async move {
            let first = Arc::clone(&work);
            if let Some(planned) =
                shared.jobs.run(length, move |waiting| first(waiting, None)).await?
            {
                return Ok(planned);
            }
            let permit = shared.walks.acquire(user.name.clone()).await;
            let planned =
                shared.jobs.run(Length::Unknown, move |waiting| work(waiting, Some(&permit)));
            planned.await?.ok_or(Fault::Internal("a walk without its permit"))
        };
        let planned = self.time_limit.within(self.sent.running.interrupt.or(planned)).await;
        // the log names the file even if planning failed
        if let Some(file) = file.get() {
            self.account.file.clone_from(file);
        }
        self.account.statistics.plan_micros = Some(micros(self.started.elapsed()));
        planned
    }

    /// Shortens the time of the work to that of a grant.
    fn shorten(&mut self, query_time: Option<Duration>) {
        if let Some(max) = query_time {
            self.time_limit.shorten(max);
        }
    }

    /// Takes the scan, whose progress others may see from now on.
    fn scan_begins(&mut self, mut batches: Batches) {
        self.sent.running.waits_for(Wait::Pool);
        batches.tell(self.sent.running.progress());
        self.batches = Some(batches);
    }

    /// Returns a function that starts the scan of a plan. It may read an index.
    fn scan(&self) -> impl Fn(Plan, Waiting) -> Result<Batches, Fault> + Send + Sync + 'static {
        let options = self.rules.scan_options(self.time_limit.cancel());
        let resources = Resources {
            share: Arc::clone(&self.share),
            memory: Arc::clone(self.quota.memory()),
            queue_time: self.rules.limits.queue_time,
            run: self.shared.activity.morsels(),
        };
        move |plan, waiting| Batches::begin(plan, options.clone(), resources.clone(), waiting)
    }

    async fn fetch(&mut self, request: FetchRequest) -> Result<(), Stop> {
        self.sent.running.tell(&request.file);
        self.account.file.clone_from(&request.file);
        self.account.is_of_file = true;
        let catalogue = Arc::clone(&self.rules.catalogue);
        let caller = self.caller();
        let compress_protected = self.rules.compress_protected;
        let Self { writer, sent, link, .. } = self;
        let running = sent.running;
        let sending = fetch::Sending { writer, running, link, compress_protected };
        let fetched = fetch::fetch(catalogue, request, caller, sending).await?;
        self.account.statistics.file_bytes = Some(fetched.file_bytes);
        self.account.statistics.narrow_bytes = fetched.plain_bytes;
        self.finish().await
    }

    async fn list(&mut self, request: ListRequest) -> Result<(), Stop> {
        self.sent.running.tell(&request.pattern);
        self.account.file.clone_from(&request.pattern);
        let catalogue = Arc::clone(&self.rules.catalogue);
        let caller = self.caller();
        let cancel = self.time_limit.cancel().clone();
        let (shared, user) = (self.shared, self.sent.user);
        let list = async move {
            let permit = shared.walks.acquire(user.name.clone()).await;
            blocking(move || {
                // the permit is released after the walk, even if the client has left before
                let _permit = permit;
                cancel.during(|| catalogue.list(&request.pattern, &caller))
            })
            .await
        };
        let list = self.time_limit.within(self.sent.running.interrupt.or(list)).await?;
        self.send_last(Kind::FileList, &list).await
    }

    async fn describe(&mut self, request: DescribeRequest) -> Result<(), Stop> {
        self.sent.running.tell(&request.file);
        self.account.file.clone_from(&request.file);
        self.account.is_of_file = true;
        let catalogue = Arc::clone(&self.rules.catalogue);
        let caller = self.caller();
        let cancel = self.time_limit.cancel().clone();
        let described =
            blocking(move || cancel.during(|| catalogue.describe(&request.file, &caller)));
        let description = self.time_limit.within(self.sent.running.interrupt.or(described)).await?;
        self.send_last(Kind::Description, &description).await
    }

    async fn explain(&mut self, request: ExplainRequest) -> Result<(), Stop> {
        let scan = request.analyze.then(|| self.scan());
        let then = move |Planned { plan, query_time, files, .. }: Planned, waiting| {
            let text = explain(&plan, &ScanOptions::default()).map_err(Fault::Select)?;
            let started = Instant::now();
            let batches = scan.as_ref().map(|scan| scan(plan.clone(), waiting));
            let scanned = batches.transpose()?.map(|batches| (started, batches));
            Ok((text, scanned, plan, query_time, files))
        };
        let planned = self.plan(request.sql, request.parameters, then).await?;
        let (mut text, scan, plan, query_time, _files) = planned;
        self.shorten(query_time);
        self.account.asked.planned(&plan);
        if let Some((started, batches)) = scan {
            self.scan_begins(batches);
            text += &self.analyze(&plan, started).await?;
        }
        self.send_last(Kind::Explanation, &Explanation { text }).await
    }

    /// Runs a plan, drops its batches, and returns the analysis.
    async fn analyze(&mut self, plan: &Plan, started: Instant) -> Result<String, Fault> {
        self.account.statistics.file_bytes = Some(plan.source().bytes());
        let Some(batches) = &mut self.batches else { return Ok(String::new()) };
        let interrupt = &self.sent.running.interrupt;
        while self.time_limit.within(interrupt.or(batches.next(0))).await?.is_some() {}
        Ok(plan.analysis(&batches.statistics(), pool::threads(), started.elapsed()))
    }

    /// Sends the end marker.
    async fn finish(&mut self) -> Result<(), Stop> {
        let (bytes_sent, waited) = self.writer.counts();
        let statistics = &mut self.account.statistics;
        statistics.bytes_sent = bytes_sent;
        statistics.send_micros = micros(waited);
        statistics.total_micros = micros(self.started.elapsed());
        let finished = Finished { statistics: Some(self.account.visible()) };
        self.send_last(Kind::Finished, &finished).await
    }

    /// Sends the last message of an answer, after its line in the audit log.
    async fn send_last(&mut self, kind: Kind, message: &impl Message) -> Result<(), Stop> {
        if self.shared.audit.is_on() {
            let body_bytes = if kind == Kind::Finished { 0 } else { message.encoded_len() as u64 };
            let bytes = self.writer.counts().0 + body_bytes;
            let line = audited::record(self.sent, self.account, bytes, None);
            let ordered = self.shared.audit.order(line).await?;
            // the line stays if the client leaves meanwhile
            self.account.is_audited = true;
            if let Some(ordered) = ordered
                && let Err(fault) = ordered.written().await
            {
                self.account.is_audited = false;
                return Err(fault.into());
            }
        }
        self.writer.send(kind, message).await
    }

    fn caller(&self) -> Caller {
        Caller {
            user: Arc::clone(self.sent.user),
            grants: Arc::clone(&self.rules.grants),
            transport: Transport::of(self.sent.facts),
        }
    }
}

/// The next step of an answer.
enum Ready {
    /// Encodes a batch.
    Batch(RecordBatch),
    /// Waits only for the batches that are being encoded.
    Complete,
    /// Sends a batch.
    Encoded(Encoded),
    /// Ends.
    End,
}

/// Waits for the next batch of the scan or of the encoder. Dropping the future loses nothing.
async fn next_ready(
    batches: &mut Batches,
    encoding: &mut Encoding,
    is_complete: bool,
) -> Result<Ready, Fault> {
    if is_complete && encoding.is_empty() {
        return Ok(Ready::End);
    }
    let unsent = encoding.len();
    let may_scan = !is_complete && encoding.has_room() && batches.goes_on(unsent);
    tokio::select! {
        biased;
        batch = batches.next(unsent), if may_scan => Ok(batch?.map_or(Ready::Complete, Ready::Batch)),
        Some(encoded) = encoding.next() => Ok(Ready::Encoded(encoded?)),
        else => Ok(Ready::End),
    }
}

fn decode<M: Message + Default>(request: &Frame) -> Result<M, Fault> {
    M::decode(&request.body[..]).map_err(|error| Fault::Message(request.kind, error))
}
