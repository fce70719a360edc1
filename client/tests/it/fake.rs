//! A server that follows a script.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::ipc::writer::StreamEncoder;
use prost::Message;
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::PrivateKeyDer;
use sift_client::{ConnectOptions, Kind, Roots, Statistics};
use sift_proto::frame::{BODY_BYTES_MAX, HEADER_BYTES, Header, encode_message};
use sift_proto::message::{Failure, Finished, Hello, SelectRequest, Status, Welcome};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The maximal time of a test.
const TEST_TIME_MAX: Duration = Duration::from_secs(20);

/// Runs a test with a limit on its time.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let done = runtime.block_on(async { tokio::time::timeout(TEST_TIME_MAX, test).await });
    runtime.shutdown_background();
    done.expect("the test takes too long")
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The server's end of one connection.
pub(crate) struct Peer {
    pub(crate) stream: Box<dyn Stream>,
}

impl Peer {
    /// Returns the next frame; `None` if the client is gone.
    pub(crate) async fn frame(&mut self) -> Option<(Kind, Vec<u8>)> {
        let mut header = [0; HEADER_BYTES];
        self.stream.read_exact(&mut header).await.ok()?;
        let header = Header::decode(header, BODY_BYTES_MAX).unwrap();
        let mut body = vec![0; header.body_bytes as usize];
        self.stream.read_exact(&mut body).await.ok()?;
        Some((header.kind, body))
    }

    /// Returns the next frame, which must be of a kind.
    pub(crate) async fn expect<M: Message + Default>(&mut self, kind: Kind) -> M {
        let (got, body) = self.frame().await.expect("the client is gone");
        assert_eq!(got, kind);
        M::decode(body.as_slice()).unwrap()
    }

    pub(crate) async fn send(&mut self, kind: Kind, message: &impl Message) {
        self.bytes(&encode_message(kind, message).unwrap()).await;
    }

    pub(crate) async fn body(&mut self, kind: Kind, body: &[u8]) {
        let header = Header { kind, body_bytes: u32::try_from(body.len()).unwrap() };
        self.bytes(&[&header.encode(), body].concat()).await;
    }

    /// Sends bytes; a client that is gone is not a fault of the script.
    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        let _gone = self.stream.write_all(bytes).await;
        let _gone = self.stream.flush().await;
    }

    pub(crate) async fn greet(&mut self) -> Hello {
        let hello = self.expect(Kind::Hello).await;
        self.send(Kind::Welcome, &welcome()).await;
        hello
    }

    /// Greets the client, and returns its Select.
    pub(crate) async fn selected(&mut self) -> SelectRequest {
        self.greet().await;
        self.expect(Kind::Select).await
    }

    pub(crate) async fn fail(&mut self, status: Status, message: &str) {
        let failure = Failure { status: status.into(), message: message.to_owned() };
        self.send(Kind::Failure, &failure).await;
    }

    pub(crate) async fn finish(&mut self, records: u64) {
        let statistics = Statistics { records_selected: records, ..Statistics::default() };
        self.send(Kind::Finished, &Finished { statistics: Some(statistics) }).await;
    }

    /// Sends the schema and the batches of an answer.
    pub(crate) async fn batches(&mut self, batches: &[RecordBatch]) {
        let (schema, batches) = encode(batches);
        self.body(Kind::Schema, &schema).await;
        for batch in batches {
            self.body(Kind::Batch, &batch).await;
        }
    }

    /// Waits until the client is gone.
    pub(crate) async fn gone(&mut self) {
        while self.frame().await.is_some() {}
    }
}

pub(crate) fn welcome() -> Welcome {
    Welcome {
        version: 1,
        server: "fake/1".to_owned(),
        level: 3,
        features: Vec::new(),
        frame_bytes_max: BODY_BYTES_MAX,
        sql_bytes_max: 65536,
    }
}

/// A running script: every connection runs it once.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    failure: Arc<Mutex<Option<tokio::task::JoinError>>>,
}

impl Fake {
    pub(crate) async fn plain<F>(script: impl Fn(Peer) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::serve(script, |stream| async move { Some(Box::new(stream) as Box<dyn Stream>) }).await
    }

    pub(crate) async fn tls<F>(
        config: ServerConfig,
        script: impl Fn(Peer) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::serve(script, move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let stream = acceptor.accept(stream).await.ok()?;
                Some(Box::new(stream) as Box<dyn Stream>)
            }
        })
        .await
    }

    async fn serve<F, A>(
        script: impl Fn(Peer) -> F + Send + Sync + 'static,
        accept: impl Fn(TcpStream) -> A + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
        A: Future<Output = Option<Box<dyn Stream>>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let failure = Arc::new(Mutex::new(None));
        let failed = failure.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Some(stream) = accept(stream).await
                    && let Err(error) = tokio::spawn(script(Peer { stream })).await
                {
                    failed.lock().unwrap().get_or_insert(error);
                }
            }
        });
        Self { address, failure }
    }

    pub(crate) fn options(&self) -> ConnectOptions {
        ConnectOptions::new(self.address.to_string())
            .encrypt(false)
            .handshake_timeout(Duration::from_secs(5))
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        if let Some(error) = self.failure.lock().unwrap().take()
            && !std::thread::panicking()
        {
            panic!("the script failed: {error}");
        }
    }
}

/// An authority, and a server certificate by it.
pub(crate) struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // with the same name as what it signs it would be that one's own certificate to OpenSSL
        params.distinguished_name.push(rcgen::DnType::CommonName, "an authority");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let folder = tempfile::tempdir().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        std::fs::write(folder.path().join("ca.pem"), pem).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub(crate) fn roots(&self) -> Roots {
        Roots::File(self.file())
    }

    /// Makes a server with a certificate for `localhost` and 127.0.0.1, changed by `change`.
    pub(crate) fn server(
        &self,
        provider: CryptoProvider,
        versions: &[&'static rustls::SupportedProtocolVersion],
        change: impl FnOnce(&mut CertificateParams),
    ) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        showing(provider, versions, &certificate, &key)
    }

    /// Makes a server that offers everything.
    pub(crate) fn ordinary(&self) -> ServerConfig {
        self.server(aws_lc_rs::default_provider(), rustls::ALL_VERSIONS, |_| {})
    }
}

fn showing(
    provider: CryptoProvider,
    versions: &[&'static rustls::SupportedProtocolVersion],
    certificate: &rcgen::Certificate,
    key: &KeyPair,
) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"sift/1".to_vec()];
    config
}

/// Makes a server for `localhost` and 127.0.0.1 with a self-signed certificate. Returns it with the
/// file of the certificate.
pub(crate) fn self_signed(folder: &std::path::Path, is_ca: rcgen::IsCa) -> (ServerConfig, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut params = CertificateParams::new(names).unwrap();
    params.is_ca = is_ca;
    let certificate = params.self_signed(&key).unwrap();
    let path = folder.join("self.pem");
    std::fs::write(&path, certificate.pem()).unwrap();
    let provider = aws_lc_rs::default_provider();
    (showing(provider, rustls::ALL_VERSIONS, &certificate, &key), path)
}

/// Encodes the schema and the batches. Returns one frame body for each.
pub(crate) fn encode(batches: &[RecordBatch]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let schema = batches.first().unwrap().schema();
    let mut encoder = StreamEncoder::try_new(&schema).unwrap();
    let mut bodies = Vec::new();
    for batch in batches {
        let bytes: Vec<u8> =
            encoder.encode(batch).unwrap().iter().flat_map(|b| b.as_slice().to_vec()).collect();
        bodies.push(bytes);
    }
    // the first answer of the encoder holds the schema's message too
    let first = bodies.remove(0);
    let metadata_bytes = u32::from_le_bytes(first[4..8].try_into().unwrap()) as usize;
    let (schema, batch) = first.split_at(8 + metadata_bytes);
    bodies.insert(0, batch.to_vec());
    (schema.to_vec(), bodies)
}

/// Orders `first` to `first + 3` with a NULL in every column that may have one.
pub(crate) fn orders(first: i64) -> RecordBatch {
    let prices = Decimal128Array::from(vec![Some(1250), None, Some(-5), Some(100)])
        .with_precision_and_scale(12, 2)
        .unwrap();
    let columns: [(&str, ArrayRef); 4] = [
        ("id", Arc::new(Int64Array::from_iter_values(first..first + 4))),
        (
            "customer",
            Arc::new(StringArray::from(vec![Some("Ann, \"A\""), Some(""), None, Some("Zoë")])),
        ),
        ("price", Arc::new(prices)),
        ("day", Arc::new(Date32Array::from(vec![Some(0), Some(-1), Some(19782), None]))),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.map(|(name, array)| (name, array, name != "id")),
    )
    .unwrap()
}
