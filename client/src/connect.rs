//! Makes a connection from options: TCP, TLS, Hello, and the errors about a wrong peer.

use std::future::Future;
use std::time::Duration;

use sift_proto::PROTOCOL_VERSION;
use sift_proto::frame::{self, FrameError, Kind, Opening, feature};
use sift_proto::message::{Hello, Status, Welcome};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use crate::channel::Channel;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Reason, Result, Usage, Violation, printable};
use crate::options::{ConnectOptions, Host};
use crate::session::Session;
use crate::tls;
use crate::transport::{FirstBytes, Transport};
use crate::wire::Wire;

/// The name and version of this software in Hello.
const SOFTWARE: &str = concat!("sift/", env!("CARGO_PKG_VERSION"));

/// Opens connections to one server with the same options, for any number of tasks at once. It reads
/// the files of certificates once. Later connections resume the TLS sessions of earlier ones, so
/// neither end sends its certificates or signs again.
///
/// In TLS 1.3, a resumed session has its own key exchange. The server's certificate was verified
/// when the first session began, at most a week before.
pub struct Connector {
    options: ConnectOptions,
    host: Host,
    tls: Option<tls::Connector>,
}

impl Connector {
    /// Reads the files that the options name.
    ///
    /// # Errors
    /// `Usage` and `Local` about the options.
    pub fn new(options: ConnectOptions) -> Result<Self> {
        let host = Host::parse(&options.address)?;
        if !options.encrypt && options.password.reveal().is_some() {
            return Err(Usage::PasswordInTheClear.into());
        }
        let tls = match options.encrypt {
            true => Some(tls::Connector::new(&options, &host)?),
            false => None,
        };
        Ok(Self { options, host, tls })
    }

    /// Connects and agrees on a channel that meets the options.
    ///
    /// # Errors
    /// `ClientServer` with the reason, `LoginRejected`.
    pub async fn connect(&self) -> Result<Connection> {
        let Self { options, host, .. } = self;
        let open = async {
            let dialled = TcpStream::connect((host.name.as_str(), host.port));
            let stream = within(options.connect_timeout, "connecting", async {
                dialled.await.map_err(Reason::Unreachable)
            })
            .await?;
            stream.set_nodelay(true)?;
            within(options.handshake_timeout, "shaking hands", self.greet(stream)).await
        };
        let opened: Result<Connection, Reason> = Box::pin(open).await;
        opened.map_err(|reason| {
            let host = host.to_string();
            Error::from(match reason {
                Reason::Refused { status: Status::LoginRejected, message } => {
                    ErrorKind::LoginRejected { host, message }
                }
                reason => ErrorKind::ClientServer { host, reason },
            })
        })
    }

    /// Does the TLS handshake, if the options ask for encryption, and then exchanges Hello and
    /// Welcome.
    async fn greet(&self, stream: TcpStream) -> Result<Connection, Reason> {
        let Self { options, host, tls } = self;
        let peer = stream.peer_addr()?;
        let hello = hello(options)?;
        // without a password, Hello is not secret, so it need not wait for the check of the channel
        let (early, late): (&[u8], &[u8]) = match options.password.reveal() {
            None => (&hello, &[]),
            Some(_) => (&[], &hello),
        };
        let (transport, negotiated) = match tls {
            Some(connector) => {
                let (stream, negotiated) =
                    Box::pin(connector.connect(FirstBytes::new(stream), early)).await?;
                (stream, Some(negotiated))
            }
            None => (Box::new(stream) as Transport, None),
        };
        let mut wire = Wire::new(transport, options.idle_timeout);
        wire.queue_whole(if negotiated.is_some() { late } else { &hello });
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
        let is_narrow = welcome.features.iter().any(|name| name == feature::NARROW);
        let session = Session::new(wire, channel.host.clone(), is_narrow);
        Ok(Connection::new(session, channel, welcome.sql_bytes_max as usize))
    }
}

impl Connection {
    /// Connects and agrees on a channel that meets the options. A program that connects often makes
    /// a [`Connector`] instead.
    ///
    /// # Errors
    /// The errors of [`Connector::new`] and [`Connector::connect`].
    pub async fn connect(options: &ConnectOptions) -> Result<Self> {
        // no later connection can resume its session
        Connector::new(options.clone().resume(false))?.connect().await
    }
}

/// Encodes the first frame.
fn hello(options: &ConnectOptions) -> Result<Zeroizing<Vec<u8>>, Reason> {
    let hello = Hello {
        version: PROTOCOL_VERSION,
        client: SOFTWARE.to_owned(),
        level: if options.encrypt { options.level.number().into() } else { 0 },
        features: options.features(),
        user: options.user.clone(),
        password: options.password.reveal().unwrap_or_default().to_owned(),
    };
    let frame = frame::encode_message(Kind::Hello, &hello);
    drop(Zeroizing::new(hello.password));
    Ok(Zeroizing::new(frame.map_err(Violation::from)?))
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

/// Reads and checks the first frame of the server.
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
