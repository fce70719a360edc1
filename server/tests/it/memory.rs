//! The memory of a server under load: it stays within `memory_bytes_max`, and a little more.

use std::fs::{self, File};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use sift_proto::frame::Kind;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::command::Running;
use crate::fixture::Fixture;
use crate::peer::{Peer, hello, sql, tcp};

/// `memory_bytes_max` of the servers.
const BYTES_MAX: u64 = 256 << 20;

const RECORDS: i64 = 300_000;

/// Makes `t.parquet`: 300,000 records, which take 30 MB in memory and little on disk.
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.state();
    let numbers = |factor: i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values((0..RECORDS).map(|n| n * factor % 999_983)))
    };
    let texts =
        (0..RECORDS).map(|n| format!("the text of record {} of all, at some length", n % 5000));
    let batch = RecordBatch::try_from_iter([
        ("a", numbers(1)),
        ("b", numbers(7919)),
        ("c", numbers(104_729)),
        ("t", Arc::new(StringArray::from_iter_values(texts)) as ArrayRef),
    ])
    .unwrap();
    let file = File::create(fixture.data().join("t.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    fixture
}

/// Returns the greatest resident memory of a process so far.
fn peak_bytes(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() << 10
}

async fn connected(address: std::net::SocketAddr) -> Peer<TcpStream> {
    let mut peer = tcp(address).await;
    peer.welcome(hello(0)).await;
    peer
}

/// Puts different loads on a server with so many threads, and checks its memory after each.
async fn stays_within_its_memory(threads: usize) {
    let fixture = fixture();
    let configuration = format!(
        "state = '../../state'\nmax_connections = 1000\n\
         [limits]\nmemory_bytes_max = {BYTES_MAX}\nquery_memory_bytes_max = {}\n\
         [[grant]]\nusers = ['any']\nfiles = ['**']\n[[listener]]\nport = 0\nencrypt = false\n",
        32 << 20
    );
    let mut siftd = Running::with_threads(&fixture, &configuration, threads);
    let address = siftd.address("listening, plain");
    let id = siftd.child.id();
    let checked = |load: &str| {
        let bytes = peak_bytes(id);
        assert!(bytes <= BYTES_MAX / 100 * 115, "{load}, {threads} threads: {} MiB", bytes >> 20);
    };
    let mut asking = JoinSet::new();
    for text in [
        "SELECT a, t FROM 't.parquet' ORDER BY t, b, a OFFSET 299999",
        "SELECT t, count(*), sum(b), min(c) FROM 't.parquet' GROUP BY t ORDER BY t LIMIT 3",
        "SELECT a, count(*) FROM 't.parquet' GROUP BY a, b ORDER BY a LIMIT 3",
        "SELECT * FROM 't.parquet' WHERE t LIKE '%record 7 %'",
        "SELECT * FROM 't.parquet'",
    ] {
        for _ in 0..4 {
            asking.spawn(async move {
                let mut peer = connected(address).await;
                peer.send(Kind::Select, &sql(text)).await;
                // nobody is refused: what finds no memory waits, and goes to disk
                peer.selected().await;
            });
        }
    }
    while let Some(asked) = asking.join_next().await {
        asked.unwrap();
    }
    checked("sorts, groupings and scans");
    let mut silent = Vec::new();
    for _ in 0..100 {
        let mut peer = connected(address).await;
        peer.send(Kind::Select, &sql("SELECT * FROM 't.parquet'")).await;
        silent.push(peer);
    }
    let mut before = 0;
    // until nothing is made any more
    loop {
        sleep(Duration::from_millis(500)).await;
        let now = peak_bytes(id);
        if now == before {
            break;
        }
        before = now;
    }
    checked("answers that nobody reads");
}

#[tokio::test]
async fn a_server_with_two_threads_stays_within_its_memory() {
    stays_within_its_memory(2).await;
}

#[tokio::test]
async fn a_server_with_sixteen_threads_stays_within_its_memory() {
    stays_within_its_memory(16).await;
}
