//! Lists of large trees: many at once hold up nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sift_proto::frame::Kind;
use sift_proto::message::{FileList, ListRequest};

use crate::fixture::{Fixture, Served};
use crate::peer::{self, sql};

const FILES: usize = 3000;

/// Returns the times of Selects with a new text each, in order.
async fn new_texts(served: &Served, from: usize) -> Vec<Duration> {
    let mut peer = peer::tls(served).await;
    let mut times = Vec::new();
    for number in from..from + 20 {
        let started = Instant::now();
        peer.select(&sql(format!("SELECT city, {number} FROM 'cities.csv'"))).await;
        times.push(started.elapsed());
    }
    times.sort();
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_lists_at_once_hold_up_nobody() {
    let fixture = Fixture::with_files();
    for number in 0..FILES {
        fixture.write(&format!("tree/{}/{number}.csv", number % 30), "a\n1\n");
    }
    let served = Arc::new(fixture.serve().await);
    let alone = new_texts(&served, 0).await;
    let stop = Arc::new(AtomicBool::new(false));
    let listing: Vec<_> = (0..64)
        .map(|number| {
            let (served, stop) = (Arc::clone(&served), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut peer = peer::tls(&served).await;
                while !stop.load(Ordering::Relaxed) {
                    if number % 2 == 0 {
                        let pattern = "tree/**".to_owned();
                        peer.send(Kind::List, &ListRequest { pattern }).await;
                        let list: FileList = peer.message(Kind::FileList).await;
                        assert_eq!(list.files.len(), FILES);
                    } else {
                        // a Select over a pattern walks through the tree, too
                        let (_, text) =
                            peer.select_refused(&sql("SELECT a FROM 'tree/**/*.csv'")).await;
                        assert!(text.starts_with("more than 256 files"), "{text}");
                    }
                }
            })
        })
        .collect();
    let mut beside = Vec::new();
    // some of them before all lists have begun
    for round in 1..4 {
        beside.extend(new_texts(&served, 1000 * round).await);
    }
    stop.store(true, Ordering::Relaxed);
    for one in listing {
        one.abort();
    }
    beside.sort();
    let worst = beside[beside.len() - 1];
    eprintln!("alone: median {:?}, worst {:?}", alone[10], alone[19]);
    eprintln!("beside 64 lists: median {:?}, worst {worst:?}", beside[beside.len() / 2]);
    assert!(worst < Duration::from_secs(2), "{beside:?}");
}
