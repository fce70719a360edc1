//! `siftd status` and `siftd kill`: who is there, what runs, and its end; and the socket that they
//! ask at.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use sift_proto::frame::Kind;
use sift_proto::message::{ChannelReport, ChannelRequest, Status};

use crate::command::Running;
use crate::fixture::{Fixture, PATIENCE, binary};
use crate::peer::{hello, sql, tcp};

/// A plain listener, and a folder for the state.
const PLAIN: &str = "state = '../../state'\n[[listener]]\nport = 0\nencrypt = false\n";

/// Runs a command against the server with this state. Returns its exit code, and all that it
/// prints.
pub(crate) fn ask(fixture: &Fixture, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(binary());
    command.args(arguments).arg("--state").arg(fixture.outside("state"));
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

fn sessions(fixture: &Fixture) -> Vec<Value> {
    let (code, text) = ask(fixture, &["status", "--json"]);
    assert_eq!(code, Some(0), "{text}");
    serde_json::from_str::<Value>(&text).unwrap()["sessions"].as_array().unwrap().clone()
}

/// Returns the first session as soon as its request waits for this.
async fn when_it_waits_for(fixture: &Fixture, what: &str) -> Value {
    let started = Instant::now();
    loop {
        let found = sessions(fixture);
        let session = found.first().cloned().unwrap_or_default();
        let read = session["request"]["bytes_scanned"].as_u64().unwrap_or(0);
        if read > 0 && session["request"]["waits_for"] == what {
            return session;
        }
        assert!(started.elapsed() < PATIENCE, "{session}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_seen_and_ended_and_its_session_goes_on() {
    let fixture = Fixture::new();
    fixture.zeros("zeros.dat", 256 << 30);
    fixture.state();
    let mut siftd = Running::configured(&fixture, PLAIN);
    let address = siftd.address("listening, plain");
    let mut peer = tcp(address).await;
    peer.welcome(hello(0)).await;
    let long = "x".repeat(500);
    let text = format!("SELECT count(*) FROM 'zeros.dat' WHERE n = 0 OR '{long}' = 'y'");
    peer.send(Kind::Select, &sql(text)).await;
    let session = when_it_waits_for(&fixture, "pool").await;
    assert_eq!(session["user"], "any");
    assert_eq!(session["client"], "a test");
    assert_eq!(session["level"], 0);
    assert!(session["since"].as_str().unwrap().ends_with('Z'));
    let request = &session["request"];
    assert_eq!(request["kind"], "Select");
    let text = request["text"].as_str().unwrap();
    assert!(text.starts_with("SELECT count(*) FROM 'zeros.dat'") && text.ends_with("x…' = 'y'"));
    let (_, table) = ask(&fixture, &["status"]);
    assert!(table.contains("1 session, 1 request") && table.contains("zeros.dat"), "{table}");

    let id = request["id"].to_string();
    let (code, text) = ask(&fixture, &["kill", &id]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with(&format!("ended: Select {id} of `any` from 127.0.0.1:")), "{text}");
    let (status, message) = peer.failure_after_data().await;
    assert_eq!(status, Status::Ended);
    assert_eq!(message, "ended by the administrator of the server");
    assert!(siftd.line("request").contains("\"status\":\"ENDED\""));
    peer.send(Kind::Channel, &ChannelRequest {}).await;
    let _: ChannelReport = peer.message(Kind::ChannelReport).await;

    for id in [id.as_str(), "0", "18446744073709551615"] {
        let (code, text) = ask(&fixture, &["kill", id]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(&format!("there is no session and no request {id}")), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_ended_idle_and_under_an_answer_that_nobody_reads() {
    let fixture = Fixture::new();
    fixture.zeros("zeros.dat", 256 << 30);
    fixture.state();
    let mut siftd = Running::configured(&fixture, PLAIN);
    let address = siftd.address("listening, plain");
    let mut idle = tcp(address).await;
    idle.welcome(hello(0)).await;
    let id = sessions(&fixture)[0]["id"].to_string();
    assert_eq!(ask(&fixture, &["kill", &id]).0, Some(0));
    let (status, message) = idle.failure().await;
    assert_eq!(status, Status::Ended);
    assert_eq!(message, "the session was ended by the administrator of the server");
    idle.closed().await;
    drop(idle);

    let mut slow = tcp(address).await;
    slow.welcome(hello(0)).await;
    slow.send(Kind::Select, &sql("SELECT n FROM 'zeros.dat'")).await;
    let session = when_it_waits_for(&fixture, "peer").await;
    assert_eq!(ask(&fixture, &["kill", &session["id"].to_string()]).0, Some(0));
    let line = siftd.line("request");
    assert!(line.contains("\"status\":\"GONE\"") || line.contains("ENDED"), "{line}");
    let started = Instant::now();
    while !sessions(&fixture).is_empty() {
        assert!(started.elapsed() < PATIENCE);
    }
}

#[test]
fn a_socket_is_its_owners_and_one_server_has_it() {
    let fixture = Fixture::with_files();
    let state = fixture.state();
    let (code, text) = ask(&fixture, &["status"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("no server answers at ") && text.contains("siftd.sock"), "{text}");

    // a socket that an earlier server has left
    let socket = state.join("siftd.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let mut siftd = Running::configured(&fixture, PLAIN);
    siftd.address("listening, plain");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let (code, text) = ask(&fixture, &["status"]);
    assert_eq!((code, text.contains("0 sessions, 0 requests")), (Some(0), true), "{text}");

    // another server does not take it away
    let mut second = Running::configured(&fixture, PLAIN);
    assert_eq!(second.child.wait().unwrap().code(), Some(2));
    second.line_with("another server runs with this folder");
    assert_eq!(ask(&fixture, &["status"]).0, Some(0));

    // an end without a goodbye leaves a socket, which the next server replaces
    drop(siftd);
    assert!(socket.exists());
    let mut siftd = Running::configured(&fixture, PLAIN);
    siftd.address("listening, plain");
    assert_eq!(ask(&fixture, &["status"]).0, Some(0));
    siftd.signal("TERM");
    assert_eq!(siftd.child.wait().unwrap().code(), Some(0));
    assert!(!socket.exists());

    // what is no socket is not replaced
    std::fs::write(&socket, "").unwrap();
    let mut siftd = Running::configured(&fixture, PLAIN);
    assert_eq!(siftd.child.wait().unwrap().code(), Some(2));
    siftd.line_with("not a socket; remove it");
}

#[test]
fn what_is_no_request_is_told_so_and_ends_nobody_else() {
    let fixture = Fixture::with_files();
    let socket = fixture.state().join("siftd.sock");
    let mut siftd = Running::configured(&fixture, PLAIN);
    siftd.address("listening, plain");
    let silent: Vec<_> = (0..4).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    let deep = "[".repeat(1 << 20);
    for request in ["\n", "{}\n", "\"stop\"\n", "{\"end\":-1}\n", &deep, "\u{7f}\n"] {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // the server need not read it to its end
        let _ = stream.write_all(request.as_bytes());
        let mut answer = String::new();
        if stream.read_to_string(&mut answer).is_ok() {
            assert!(answer.starts_with("{\"error\":\"not a request: "), "{answer}");
        }
    }
    assert_eq!(ask(&fixture, &["status"]).0, Some(0));
    drop(silent);
}

#[test]
fn without_a_folder_of_its_own_there_is_no_socket() {
    let fixture = Fixture::with_files();
    let output = Command::new(binary())
        .arg("status")
        .env("XDG_CONFIG_HOME", fixture.outside("config"))
        .env_remove("STATE_DIRECTORY")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("name one as `state` in siftd.toml"), "{text}");
}
