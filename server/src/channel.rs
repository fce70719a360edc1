//! Channels: one kind of stream for plain and TLS connections, and the answers of a listener to
//! peers that speak another protocol.
//!
//! The first byte shows what a peer speaks: TLS, frames in the clear, a text protocol such as HTTP,
//! or something unknown. It is peeked at, so the right reader still gets it.

mod client_hello;
pub(crate) mod stream;
pub(crate) mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use sift_proto::cipher;
use sift_proto::frame::{Kind, Opening, encode_message};
use sift_proto::level::{Level, Protocol};
use sift_proto::message::{ChannelReport, Failure, Status};
use sift_proto::owner::OwnerName;
use sift_proto::x509::{Certificate, serial_text};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use client_hello::Offered;
use stream::Stream;
use tls::{Acceptor, Negotiated};

/// The encryption that a listener requires.
#[derive(Clone, Debug)]
pub(crate) enum Security {
    Plain,
    Encrypted(Arc<Acceptor>),
}

/// An open channel.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) stream: Stream,
    pub(crate) facts: Facts,
}

/// The facts about a channel.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) peer: SocketAddr,
    pub(crate) encryption: Option<Encryption>,
    /// The names in the client's certificate, which was verified; empty without a certificate.
    pub(crate) peer_names: Vec<OwnerName>,
    /// The serial number of the peer's certificate, which identifies it for a revocation; empty
    /// without a certificate.
    pub(crate) peer_serial: String,
    /// The SHA-256 of the peer's certificate; empty without a certificate.
    pub(crate) peer_fingerprint: String,
}

/// The encryption of a channel. Suite and group are IANA's numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encryption {
    pub(crate) level: Level,
    pub(crate) protocol: Protocol,
    pub(crate) suite: u16,
    /// The key exchange group; `None` for a resumed TLS 1.2 session.
    pub(crate) group: Option<u16>,
}

/// The reason why there is no channel. The peer has been told as much as its protocol allows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChannelError {
    #[error("TLS on a plain port; the client was told so")]
    TlsOnPlain,
    #[error("a client in the clear on an encrypted port; it was told so")]
    PlainOnTls,
    #[error("HTTP or text on a port of another protocol; answered with 400")]
    Text,
    #[error("unknown protocol, first byte {0:#04x}")]
    Unknown(u8),
    #[error("the peer closed before it said anything")]
    Silent,
    #[error("the peer said nothing within {0} seconds")]
    Mute(u64),
    #[error("the peer had said nothing when a newer connection needed its place")]
    GaveWay,
    #[error("too many connections are waiting for their Hello")]
    Crowded,
    #[error("the server is shutting down")]
    ShuttingDown,
    #[error("handshake failed: {0}")]
    Handshake(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl ChannelError {
    /// Returns one word for the reason, for counters.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::TlsOnPlain => "tls_on_plain_port",
            Self::PlainOnTls => "plain_on_tls_port",
            Self::Text | Self::Unknown(_) => "other_protocol",
            Self::Silent => "silent",
            Self::Mute(_) => "no_first_byte",
            Self::GaveWay => "gave_way",
            Self::Crowded => "door_full",
            Self::ShuttingDown => "shutting_down",
            Self::Handshake(_) => "handshake",
            Self::Io(_) => "connection",
        }
    }
}

impl Facts {
    pub(crate) fn is_encrypted(&self) -> bool {
        self.encryption.is_some()
    }

    /// Returns the level of the listener, 0 for a plain one.
    pub(crate) fn level_number(&self) -> u8 {
        self.encryption.map_or(0, |encryption| encryption.level.number())
    }

    /// Returns the level of the channel: the highest level whose rules it fulfils. It is 0 for a
    /// channel in the clear and for a channel that fulfils the rules of no level.
    pub(crate) fn level_met(&self) -> u8 {
        let met = |e: Encryption| Level::of_channel(e.protocol, e.suite, e.group);
        self.encryption.and_then(met).map_or(0, Level::number)
    }

    /// Returns the cipher in the form of `openssl ciphers -v`; empty for a plain channel.
    pub(crate) fn cipher(&self) -> &'static str {
        self.encryption.and_then(|e| cipher::describe(e.suite)).unwrap_or_default()
    }

    /// Returns the protocol, for example `TLSv1.3`; empty for a plain channel.
    pub(crate) fn protocol(&self) -> String {
        self.encryption.map(|e| e.protocol.to_string()).unwrap_or_default()
    }

    /// Returns the name of the key exchange group; empty for a plain channel.
    pub(crate) fn key_exchange(&self) -> &'static str {
        self.encryption.and_then(|e| e.group).map(cipher::group_name).unwrap_or_default()
    }

    pub(crate) fn report(&self) -> ChannelReport {
        ChannelReport {
            encrypted: self.is_encrypted(),
            cipher: self.cipher().to_owned(),
            protocol: self.protocol(),
            key_exchange: self.key_exchange().to_owned(),
            level: self.level_number().into(),
            peer: self.peer.to_string(),
            peer_names: self.peer_names.iter().map(ToString::to_string).collect(),
            user: String::new(),
        }
    }
}

/// The bytes to peek at. A ClientHello with a post-quantum key share fits.
const PEEK_BYTES: usize = 2 << 10;

/// Opens the channel of a connection, or tells the peer why not. It waits for the peer without a
/// limit, so the caller has to limit the time.
pub(crate) async fn open(
    tcp: TcpStream,
    peer: SocketAddr,
    security: &Security,
) -> Result<Channel, ChannelError> {
    let mut peeked = [0; PEEK_BYTES];
    let peeked_bytes = tcp.peek(&mut peeked).await?;
    let peeked = peeked.get(..peeked_bytes).unwrap_or_default();
    let Some(&first) = peeked.first() else { return Err(ChannelError::Silent) };
    match (Opening::from_first_byte(first), security) {
        (Opening::Frame, Security::Plain) => {
            let facts = Facts {
                peer,
                encryption: None,
                peer_names: Vec::new(),
                peer_serial: String::new(),
                peer_fingerprint: String::new(),
            };
            Ok(Channel { stream: Box::new(tcp), facts })
        }
        (Opening::Tls, Security::Encrypted(acceptor)) => {
            let offered = client_hello::offered(peeked).unwrap_or_default();
            Box::pin(handshake(tcp, peer, acceptor, offered)).await
        }
        (Opening::Tls, Security::Plain) => {
            let text = "encryption is not enabled on the server";
            reject(tcp, &failure(Status::EncryptionNotEnabled, text)).await;
            Err(ChannelError::TlsOnPlain)
        }
        (Opening::Frame, Security::Encrypted(_)) => {
            let text = "this server requires encryption";
            reject(tcp, &failure(Status::EncryptionRequired, text)).await;
            Err(ChannelError::PlainOnTls)
        }
        (Opening::Text, _) => {
            reject(tcp, http_answer(security).as_bytes()).await;
            Err(ChannelError::Text)
        }
        (Opening::Other, _) => Err(ChannelError::Unknown(first)),
    }
}

async fn handshake(
    tcp: TcpStream,
    peer: SocketAddr,
    acceptor: &Acceptor,
    offered: Offered,
) -> Result<Channel, ChannelError> {
    let accepted = acceptor.accept(tcp, offered).await.map_err(ChannelError::Handshake)?;
    if accepted.client_certificate.is_none() && acceptor.options().requires_certificate() {
        let text = "this server requires a client certificate";
        let told = failure(Status::ClientCertificateRequired, text);
        reject(accepted.stream, &told).await;
        return Err(ChannelError::Handshake(tls::NO_CERTIFICATE.to_owned()));
    }
    let level = acceptor.options().level;
    let Negotiated { protocol, suite, group } = accepted.negotiated;
    let encryption = Some(Encryption { level, protocol, suite, group });
    let (peer_names, peer_serial, peer_fingerprint) = match accepted.client_certificate {
        None => (Vec::new(), String::new(), String::new()),
        Some(der) => {
            let parsed = Certificate::parse(&der);
            let unreadable = |error| format!("the client's certificate does not parse: {error}");
            let certificate = parsed.map_err(|error| ChannelError::Handshake(unreadable(error)))?;
            (certificate.names(), serial_text(&certificate.serial), sha256(&der))
        }
    };
    let facts = Facts { peer, encryption, peer_names, peer_serial, peer_fingerprint };
    Ok(Channel { stream: accepted.stream, facts })
}

/// Returns the SHA-256 in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn failure(status: Status, text: &str) -> Vec<u8> {
    let failure = Failure { status: status.into(), message: text.to_owned() };
    // these texts fit into a frame
    encode_message(Kind::Failure, &failure).unwrap_or_default()
}

fn http_answer(security: &Security) -> String {
    let how = match security {
        Security::Plain => "without encryption",
        Security::Encrypted(_) => "over TLS",
    };
    let body =
        format!("this port speaks the Sift protocol {how}, not HTTP; use the `sift` client\n");
    format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The time for a peer to read why it is rejected.
const REJECT_TIME_MAX: Duration = Duration::from_secs(2);

async fn reject(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8]) {
    let saying = async {
        stream.write_all(answer).await?;
        stream.shutdown().await
    };
    if let Ok(Ok(())) = timeout(REJECT_TIME_MAX, saying).await {
        stream::drain(&mut stream, &mut [0; 1024]).await;
    }
}
