//! Levels, proofs, and peers that speak the wrong protocol for the port.

use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::version::{TLS12, TLS13};
use sift_proto::frame::Kind;
use sift_proto::level::Level;
use sift_proto::message::{ChannelReport, ChannelRequest, Hello, Status};
use sift_server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fixture::Fixture;
use crate::peer::{self, client_with, hello, tcp, tls_channel};

#[tokio::test]
async fn a_plain_channel_says_so() {
    let served = Fixture::new().serve().await;
    let mut peer = tcp(served.plain).await;
    let welcome = peer.welcome(hello(0)).await;
    assert_eq!((welcome.version, welcome.level), (1, 0));
    peer.send(Kind::Channel, &ChannelRequest {}).await;
    let report: ChannelReport = peer.message(Kind::ChannelReport).await;
    let address = peer.stream.local_addr().unwrap().to_string();
    assert_eq!(report, ChannelReport { peer: address, ..ChannelReport::default() });
}

#[tokio::test]
async fn an_encrypted_channel_proves_it() {
    let served = Fixture::new().serve().await;
    let mut peer = tls_channel(&served, peer::client(&served.fixture)).await.unwrap();
    let welcome = peer.welcome(hello(3)).await;
    assert_eq!(welcome.level, 3);
    peer.send(Kind::Channel, &ChannelRequest {}).await;
    let report: ChannelReport = peer.message(Kind::ChannelReport).await;
    assert!(report.encrypted);
    assert_eq!((report.level, &report.protocol[..]), (3, "TLSv1.3"));
    assert_eq!(report.key_exchange, "X25519MLKEM768");
    let session = peer.stream.get_ref().1;
    let suite = session.negotiated_cipher_suite().unwrap().suite().into();
    assert_eq!(report.cipher, sift_proto::cipher::describe(suite).unwrap());
    assert_eq!(session.alpn_protocol(), Some(sift_proto::ALPN));
}

#[tokio::test]
async fn level_three_has_tls_12_and_resumes_it() {
    let served = Fixture::new().serve().await;
    let config = client_with(&served.fixture, default_provider(), &[&TLS12]);
    for resumed in [false, true] {
        let mut peer = tls_channel(&served, config.clone()).await.unwrap();
        peer.welcome(hello(3)).await;
        peer.send(Kind::Channel, &ChannelRequest {}).await;
        let report: ChannelReport = peer.message(Kind::ChannelReport).await;
        assert_eq!(report.protocol, "TLSv1.2");
        let kind = peer.stream.get_ref().1.handshake_kind().unwrap();
        assert_eq!(kind == rustls::HandshakeKind::Resumed, resumed);
        peer.stream.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn level_four_refuses_tls_12() {
    let served = Fixture::new().serve_with(Level::Four, Limits::default()).await;
    let old = client_with(&served.fixture, default_provider(), &[&TLS12]);
    assert!(tls_channel(&served, old).await.is_err());
    let new = client_with(&served.fixture, default_provider(), &[&TLS13]);
    tls_channel(&served, new).await.unwrap().welcome(hello(4)).await;
}

#[tokio::test]
async fn level_five_refuses_what_is_not_hybrid_or_too_short() {
    let served = Fixture::new().serve_with(Level::Five, Limits::default()).await;
    let mut classical = default_provider();
    classical.kx_groups = vec![kx_group::X25519];
    let config = client_with(&served.fixture, classical, &[&TLS13]);
    assert!(tls_channel(&served, config).await.is_err());

    let mut short = default_provider();
    short.cipher_suites = vec![cipher_suite::TLS13_AES_128_GCM_SHA256];
    let config = client_with(&served.fixture, short, &[&TLS13]);
    assert!(tls_channel(&served, config).await.is_err());

    let mut peer = tls_channel(&served, peer::client(&served.fixture)).await.unwrap();
    assert_eq!(peer.welcome(hello(5)).await.level, 5);
}

#[tokio::test]
async fn a_client_that_asks_for_more_than_the_channel_has_is_refused() {
    let served = Fixture::new().serve().await;
    let config = client_with(&served.fixture, default_provider(), &[&TLS12]);
    let mut peer = tls_channel(&served, config).await.unwrap();
    let (status, text) = peer.refused(Kind::Hello, &hello(4)).await;
    assert_eq!(status, Status::LevelNotMet);
    assert!(text.starts_with("level 4 is asked for"), "{text}");
    peer.closed().await;

    let mut peer = tls_channel(&served, peer::client(&served.fixture)).await.unwrap();
    let (status, text) = peer.refused(Kind::Hello, &hello(1)).await;
    assert_eq!((status, &text[..]), (Status::LevelNotMet, "level 1 is retired"));

    let mut peer = tcp(served.plain).await;
    let (status, text) = peer.refused(Kind::Hello, &hello(3)).await;
    assert_eq!(status, Status::LevelNotMet);
    assert!(text.ends_with("it is not encrypted"), "{text}");
}

#[tokio::test]
async fn another_version_is_refused() {
    let served = Fixture::new().serve().await;
    let mut peer = tcp(served.plain).await;
    let hello = Hello { version: 2, ..hello(0) };
    let (status, text) = peer.refused(Kind::Hello, &hello).await;
    assert_eq!(status, Status::VersionUnsupported);
    assert_eq!(text, "protocol version 2, this server speaks 1");
    peer.closed().await;
}

#[tokio::test]
async fn tls_at_a_plain_port_learns_that_it_is_plain() {
    let served = Fixture::new().serve().await;
    let mut peer = tcp(served.plain).await;
    peer.send_bytes(&CLIENT_HELLO_START).await;
    let expected = "encryption is not enabled on the server".to_owned();
    assert_eq!(peer.failure().await, (Status::EncryptionNotEnabled, expected));
    peer.closed().await;
}

#[tokio::test]
async fn plain_at_an_encrypted_port_learns_that_it_must_encrypt() {
    let served = Fixture::new().serve().await;
    let mut peer = tcp(served.tls).await;
    // more than is looked at: what stays unread must not become a reset that eats the answer
    let big = Hello { client: "x".repeat(3000), ..hello(0) };
    peer.send(Kind::Hello, &big).await;
    let expected = "this server requires encryption".to_owned();
    assert_eq!(peer.failure().await, (Status::EncryptionRequired, expected));
    peer.closed().await;
}

#[tokio::test]
async fn http_is_answered_in_its_own_words_on_both() {
    let served = Fixture::new().serve().await;
    for (address, how) in [(served.plain, "without encryption"), (served.tls, "over TLS")] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(answer.contains(how), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())));
    }
}

#[tokio::test]
async fn anything_else_is_closed() {
    let served = Fixture::new().serve().await;
    for address in [served.plain, served.tls] {
        for first in [0, 64, 127, 128, 255] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&[first; 100]).await.unwrap();
            let mut answer = Vec::new();
            // closed, or reset since what it sent was not read
            let _ = stream.read_to_end(&mut answer).await;
            assert_eq!(answer, b"");
        }
    }
}

/// The head of a TLS record with a ClientHello of 500 bytes that never come.
const CLIENT_HELLO_START: [u8; 11] = [22, 3, 1, 1, 0xf4, 1, 0, 1, 0xf0, 3, 3];
