//! The life of a connection: channel, Hello, then one request at a time, until either side ends it.
//!
//! While an answer is written, the reading half is watched: Cancel ends the answer, another request
//! is a protocol violation, and if the client leaves, the work for it ends.

mod account;
mod answer;
pub(crate) mod encode;
mod fetch;
mod interrupt;
mod parameter;
mod report;
mod time_limit;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use sift_proto::PROTOCOL_VERSION;
use sift_proto::frame::{BODY_BYTES_MAX, CONTROL_BYTES_MAX, Frame, FrameError, Kind};
use sift_proto::level::Level;
use sift_proto::message::{Hello, Welcome};
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant as Deadline, timeout_at};

use crate::access::Admission;
use crate::access::login::Credentials;
use crate::access::user::User;
use crate::channel::{self, Channel, ChannelError, Facts, Security};
use crate::fault::{Fault, Stop};
use crate::shared::Shared;
use account::{RequestAccount, micros};
use answer::Answer;
use encode::Encoder;
use interrupt::Interrupt;
use time_limit::TimeLimit;
use wire::{ReadError, Reader, Writer};

/// The maximal size of a Hello. A client that has not logged in must not occupy more memory.
const HELLO_BYTES_MAX: u32 = 4 << 10;

/// The requirements of a listener for its clients.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    pub(crate) security: Security,
    pub(crate) admission: Admission,
}

/// Serves one connection to its end. The permit `handshake` is given back when Hello has been
/// answered.
pub(crate) async fn run(
    shared: &Shared,
    tcp: TcpStream,
    peer: SocketAddr,
    port: Port,
    handshake: OwnedSemaphorePermit,
    mut shutdown: watch::Receiver<bool>,
) {
    let deadline = Deadline::now() + shared.limits.handshake_time;
    let opened = tokio::select! {
        opened = timeout_at(deadline, channel::open(tcp, peer, &port.security)) => opened,
        _ = shutdown.wait_for(|down| *down) => return report::refused(peer, &ChannelError::ShuttingDown),
    };
    let late = |_| {
        let seconds = shared.limits.handshake_time.as_secs();
        Err(ChannelError::Handshake(format!("not through within {seconds} seconds")))
    };
    let Channel { stream, facts } = match opened.unwrap_or_else(late) {
        Ok(channel) => channel,
        Err(error) => return report::refused(peer, &error),
    };
    let (reader, writer) = tokio::io::split(stream);
    let mut connection = Connection {
        shared,
        facts,
        user: Arc::default(),
        claimed_name: String::new(),
        reader: Reader::new(reader, HELLO_BYTES_MAX),
        writer: Writer::new(writer, shared.limits.write_stall_time),
        encoder: None,
        shutdown,
    };
    let admitted = match timeout_at(deadline, connection.hello(&port.admission)).await {
        Ok(admitted) => admitted,
        Err(_) => {
            let error = io::Error::new(io::ErrorKind::TimedOut, "no Hello in time");
            return report::refused(peer, &ChannelError::Io(error));
        }
    };
    match admitted {
        Ok((user, permit)) => {
            drop(handshake);
            connection.user = Arc::new(user);
            connection.requests().await;
            drop(permit);
        }
        Err(stop) => {
            if let Stop::Fault(fault) = &stop {
                connection.reject(fault).await;
            }
            report::rejected(&connection.facts, &connection.claimed_name, &stop);
        }
    }
}

struct Connection<'a, S> {
    shared: &'a Shared,
    facts: Facts,
    /// The user; a default one until Hello has been answered.
    user: Arc<User>,
    /// The user name in the Hello, which is not verified.
    claimed_name: String,
    reader: Reader<ReadHalf<S>>,
    writer: Writer<WriteHalf<S>>,
    encoder: Option<Encoder>,
    shutdown: watch::Receiver<bool>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<'_, S> {
    /// Reads Hello and answers it. Returns the user and the permit of an open connection.
    async fn hello(&mut self, admission: &Admission) -> Result<(User, OwnedSemaphorePermit), Stop> {
        let frame = match self.reader.next().await {
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
        let credentials = Credentials::new(&self.claimed_name, std::mem::take(&mut hello.password));
        let user = self.shared.login.user(admission, &self.facts, credentials).await?;
        let permit = self.shared.admit()?;
        if *self.shutdown.borrow() {
            return Err(Fault::ShuttingDown.into());
        }
        let welcome = Welcome {
            version: PROTOCOL_VERSION,
            server: concat!("siftd ", env!("CARGO_PKG_VERSION")).to_owned(),
            level: self.facts.level_number().into(),
            features: Vec::new(),
            frame_bytes_max: BODY_BYTES_MAX,
            sql_bytes_max: self.shared.limits.sql_bytes_max.get(),
        };
        self.writer.send(Kind::Welcome, &welcome).await?;
        self.reader.set_body_bytes_max(CONTROL_BYTES_MAX);
        report::connected(&self.facts, &user, &hello.client, hello.level);
        Ok((user, permit))
    }

    async fn requests(&mut self) {
        loop {
            let request = match self.request().await {
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
            if !self.answer(request).await {
                break;
            }
        }
    }

    /// Reads the next request; `None` if the client has closed the connection.
    async fn request(&mut self) -> Result<Option<Frame>, Stop> {
        let idle = self.shared.limits.idle_time;
        let deadline = Deadline::now() + idle;
        loop {
            let heard = tokio::select! {
                biased;
                _ = self.shutdown.wait_for(|down| *down) => return Err(Fault::ShuttingDown.into()),
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
    async fn answer(&mut self, request: Frame) -> bool {
        let started = Instant::now();
        let kind = request.kind;
        let interrupt = Interrupt::default();
        let mut account = RequestAccount::default();
        self.writer.take_counts();
        self.shared.activity.request();

        let time_limit = TimeLimit::new(self.shared.limits.query_time);
        let answer = Answer {
            shared: self.shared,
            facts: &self.facts,
            user: &self.user,
            writer: &mut self.writer,
            encoder: &mut self.encoder,
            interrupt: &interrupt,
            account: &mut account,
            time_limit,
            started,
            batches: None,
        };
        let mut result =
            watched(Box::pin(answer.send(request)), &mut self.reader, &interrupt).await;
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
        report::answered(&self.facts, &self.user, kind, &account, started.elapsed(), &result);
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
