//! Fetching: chunks, files, ranges, and resuming after a break.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use sift_client::{Connection, ErrorKind, Kind, Progress, Statistics, Status, Usage};
use sift_proto::frame::{HEADER_BYTES, Header};
use sift_proto::message::{FetchRequest, FetchStart, Finished};

use crate::fake::{Fake, Peer, run};

const CHUNK_BYTES: usize = 1000;

fn content(seed: u8) -> Vec<u8> {
    (0..10_500_u32).map(|i| (i % 251) as u8 ^ seed).collect()
}

/// A server of one file, whose connections break off after some bytes of the answer.
struct Files {
    fake: Fake,
    /// Content, identity, and after how many bytes the next answer breaks off.
    state: Arc<Mutex<(Vec<u8>, String, usize)>>,
    asked: Arc<Mutex<Vec<FetchRequest>>>,
}

impl Files {
    async fn new() -> Self {
        let state = Arc::new(Mutex::new((content(0), "a".to_owned(), usize::MAX)));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let shared = (state.clone(), asked.clone());
        let fake = Fake::plain(move |mut peer| {
            let (state, asked) = shared.clone();
            async move {
                peer.greet().await;
                while let Some((Kind::Fetch, body)) = peer.frame().await {
                    let request: FetchRequest = prost::Message::decode(body.as_slice()).unwrap();
                    asked.lock().unwrap().push(request.clone());
                    let (content, identity, breaks_after) = state.lock().unwrap().clone();
                    if !serve(&mut peer, &request, &content, &identity, breaks_after).await {
                        return;
                    }
                }
            }
        })
        .await;
        Self { fake, state, asked }
    }

    fn set(&self, content: Vec<u8>, identity: &str, breaks_after: usize) {
        *self.state.lock().unwrap() = (content, identity.to_owned(), breaks_after);
    }

    async fn connection(&self) -> Connection {
        Connection::connect(&self.fake.options()).await.unwrap()
    }

    fn offsets(&self) -> Vec<u64> {
        self.asked.lock().unwrap().iter().map(|request| request.offset).collect()
    }
}

async fn serve(
    peer: &mut Peer,
    request: &FetchRequest,
    content: &[u8],
    identity: &str,
    breaks_after: usize,
) -> bool {
    if !request.identity.is_empty() && request.identity != identity {
        peer.fail(Status::FileChanged, "changed").await;
        return true;
    }
    let start = request.offset as usize;
    if start > content.len() {
        peer.fail(Status::RangeInvalid, "range").await;
        return true;
    }
    let length = request.length.map_or(usize::MAX, |length| length as usize);
    let end = start.saturating_add(length).min(content.len());
    let begin = FetchStart {
        file_bytes: content.len() as u64,
        offset: request.offset,
        length: (end - start) as u64,
        identity: identity.to_owned(),
    };
    peer.send(Kind::FetchStart, &begin).await;
    let mut sent = 0;
    for chunk in content[start..end].chunks(CHUNK_BYTES) {
        if sent >= breaks_after {
            return false;
        }
        peer.body(Kind::Chunk, chunk).await;
        sent += chunk.len();
    }
    peer.send(Kind::Finished, &Finished { statistics: Some(Statistics::default()) }).await;
    true
}

fn part_bytes(path: &Path) -> u64 {
    std::fs::metadata(format!("{}.part", path.display())).map_or(0, |metadata| metadata.len())
}

fn leftovers(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn chunks_are_the_bytes_of_the_range() {
    run(async {
        let files = Files::new().await;
        let mut connection = files.connection().await;
        for range in [0..10_500, 0..1, 999..1001, 10_499..10_500, 5000..5000] {
            let Range { start, end } = range;
            let mut chunks = connection.fetch("f").range(start..end).chunks().await.unwrap();
            assert_eq!((chunks.file_bytes(), chunks.length()), (10_500, end - start));
            let mut bytes = Vec::new();
            while let Some(chunk) = chunks.next().await.unwrap() {
                bytes.extend_from_slice(&chunk);
            }
            assert_eq!(bytes, content(0)[start as usize..end as usize], "{start}..{end}");
            assert!(chunks.statistics().is_some());
        }
    });
}

#[test]
fn into_a_writer() {
    run(async {
        let files = Files::new().await;
        let mut connection = files.connection().await;
        let mut bytes = Vec::new();
        let fetched = connection.fetch("f").range(9..).to_writer(&mut bytes).await.unwrap();
        assert_eq!(bytes, content(0)[9..]);
        assert_eq!((fetched.bytes, fetched.file_bytes, fetched.resumed), (10_491, 10_500, 0));
    });
}

#[test]
fn into_a_file_with_progress() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "what was there before").unwrap();
        let files = Files::new().await;
        let mut connection = files.connection().await;
        let mut seen = Vec::new();
        let fetched =
            connection.fetch("f").progress(|at| seen.push(at)).to_file(&path).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), content(0));
        assert_eq!((fetched.bytes, fetched.resumed), (10_500, 0));
        assert_eq!(seen.first(), Some(&Progress { done: 0, total: 10_500 }));
        assert_eq!(seen.last(), Some(&Progress { done: 10_500, total: 10_500 }));
        assert_eq!(leftovers(folder.path()), ["f"]);
    });
}

#[test]
fn a_broken_fetch_leaves_a_part_and_goes_on() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let files = Files::new().await;
        files.set(content(0), "a", 3000);
        let error = files.connection().await.fetch("f").to_file(&path).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BrokenStream { bytes: 3000, .. }), "{error}");
        assert!(!path.exists());
        assert_eq!(part_bytes(&path), 3000);
        // it breaks a second time, then comes to its end
        let error = files.connection().await.fetch("f").to_file(&path).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BrokenStream { .. }), "{error}");
        files.set(content(0), "a", usize::MAX);
        let fetched = files.connection().await.fetch("f").to_file(&path).await.unwrap();
        assert_eq!((fetched.bytes, fetched.resumed), (10_500, 6000));
        assert_eq!(std::fs::read(&path).unwrap(), content(0));
        assert_eq!(files.offsets(), [0, 3000, 6000]);
        assert_eq!(leftovers(folder.path()), ["f"]);
    });
}

#[test]
fn a_file_that_changed_starts_afresh() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let files = Files::new().await;
        files.set(content(0), "a", 3000);
        files.connection().await.fetch("f").to_file(&path).await.unwrap_err();
        files.set(content(7), "b", usize::MAX);
        let fetched = files.connection().await.fetch("f").to_file(&path).await.unwrap();
        assert_eq!(fetched.resumed, 0);
        assert_eq!(fetched.identity, "b");
        assert_eq!(std::fs::read(&path).unwrap(), content(7));
        assert_eq!(files.offsets(), [0, 3000, 0]);
    });
}

#[test]
fn another_origin_or_no_resume_starts_afresh() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let files = Files::new().await;
        files.set(content(0), "a", 3000);
        files.connection().await.fetch("f").to_file(&path).await.unwrap_err();
        // another range
        files.connection().await.fetch("f").range(1..).to_file(&path).await.unwrap_err();
        // another file
        files.connection().await.fetch("g").range(1..).to_file(&path).await.unwrap_err();
        assert_eq!(files.offsets(), [0, 1, 1]);
        files
            .connection()
            .await
            .fetch("g")
            .range(1..)
            .resume(false)
            .to_file(&path)
            .await
            .unwrap_err();
        assert_eq!(files.offsets(), [0, 1, 1, 1]);
        // a sidecar that is none
        std::fs::write(folder.path().join("f.part.origin"), "identity = 5").unwrap();
        files.set(content(0), "a", usize::MAX);
        files.connection().await.fetch("g").range(1..).to_file(&path).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), content(0)[1..]);
    });
}

#[test]
fn a_range_is_resumed_within_its_end() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let files = Files::new().await;
        files.set(content(0), "a", 2000);
        files.connection().await.fetch("f").range(500..5500).to_file(&path).await.unwrap_err();
        files.set(content(0), "a", usize::MAX);
        let fetched =
            files.connection().await.fetch("f").range(500..5500).to_file(&path).await.unwrap();
        assert_eq!((fetched.bytes, fetched.resumed), (5000, 2000));
        assert_eq!(std::fs::read(&path).unwrap(), content(0)[500..5500]);
        assert_eq!(files.asked.lock().unwrap()[1].length, Some(3000));
    });
}

#[test]
fn two_fetches_into_one_file_are_refused() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let part = folder.path().join("f.part");
        let held = std::fs::File::create(&part).unwrap();
        held.lock().unwrap();
        let files = Files::new().await;
        let error = files.connection().await.fetch("f").to_file(&path).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Usage(Usage::Locked(path)) if *path == part));
    });
}

#[test]
fn a_refused_fetch_leaves_nothing_behind() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new().await;
        let path = folder.path().join("f");
        let refused = files.connection().await.fetch("f").range(20_000..).to_file(&path).await;
        assert_eq!(refused.unwrap_err().status(), Some(Status::RangeInvalid));
        assert!(leftovers(folder.path()).is_empty());
        // an empty file is a file
        files.set(Vec::new(), "a", usize::MAX);
        files.connection().await.fetch("f").to_file(&path).await.unwrap();
        assert_eq!(leftovers(folder.path()), ["f"]);
    });
}

#[test]
fn local_faults_are_told() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new().await;
        let mut connection = files.connection().await;
        let path = folder.path().join("missing/f");
        let error = connection.fetch("f").to_file(&path).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}.part: cannot create", path.display())), "{error}");
        let error = connection.fetch("f").to_file(folder.path()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Local { .. }), "{error}");
        let error = connection.fetch("f").to_file("/dev/null").await.unwrap_err().to_string();
        assert!(error.starts_with("/dev/null: not a regular file"), "{error}");
        #[expect(clippy::reversed_empty_ranges, reason = "that is what is tested")]
        let error = connection.fetch("f").range(9..5).to_file(&path).await.unwrap_err();
        assert_eq!(error.to_string(), "an empty range of bytes: 9 to 5");
    });
}

/// Returns the error of a fetch of 10 bytes for an answer.
async fn error_of(start: FetchStart, chunks: &'static [usize], finished: bool) -> String {
    let fake = Fake::plain(move |mut peer| {
        let start = start.clone();
        async move {
            peer.greet().await;
            peer.frame().await;
            peer.send(Kind::FetchStart, &start).await;
            for bytes in chunks {
                peer.body(Kind::Chunk, &vec![0; *bytes]).await;
            }
            if finished {
                peer.finish(0).await;
            }
            peer.gone().await;
        }
    })
    .await;
    let mut connection = Connection::connect(&fake.options()).await.unwrap();
    let mut bytes = Vec::new();
    let fetched = connection.fetch("f").range(5..15).to_writer(&mut bytes).await;
    let error = fetched.unwrap_err().to_string();
    error.rsplit(" the protocol: ").next().unwrap().to_owned()
}

#[test]
fn answers_that_do_not_add_up_are_violations() {
    run(async {
        let start = FetchStart { file_bytes: 100, offset: 5, length: 10, identity: "a".into() };
        let expected = "9 bytes of the file, 10 were announced";
        assert_eq!(error_of(start.clone(), &[5, 4], true).await, expected);
        let expected = "11 bytes of the file, 10 were announced";
        assert_eq!(error_of(start.clone(), &[5, 6], true).await, expected);
        let other = FetchStart { length: 11, ..start.clone() };
        assert_eq!(error_of(other, &[], true).await, expected);
        let other = FetchStart { offset: 4, ..start.clone() };
        let expected = "4 bytes of the file, 5 were announced";
        assert_eq!(error_of(other, &[], true).await, expected);
        let other = FetchStart { file_bytes: u64::MAX, offset: 5, length: u64::MAX, ..start };
        let expected = "18446744073709551615 bytes of the file, 10 were announced";
        assert_eq!(error_of(other, &[], true).await, expected);
    });
}

#[test]
fn a_dropped_fetch_cancels() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.greet().await;
            peer.frame().await;
            let start =
                FetchStart { file_bytes: 10, offset: 0, length: 10, identity: String::new() };
            peer.send(Kind::FetchStart, &start).await;
            peer.bytes(&Header { kind: Kind::Chunk, body_bytes: 5 }.encode()).await;
            let mut cancel = [0; HEADER_BYTES];
            tokio::io::AsyncReadExt::read_exact(&mut peer.stream, &mut cancel).await.unwrap();
            assert_eq!(cancel[0], Kind::Cancel as u8);
            peer.bytes(&[0; 5]).await;
            peer.fail(Status::Cancelled, "cancelled").await;
            peer.frame().await;
            peer.send(Kind::FileList, &sift_proto::message::FileList::default()).await;
            peer.gone().await;
        })
        .await;
        let mut connection = Connection::connect(&fake.options()).await.unwrap();
        drop(connection.fetch("f").chunks().await.unwrap());
        assert!(connection.files("").await.unwrap().is_empty());
    });
}
