//! Peers that break the protocol, stall or vanish.

use std::num::NonZeroUsize;
use std::time::Duration;

use sift_proto::frame::{BODY_BYTES_MAX, Header, Kind, encode_message};
use sift_proto::level::Level;
use sift_proto::message::{Cancel, ChannelRequest, FetchRequest, FetchStart, Hello, Status};
use sift_server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::fixture::{Fixture, PATIENCE, Served, resident_bytes};
use crate::peer::{self, hello, sql, tcp, tls_channel};

const GIB: u64 = 1 << 30;

/// A gigabyte of records and short time-outs.
async fn large(limits: Limits) -> Served {
    let fixture = Fixture::with_files();
    fixture.zeros("zeros.dat", GIB);
    fixture.zeros("tenth.dat", GIB / 10 / 8 * 8);
    fixture.serve_with(Level::Three, limits).await
}

#[tokio::test]
async fn bytes_that_are_no_frame_are_told_so() {
    let served = Fixture::new().serve().await;
    let cases: [(&[u8], &str); 5] = [
        (
            &[3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
            "Failure frame of 4294967295 bytes, at most 1048576",
        ),
        (&[63, 0, 0, 0, 0, 0, 0, 0], "unknown frame kind 63"),
        (&[6, 1, 0, 0, 0, 0, 0, 0], "frame flags 0x01"),
        (&[6, 0, 9, 0, 0, 0, 0, 0], "reserved bytes"),
        (&[6, 0, 0, 0, 2, 0, 0, 0, 0xff, 0xff], "Select frame that does not decode"),
    ];
    for (bytes, expected) in cases {
        let mut peer = peer::tls(&served).await;
        peer.send_bytes(bytes).await;
        let (status, text) = peer.failure().await;
        assert_eq!(status, Status::ProtocolViolation);
        assert!(text.starts_with(expected), "{text}");
        peer.closed().await;
    }
}

#[tokio::test]
async fn before_hello_little_is_accepted() {
    let served = Fixture::new().serve().await;
    let mut peer = tcp(served.plain).await;
    let long = Hello { client: "x".repeat(5000), ..hello(0) };
    let (status, text) = peer.refused(Kind::Hello, &long).await;
    assert_eq!(status, Status::ProtocolViolation);
    assert!(text.ends_with("at most 4096 are accepted"), "{text}");
    peer.closed().await;

    let mut peer = tcp(served.plain).await;
    let (status, text) = peer.refused(Kind::Channel, &ChannelRequest {}).await;
    assert_eq!(
        (status, &text[..]),
        (Status::ProtocolViolation, "Channel frame where Hello was due")
    );
}

#[tokio::test]
async fn a_frame_of_the_server_is_no_request() {
    let served = Fixture::new().serve().await;
    let mut peer = peer::plain(&served).await;
    let (status, text) = peer.refused(Kind::Welcome, &hello(0)).await;
    let expected = "Welcome frame where a request was due";
    assert_eq!((status, &text[..]), (Status::ProtocolViolation, expected));
    peer.closed().await;
}

#[tokio::test]
async fn half_a_frame_and_then_nothing_ends_in_time() {
    let limits = Limits {
        handshake_time: Duration::from_millis(300),
        idle_time: Duration::from_millis(300),
        ..Limits::default()
    };
    let served = Fixture::new().serve_with(Level::Three, limits).await;
    // in Hello: closed, within the handshake
    let mut peer = tcp(served.plain).await;
    peer.send_bytes(&[1, 0, 0, 0, 10]).await;
    peer.closed().await;
    // in a request: the client is told, as if it were idle
    let mut peer = peer::tls(&served).await;
    peer.send_bytes(&[6, 0, 0, 0, 200, 0, 0, 0, 1, 2, 3]).await;
    assert_eq!(peer.failure().await.0, Status::IdleTimeout);
    peer.closed().await;
}

#[tokio::test]
async fn a_silent_handshake_ends_in_time() {
    let limits = Limits { handshake_time: Duration::from_millis(200), ..Limits::default() };
    let served = Fixture::new().serve_with(Level::Three, limits).await;
    for address in [served.plain, served.tls] {
        tcp(address).await.closed().await;
    }
    let mut peer = tcp(served.tls).await;
    // the head of a ClientHello
    peer.send_bytes(&[22, 3, 1, 1, 0xf4, 1]).await;
    peer.stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, peer.stream.read_to_end(&mut rest)).await.unwrap();
    // a TLS channel without Hello
    let mut peer = tls_channel(&served, peer::client(&served.fixture)).await.unwrap();
    peer.closed().await;
}

#[tokio::test]
async fn cancel_ends_the_answer_and_not_the_connection() {
    let served = large(Limits::default()).await;
    let mut peer = peer::tls(&served).await;
    peer.send(Kind::Select, &sql("SELECT n FROM 'zeros.dat'")).await;
    assert_eq!(peer.next().await.unwrap().kind, Kind::Schema);
    peer.send(Kind::Cancel, &Cancel {}).await;
    let (status, text) = peer.failure_after_data().await;
    assert_eq!((status, &text[..]), (Status::Cancelled, "cancelled by the client"));
    assert!(served.activity.morsels_run() < GIB / (4 << 20), "{}", served.activity.morsels_run());

    peer.send(Kind::Fetch, &FetchRequest { file: "zeros.dat".into(), ..Default::default() }).await;
    let _: FetchStart = peer.message(Kind::FetchStart).await;
    peer.send(Kind::Cancel, &Cancel {}).await;
    assert_eq!(peer.failure_after_data().await.0, Status::Cancelled);

    // the next request need not wait for the end of the cancelled one
    let select = encode_message(Kind::Select, &sql("SELECT n FROM 'zeros.dat'")).unwrap();
    let cancel = encode_message(Kind::Cancel, &Cancel {}).unwrap();
    let next = encode_message(Kind::Select, &sql("SELECT count(*) FROM 'cities.csv'")).unwrap();
    peer.send_bytes(&[select, cancel, next].concat()).await;
    assert_eq!(peer.failure_after_data().await.0, Status::Cancelled);
    assert_eq!(peer.selected().await.batch.num_rows(), 1);

    // one that comes too late is for nobody
    peer.send(Kind::Cancel, &Cancel {}).await;
    let selected = peer.select(&sql("SELECT city FROM 'cities.csv'")).await;
    assert_eq!(selected.batch.num_rows(), 3);
}

#[tokio::test]
async fn a_second_request_during_an_answer_is_a_violation() {
    let served = large(Limits::default()).await;
    let mut peer = peer::tls(&served).await;
    let select = encode_message(Kind::Select, &sql("SELECT n FROM 'zeros.dat'")).unwrap();
    peer.send_bytes(&[&select[..], &select[..]].concat()).await;
    let (status, text) = peer.failure_after_data().await;
    assert_eq!(status, Status::ProtocolViolation);
    assert!(text.starts_with("Select frame while an answer is under way"), "{text}");
    peer.closed().await;
}

#[tokio::test]
async fn a_huge_frame_during_an_answer_is_a_violation() {
    let served = large(Limits::default()).await;
    let mut peer = peer::tls(&served).await;
    peer.send(Kind::Select, &sql("SELECT n FROM 'zeros.dat'")).await;
    let header = Header { kind: Kind::Select, body_bytes: BODY_BYTES_MAX + 1 };
    peer.send_bytes(&header.encode()).await;
    assert_eq!(peer.failure_after_data().await.0, Status::ProtocolViolation);
    peer.closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_stops_the_work_for_it() {
    let served = large(Limits::default()).await;
    for _ in 0..3 {
        let mut peer = peer::tls(&served).await;
        peer.send(Kind::Select, &sql("SELECT n FROM 'zeros.dat'")).await;
        assert_eq!(peer.next().await.unwrap().kind, Kind::Schema);
        assert_eq!(peer.next().await.unwrap().kind, Kind::Batch);
    }
    // all are gone; a whole scan of the file would be 256 morsels each
    let mut after = peer::tls(&served).await;
    after.select(&sql("SELECT count(*) FROM 'sales/numbers.dat'")).await;
    let run = served.activity.morsels_run();
    assert!(run < 3 * 128, "{run} morsels ran");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_hold_a_bound_of_memory_and_no_thread() {
    let limits =
        Limits { morsels_in_flight_max: NonZeroUsize::new(4).unwrap(), ..Limits::default() };
    let served = large(limits).await;
    let before = resident_bytes();
    let mut slow = Vec::new();
    for kind in [Kind::Select, Kind::Select, Kind::Select, Kind::Fetch] {
        let mut peer = peer::tls(&served).await;
        match kind {
            Kind::Select => peer.send(kind, &sql("SELECT n FROM 'zeros.dat'")).await,
            _ => {
                peer.send(kind, &FetchRequest { file: "zeros.dat".into(), ..Default::default() })
                    .await
            }
        }
        // the answer has begun; the rest is left lying
        peer.next().await.unwrap();
        slow.push(peer);
    }
    let mut brisk = peer::tls(&served).await;
    for _ in 0..20 {
        let count = brisk.select(&sql("SELECT count(*) FROM 'sales/numbers.dat'")).await;
        assert_eq!(count.batch.num_rows(), 1);
    }
    // a scan of some length passes by those that wait
    brisk.select(&sql("SELECT count(*) FROM 'tenth.dat' WHERE n > 0")).await;
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 200 << 20, "{grown} bytes");
    drop(slow);
}

#[tokio::test]
async fn a_client_that_stops_reading_is_cut_off() {
    let limits = Limits {
        write_stall_time: Duration::from_millis(300),
        connections_max: NonZeroUsize::MIN,
        ..Limits::default()
    };
    let served = large(limits).await;
    let mut peer = peer::plain(&served).await;
    peer.send(Kind::Fetch, &FetchRequest { file: "zeros.dat".into(), ..Default::default() }).await;
    // no byte is read until the only permit is free again
    loop {
        let mut next = tcp(served.plain).await;
        next.send(Kind::Hello, &hello(0)).await;
        match next.next().await.unwrap().kind {
            Kind::Welcome => break,
            other => assert_eq!(other, Kind::Failure),
        }
    }
    let mut received = 0;
    while let Some(frame) = peer.next().await {
        assert_ne!(frame.kind, Kind::Finished);
        received += frame.body.len() as u64;
    }
    assert!(received < GIB / 4, "{received}");
}

#[tokio::test]
async fn a_file_cut_short_under_the_scan_is_an_error() {
    let served = large(Limits::default()).await;
    let mut peer = peer::tls(&served).await;
    peer.send(Kind::Select, &sql("SELECT n FROM 'zeros.dat'")).await;
    assert_eq!(peer.next().await.unwrap().kind, Kind::Schema);
    let path = served.fixture.data().join("zeros.dat");
    std::fs::File::options().write(true).open(path).unwrap().set_len(8 << 20).unwrap();
    let (status, text) = peer.failure_after_data().await;
    assert_eq!(status, Status::FileChanged, "{text}");
    // and the server goes on
    let selected = peer.select(&sql("SELECT city FROM 'cities.csv'")).await;
    assert_eq!(selected.batch.num_rows(), 3);
}
