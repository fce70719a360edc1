//! From options to a channel: TCP, TLS, Hello; and what to say when the peer is the wrong one.

use std::future::Future;
use std::time::Duration;

use prost::Message;
use rustls::pki_types::ServerName;
use sift_proto::PROTOCOL_VERSION;
use sift_proto::frame::{self, FrameError, HEADER_BYTES, Header, Kind, Opening};
use sift_proto::message::{Failure, Hello, Welcome};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::channel::{Channel, Negotiated};
use crate::error::{Error, ErrorKind, Reason, Result, Violation, printable};
use crate::options::{ConnectOptions, Host};
use crate::tls;
use crate::transport::{FirstBytes, Transport};
use crate::wire::Wire;

/// How this software names itself in Hello.
const SOFTWARE: &str = concat!("sift/", env!("CARGO_PKG_VERSION"));

/// How long a failed handshake waits for the rest of what the peer has to say.
const WRONG_PEER_WAIT: Duration = Duration::from_secs(2);

/// Most bytes of a Failure that tells why a handshake failed.
const WRONG_PEER_BYTES_MAX: u32 = 4096;

/// A channel on which the next frame is a request.
pub(crate) struct Connected {
    pub(crate) wire: Wire,
    pub(crate) channel: Channel,
    pub(crate) sql_bytes_max: usize,
}

pub(crate) async fn connect(options: &ConnectOptions) -> Result<Connected> {
    let host = Host::parse(&options.address)?;
    let secure = match options.encrypt {
        true => {
            Some((TlsConnector::from(tls::config(options)?), tls::server_name(options, &host)?))
        }
        false => None,
    };
    let open = async {
        let dialled = TcpStream::connect((host.name.as_str(), host.port));
        let stream = within(options.connect_timeout, "connecting", async {
            dialled.await.map_err(Reason::Unreachable)
        })
        .await?;
        stream.set_nodelay(true)?;
        let greeted = greet(options, &host, stream, secure);
        within(options.handshake_timeout, "shaking hands", greeted).await
    };
    open.await
        .map_err(|reason| Error::from(ErrorKind::ClientServer { host: host.to_string(), reason }))
}

async fn within<T>(
    limit: Duration,
    during: &'static str,
    work: impl Future<Output = Result<T, Reason>>,
) -> Result<T, Reason> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_elapsed) => Err(Reason::TimedOut { during, limit }),
    }
}

/// TLS if it is asked for, then Hello and Welcome.
async fn greet(
    options: &ConnectOptions,
    host: &Host,
    stream: TcpStream,
    secure: Option<(TlsConnector, ServerName<'static>)>,
) -> Result<Connected, Reason> {
    let peer = stream.peer_addr()?;
    let (transport, negotiated) = match secure {
        Some((connector, name)) => shake_hands(options, stream, connector, name).await?,
        None => (Transport::Plain(stream), None),
    };
    let mut wire = Wire::new(transport, options.idle_timeout);
    let level = negotiated.as_ref().map_or(0, |negotiated| negotiated.level.number());
    let hello = Hello {
        version: PROTOCOL_VERSION,
        client: SOFTWARE.to_owned(),
        level: u32::from(level),
        features: Vec::new(),
    };
    wire.queue(Kind::Hello, &hello).map_err(Violation::from)?;
    let welcome = welcome(&mut wire, options.encrypt).await?;
    wire.set_body_bytes_max(welcome.frame_bytes_max);
    let channel = Channel {
        protocol: negotiated.as_ref().map(|n| n.protocol.to_string()).unwrap_or_default(),
        negotiated,
        host: host.to_string(),
        peer,
        server: printable(&welcome.server),
        server_level: welcome.level,
    };
    Ok(Connected { wire, channel, sql_bytes_max: welcome.sql_bytes_max as usize })
}

async fn shake_hands(
    options: &ConnectOptions,
    stream: TcpStream,
    connector: TlsConnector,
    name: ServerName<'static>,
) -> Result<(Transport, Option<Negotiated>), Reason> {
    match connector.connect(name, FirstBytes::new(stream)).into_fallible().await {
        Ok(mut stream) => {
            let (first, session) = stream.get_mut();
            first.forget();
            let negotiated = tls::negotiated(session, options.level)?;
            Ok((Transport::Tls(Box::new(stream)), Some(negotiated)))
        }
        Err((error, first)) => {
            let (stream, said) = first.into_parts();
            Err(match said.first().map(|byte| Opening::from_first_byte(*byte)) {
                None | Some(Opening::Tls) => tls::reason(error, options.level),
                Some(Opening::Frame) => wrong_peer(stream, said).await,
                Some(Opening::Text) => {
                    Reason::NotSift("it answers with text, as HTTP does".to_owned())
                }
                Some(Opening::Other) => {
                    Reason::NotSift("it speaks neither TLS nor Sift".to_owned())
                }
            })
        }
    }
}

/// Why a Sift server answers in the clear where TLS was spoken: reads the rest of its Failure.
async fn wrong_peer(mut stream: TcpStream, mut said: Vec<u8>) -> Reason {
    let rest = async {
        loop {
            if let Some(failure) = failure(&said) {
                return failure;
            }
            if stream.read_buf(&mut said).await.is_ok_and(|read| read == 0) {
                return None;
            }
        }
    };
    match tokio::time::timeout(WRONG_PEER_WAIT, rest).await {
        Ok(Some(failure)) => Reason::refused(&failure),
        _ => Reason::EncryptionNotEnabled,
    }
}

/// The Failure at the start of `said`: `None` when it needs more bytes, `Some(None)` when it is none.
fn failure(said: &[u8]) -> Option<Option<Failure>> {
    let header = said.first_chunk::<HEADER_BYTES>()?;
    match Header::decode(*header, WRONG_PEER_BYTES_MAX) {
        Ok(Header { kind: Kind::Failure, body_bytes }) => {
            let body = said.get(HEADER_BYTES..HEADER_BYTES + body_bytes as usize)?;
            Some(Failure::decode(body).ok())
        }
        _ => Some(None),
    }
}

/// The server's first frame, checked.
async fn welcome(wire: &mut Wire, encrypted: bool) -> Result<Welcome, Reason> {
    let frame = match wire.frame().await {
        Ok(frame) => frame,
        Err(Reason::Violation(Violation::Frame(FrameError::UnknownKind(first)))) => {
            return Err(match Opening::from_first_byte(first) {
                Opening::Tls if !encrypted => Reason::EncryptionRequired,
                Opening::Text => Reason::NotSift("it answers with text, as HTTP does".to_owned()),
                _ => Reason::NotSift("it does not answer with a frame".to_owned()),
            });
        }
        Err(Reason::Closed) if !encrypted => return Err(Reason::ClosedWhenPlain),
        Err(reason) => return Err(reason),
    };
    match frame.kind {
        Kind::Welcome => {}
        Kind::Failure => return Err(Reason::refused(&frame.message()?)),
        _ => return Err(frame.out_of_order("Welcome").into()),
    }
    let welcome: Welcome = frame.message()?;
    let range = |what, got: u32, max: u32| match got {
        got if got == 0 || got > max => {
            Err(Violation::Range { what, got: u64::from(got), max: u64::from(max) })
        }
        _ => Ok(()),
    };
    range("version", welcome.version, PROTOCOL_VERSION)?;
    range("frame_bytes_max", welcome.frame_bytes_max, frame::BODY_BYTES_MAX)?;
    Ok(welcome)
}
