//! A client that speaks single frames, so that it can speak them wrong.

use std::net::SocketAddr;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat_batches;
use arrow::ipc::reader::StreamReader;
use arrow::record_batch::RecordBatch;
use prost::Message;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use sift_proto::frame::{BODY_BYTES_MAX, Decoder, Frame, Kind, encode_message};
use sift_proto::message::{Failure, Finished, Hello, SelectRequest, Statistics, Status, Welcome};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::fixture::{Fixture, PATIENCE, Served};

/// One end of a connection.
pub(crate) struct Peer<S> {
    pub(crate) stream: S,
    decoder: Decoder,
    pending: Vec<u8>,
    /// All that the server has sent, decrypted where it was encrypted.
    pub(crate) received: Vec<u8>,
}

/// The answer to a Select.
#[derive(Debug)]
pub(crate) struct Selected {
    pub(crate) batch: RecordBatch,
    pub(crate) statistics: Statistics,
}

pub(crate) fn hello(level: u32) -> Hello {
    Hello { version: 1, client: "a test".to_owned(), level, ..Hello::default() }
}

/// Returns the Hello of `user`, whose password is `NAME and NAME`.
pub(crate) fn login(user: &str) -> Hello {
    Hello { user: user.to_owned(), password: format!("{user} and {user}"), ..hello(3) }
}

pub(crate) fn sql(text: impl Into<String>) -> SelectRequest {
    SelectRequest { sql: text.into(), ..SelectRequest::default() }
}

pub(crate) async fn tcp(address: SocketAddr) -> Peer<TcpStream> {
    Peer::new(TcpStream::connect(address).await.unwrap())
}

/// Connects from another address of this machine.
pub(crate) async fn tcp_from(from: [u8; 4], to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into())?;
    socket.connect(to).await
}

/// A plain channel, Hello exchanged.
pub(crate) async fn plain(served: &Served) -> Peer<TcpStream> {
    let mut peer = tcp(served.plain).await;
    peer.welcome(hello(0)).await;
    peer
}

/// An encrypted channel, Hello exchanged.
pub(crate) async fn tls(served: &Served) -> Peer<TlsStream<TcpStream>> {
    let mut peer = tls_channel(served, client(&served.fixture)).await.unwrap();
    peer.welcome(hello(3)).await;
    peer
}

/// An encrypted channel, logged in.
pub(crate) async fn user(served: &Served, name: &str) -> Peer<TlsStream<TcpStream>> {
    let mut peer = tls_channel(served, client(&served.fixture)).await.unwrap();
    peer.welcome(login(name)).await;
    peer
}

pub(crate) async fn tls_channel(
    served: &Served,
    config: ClientConfig,
) -> std::io::Result<Peer<TlsStream<TcpStream>>> {
    tls_to(served.tls, config).await
}

/// An encrypted channel from another address of this machine.
pub(crate) async fn tls_from(served: &Served, from: [u8; 4]) -> Peer<TlsStream<TcpStream>> {
    let tcp = tcp_from(from, served.tls).await.unwrap();
    tls_over(tcp, client(&served.fixture)).await.unwrap()
}

pub(crate) async fn tls_to(
    address: SocketAddr,
    config: ClientConfig,
) -> std::io::Result<Peer<TlsStream<TcpStream>>> {
    tls_over(TcpStream::connect(address).await.unwrap(), config).await
}

async fn tls_over(
    tcp: TcpStream,
    config: ClientConfig,
) -> std::io::Result<Peer<TlsStream<TcpStream>>> {
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
    Ok(Peer::new(stream))
}

pub(crate) fn client(fixture: &Fixture) -> ClientConfig {
    client_with(fixture, aws_lc_rs::default_provider(), rustls::ALL_VERSIONS)
}

pub(crate) fn client_with(
    fixture: &Fixture,
    provider: CryptoProvider,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(fixture.authority.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![sift_proto::ALPN.to_vec()];
    config
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            decoder: Decoder::new(BODY_BYTES_MAX),
            pending: Vec::new(),
            received: Vec::new(),
        }
    }

    pub(crate) async fn welcome(&mut self, hello: Hello) -> Welcome {
        self.send(Kind::Hello, &hello).await;
        self.message(Kind::Welcome).await
    }

    pub(crate) async fn send(&mut self, kind: Kind, message: &impl Message) {
        self.send_bytes(&encode_message(kind, message).unwrap()).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next frame; `None` at the end of the connection, however it ended.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            let mut input = &self.pending[..];
            let frame = self.decoder.decode(&mut input).unwrap();
            let taken = self.pending.len() - input.len();
            self.pending.drain(..taken);
            if frame.is_some() {
                return frame;
            }
            let mut buffer = vec![0; 64 << 10];
            let reading = timeout(PATIENCE, self.stream.read(&mut buffer)).await;
            match reading.expect("an answer in time") {
                Ok(0) | Err(_) => return None,
                Ok(read) => {
                    self.pending.extend_from_slice(&buffer[..read]);
                    self.received.extend_from_slice(&buffer[..read]);
                }
            }
        }
    }

    /// The next frame, which is a message of `kind`.
    pub(crate) async fn message<M: Message + Default>(&mut self, kind: Kind) -> M {
        let frame = self.next().await.expect("a frame");
        if frame.kind == Kind::Failure && kind != Kind::Failure {
            panic!("{:?}", Failure::decode(&frame.body[..]).unwrap());
        }
        assert_eq!(frame.kind, kind);
        M::decode(&frame.body[..]).unwrap()
    }

    /// The failure that is due now.
    pub(crate) async fn failure(&mut self) -> (Status, String) {
        let failure: Failure = self.message(Kind::Failure).await;
        (failure.status(), failure.message)
    }

    /// Asks and expects to be refused.
    pub(crate) async fn refused(&mut self, kind: Kind, request: &impl Message) -> (Status, String) {
        self.send(kind, request).await;
        self.failure().await
    }

    /// The status of the failure that a Select ends with, after some batches perhaps.
    pub(crate) async fn select_refused(&mut self, request: &SelectRequest) -> (Status, String) {
        self.send(Kind::Select, request).await;
        self.failure_after_data().await
    }

    /// The failure that ends the answer under way.
    pub(crate) async fn failure_after_data(&mut self) -> (Status, String) {
        loop {
            let frame = self.next().await.expect("a frame");
            match frame.kind {
                Kind::Schema | Kind::Batch | Kind::FetchStart | Kind::Chunk => (),
                Kind::Failure => {
                    let failure = Failure::decode(&frame.body[..]).unwrap();
                    return (failure.status(), failure.message);
                }
                other => panic!("{other} instead of a failure"),
            }
        }
    }

    /// Asks and reads the whole answer.
    pub(crate) async fn select(&mut self, request: &SelectRequest) -> Selected {
        self.send(Kind::Select, request).await;
        self.selected().await
    }

    pub(crate) async fn selected(&mut self) -> Selected {
        self.outcome().await.unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    /// Reads the whole answer, or the failure that ends it.
    pub(crate) async fn outcome(&mut self) -> Result<Selected, (Status, String)> {
        let mut stream = Vec::new();
        loop {
            let frame = self.next().await.expect("a frame");
            match frame.kind {
                Kind::Schema | Kind::Batch => stream.extend(frame.body),
                Kind::Finished => {
                    let finished = Finished::decode(&frame.body[..]).unwrap();
                    let reader = StreamReader::try_new(&stream[..], None).unwrap();
                    let schema = reader.schema();
                    let batches: Vec<_> = reader.map(Result::unwrap).collect();
                    let batch = concat_batches(&schema, &batches).unwrap();
                    return Ok(Selected { batch, statistics: finished.statistics.unwrap() });
                }
                Kind::Failure => {
                    let failure = Failure::decode(&frame.body[..]).unwrap();
                    return Err((failure.status(), failure.message));
                }
                other => panic!("{other} in an answer"),
            }
        }
    }

    /// Asserts that the server closes without another word.
    pub(crate) async fn closed(&mut self) {
        assert_eq!(self.next().await, None);
    }
}

impl Selected {
    pub(crate) fn column<A: Array + Clone + 'static>(&self, column: usize) -> A {
        let array: &ArrayRef = self.batch.column(column);
        array.as_any().downcast_ref::<A>().unwrap().clone()
    }
}
