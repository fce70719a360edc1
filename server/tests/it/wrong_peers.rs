//! Peers of the wrong kind: what the client learns, and what the server's log says about it.

use std::net::SocketAddr;
use std::path::PathBuf;

use rcgen::{ExtendedKeyUsagePurpose, SanType};
use sift_client::{ConnectOptions, Connection, Roots};
use sift_proto::level::Level;
use sift_server::LEVELS;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::command::Running;
use crate::fixture::Fixture;

/// A `siftd` with a port of each kind, and what clients of it need.
struct Ports {
    fixture: Fixture,
    siftd: Running,
    four: SocketAddr,
    expired: SocketAddr,
    /// At the level that a test names.
    for_certificates: SocketAddr,
    plain: SocketAddr,
}

impl Ports {
    fn open(level: Level) -> Self {
        let fixture = Fixture::new();
        fixture.issue("expired", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        });
        let listeners = format!(
            "[[listener]]\nport = 0\ncert = '../../siftd.pem'\nscl = 4\n\
             [[listener]]\nport = 0\ncert = '../../expired.pem'\n\
             [[listener]]\nport = 0\ncert = '../../siftd.pem'\nscl = {level}\n\
             client_ca = '../../authority.pem'\n\
             [[listener]]\nport = 0\nencrypt = false\n"
        );
        let mut siftd = Running::configured(&fixture, &listeners);
        let mut encrypted = || siftd.address("listening, encrypted");
        let (four, expired, for_certificates) = (encrypted(), encrypted(), encrypted());
        let plain = siftd.address("listening, plain");
        Self { fixture, siftd, four, expired, for_certificates, plain }
    }

    fn options(&self, address: SocketAddr) -> ConnectOptions {
        ConnectOptions::new(address.to_string())
            .roots(Roots::File(self.fixture.outside("authority.pem")))
    }

    /// Connects and expects a failure: the client's message begins with `text`, and the log has
    /// `reason` and the peer.
    async fn refused(&mut self, options: ConnectOptions, text: &str, reason: &str) {
        let error = Connection::connect(&options).await.expect_err("is refused").to_string();
        let (_, told) = error.split_once(": ").expect("a host before it");
        assert!(told.starts_with(text), "{told}");
        self.logged(reason);
    }

    fn logged(&mut self, reason: &str) {
        let line = self.siftd.line("connection refused");
        assert!(line.contains(reason), "{reason} is not in {line}");
        assert!(line.contains("\"peer\":\"127.0.0.1:"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encryption_is_expected_of_one_end_only() {
    let mut ports = Ports::open(Level::Three);
    let (plain, four) = (ports.options(ports.plain), ports.options(ports.four).encrypt(false));
    let (on, off) = ("this server requires encryption", "encryption is not enabled on the server");
    ports.refused(plain, off, "TLS on a plain port").await;
    ports.refused(four, on, "a client in the clear on an encrypted port").await;
    for address in [ports.plain, ports.four] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("not HTTP; use the `sift` client"), "{answer}");
        ports.logged("HTTP or text on a port of another protocol");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_certificate_is_not_believed() {
    let mut ports = Ports::open(Level::Three);
    let stranger = Fixture::new();
    let levels = LEVELS.iter().filter(|level| **level < Level::Four);
    for level in levels {
        let at = |address| ports.options(address).level(*level);
        let unknown =
            at(ports.for_certificates).roots(Roots::File(stranger.outside("authority.pem")));
        let expired = at(ports.expired);
        ports
            .refused(
                expired,
                "the server's certificate expired on 2020-01-01 00:00:00 UTC, and this machine's clock \
                 says ",
                "the client finds this server's certificate out of its time",
            )
            .await;
        ports
            .refused(
                unknown,
                "the server's certificate is signed by an unknown authority, CN=an authority; ",
                "the client does not know the authority of this server's certificate",
            )
            .await;
    }
    let named = ports.options(ports.four).server_name("files.example.com");
    ports
        .refused(
            named,
            "the server's certificate is for localhost, 127.0.0.1, not for `files.example.com`; \
             connect by one of its names, or say that `localhost` is expected (--server-name \
             localhost)",
            "the client refuses this server's certificate, BadCertificate",
        )
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_certificate_is_not_there_or_not_believed() {
    for level in LEVELS {
        let mut ports = Ports::open(*level);
        let stranger = Fixture::new();
        let no_change = |_: &mut rcgen::CertificateParams| ();
        let anna = ports.fixture.issue("anna", no_change);
        let of_stranger = stranger.issue("otto", no_change);
        let late = ports.fixture.issue("late", |params| {
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        });
        let show = |ports: &Ports, file: Option<PathBuf>| {
            let options = ports.options(ports.for_certificates);
            match file {
                Some(file) => options.client_certificate(file),
                None => options,
            }
        };
        let missing = "the server requires a client certificate; give one (--client-cert FILE)";
        let options = show(&ports, None);
        ports.refused(options, missing, "the client shows no certificate").await;
        let options = show(&ports, Some(of_stranger));
        let text = "the server refuses this end's client certificate: it does not know the \
                    authority that signed it";
        ports.refused(options, text, "the client's certificate is refused: ").await;
        let options = show(&ports, Some(late));
        let text = "the server refuses this end's client certificate: it is out of its time";
        ports.refused(options, text, "expired").await;

        let mut connection = Connection::connect(&show(&ports, Some(anna))).await.unwrap();
        assert_eq!(connection.report().await.unwrap().peer_names, ["cn:anna"]);
        let line = ports.siftd.line("connection");
        assert!(line.contains("anna"), "{line}");
    }
}

/// A web server's client that speaks TLS has something else in mind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_is_told_by_an_alert() {
    let mut ports = Ports::open(Level::Three);
    let mut config = crate::peer::client(&ports.fixture);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let tcp = TcpStream::connect(ports.four).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let error = connector.connect("localhost".try_into().unwrap(), tcp).await.unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    ports.logged("the client offers other protocols than sift/1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_level_two_the_words_are_the_same() {
    if !LEVELS.contains(&Level::Two) {
        return;
    }
    let mut ports = Ports::open(Level::Two);
    let named = ports.options(ports.for_certificates).level(Level::Two);
    ports
        .refused(
            named.server_name("files.example.com"),
            "the server's certificate is for localhost, 127.0.0.1, not for `files.example.com`; \
             connect by one of its names, or say that `localhost` is expected (--server-name \
             localhost)",
            "the client refuses this server's certificate, BadCertificate",
        )
        .await;
    let (below, above) = (
        ports.options(ports.four).level(Level::Two),
        ports.options(ports.for_certificates).level(Level::Five),
    );
    ports
        .refused(
            below,
            "no protocol, cipher or key exchange in common: this end asks for level 2 (TLSv1.2 or \
             TLSv1.1) and the server's level does not meet it (tlsv1 alert protocol version); the \
             server needs a newer one; ask for the default level or a higher one (--scl)",
            "no protocol in common: the client offers TLSv1.2, level 4 has TLSv1.3",
        )
        .await;
    ports
        .refused(
            above,
            "no protocol, cipher or key exchange in common: this end asks for level 5 (TLSv1.3) and \
             the server's level does not meet it (received fatal alert: ProtocolVersion); ask for a \
             lower level (--scl), or have the server serve this one",
            "no protocol in common: the client offers TLSv1.3, level 2 has TLSv1.2, TLSv1.1",
        )
        .await;
}
