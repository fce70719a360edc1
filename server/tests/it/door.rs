//! The door of a listener: strangers who send nothing, or little, keep nobody out.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sift_proto::frame::Kind;
use sift_proto::level::Level;
use sift_proto::message::{ChannelReport, ChannelRequest};
use sift_server::{Limits, open_files};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::fixture::{Fixture, PATIENCE, Served};
use crate::peer::{self, sql, tcp, tcp_from};

/// Another address of this machine.
const STRANGER: [u8; 4] = [127, 0, 0, 2];

fn count(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

/// Returns the times of whole connections, with a log-in and an answer each, in order.
async fn times(served: &Served, connections: usize) -> Vec<Duration> {
    let mut times = Vec::new();
    for _ in 0..connections {
        let started = Instant::now();
        let mut peer = peer::tls(served).await;
        peer.select(&sql("SELECT city FROM 'cities.csv'")).await;
        times.push(started.elapsed());
    }
    times.sort();
    times
}

/// Opens silent sockets, and replaces the oldest ones until `stop`. `all` hears when there are
/// `count` of them.
async fn flood(served: Arc<Served>, count: usize, all: oneshot::Sender<()>, stop: Arc<AtomicBool>) {
    let mut sockets: VecDeque<TcpStream> = VecDeque::new();
    let mut all = Some(all);
    // each leaves a port behind for a minute, and there are 28,000 by default
    for _ in 0..count + 8000 {
        if sockets.len() == count {
            sockets.pop_front();
            all.take().map(|all| all.send(()));
        }
        if stop.load(Ordering::Relaxed) {
            return;
        }
        sockets.push_back(tcp_from(STRANGER, served.tls).await.unwrap());
    }
    while !stop.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_silent_sockets_keep_nobody_out() {
    // the server has a few of the sockets at its end, too
    let sockets = (open_files::raise_limit().unwrap() * 3 / 4).min(10_000);
    assert!(sockets >= 2000, "{sockets}");
    let served = Arc::new(Fixture::with_files().serve().await);
    let alone = times(&served, 20).await;
    let (all, are_open) = oneshot::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let flooding = tokio::spawn(flood(Arc::clone(&served), sockets, all, Arc::clone(&stop)));
    timeout(3 * PATIENCE, are_open).await.unwrap().unwrap();
    let beside = times(&served, 20).await;
    stop.store(true, Ordering::Relaxed);
    flooding.await.unwrap();
    eprintln!("alone: median {:?}, worst {:?}", alone[10], alone[19]);
    eprintln!("beside {sockets} silent sockets: median {:?}, worst {:?}", beside[10], beside[19]);
    assert!(beside[19] < Duration::from_secs(3), "{beside:?}");
}

#[tokio::test]
async fn who_sends_one_byte_from_one_address_keeps_out_nobody_from_another() {
    let limits = Limits {
        handshakes_max: count(8),
        pending_connections_max: count(16),
        ..Limits::default()
    };
    let served = Fixture::with_files().serve_with(Level::Three, limits).await;
    let mut slow = Vec::new();
    for _ in 0..40 {
        let mut stream = tcp_from(STRANGER, served.tls).await.unwrap();
        // the server may have closed it
        let _ = stream.write_all(&[22]).await;
        slow.push(stream);
    }
    let times = times(&served, 3).await;
    assert!(times[2] < Limits::default().handshake_time / 2, "{times:?}");
}

#[tokio::test]
async fn a_crowd_at_one_listener_does_not_shut_another() {
    let limits =
        Limits { handshakes_max: count(1), pending_connections_max: count(4), ..Limits::default() };
    let served = Fixture::with_files().serve_with(Level::Three, limits).await;
    let mut slow = tcp(served.plain).await;
    slow.send_bytes(&[1]).await;
    let times = times(&served, 3).await;
    assert!(times[2] < Limits::default().handshake_time / 2, "{times:?}");
    drop(slow);
}

#[tokio::test]
async fn the_first_byte_has_a_time_of_its_own() {
    let limits = Limits { first_byte_time: Duration::from_millis(200), ..Limits::default() };
    let served = Fixture::new().serve_with(Level::Three, limits).await;
    let mut spoke = tcp(served.plain).await;
    spoke.send_bytes(&[1]).await;
    let started = Instant::now();
    tcp(served.plain).await.closed().await;
    tcp(served.tls).await.closed().await;
    assert!(started.elapsed() < Limits::default().handshake_time);
    // the rest of the Hello may come later
    let hello = sift_proto::frame::encode_message(Kind::Hello, &peer::hello(0)).unwrap();
    spoke.send_bytes(&hello[1..]).await;
    assert_eq!(spoke.next().await.unwrap().kind, Kind::Welcome);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_of_one_address_at_once_are_all_let_in() {
    let served = Arc::new(Fixture::with_files().serve().await);
    let all: Vec<_> = (0..100)
        .map(|_| {
            let served = Arc::clone(&served);
            tokio::spawn(async move {
                let mut peer = peer::tls(&served).await;
                peer.send(Kind::Channel, &ChannelRequest {}).await;
                let _: ChannelReport = peer.message(Kind::ChannelReport).await;
            })
        })
        .collect();
    for one in all {
        one.await.unwrap();
    }
}
