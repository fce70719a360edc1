//! Few file descriptors: what lacks them is told so, and nothing else suffers.

use std::time::{Duration, Instant};

use sift_proto::frame::Kind;
use sift_proto::message::Status;
use tokio::time::timeout;

use crate::command::Running;
use crate::fixture::{Fixture, PATIENCE};
use crate::peer::{hello, sql, tcp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_descriptors_says_so_and_goes_on() {
    let fixture = Fixture::with_files();
    let mut siftd = Running::with_descriptors(&fixture, 64, &["--plain", "--no-secure"]);
    siftd.line("RLIMIT_NOFILE is low: a quarter of it is less than max_connections");
    let address = siftd.address("listening, plain");
    let mut first = tcp(address).await;
    first.welcome(hello(0)).await;
    let mut others = Vec::new();
    for _ in 0..64 {
        let mut other = tcp(address).await;
        other.send(Kind::Hello, &hello(0)).await;
        let answered = timeout(Duration::from_millis(500), other.next()).await;
        others.push(other);
        if answered.is_err() {
            break;
        }
    }
    let line = siftd.line("cannot accept");
    assert!(line.contains("too many open files; RLIMIT_NOFILE is 64"), "{line}");
    let select = sql("SELECT city FROM 'cities.csv'");
    let (status, text) = first.select_refused(&select).await;
    assert_eq!(status, Status::ServerBusy);
    assert_eq!(text, "the server has too many open files; try again later");
    siftd.line("the server has too many open files (RLIMIT_NOFILE)");
    // the connection is as before, and newcomers are served when others have left
    let waiting = others.pop().unwrap();
    drop(others);
    let started = Instant::now();
    loop {
        first.send(Kind::Select, &select).await;
        match first.next().await.unwrap().kind {
            Kind::Failure => assert!(started.elapsed() < PATIENCE),
            _ => break,
        }
    }
    drop(waiting);
    tcp(address).await.welcome(hello(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patterns_leave_descriptors_to_others() {
    let fixture = Fixture::with_files();
    for number in 0..70 {
        fixture.zeros(&format!("many/{number}.dat"), 1 << 20);
    }
    let mut siftd = Running::with_descriptors(&fixture, 128, &["--plain", "--no-secure"]);
    let address = siftd.address("listening, plain");
    let mut slow = tcp(address).await;
    slow.welcome(hello(0)).await;
    let mut peer = tcp(address).await;
    peer.welcome(hello(0)).await;

    let (status, text) = peer.select_refused(&sql("SELECT n FROM 'many/*.dat'")).await;
    assert_eq!(status, Status::LimitExceeded);
    assert_eq!(text, "more than 64 files of a pattern; narrow the pattern");

    // 40 files each; the answers are larger than the buffers between server and client
    slow.send(Kind::Select, &sql("SELECT n FROM 'many/[1-4]?.dat'")).await;
    assert_eq!(slow.next().await.unwrap().kind, Kind::Schema);
    let count = sql("SELECT count(*) FROM 'many/[2-5]?.dat'");
    let (status, text) = peer.select_refused(&count).await;
    assert_eq!(status, Status::ServerBusy);
    assert!(text.contains("Selects over patterns may have 64 files open together"), "{text}");
    // fewer files, and one file, are selected from as before
    peer.select(&sql("SELECT count(*) FROM 'many/6?.dat'")).await;
    peer.select(&sql("SELECT city FROM 'cities.csv'")).await;
    drop(slow);
    let started = Instant::now();
    loop {
        peer.send(Kind::Select, &count).await;
        match peer.next().await.unwrap().kind {
            Kind::Failure => assert!(started.elapsed() < PATIENCE),
            _ => break,
        }
    }
}
