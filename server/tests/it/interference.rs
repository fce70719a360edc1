//! Servers that differ only in hidden data give the same answers.
//!
//! Each server has the same visible records. The data that is not granted, or that may not be sent
//! on the channel, differs: in its values, its number of records, their positions, their lengths,
//! their NULLs, and in whether they decode. A few thousand requests of every kind go to all
//! servers, and all frames of the answers are compared byte by byte. Only times are left out.

mod questions;
mod world;

use std::num::NonZeroUsize;

use prost::Message;
use sift_proto::frame::{Frame, Kind, feature};
use sift_proto::level::Level;
use sift_proto::message::{
    DescribeRequest, ExplainRequest, Explanation, FetchRequest, Finished, Hello, ListRequest,
    SelectRequest,
};
use sift_server::{Access, Grant, Limits, TlsOptions};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::fixture::{Fixture, Served};
use crate::peer::{self, Peer, sql};
use questions::Questions;
use world::{Hidden, World};

/// The way in which data is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hiding {
    /// Ann may see only the records with `owner = 'ann'`.
    Rows,
    /// Ann may not see the columns `salary` and `memo`.
    Columns,
    /// Both at once.
    Both,
    /// The columns `salary` and `memo` may not be sent in the clear.
    Channel,
}

impl Hiding {
    const ALL: [Self; 4] = [Self::Rows, Self::Columns, Self::Both, Self::Channel];

    fn folder(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Columns => "columns",
            Self::Both => "both",
            Self::Channel => "channel",
        }
    }

    fn hides_rows(self) -> bool {
        matches!(self, Self::Rows | Self::Both)
    }

    fn hides_columns(self) -> bool {
        !matches!(self, Self::Rows)
    }
}

fn grants() -> Vec<Grant> {
    let grant = |user: &str, folder: &str, columns: Option<&[&str]>, filter| {
        let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let files = [format!("{folder}/**")];
        Grant::new(vec![user.to_owned()], vec![], &files, columns, filter).unwrap()
    };
    let seen = Some(world::SEEN);
    let hers = Some("owner = 'ann'");
    vec![
        grant("ann", "rows", None, hers),
        grant("ann", "columns", seen, None),
        grant("ann", "both", seen, hers),
        grant("guest", "channel", None, None),
    ]
}

/// Starts a server with the files for every kind of hiding.
async fn serve(hidden: Hidden) -> Served {
    let fixture = Fixture::new();
    for hiding in Hiding::ALL {
        let world = World::new(hidden, hiding);
        world.write(&fixture, hiding.folder());
    }
    let users = fixture.users(&[("ann", &[])]);
    // small morsels, so that hidden records influence where they end
    let limits = Limits { morsel_bytes: NonZeroUsize::new(16 << 10).unwrap(), ..Limits::default() };
    let options = TlsOptions::new(fixture.certificate(), Level::Three);
    fixture.serve_access(options, limits, Access::secure(users, grants())).await
}

/// One request.
#[derive(Clone, Debug)]
enum Request {
    Select(SelectRequest),
    Explain(ExplainRequest),
    Describe(DescribeRequest),
    List(ListRequest),
    Fetch(FetchRequest),
}

/// Returns the frames of an answer, without times.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    peer: &mut Peer<S>,
    request: &Request,
) -> Vec<(Kind, Vec<u8>)> {
    match request {
        Request::Select(request) => peer.send(Kind::Select, request).await,
        Request::Explain(request) => peer.send(Kind::Explain, request).await,
        Request::Describe(request) => peer.send(Kind::Describe, request).await,
        Request::List(request) => peer.send(Kind::List, request).await,
        Request::Fetch(request) => peer.send(Kind::Fetch, request).await,
    }
    let mut answer = Vec::new();
    loop {
        let frame = peer.next().await.expect("a frame");
        let is_last = !matches!(frame.kind, Kind::Schema | Kind::Batch | Kind::Narrow);
        answer.push((frame.kind, timeless(frame)));
        if is_last {
            return answer;
        }
    }
}

fn timeless(frame: Frame) -> Vec<u8> {
    match frame.kind {
        Kind::Finished => {
            let mut finished = Finished::decode(&frame.body[..]).unwrap();
            if let Some(statistics) = &mut finished.statistics {
                (statistics.send_micros, statistics.total_micros) = (0, 0);
            }
            finished.encode_to_vec()
        }
        Kind::Explanation => {
            let told = Explanation::decode(&frame.body[..]).unwrap().text;
            let is_time = |line: &&str| line.starts_with("  in ") && line.ends_with(" ms");
            told.lines().filter(|line| !is_time(line)).collect::<Vec<_>>().join("\n").into_bytes()
        }
        _ => frame.body.to_vec(),
    }
}

/// Sends the same requests to all servers and compares the answers.
async fn compare<S: AsyncRead + AsyncWrite + Unpin>(
    peers: &mut [Peer<S>],
    hidden: &[Hidden],
    requests: &[Request],
) -> Tally {
    let mut tally = Tally::default();
    for request in requests {
        let first = ask(&mut peers[0], request).await;
        for (peer, hidden) in peers[1..].iter_mut().zip(&hidden[1..]) {
            let other = ask(peer, request).await;
            let shown = |answer: &[(Kind, Vec<u8>)]| -> Vec<String> {
                let frame = |(kind, body): &(Kind, Vec<u8>)| {
                    format!("{kind:?} {} {}", body.len(), String::from_utf8_lossy(body))
                };
                answer.iter().map(frame).collect()
            };
            assert!(
                first == other,
                "{request:?} with {hidden:?}:\n{:#?}\nand\n{:#?}",
                shown(&first),
                shown(&other)
            );
        }
        tally.requests += 1;
        match first.last() {
            Some((Kind::Failure, _)) => tally.failures += 1,
            _ => tally.answers += 1,
        }
        tally.frames += first.len();
    }
    tally
}

#[derive(Debug, Default)]
struct Tally {
    requests: usize,
    failures: usize,
    answers: usize,
    frames: usize,
}

/// Returns all requests about the files of one folder.
fn requests(hiding: Hiding, seed: u64) -> Vec<Request> {
    let mut questions = Questions::new(seed, hiding.hides_columns());
    let mut requests = Vec::new();
    for name in world::FILES {
        let file = format!("{}/{name}", hiding.folder());
        requests.push(Request::Describe(DescribeRequest { file: file.clone() }));
        let fetch = FetchRequest { file: file.clone(), ..FetchRequest::default() };
        requests.push(Request::Fetch(FetchRequest { length: Some(1), ..fetch.clone() }));
        requests.push(Request::Fetch(FetchRequest { offset: 1 << 40, ..fetch }));
        for number in 0..QUESTIONS_PER_FILE {
            let text = questions.next(&file);
            requests.push(Request::Select(sql(text.clone())));
            if number % 4 == 0 {
                let explain =
                    ExplainRequest { sql: text, parameters: Vec::new(), analyze: number % 8 == 0 };
                requests.push(Request::Explain(explain));
            }
        }
    }
    for pattern in ["p/*.csv", "q/*.jsonl"] {
        let files = format!("{}/{pattern}", hiding.folder());
        for _ in 0..QUESTIONS_PER_FILE {
            requests.push(Request::Select(sql(questions.next(&files))));
        }
    }
    for pattern in ["", "**/*.csv", "rows/*", "columns/*", "both/?.jsonl", "channel/*"] {
        requests.push(Request::List(ListRequest { pattern: pattern.to_owned() }));
    }
    requests
}

const QUESTIONS_PER_FILE: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_differ_in_what_is_hidden_answer_alike() {
    let mut servers = Vec::new();
    for hidden in Hidden::ALL {
        servers.push(serve(hidden).await);
    }
    for hiding in Hiding::ALL {
        let requests = requests(hiding, 20_261_128);
        let tally = match hiding {
            Hiding::Channel => {
                let mut peers = Vec::new();
                for served in &servers {
                    peers.push(peer::plain(served).await);
                }
                compare(&mut peers, &Hidden::ALL, &requests).await
            }
            _ => {
                let mut peers = Vec::new();
                for served in &servers {
                    // batches in both forms
                    let narrow = (hiding != Hiding::Both).then(|| feature::NARROW.to_owned());
                    let features = narrow.into_iter().collect();
                    let hello = Hello { features, ..peer::login("ann") };
                    let tls = peer::tls_channel(served, peer::client(&served.fixture)).await;
                    let mut peer = tls.unwrap();
                    peer.welcome(hello).await;
                    peers.push(peer);
                }
                compare(&mut peers, &Hidden::ALL, &requests).await
            }
        };
        // many requests are answered with batches, and some have to fail
        assert!(tally.answers > tally.requests / 3, "{hiding:?}: {tally:?}");
        assert!(tally.failures > tally.requests / 50, "{hiding:?}: {tally:?}");
        assert!(tally.frames > tally.requests * 3 / 2, "{hiding:?}: {tally:?}");
    }
}
