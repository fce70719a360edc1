//! Whole files and ranges of them.

use std::fs::File;

use sift_proto::frame::Kind;
use sift_proto::message::{FetchRequest, FetchStart, Finished, Status};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::fixture::{Fixture, write_unseen};
use crate::peer::{self, Peer};

fn fetch(file: &str, offset: u64, length: Option<u64>) -> FetchRequest {
    FetchRequest { file: file.to_owned(), offset, length, identity: String::new() }
}

async fn fetched<S: AsyncRead + AsyncWrite + Unpin>(
    peer: &mut Peer<S>,
    request: &FetchRequest,
) -> (FetchStart, Vec<u8>) {
    peer.send(Kind::Fetch, request).await;
    let start: FetchStart = peer.message(Kind::FetchStart).await;
    let mut bytes = Vec::new();
    loop {
        let frame = peer.next().await.expect("a frame");
        match frame.kind {
            Kind::Chunk => bytes.extend(frame.body),
            Kind::Finished => {
                let finished: Finished = prost::Message::decode(&frame.body[..]).unwrap();
                assert_eq!(finished.statistics.unwrap().file_bytes, Some(start.file_bytes));
                return (start, bytes);
            }
            other => panic!("{other} in a fetch"),
        }
    }
}

fn pattern(bytes: usize) -> Vec<u8> {
    let header = b"n\n".iter().copied();
    header
        .chain((0..).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8))
        .take(bytes)
        .collect()
}

#[tokio::test]
async fn the_whole_file_comes_as_it_stands() {
    let fixture = Fixture::new();
    for (name, bytes) in
        [("empty.csv", 0), ("one.csv", 1), ("exact.csv", 2 << 20), ("odd.csv", 5_000_001)]
    {
        fixture.write(name, pattern(bytes));
    }
    let served = fixture.serve().await;
    let mut tls = peer::tls(&served).await;
    let mut plain = peer::plain(&served).await;
    for (name, bytes) in
        [("empty.csv", 0), ("one.csv", 1), ("exact.csv", 2 << 20), ("odd.csv", 5_000_001)]
    {
        let (start, got) = fetched(&mut tls, &fetch(name, 0, None)).await;
        assert_eq!((start.file_bytes, start.offset, start.length), (bytes as u64, 0, bytes as u64));
        assert!(got == pattern(bytes), "{name}");
        let (_, got) = fetched(&mut plain, &fetch(name, 0, None)).await;
        assert!(got == pattern(bytes), "{name}");
    }
}

#[tokio::test]
async fn a_range_comes_alone() {
    let fixture = Fixture::new();
    fixture.write("a.csv", pattern(3 << 20));
    let served = fixture.serve().await;
    let mut peer = peer::tls(&served).await;
    let whole = pattern(3 << 20);
    let last = whole.len() as u64;
    for (offset, length) in
        [(0, Some(1)), (7, Some(2 << 20)), (last - 3, None), (last, None), (5, Some(0))]
    {
        let (start, got) = fetched(&mut peer, &fetch("a.csv", offset, length)).await;
        let from = usize::try_from(offset).unwrap();
        let to = length.map_or(whole.len(), |length| from + usize::try_from(length).unwrap());
        assert!(got == whole[from..to], "{offset} {length:?}");
        assert_eq!(start.length, (to - from) as u64);
    }
    for (offset, length) in
        [(last + 1, None), (0, Some(last + 1)), (u64::MAX, Some(u64::MAX)), (1, Some(u64::MAX))]
    {
        let (status, text) = peer.refused(Kind::Fetch, &fetch("a.csv", offset, length)).await;
        assert_eq!(status, Status::RangeInvalid, "{text}");
    }
}

#[tokio::test]
async fn a_fetch_resumes_only_what_is_unchanged() {
    let fixture = Fixture::new();
    fixture.write("a.csv", pattern(100));
    let served = fixture.serve().await;
    let mut peer = peer::tls(&served).await;
    let (start, first) = fetched(&mut peer, &fetch("a.csv", 0, Some(40))).await;
    let resumed = FetchRequest { identity: start.identity.clone(), ..fetch("a.csv", 40, None) };
    let (_, rest) = fetched(&mut peer, &resumed).await;
    assert_eq!([first, rest].concat(), pattern(100));

    // of the same length, and modified at the same time
    write_unseen(&served.fixture.data().join("a.csv"), b"N", 0);
    let (status, text) = peer.refused(Kind::Fetch, &resumed).await;
    assert_eq!(status, Status::FileChanged);
    assert!(text.starts_with("a.csv: the file changed since"), "{text}");

    served.fixture.write("a.csv", pattern(101));
    let (status, text) = peer.refused(Kind::Fetch, &resumed).await;
    assert_eq!(status, Status::FileChanged);
    assert!(text.starts_with("a.csv: the file changed since"), "{text}");
}

#[tokio::test]
async fn a_file_written_on_the_way_does_not_look_whole() {
    let fixture = Fixture::new();
    let path = fixture.zeros("zeros.dat", 64 << 20);
    let served = fixture.serve().await;
    let mut peer = peer::tls(&served).await;
    peer.send(Kind::Fetch, &fetch("zeros.dat", 0, None)).await;
    let _: FetchStart = peer.message(Kind::FetchStart).await;
    write_unseen(&path, b"x", (64 << 20) - 1);
    let (status, text) = peer.failure_after_data().await;
    assert_eq!(status, Status::FileChanged);
    assert!(text.starts_with("zeros.dat: the file changed"), "{text}");
}

#[tokio::test]
async fn a_file_cut_short_on_the_way_does_not_look_whole() {
    let fixture = Fixture::new();
    let path = fixture.zeros("zeros.dat", 1 << 30);
    let served = fixture.serve().await;
    let mut peer = peer::tls(&served).await;
    peer.send(Kind::Fetch, &fetch("zeros.dat", 0, None)).await;
    let _: FetchStart = peer.message(Kind::FetchStart).await;
    File::options().write(true).open(path).unwrap().set_len(1 << 20).unwrap();
    let (status, text) = peer.failure_after_data().await;
    assert_eq!(status, Status::FileChanged);
    assert!(text.starts_with("zeros.dat: the file changed"), "{text}");
}
