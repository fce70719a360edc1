//! The port for monitors: its figures are those of the answers, and monitors that do not behave do
//! not stop others.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Instant;

use sift_client::{ConnectOptions, Connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::fixture::{Fixture, PATIENCE, Served};

/// Returns the whole answer to a request in these words.
async fn say(monitor: SocketAddr, words: &str) -> String {
    let mut stream = TcpStream::connect(monitor).await.unwrap();
    stream.write_all(words.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("an answer").unwrap();
    answer
}

async fn get(monitor: SocketAddr, path: &str) -> String {
    say(monitor, &format!("GET {path} HTTP/1.1\r\nhost: sift\r\n\r\n")).await
}

/// Returns the value of each metric, by its name with labels.
async fn metrics(monitor: SocketAddr) -> HashMap<String, f64> {
    let answer = get(monitor, "/metrics").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let values = body.lines().filter(|line| !line.starts_with('#'));
    let values = values.map(|line| line.rsplit_once(' ').unwrap());
    values.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}

async fn monitored() -> (Served, SocketAddr) {
    let mut fixture = Fixture::with_files();
    fixture.is_monitored = true;
    let served = fixture.serve().await;
    let monitor = served.monitor.unwrap();
    (served, monitor)
}

fn options(served: &Served) -> ConnectOptions {
    ConnectOptions::new(served.plain.to_string()).encrypt(false)
}

/// Sends a Select that has no answer.
async fn refused(connection: &mut Connection) {
    assert!(connection.select("SELECT none FROM 'cities.csv'").await.is_err());
}

#[tokio::test]
async fn the_figures_are_those_of_the_answers() {
    let (served, monitor) = monitored().await;
    let before = metrics(monitor).await;
    assert_eq!(before["sift_connections"], 0.0);
    assert_eq!(before["sift_encrypted_bytes_total"], 0.0);
    let mut connection = Connection::connect(&options(&served)).await.unwrap();
    let (mut sent, mut saved) = (0, 0);
    for _ in 0..3 {
        let sql = "SELECT n FROM 'sales/numbers.dat' WHERE n < 10";
        let mut answer = connection.select(sql).await.unwrap();
        while answer.next().await.unwrap().is_some() {}
        let bytes = answer.statistics().unwrap().bytes_sent;
        sent += bytes;
        saved += 8000 - bytes;
    }
    refused(&mut connection).await;
    let now = metrics(monitor).await;
    let open = &now["sift_connections"];
    assert_eq!(*open, 1.0);
    assert_eq!(now["sift_connections_pending"], 0.0);
    assert_eq!(now["sift_handshake_seconds_count"], 1.0);
    let channel = "sift_channels_total{cipher=\"\",key_exchange=\"\",level=\"0\",protocol=\"\"}";
    assert_eq!(now[channel], 1.0);
    assert_eq!(now["sift_requests_total{kind=\"Select\",status=\"OK\"}"], 3.0);
    assert_eq!(now["sift_requests_total{kind=\"Select\",status=\"UNKNOWN_COLUMN\"}"], 1.0);
    assert_eq!(now["sift_request_seconds_count{kind=\"Select\"}"], 4.0);
    assert_eq!(now["sift_scanned_records_total"], 3000.0);
    assert_eq!(now["sift_selected_records_total"], 30.0);
    assert_eq!(now["sift_file_bytes_total"], 24_000.0);
    assert_eq!(now["sift_scanned_bytes_total"], 24_000.0);
    assert!(now["sift_encrypted_bytes_total"] >= sent as f64);
    assert!(now["sift_saved_bytes"] <= saved as f64 && now["sift_saved_bytes"] > 20_000.0);
    assert!(now["sift_phase_seconds_total{phase=\"scan\"}"] > 0.0);
    assert_eq!(now["sift_requests_active"], 0.0);
    assert!(now["process_resident_memory_bytes"] > 1e6);
    let end = format!("sift_certificate_end_timestamp_seconds{{listener=\"{}\"}}", served.tls);
    assert!(now[&end] > 1e9);

    drop(connection);
    let started = Instant::now();
    while metrics(monitor).await["sift_connections"] != 0.0 {
        assert!(started.elapsed() < PATIENCE);
    }
}

#[tokio::test]
async fn what_is_refused_is_counted_by_its_reason() {
    let (served, monitor) = monitored().await;
    // another protocol on the plain port, and a channel below the level
    say(served.plain, "GET / HTTP/1.1\r\n\r\n").await;
    drop(TcpStream::connect(served.tls).await.unwrap());
    let refused = ["other_protocol", "silent"];
    let started = Instant::now();
    loop {
        let now = metrics(monitor).await;
        let count = |reason: &&str| {
            now.get(&format!("sift_connections_refused_total{{reason=\"{reason}\"}}")).copied()
        };
        if refused.iter().all(|reason| count(reason) == Some(1.0)) {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{now:?}");
    }
}

/// `promtool check metrics` has these rules: each metric has a help and a type, and counters end in
/// `_total`.
#[tokio::test]
async fn metrics_are_described_as_prometheus_wants_it() {
    let (served, monitor) = monitored().await;
    let mut connection = Connection::connect(&options(&served)).await.unwrap();
    refused(&mut connection).await;
    let text = get(monitor, "/metrics").await;
    let described = |line: &str, kind: &str| {
        let (name, rest) = line.strip_prefix(kind)?.split_once(' ')?;
        Some((name.to_owned(), rest.to_owned()))
    };
    let helps: HashSet<String> =
        text.lines().filter_map(|line| Some(described(line, "# HELP ")?.0)).collect();
    let types: HashMap<String, String> =
        text.lines().filter_map(|line| described(line, "# TYPE ")).collect();
    assert!(types.len() > 20);
    for (name, kind) in &types {
        assert!(helps.contains(name), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} {kind}");
        assert!(name.starts_with("sift_") || name.starts_with("process_"), "{name}");
    }
    assert!(!text.contains("cities") && !text.contains("guest"), "{text}");
}

#[tokio::test]
async fn a_monitor_learns_whether_the_server_is_ready() {
    let (mut served, monitor) = monitored().await;
    assert!(get(monitor, "/live").await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(get(monitor, "/ready").await.starts_with("HTTP/1.1 200 OK\r\n"));
    // an open connection with an answer that nobody reads keeps the server up for the grace time
    let zeros = served.fixture.zeros("zeros.dat", 64 << 20);
    assert!(zeros.exists());
    let mut connection = Connection::connect(&options(&served)).await.unwrap();
    let answer = connection.select("SELECT n FROM 'zeros.dat' WHERE n + 1 > 0").await.unwrap();
    served.stop();
    let started = Instant::now();
    while get(monitor, "/ready").await.starts_with("HTTP/1.1 200 OK\r\n") {
        assert!(started.elapsed() < PATIENCE);
    }
    let ready = get(monitor, "/ready").await;
    assert!(ready.starts_with("HTTP/1.1 503 "), "{ready}");
    assert!(get(monitor, "/live").await.starts_with("HTTP/1.1 200 OK\r\n"));
    drop(answer);
    drop(connection);
    served.stopped().await;
    TcpStream::connect(monitor).await.unwrap_err();
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let (_served, monitor) = monitored().await;
    for path in ["/", "/metrics/", "/../etc/passwd", "/live?x"] {
        let answer = get(monitor, path).await;
        let expected = if path == "/live?x" { "HTTP/1.1 200 " } else { "HTTP/1.1 404 " };
        assert!(answer.starts_with(expected), "{path}: {answer}");
    }
    let posted = say(monitor, "POST /metrics HTTP/1.1\r\nhost: sift\r\ncontent-length: 0\r\n\r\n");
    let posted = posted.await;
    assert!(posted.starts_with("HTTP/1.1 405 ") && posted.contains("allow: GET, HEAD"), "{posted}");
    let head = say(monitor, "HEAD /metrics HTTP/1.1\r\nhost: sift\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    for nonsense in ["\x16\x03\x01\x02\x00\x01", "GET\r\n\r\n", &"x".repeat(1 << 20)] {
        let mut stream = TcpStream::connect(monitor).await.unwrap();
        // the server may close before all is written
        let _ = stream.write_all(nonsense.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end");
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
    }
}

/// More silent monitors than are answered at once: after a few seconds they make room.
#[tokio::test]
async fn silent_monitors_give_way() {
    let (served, monitor) = monitored().await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(monitor).await.unwrap());
    }
    // clients do not notice
    let mut connection = Connection::connect(&options(&served)).await.unwrap();
    refused(&mut connection).await;
    assert!(get(monitor, "/live").await.starts_with("HTTP/1.1 200 OK\r\n"));
}
