//! `siftd reload`: the whole configuration counts without a restart and without a failed request,
//! and what is wrong changes nothing.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use sift_proto::frame::Kind;
use sift_proto::message::{ChannelRequest, Status};
use tokio::net::TcpStream;

use crate::audit::lines;
use crate::command::Running;
use crate::fixture::{Fixture, binary};
use crate::peer::{Peer, hello, sql, tcp};
use crate::status::ask;

const COUNT: &str = "SELECT count(*) FROM 'cities.csv'";

/// A server with a plain listener on a free port, a state and a grant, whose configuration changes.
struct Changing {
    fixture: Fixture,
    siftd: Running,
    text: String,
}

impl Changing {
    /// Starts it with these keys at the top of the configuration.
    fn start(keys: &str) -> Self {
        let fixture = Fixture::with_files();
        fixture.state();
        let text = format!(
            "state = '../../state'\n{keys}[[listener]]\nport = 0\nencrypt = false\n\
             [[grant]]\nusers = ['any']\nfiles = ['**']\n"
        );
        let siftd = Running::configured(&fixture, &text);
        let text = fs::read_to_string(fixture.outside("config/sift/siftd.toml")).unwrap();
        Self { fixture, siftd, text }
    }

    /// Writes the first configuration with a change, which counts after a reload.
    fn write(&self, from: &str, to: &str) {
        assert!(self.text.contains(from), "{from}");
        let path = self.fixture.outside("config/sift/siftd.toml");
        fs::write(path, self.text.replacen(from, to, 1)).unwrap();
    }

    fn reload(&self) -> (Option<i32>, String) {
        ask(&self.fixture, &["reload"])
    }

    /// Writes the first configuration with a change, and reloads it.
    fn change(&self, from: &str, to: &str) -> String {
        self.write(from, to);
        let (code, text) = self.reload();
        assert_eq!(code, Some(0), "{text}");
        text
    }

    async fn peer(&mut self) -> Peer<TcpStream> {
        let mut peer = tcp(self.siftd.address("listening, plain")).await;
        peer.welcome(hello(0)).await;
        peer
    }

    fn check(&self) -> String {
        let mut command = Command::new(binary());
        command.arg("check").env("XDG_CONFIG_HOME", self.fixture.outside("config"));
        let output = command.output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_changed_is_told_and_counts_at_once() {
    let mut changing = Changing::start("");
    let mut peer = changing.peer().await;
    assert_eq!(changing.reload(), (Some(0), "reloaded; no key of siftd.toml has changed\n".into()));
    assert!(changing.check().contains("a reload of the running server changes no key\n"));

    // limits, on an open connection
    changing.write("[[listener]]", "[limits]\nsql_bytes_max = 20\n[[listener]]");
    let told = "    limits.sql_bytes_max: not set -> 20\n";
    let checked = changing.check();
    let expected = format!("a reload of the running server changes 1 key:\n{told}");
    assert!(checked.contains(&expected), "{checked}");
    assert_eq!(changing.reload(), (Some(0), format!("reloaded; 1 key changed\n{told}")));
    assert_eq!(peer.select_refused(&sql(COUNT)).await.0, Status::LimitExceeded);

    // grants
    let text = changing.change("['**']", "['sales/*']");
    assert!(text.contains("    grant[1].files: [\"**\"] -> [\"sales/*\"]\n"), "{text}");
    assert!(text.contains("    limits.sql_bytes_max: 20 -> not set\n"), "{text}");
    assert_eq!(peer.select_refused(&sql(COUNT)).await.0, Status::UnknownFile);

    // the data root
    let other = changing.fixture.outside("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("cities.csv"), "city\nBonn\n").unwrap();
    changing.change("'../../data'", "'../../other'");
    assert_eq!(peer.select(&sql("SELECT city FROM 'cities.csv'")).await.batch.num_rows(), 1);

    // the number of connections
    changing.change("data =", "max_connections = 1\ndata =");
    let address = peer.stream.peer_addr().unwrap();
    let mut second = tcp(address).await;
    second.send(Kind::Hello, &hello(0)).await;
    assert_eq!(second.failure().await.0, Status::ServerBusy);
    changing.change("data =", "max_connections = 2\ndata =");
    tcp(address).await.welcome(hello(0)).await;

    // what is wrong changes nothing
    changing.write("['**']", "['sales/*']\ncolums = ['a']");
    let (code, text) = changing.reload();
    assert_eq!(code, Some(2));
    assert!(text.contains("unknown field `colums`; did you mean `columns`?"), "{text}");
    assert_eq!(peer.select(&sql(COUNT)).await.batch.num_rows(), 1);
    for (key, text) in [("metrics", "metrics = '127.0.0.1:0'\ndata ="), ("state", "data =")] {
        match key {
            "state" => changing.write("state = '../../state'\n", ""),
            _ => changing.write("data =", text),
        }
        let (code, text) = changing.reload();
        assert_eq!(code, Some(2));
        let expected = format!("`{key}` has changed, and it counts at the next start only");
        assert!(text.contains(&expected), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listeners_come_and_go_and_sessions_stay() {
    let mut changing = Changing::start("");
    let mut peer = changing.peer().await;
    let address = peer.stream.peer_addr().unwrap();
    let more = "[[listener]]\nport = 0\nlisten = '127.0.0.2'\nencrypt = false\n[[grant]]";
    changing.change("[[grant]]", more);
    let added = changing.siftd.address("listening, plain");
    assert_eq!(added.ip().to_string(), "127.0.0.2");
    let mut second = tcp(added).await;
    second.welcome(hello(0)).await;
    second.select(&sql(COUNT)).await;
    // the first listener has kept its port
    tcp(address).await.welcome(hello(0)).await;

    // a port that is taken changes nothing
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("port = {}\n", taken.local_addr().unwrap().port());
    changing.write("port = 0\n", &port);
    let (code, text) = changing.reload();
    assert_eq!((code, text.contains("cannot listen on")), (Some(2), true), "{text}");
    tcp(added).await.welcome(hello(0)).await;

    // the first listener is another one now
    drop(taken);
    changing.change("port = 0\n", &port);
    let moved = changing.siftd.address("listening, plain");
    changing.siftd.line("closed for newcomers");
    tcp(moved).await.welcome(hello(0)).await;
    while TcpStream::connect(added).await.is_ok() || TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    for peer in [&mut peer, &mut second] {
        peer.select(&sql(COUNT)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_fails_while_the_configuration_is_reloaded() {
    let mut changing = Changing::start("");
    let mut peers = vec![changing.peer().await];
    let address = peers[0].stream.peer_addr().unwrap();
    for _ in 0..3 {
        let mut peer = tcp(address).await;
        peer.welcome(hello(0)).await;
        peers.push(peer);
    }
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asking: Vec<_> = peers
        .into_iter()
        .map(|mut peer| {
            let stop = stop.clone();
            tokio::spawn(async move {
                let mut answers = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    assert_eq!(peer.select(&sql(COUNT)).await.batch.num_rows(), 1);
                    // a new connection, too
                    let mut other = tcp(address).await;
                    other.welcome(hello(0)).await;
                    other.select(&sql("SELECT n FROM 'sales/numbers.dat'")).await;
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    tokio::task::block_in_place(|| {
        for number in 1..=10 {
            let limits = format!("[limits]\nidle_seconds = {}\n[[listener]]", 100 + number);
            changing.change("[[listener]]", &limits);
        }
    });
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for answers in asking {
        assert!(answers.await.unwrap() > 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_log_and_the_log_follow() {
    let mut changing = Changing::start("[audit]\nfile = '../../audit.jsonl'\n");
    let mut peer = changing.peer().await;
    let (path, old) = (changing.fixture.outside("audit.jsonl"), changing.fixture.outside("old"));
    fs::rename(&path, &old).unwrap();
    changing.siftd.signal("HUP");
    changing.siftd.line("configuration reloaded");
    peer.select(&sql(COUNT)).await;
    let events = |path| -> Vec<String> {
        lines(path).iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(events(&old), ["start", "login"]);
    // the line of the reload is written after the answer to it
    let mut both = events(&path);
    both.sort();
    assert_eq!(both, ["reload", "request"]);

    changing.change("files = ['**']", "files = ['*.csv']");
    let reload = lines(&path).last().cloned().unwrap();
    assert_eq!(reload["status"], "OK");
    assert_eq!(reload["changes"][0]["key"], "grant[1].files");
    changing.write("audit.jsonl'", "nowhere/audit.jsonl'");
    assert_eq!(changing.reload().0, Some(2));
    let reload = lines(&path).last().cloned().unwrap();
    assert_eq!(reload["status"], "FAILED");
    assert!(reload["reason"].as_str().unwrap().starts_with("audit log "), "{reload}");

    // from here on the log is text, and has requests no more
    changing.change("log_format = 'json'", "log_format = 'text'\nlog_level = 'warn'");
    peer.select(&sql(COUNT)).await;
    changing.write("['**']", "['[']");
    assert_eq!(changing.reload().0, Some(2));
    let line = changing.siftd.line_with("configuration not reloaded");
    assert!(line.contains("ERROR"), "{line}");
    peer.send(Kind::Channel, &ChannelRequest {}).await;
    assert_eq!(peer.next().await.unwrap().kind, Kind::ChannelReport);
}
