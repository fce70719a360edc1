//! Selects that would take minutes. They stop when they are cancelled, when the client leaves and
//! when their time is over, and other clients do not wait for them.

use std::time::{Duration, Instant};

use sift_proto::frame::Kind;
use sift_proto::level::Level;
use sift_proto::message::{
    Cancel, ChannelReport, ChannelRequest, ExplainRequest, SelectRequest, Status,
};
use sift_server::{Grant, Limits};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::fixture::{Fixture, PATIENCE, Served};
use crate::peer::{self, Peer, sql};

/// Makes a file with many records, each with a text of one mebibyte and a pattern that almost
/// matches everywhere in it, and a small file.
fn hard_files() -> Fixture {
    let fixture = Fixture::with_files();
    let near_miss = format!("%{}_b%", "a".repeat(128 << 10));
    let record = format!("{{\"t\":\"{}\",\"p\":\"{near_miss}\"}}\n", "a".repeat(1 << 20));
    fixture.write("hard.jsonl", record.repeat(40));
    fixture.write("small.csv", format!("t\n{}\n", "a".repeat(60_000)));
    fixture.numbers("many.dat", 0..200_000);
    fixture
}

async fn hard(limits: Limits) -> Served {
    hard_files().serve_with(Level::Three, limits).await
}

const MATCHED: &str = "SELECT count(*) FROM 'hard.jsonl' WHERE t LIKE p";

/// Checks that the pool answers within seconds.
async fn is_free<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<S>) {
    let started = Instant::now();
    peer.select(&sql("SELECT sum(n) FROM 'many.dat'")).await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

async fn is_under_way(served: &Served, morsels: u64) {
    let begun = async {
        while served.activity.morsels_run() < morsels {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, begun).await.expect("the Select begins");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_select_gives_its_threads_back() {
    let served = hard(Limits::default()).await;
    let mut peer = peer::tls(&served).await;
    peer.send(Kind::Select, &sql(MATCHED)).await;
    assert_eq!(peer.next().await.unwrap().kind, Kind::Schema);
    is_under_way(&served, 2).await;
    let cancelled = Instant::now();
    peer.send(Kind::Cancel, &Cancel {}).await;
    assert_eq!(peer.failure().await.0, Status::Cancelled);
    assert!(cancelled.elapsed() < Duration::from_secs(5));
    is_free(&mut peer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_gives_the_threads_back() {
    let served = hard(Limits::default()).await;
    for round in 1..=3 {
        let mut peer = peer::tls(&served).await;
        peer.send(Kind::Select, &sql(MATCHED)).await;
        assert_eq!(peer.next().await.unwrap().kind, Kind::Schema);
        is_under_way(&served, round).await;
    }
    is_free(&mut peer::tls(&served).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_select_has_so_much_time() {
    let limits = Limits { query_time: Duration::from_secs(1), ..Limits::default() };
    let served = hard(limits).await;
    let mut peer = peer::tls(&served).await;
    let expected = "the server worked on this for 1 seconds, its limit; select less, narrow WHERE, or \
                    have `query_seconds_max` raised";
    let constant = "SELECT city FROM 'cities.csv' WHERE repeat('a', 1000000) LIKE \
                    '%' || repeat('a', 200000) || '_b%'";
    for text in [MATCHED, "SELECT t FROM 'hard.jsonl' ORDER BY t LIKE p", constant] {
        let started = Instant::now();
        peer.send(Kind::Select, &sql(text)).await;
        let (status, message) = peer.failure_after_data().await;
        assert_eq!((status, &message[..]), (Status::LimitExceeded, expected), "{text}");
        assert!(started.elapsed() > Duration::from_millis(900), "{text}");
        assert!(started.elapsed() < Duration::from_secs(10), "{text}");
    }
    let explain = ExplainRequest { sql: MATCHED.to_owned(), analyze: true, ..Default::default() };
    let (status, message) = peer.refused(Kind::Explain, &explain).await;
    assert_eq!((status, &message[..]), (Status::LimitExceeded, expected));
    is_free(&mut peer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_gives_less_time() {
    let fixture = hard_files();
    let users = fixture.users(&[("ann", &[]), ("bob", &[])]);
    let grant = |user: &str| {
        Grant::new(vec![user.to_owned()], Vec::new(), &["**".to_owned()], None, None).unwrap()
    };
    let short = grant("ann").with_query_time(Some(Duration::from_secs(1)));
    let served = fixture.serve_users(users, vec![short, grant("bob")]).await;
    let mut ann = peer::user(&served, "ann").await;
    let (status, message) = ann.select_refused(&sql(MATCHED)).await;
    assert_eq!(status, Status::LimitExceeded);
    assert!(message.starts_with("the server worked on this for 1 seconds, its limit"), "{message}");
    let mut bob = peer::user(&served, "bob").await;
    bob.send(Kind::Select, &sql(MATCHED)).await;
    let answer = timeout(Duration::from_secs(2), bob.outcome()).await;
    assert!(answer.is_err(), "it takes longer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_of_a_client_that_reads_slowly_is_its_own() {
    let limits = Limits { query_time: Duration::from_secs(2), ..Limits::default() };
    let fixture = Fixture::with_files();
    fixture.zeros("zeros.dat", 32 << 20);
    let served = fixture.serve_with(Level::Three, limits).await;
    let mut peer = peer::tls(&served).await;
    peer.send(Kind::Select, &sql("SELECT n FROM 'zeros.dat'")).await;
    let started = Instant::now();
    let mut frames = 0;
    loop {
        let frame = peer.next().await.unwrap();
        match frame.kind {
            Kind::Finished => break,
            Kind::Failure => panic!("{:?} after {frames} frames", started.elapsed()),
            _ => frames += 1,
        }
        // together, these waits are longer than the time limit of the work
        if frames < 4 {
            let read_later = Instant::now() + Duration::from_millis(900);
            tokio::time::sleep_until(read_later.into()).await;
        }
    }
    assert!(started.elapsed() > Duration::from_secs(2));
}

/// All connections share one thread here: work that blocks it blocks all of them.
#[tokio::test]
async fn connections_do_not_wait_for_what_only_looks_brief() {
    let served = hard(Limits::default()).await;
    let mut other = peer::tls(&served).await;
    let regex = "t ~ 'a([ab]{250}){6}c'";
    let function = "repeat('a', 1000000) LIKE t || '%' || repeat('a', 200000) || '_b%'";
    for term in [regex, function] {
        let mut peer = peer::tls(&served).await;
        let text =
            format!("SELECT count(*) FROM 'small.csv' WHERE {}", vec![term; 20].join(" OR "));
        peer.send(Kind::Select, &sql(text)).await;
        let asked = Instant::now();
        for _ in 0..10 {
            other.send(Kind::Channel, &ChannelRequest {}).await;
            let _: ChannelReport = other.message(Kind::ChannelReport).await;
        }
        assert!(asked.elapsed() < Duration::from_secs(2), "{term}: {:?}", asked.elapsed());
        peer.send(Kind::Cancel, &Cancel {}).await;
        assert_eq!(peer.failure_after_data().await.0, Status::Cancelled, "{term}");
    }
}

#[tokio::test]
async fn what_cannot_be_sorted_on_disk_is_told_without_folders() {
    let fixture = Fixture::new();
    fixture.numbers("many.dat", 0..400_000);
    let state = fixture.state();
    let limits = Limits {
        query_memory_bytes_max: std::num::NonZeroUsize::new(1 << 20).unwrap(),
        ..Limits::default()
    };
    let served = fixture.serve_with(Level::Three, limits).await;
    std::fs::remove_dir_all(&state).unwrap();
    let mut peer = peer::tls(&served).await;
    let request = SelectRequest {
        sql: "SELECT n FROM 'many.dat' ORDER BY n % 1000".to_owned(),
        ..Default::default()
    };
    peer.send(Kind::Select, &request).await;
    let (status, text) = peer.failure_after_data().await;
    let expected = "records cannot be sorted on the server's disk: entity not found";
    assert_eq!((status, &text[..]), (Status::FileUnreadable, expected));
}
