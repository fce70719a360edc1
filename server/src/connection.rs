//! The life of a connection: channel, Hello, then one request at a time, until either side ends it.
//!
//! While an answer is written, the reading half is watched: Cancel ends the answer, another request
//! is a protocol violation, and if the client leaves, the work for it ends.

mod account;
mod answer;
mod audited;
pub(crate) mod encode;
mod fetch;
mod narrow;
mod parameter;
pub(crate) mod port;
pub(crate) mod report;
mod time_limit;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sift_proto::PROTOCOL_VERSION;
use sift_proto::frame::{BODY_BYTES_MAX, CONTROL_BYTES_MAX, Frame, FrameError, Kind, feature};
use sift_proto::level::Level;
use sift_proto::message::{Hello, Welcome};
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio::time::{Instant as Deadline, sleep, timeout_at};

use crate::access::Admission;
use crate::access::login::{Credentials, Denied, Identified};
use crate::access::user::User;
use crate::audit::{Event, Who};
use crate::channel::{self, Channel, ChannelError, Facts, Security};
use crate::door::{Admittance, Newcomer};
use crate::fault::{Fault, Stop};
use crate::interrupt::Interrupt;
use crate::link::Link;
use crate::metrics::{Held, Metrics};
use crate::quota::Quota;
use crate::sessions::Registered;
use crate::shared::{Admitted, Shared};
use crate::shutdown::Shutdown;
use account::{RequestAccount, micros};
use answer::Answer;
use audited::Sent;
use encode::Encoder;
use port::Port;
use time_limit::TimeLimit;
use wire::{ReadError, Reader, Writer};

/// The maximal size of a Hello. A client that has not logged in must not occupy more memory.
const HELLO_BYTES_MAX: u32 = 4 << 10;

/// The time for an answer to stop when an administrator ends the session. After it, the connection
/// is cut off, even within a frame.
pub(crate) const END_TIME_MAX: Duration = Duration::from_secs(2);

/// Serves one connection to its end. Its place at the door is given back when Hello has been
/// answered.
pub(crate) async fn run(
    shared: &Shared,
    newcomer: Newcomer,
    peer: SocketAddr,
    port: Port,
    mut shutdown: Shutdown,
) {
    let started = Instant::now();
    let rules = shared.rules();
    let deadline = Deadline::now() + rules.limits.handshake_time;
    let opened = tokio::select! {
        opened = timeout_at(deadline, open(newcomer, peer, &port.security)) => opened,
        () = shutdown.begun() => Ok(Err(ChannelError::ShuttingDown)),
    };
    let late = |_| {
        let seconds = rules.limits.handshake_time.as_secs();
        Err(ChannelError::Handshake(format!("not through within {seconds} seconds")))
    };
    let (Channel { stream, facts }, admittance) = match opened.unwrap_or_else(late) {
        Ok(opened) => opened,
        Err(error) => return report::refused(shared.metrics.as_deref(), peer, &error),
    };
    let (reader, writer) = tokio::io::split(stream);
    let mut connection = Connection {
        shared,
        facts,
        claimed_name: String::new(),
        reader: Reader::new(reader, HELLO_BYTES_MAX),
        writer: Writer::new(writer, rules.limits.write_stall_time),
        encoder: None,
        schemas: 0,
        narrow: false,
        link: Link::new(rules.compression, &[], true),
        shutdown,
    };
    match connection.admit(&port.admission, deadline).await {
        Ok(Some((user, open))) => {
            drop(admittance);
            if let Some(metrics) = &shared.metrics {
                metrics.let_in(started.elapsed());
            }
            connection.requests(user, &port, &open.registered).await;
            drop(open);
        }
        Ok(None) => {}
        Err(error) => report::refused(shared.metrics.as_deref(), peer, &error),
    }
}

/// Waits at the door, and then opens the channel.
async fn open(
    newcomer: Newcomer,
    peer: SocketAddr,
    security: &Security,
) -> Result<(Channel, Admittance), ChannelError> {
    let (tcp, admittance) = newcomer.begin().await?;
    Ok((channel::open(tcp, peer, security).await?, admittance))
}

/// Counts one more open connection until it is dropped.
#[derive(Debug)]
struct Open {
    registered: Registered,
    _admitted: Admitted,
    _counted: Option<Held>,
}

/// A connection whose channel is open.
struct Connection<'a, S> {
    shared: &'a Shared,
    /// The facts about the channel, for protection and the log.
    facts: Facts,
    /// The user name in the Hello, which is not verified.
    claimed_name: String,
    reader: Reader<ReadHalf<S>>,
    writer: Writer<WriteHalf<S>>,
    /// The encoder of the last answer: the next one often has the same schema.
    encoder: Option<Encoder>,
    /// The number of Schema frames that were sent.
    schemas: u32,
    /// True if the client takes batches as narrow columns.
    narrow: bool,
    link: Link,
    shutdown: Shutdown,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<'_, S> {
    /// Lets the client log in until `deadline`. Returns the user, and what an open connection holds;
    /// `None` if the client was rejected.
    ///
    /// # Errors
    /// The time is over.
    async fn admit(
        &mut self,
        admission: &Admission,
        deadline: Deadline,
    ) -> Result<Option<(Identified, Open)>, ChannelError> {
        let Ok(admitted) = timeout_at(deadline, self.hello(admission)).await else {
            let late = match self.claimed_name.as_str() {
                "" => "no Hello in time".to_owned(),
                name => format!("the log-in of `{}` took too long", report::abridged(name)),
            };
            return Err(ChannelError::Io(io::Error::new(io::ErrorKind::TimedOut, late)));
        };
        match admitted {
            Ok(admitted) => Ok(Some(admitted)),
            Err(stop) => {
                if let Stop::Fault(fault) = &stop {
                    self.audit_rejected(fault).await;
                    self.reject(fault).await;
                }
                report::rejected(
                    self.shared.metrics.as_deref(),
                    &self.facts,
                    &self.claimed_name,
                    &stop,
                );
                Ok(None)
            }
        }
    }

    /// Reads Hello and answers it. Returns the user, and what an open connection holds.
    async fn hello(&mut self, admission: &Admission) -> Result<(Identified, Open), Stop> {
        let frame = tokio::select! {
            biased;
            () = self.shutdown.begun() => return Err(Fault::ShuttingDown.into()),
            frame = self.reader.next() => frame,
        };
        let frame = match frame {
            Ok(Some(frame)) => frame,
            Ok(None) => {
                return Err(Stop::Gone(closed("the client closed the connection before Hello")));
            }
            Err(error) => return Err(read_stop(error)),
        };
        if frame.kind != Kind::Hello {
            return Err(Fault::Unexpected(frame.kind, "Hello").into());
        }
        let mut hello: Hello = prost::Message::decode(&frame.body[..])
            .map_err(|error| Fault::Message(Kind::Hello, error))?;
        if hello.version != PROTOCOL_VERSION {
            return Err(Fault::Version(hello.version).into());
        }
        meets_level(&self.facts, hello.level)?;
        self.claimed_name = std::mem::take(&mut hello.user);
        self.shared.audit.ready().await?;
        let credentials = Credentials::new(&self.claimed_name, std::mem::take(&mut hello.password));
        let user = self.shared.login.user(admission, &self.facts, credentials).await?;
        let admitted = self.shared.admit(self.facts.peer.ip(), user.logged_in())?;
        if self.shutdown.has_begun() {
            return Err(Fault::ShuttingDown.into());
        }
        let known = [feature::NARROW, feature::LZ4, feature::ZSTD, feature::COMPRESS];
        let features = known.into_iter().filter(|known| hello.features.iter().any(|f| f == known));
        let features: Vec<String> = features.map(ToOwned::to_owned).collect();
        self.narrow = features.iter().any(|feature| feature == feature::NARROW);
        let is_loopback = self.facts.peer.ip().to_canonical().is_loopback();
        let rules = self.shared.rules();
        self.link = Link::new(rules.compression, &features, is_loopback);
        let welcome = Welcome {
            version: PROTOCOL_VERSION,
            server: concat!("siftd ", env!("CARGO_PKG_VERSION")).to_owned(),
            level: self.facts.level_number().into(),
            features,
            frame_bytes_max: BODY_BYTES_MAX,
            sql_bytes_max: rules.limits.sql_bytes_max.get(),
        };
        let login = Event::Login {
            who: Who::new(&self.facts, &user.user.name),
            method: Some(user.method()),
            status: "OK",
            reason: "",
        };
        self.shared.audit.write(login).await?;
        self.writer.send(Kind::Welcome, &welcome).await?;
        self.reader.set_body_bytes_max(CONTROL_BYTES_MAX);
        let metrics = self.shared.metrics.as_deref();
        let counted =
            report::connected(metrics, &self.facts, &user.user, &hello.client, hello.level);
        let registered = self.shared.sessions.open(&self.facts, &user.user.name, &hello.client);
        Ok((user, Open { registered, _admitted: admitted, _counted: counted }))
    }

    /// Writes to the audit log that a Hello is refused.
    async fn audit_rejected(&mut self, fault: &Fault) {
        let (user, reason) = (report::abridged(&self.claimed_name), fault.to_string());
        let login = Event::Login {
            who: Who::new(&self.facts, &user),
            method: None,
            status: fault.status().as_str_name(),
            reason: &reason,
        };
        // the client is refused anyway, and the log tells that the line is missing
        let _ = self.shared.audit.write(login).await;
    }

    /// Answers requests until either side ends the connection.
    async fn requests(&mut self, mut user: Identified, port: &Port, session: &Registered) {
        let mut queries_max = self.shared.limits().queries_per_user_max.get();
        let mut quota = self.shared.quotas.of(&user.user.name, queries_max);
        loop {
            let request = match self.request(session).await {
                Ok(Some(request)) => request,
                Ok(None) => break,
                Err(Stop::Fault(fault)) => {
                    self.reject(&fault).await;
                    report::ended(&self.facts, &fault);
                    break;
                }
                Err(Stop::Gone(error)) => {
                    report::ended(&self.facts, &error);
                    break;
                }
            };
            let again = match port.admits_everybody_still() {
                true => self.shared.login.again(&mut user, &self.facts).await,
                false => Err(Denied::Closed(user.user.name.clone())),
            };
            if let Err(denied) = again {
                let fault = Fault::from(denied);
                self.reject(&fault).await;
                report::denied(&self.facts, &fault);
                break;
            }
            let max = self.shared.limits().queries_per_user_max.get();
            if max != queries_max {
                (queries_max, quota) = (max, self.shared.quotas.of(&user.user.name, max));
            }
            if !self.answer(request, &user.user, &quota, session).await {
                break;
            }
        }
    }

    /// Reads the next request; `None` if the client has closed the connection.
    async fn request(&mut self, session: &Registered) -> Result<Option<Frame>, Stop> {
        let mut ending = session.ending();
        let idle = self.shared.limits().idle_time;
        let deadline = Deadline::now() + idle;
        loop {
            let heard = tokio::select! {
                biased;
                () = self.shutdown.begun() => return Err(Fault::ShuttingDown.into()),
                () = ending.begun() => return Err(Fault::SessionEnded.into()),
                heard = timeout_at(deadline, self.reader.next()) => heard,
            };
            match heard {
                Err(_) => return Err(Fault::Idle(idle.as_secs()).into()),
                // the Cancel was sent before the client had read the end of its answer
                Ok(Ok(Some(frame))) if frame.kind == Kind::Cancel => (),
                Ok(Ok(frame)) => return Ok(frame),
                Ok(Err(error)) => return Err(read_stop(error)),
            }
        }
    }

    /// Answers one request. Returns `false` if the connection ends with it.
    async fn answer(
        &mut self,
        request: Frame,
        user: &Arc<User>,
        quota: &Quota,
        session: &Registered,
    ) -> bool {
        let started = Instant::now();
        let kind = request.kind;
        let begun = session.begin(kind);
        let running = &begun.running;
        let session_id = session.session.id;
        let sent = Sent { session: session_id, running, facts: &self.facts, user };
        let mut account = RequestAccount::default();
        self.writer.take_counts();
        self.shared.activity.request();
        let metrics = self.shared.metrics.as_deref();
        let _active = metrics.map(Metrics::begun);

        let rules = self.shared.rules();
        let slow_query_time = rules.slow_query_time;
        self.writer.set_stall(rules.limits.write_stall_time);
        let time_limit = TimeLimit::new(rules.limits.query_time);
        let answer = Answer {
            shared: self.shared,
            rules,
            quota,
            writer: &mut self.writer,
            encoder: &mut self.encoder,
            schemas: &mut self.schemas,
            narrow: self.narrow,
            link: &mut self.link,
            sent,
            account: &mut account,
            share: Arc::new(self.shared.pool.share(&user.name)),
            time_limit,
            started,
            batches: None,
        };
        let mut ending = session.ending();
        let answered =
            watched(Box::pin(answer.send(request)), &mut self.reader, &running.interrupt);
        let mut result = tokio::select! {
            biased;
            result = answered => result,
            () = async { ending.begun().await; sleep(END_TIME_MAX).await } => {
                Err(Stop::Gone(closed("the session was ended, and the client did not take the rest")))
            }
        };
        if let Err(stop) = &result
            && !account.is_audited
        {
            let bytes = self.writer.counts().0;
            let request = audited::record(sent, &account, bytes, Some(stop));
            if let Err(fault) = self.shared.audit.write(request).await
                && matches!(stop, Stop::Fault(_))
            {
                result = Err(fault.into());
            }
        }
        let mut goes_on = result.is_ok();
        if let Err(Stop::Fault(fault)) = &result {
            if fault.is_fatal() {
                self.reject(fault).await;
            } else {
                let told = self.writer.send(Kind::Failure, &fault.to_failure()).await;
                goes_on = told.is_ok();
                if let Err(gone @ Stop::Gone(_)) = told {
                    result = Err(gone);
                }
            }
        }
        let (bytes_sent, waited) = self.writer.take_counts();
        account.statistics.bytes_sent = bytes_sent;
        account.statistics.send_micros = micros(waited);
        let elapsed = started.elapsed();
        report::answered(metrics, &self.facts, user, kind, &account, elapsed, &result);
        let worked = elapsed.saturating_sub(waited + account.queue_time);
        if slow_query_time.is_some_and(|slow| worked >= slow) {
            report::slow(&self.facts, user, &account, elapsed).await;
        }
        goes_on
    }

    /// Sends the reason and closes the connection in a way that lets the client read it.
    async fn reject(&mut self, fault: &Fault) {
        if self.writer.send(Kind::Failure, &fault.to_failure()).await.is_ok() {
            self.writer.shutdown().await;
            self.reader.drain().await;
        }
    }
}

/// Waits for the answer and reads from the client at the same time. Drops the answer if the client
/// leaves.
async fn watched<R: AsyncRead + Unpin>(
    mut answer: impl Future<Output = Result<(), Stop>> + Unpin,
    reader: &mut Reader<R>,
    interrupt: &Interrupt,
) -> Result<(), Stop> {
    let heard = tokio::select! {
        biased;
        result = &mut answer => return result,
        heard = reader.next() => heard,
    };
    match heard {
        Ok(Some(frame)) => interrupt.raise(Ok(frame)),
        Ok(None) => return Err(Stop::Gone(closed("the client closed the connection"))),
        Err(error) => match read_stop(error) {
            Stop::Fault(Fault::Frame(error)) => interrupt.raise(Err(error)),
            gone => return Err(gone),
        },
    }
    // after a Cancel the next frame is the next request, which has to wait
    answer.await
}

/// Checks that the channel meets the level in the client's Hello. Plain channels have level 0.
fn meets_level(facts: &Facts, asked: u32) -> Result<(), Fault> {
    let Some(encryption) = facts.encryption else {
        return match asked {
            0 => Ok(()),
            _ => {
                let asked = u8::try_from(asked).unwrap_or(u8::MAX);
                Err(Fault::LevelNotMet { asked, channel: "it is not encrypted".to_owned() })
            }
        };
    };
    let asked = Level::from_number(u8::try_from(asked).unwrap_or(u8::MAX))?;
    if asked.permits(encryption.protocol, encryption.suite, encryption.group) {
        return Ok(());
    }
    let channel = format!("{} {} {}", facts.protocol(), facts.key_exchange(), facts.cipher());
    Err(Fault::level(asked, channel))
}

fn read_stop(error: ReadError) -> Stop {
    match error {
        ReadError::Frame(error @ FrameError::Truncated { .. }) => {
            Stop::Gone(io::Error::new(io::ErrorKind::UnexpectedEof, error))
        }
        ReadError::Frame(error) => Stop::Fault(Fault::Frame(error)),
        // a short text, because the TLS library's own text refers to a web page
        ReadError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Stop::Gone(closed("the client went away without the end of its TLS stream"))
        }
        ReadError::Io(error) => Stop::Gone(error),
    }
}

fn closed(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}
