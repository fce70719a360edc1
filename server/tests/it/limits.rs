//! Limits of numbers and times, and the shutdown.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use sift_proto::frame::Kind;
use sift_proto::level::Level;
use sift_proto::message::{ChannelReport, ChannelRequest, FetchRequest, FetchStart, Status};
use sift_server::Limits;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::fixture::Fixture;
use crate::peer::{self, Peer, hello, sql, tcp};

fn count(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

async fn is_served<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<S>) {
    peer.send(Kind::Channel, &ChannelRequest {}).await;
    let _: ChannelReport = peer.message(Kind::ChannelReport).await;
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let limits = Limits { connections_max: count(2), ..Limits::default() };
    let served = Fixture::new().serve_with(Level::Three, limits).await;
    let first = peer::plain(&served).await;
    let mut second = peer::tls(&served).await;
    for _ in 0..3 {
        let mut third = tcp(served.plain).await;
        let (status, text) = third.refused(Kind::Hello, &hello(0)).await;
        assert_eq!(status, Status::ServerBusy);
        assert!(text.contains("2 connections are open, its limit"), "{text}");
        third.closed().await;
    }
    is_served(&mut second).await;
    // the permit is free again when the server has seen the end of the connection
    drop(first);
    loop {
        let mut peer = tcp(served.plain).await;
        peer.send(Kind::Hello, &hello(0)).await;
        let frame = peer.next().await.unwrap();
        if frame.kind == Kind::Welcome {
            break;
        }
    }
}

#[tokio::test]
async fn a_connection_waits_for_a_handshake_permit() {
    let limits = Limits {
        handshakes_max: count(1),
        handshake_time: Duration::from_millis(300),
        ..Limits::default()
    };
    let served = Fixture::new().serve_with(Level::Three, limits).await;
    let mut slow = [tcp(served.plain).await, tcp(served.tls).await];
    for peer in &mut slow {
        // the begin of a Hello, and of a ClientHello
        peer.send_bytes(if peer.stream.peer_addr().unwrap() == served.tls { &[22] } else { &[1] })
            .await;
    }
    // served when the slow ones are out of time
    is_served(&mut peer::plain(&served).await).await;
    is_served(&mut peer::tls(&served).await).await;
    drop(slow);
}

#[tokio::test]
async fn an_idle_listener_takes_no_handshake_permit() {
    let limits = Limits { handshakes_max: count(1), ..Limits::default() };
    let served = Fixture::new().serve_with(Level::Three, limits).await;
    // whichever listener is the first to wait for a client
    for _ in 0..3 {
        is_served(&mut peer::plain(&served).await).await;
        is_served(&mut peer::tls(&served).await).await;
    }
}

#[tokio::test]
async fn a_client_that_has_not_said_hello_does_not_delay_the_end() {
    let limits = Limits { grace_time: Duration::from_secs(3600), ..Limits::default() };
    let mut served = Fixture::new().serve_with(Level::Three, limits).await;
    let mut silent = tcp(served.plain).await;
    // the server has read the first byte, so the handshake of the channel is over
    silent.send_bytes(&[1]).await;
    is_served(&mut peer::tls(&served).await).await;
    served.stop();
    assert_eq!(silent.failure().await.0, Status::ShuttingDown);
    served.stopped().await;
}

#[tokio::test]
async fn an_idle_connection_is_told_and_closed() {
    let limits = Limits { idle_time: Duration::from_millis(300), ..Limits::default() };
    let served = Fixture::new().serve_with(Level::Three, limits).await;
    let mut peer = peer::tls(&served).await;
    is_served(&mut peer).await;
    assert_eq!(peer.failure().await.0, Status::IdleTimeout);
    peer.closed().await;
}

#[tokio::test]
async fn a_request_beyond_the_quota_of_its_user_waits_and_is_told() {
    let limits = Limits {
        queries_per_user_max: count(1),
        queue_time: Duration::from_millis(300),
        ..Limits::default()
    };
    let fixture = Fixture::with_files();
    fixture.zeros("zeros.dat", 100 << 20);
    let served = fixture.serve_with(Level::Three, limits).await;
    let mut busy = peer::tls(&served).await;
    busy.send(Kind::Fetch, &FetchRequest { file: "zeros.dat".into(), ..Default::default() }).await;
    let _: FetchStart = busy.message(Kind::FetchStart).await;
    let mut waiting = peer::tls(&served).await;
    // needs no place
    is_served(&mut waiting).await;
    let select = || sql("SELECT city FROM 'cities.csv'");
    let (status, text) = waiting.select_refused(&select()).await;
    assert_eq!(status, Status::ServerBusy);
    assert!(text.starts_with("1 requests of your user are being answered, the limit"), "{text}");
    // the connection goes on, and a request that waits is answered when the other one has ended
    drop(busy);
    waiting.select(&select()).await;
}

#[tokio::test]
async fn a_long_text_is_refused_and_the_bound_is_told_before() {
    let limits = Limits { sql_bytes_max: NonZeroU32::new(100).unwrap(), ..Limits::default() };
    let served = Fixture::with_files().serve_with(Level::Three, limits).await;
    let mut peer = tcp(served.plain).await;
    assert_eq!(peer.welcome(hello(0)).await.sql_bytes_max, 100);
    let text = format!("SELECT city FROM 'cities.csv' {}", " ".repeat(100));
    let (status, text) = peer.select_refused(&sql(text)).await;
    assert_eq!(status, Status::LimitExceeded);
    assert_eq!(text, "SQL text of 130 bytes, at most 100 are accepted");
    is_served(&mut peer).await;
}

#[tokio::test]
async fn going_down_finishes_the_answer_and_takes_no_new_request() {
    let fixture = Fixture::new();
    fixture.zeros("zeros.dat", 100 << 20);
    let mut served = fixture.serve().await;
    let mut idle = peer::plain(&served).await;
    let mut busy = peer::tls(&served).await;
    busy.send(Kind::Fetch, &FetchRequest { file: "zeros.dat".into(), ..Default::default() }).await;
    let start: FetchStart = busy.message(Kind::FetchStart).await;

    served.stop();
    assert_eq!(idle.failure().await.0, Status::ShuttingDown);
    idle.closed().await;
    let mut received = 0;
    loop {
        let frame = busy.next().await.unwrap();
        match frame.kind {
            Kind::Chunk => received += frame.body.len() as u64,
            Kind::Finished => break,
            other => panic!("{other}"),
        }
    }
    assert_eq!(received, start.length);
    assert_eq!(busy.failure().await.0, Status::ShuttingDown);
    busy.closed().await;
    let plain = served.plain;
    served.stopped().await;
    assert!(TcpStream::connect(plain).await.is_err());
}

#[tokio::test]
async fn an_answer_that_outlasts_the_grace_is_cut_off() {
    let fixture = Fixture::new();
    fixture.zeros("zeros.dat", 1 << 30);
    let limits = Limits { grace_time: Duration::from_millis(200), ..Limits::default() };
    let mut served = fixture.serve_with(Level::Three, limits).await;
    let mut slow = peer::plain(&served).await;
    slow.send(Kind::Fetch, &FetchRequest { file: "zeros.dat".into(), ..Default::default() }).await;
    let _: FetchStart = slow.message(Kind::FetchStart).await;
    served.stop();
    served.stopped().await;
    while let Some(frame) = slow.next().await {
        assert_eq!(frame.kind, Kind::Chunk);
    }
}
