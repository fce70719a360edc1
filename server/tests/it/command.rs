//! `siftd` as a process: exit codes, signals, log lines.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::mpsc;

use sift_proto::frame::Kind;
use sift_proto::message::{Cancel, ChannelReport, ChannelRequest, Status};
use tokio::io::AsyncWriteExt as _;

use crate::fixture::{Fixture, PATIENCE, binary};
use crate::peer::{client, hello, sql, tcp, tls_to};

/// Returns a command without the configuration of the user who runs the tests.
pub(crate) fn siftd(fixture: &Fixture, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .env("XDG_CONFIG_HOME", fixture.outside("config"))
        .env_remove("SIFT_LOG");
    command
}

fn output(fixture: &Fixture, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = siftd(fixture, arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn help_and_completions_are_answers() {
    let fixture = Fixture::new();
    let (code, text, _) = output(&fixture, &["serve", "--help"]);
    assert_eq!(code, Some(0));
    for option in ["--data", "--plain", "--cert", "--scl", "--listen", "--port", "--config"] {
        assert!(text.contains(option), "{option}");
    }
    let (code, text, _) = output(&fixture, &["completions", "bash"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("siftd"));
}

#[test]
fn each_command_has_a_manual_page() {
    let fixture = Fixture::new();
    let folder = fixture.outside("man");
    std::fs::create_dir(&folder).unwrap();
    let (code, _, text) = output(&fixture, &["man", &folder.display().to_string()]);
    assert_eq!((code, &text[..]), (Some(0), ""));
    let page = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert!(page("siftd.1").contains("siftd\\-serve(1)"));
    assert!(page("siftd-serve.1").contains("\\-\\-data"));
    assert!(page("siftd-cert-issue.1").contains("\\-\\-client"));
    assert!(!folder.join("siftd-man.1").exists());
    let (code, _, text) = output(&fixture, &["man", "/nowhere"]);
    assert_eq!(code, Some(2), "{text}");
}

#[test]
fn mistakes_end_with_two_and_one_line_that_says_what() {
    let fixture = Fixture::new();
    let data = fixture.data().display().to_string();
    let nowhere = fixture.outside("nowhere").display().to_string();
    std::fs::write(fixture.outside("empty.pem"), "nothing").unwrap();
    let empty = fixture.outside("empty.pem").display().to_string();
    let level_two =
        if cfg!(feature = "legacy-tls") { "no certificate: " } else { "feature `legacy-tls`" };
    let cases: [(&[&str], &str); 14] = [
        (&["serve"], "no data root"),
        (&["serve", "--data", &data, "--no-secure", "--default-user", "a"], "choose --plain"),
        // a level is refused before anything else is looked at
        (&["serve", "--data", &nowhere, "--scl", "1"], "level 1 is retired"),
        (&["serve", "--data", &nowhere, "--scl", "2"], level_two),
        (&["serve", "--data", &nowhere, "--plain", "--no-secure"], "data root"),
        (&["serve", "--data", &data, "--cert", &nowhere], "siftd user add NAME"),
        (&["serve", "--data", &data, "--plain"], "nobody can log in on a plain port"),
        (&["serve", "--data", &data, "--cert", &nowhere, "--no-secure"], "name it: `default_user`"),
        (&["serve", "--data", &data, "--cert", &nowhere, "--default-user", "a"], "--no-secure"),
        (
            &["serve", "--data", &data, "--plain", "--no-secure", "--default-user", "a b"],
            "is not a name",
        ),
        (&["serve", "--data", &data, "--cert", &nowhere, "--users", &nowhere], "users"),
        (
            &["serve", "--data", &data, "--cert", &nowhere, "--no-secure", "--default-user", "a"],
            "No such file",
        ),
        (
            &["serve", "--data", &data, "--cert", &empty, "--no-secure", "--default-user", "a"],
            "no certificate in it",
        ),
        (
            &[
                "serve",
                "--data",
                &data,
                "--plain",
                "--no-secure",
                "--listen",
                "192.0.2.1",
                "--port",
                "0",
            ],
            "cannot listen on",
        ),
    ];
    for (arguments, expected) in cases {
        let (code, _, text) = output(&fixture, arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
}

/// A `siftd` that is ended with its test.
pub(crate) struct Running {
    pub(crate) child: Child,
    log: mpsc::Receiver<String>,
}

/// Reads the lines of a log at once: a server blocks if nobody reads its log.
fn lines(log: ChildStderr) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let mut read = BufReader::new(log).lines().map_while(Result::ok);
        while read.next().is_some_and(|line| sender.send(line).is_ok()) {}
    });
    lines
}

impl Running {
    pub(crate) fn start(fixture: &Fixture, arguments: &[&str]) -> Self {
        let data = fixture.data().display().to_string();
        let mut all = vec!["serve", "--data", &data, "--port", "0", "--log-format", "json"];
        all.extend(arguments);
        Self::of(&mut siftd(fixture, &all))
    }

    /// Starts it with a limit on open files, which the server cannot raise.
    pub(crate) fn with_descriptors(fixture: &Fixture, max: u32, arguments: &[&str]) -> Self {
        let data = fixture.data().display().to_string();
        let serve =
            siftd(fixture, &["serve", "--data", &data, "--port", "0", "--log-format", "json"]);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {max} && exec \"$0\" \"$@\"")]);
        command.arg(serve.get_program()).args(serve.get_args()).args(arguments);
        command.env("XDG_CONFIG_HOME", fixture.outside("config")).env_remove("SIFT_LOG");
        Self::of(&mut command)
    }

    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = lines(child.stderr.take().unwrap());
        Self { child, log }
    }

    /// Starts it with a configuration file; the rest of it is `listeners`.
    pub(crate) fn configured(fixture: &Fixture, listeners: &str) -> Self {
        Self::with_threads(fixture, listeners, 2)
    }

    /// Starts it with a configuration file, and so many threads for scans.
    pub(crate) fn with_threads(fixture: &Fixture, listeners: &str, threads: usize) -> Self {
        let folder = fixture.outside("config/sift");
        std::fs::create_dir_all(&folder).unwrap();
        let text = format!(
            "data = '../../data'\nlog_format = 'json'\nsecure = false\ndefault_user = 'any'\n{listeners}"
        );
        std::fs::write(folder.join("siftd.toml"), text).unwrap();
        let threads = threads.to_string();
        Self::of(siftd(fixture, &["serve"]).env("RAYON_NUM_THREADS", threads))
    }

    /// The next line of the log with this message.
    pub(crate) fn line(&mut self, message: &str) -> String {
        self.line_with(&format!("\"message\":\"{message}\""))
    }

    /// Returns the next line of the log that contains this text.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        let line = self.log.iter().find(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("no `{text}` in the log"))
    }

    pub(crate) fn address(&mut self, message: &str) -> std::net::SocketAddr {
        let line = self.line(message);
        let (_, rest) = line.split_once("\"address\":\"").unwrap();
        rest.split_once('"').unwrap().0.parse().unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_serves_logs_and_ends_by_a_signal() {
    let fixture = Fixture::with_files();
    let mut siftd = Running::start(&fixture, &["--plain", "--no-secure"]);
    let address = siftd.address("listening, plain");
    siftd.line(
        "no log-in and no [[grant]]: whoever can connect may read every file below the data root",
    );

    let mut peer = tcp(address).await;
    peer.welcome(hello(0)).await;
    let line = siftd.line("connection");
    assert!(line.contains("\"scl\":0") && line.contains("a test"), "{line}");

    peer.select(&sql("SELECT city FROM 'cities.csv' WHERE pop > 1000000")).await;
    let line = siftd.line("request");
    for part in [
        "\"kind\":\"Select\"",
        "cities.csv",
        "\"status\":\"OK\"",
        "\"records_scanned\":3",
        "\"records_selected\":1",
        "\"file_bytes\":",
        "\"bytes_sent\":",
        "\"bytes_saved\":",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    peer.select_refused(&sql("SELECT x FROM 'cities.csv'")).await;
    let line = siftd.line("request");
    assert!(line.contains("UNKNOWN_COLUMN") && line.contains("unknown column"), "{line}");

    siftd.signal("TERM");
    assert_eq!(peer.failure().await.0, Status::ShuttingDown);
    assert_eq!(siftd.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_level_of_the_log_that_is_none_ends_the_start() {
    let fixture = Fixture::new();
    let data = fixture.data().display().to_string();
    let serve = ["serve", "--data", &data, "--port", "0", "--plain", "--no-secure"];
    for wrong in ["bogus", "info,bogus", "sift_server=bogus"] {
        let output = siftd(&fixture, &serve).env("SIFT_LOG", wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            text.contains("is not a level of the log; give error, warn, info, debug"),
            "{text}"
        );
    }
}

/// Parses a line of the JSON log, and checks that its values are plain.
fn record(line: &str) -> serde_json::Map<String, serde_json::Value> {
    let record: serde_json::Map<_, _> = serde_json::from_str(line).unwrap();
    for (name, value) in &record {
        let text = value.as_str().unwrap_or_default();
        assert!(!text.starts_with(['"', '[', '{']), "{name} is JSON in a text: {line}");
    }
    // RFC 3339 in UTC: 2026-11-28T20:30:02.123456Z
    let time = record["timestamp"].as_str().unwrap();
    let digits: String = time.chars().filter(char::is_ascii_digit).collect();
    let form = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    assert!(form.starts_with("0000-00-00T00:00:00") && form.ends_with('Z'), "{time}");
    assert!(digits.starts_with("20"), "{time}");
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_json_log_has_plain_values_and_both_levels() {
    let fixture = Fixture::with_files();
    let certificate = fixture.certificate().display().to_string();
    let data = fixture.data().display().to_string();
    std::fs::create_dir_all(fixture.outside("config/sift")).unwrap();
    let text = format!(
        "data = '{data}'\nlog_format = 'json'\nsecure = false\ndefault_user = 'any'\n\
         [[listener]]\nport = 0\ncert = '{certificate}'\nclient_ca = '{}'\n",
        fixture.outside("authority.pem").display()
    );
    std::fs::write(fixture.outside("config/sift/siftd.toml"), text).unwrap();
    let mut siftd = Running::of(siftd(&fixture, &["serve"]).env("SIFT_LOG", "debug"));
    let address = siftd.address("listening, encrypted");
    let me = fixture.issue("me \"at\" home", |params| {
        let name = "ann@example.com".try_into().unwrap();
        params.subject_alt_names.push(rcgen::SanType::Rfc822Name(name));
    });

    let options = sift_client::ConnectOptions::new(address.to_string())
        .roots(sift_client::Roots::File(fixture.outside("authority.pem")))
        .client_certificate(me);
    let mut connection = sift_client::Connection::connect(&options).await.unwrap();
    let line = record(&siftd.line("connection"));
    assert_eq!(line["names"], serde_json::json!(["mail:ann@example.com"]));
    assert!(line["client"].as_str().unwrap().starts_with("sift/"));
    assert_eq!(line["level"], "INFO");
    let levels = ["scl", "scl_asked", "scl_served"].map(|name| line[name].as_u64().unwrap());
    assert_eq!(levels, [5, 3, 3]);

    let error = connection.files("a\"[").await.unwrap_err();
    assert!(error.status().is_some());
    assert_eq!(record(&siftd.line("request"))["file"], "a\"[");
    // the closing message of TLS is not logged
    drop(connection);
    let mut connection = sift_client::Connection::connect(&options).await.unwrap();
    connection.report().await.unwrap();
    for message in ["connection", "request"] {
        assert_eq!(record(&siftd.log.recv().unwrap())["message"], message);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_without_a_goodbye_is_logged_in_our_words() {
    let fixture = Fixture::with_files();
    let mut siftd = configured_for_debug(&fixture);
    let address = siftd.address("listening, encrypted");
    let mut tls = tls_to(address, client(&fixture)).await.unwrap();
    tls.welcome(hello(3)).await;
    siftd.line("connection");
    // the stream ends in TCP, without the closing message of TLS
    tls.stream.get_mut().0.shutdown().await.unwrap();
    let line = record(&siftd.line("connection ended"));
    assert_eq!(line["reason"], "the client went away without the end of its TLS stream");
}

/// Starts an encrypted server without log-in that logs everything.
fn configured_for_debug(fixture: &Fixture) -> Running {
    let (data, certificate) = (fixture.data(), fixture.certificate());
    let arguments =
        ["serve", "--port", "0", "--log-format", "json", "--no-secure", "--default-user", "any"];
    let mut siftd = siftd(fixture, &arguments);
    siftd.arg("--data").arg(data).arg("--cert").arg(certificate);
    Running::of(siftd.env("SIFT_LOG", "debug"))
}

/// The number of bytes after which a scan has visible statistics.
const SOME_BYTES: u64 = 64 << 20;

/// Waits until the process has read this number of bytes from its files.
async fn has_read(siftd: &Running, bytes: u64) {
    let path = format!("/proc/{}/io", siftd.child.id());
    let read = || {
        let text = std::fs::read_to_string(&path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap();
        line.parse::<u64>().unwrap()
    };
    let waiting = async {
        while read() < bytes {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the scan reads on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_select_that_was_given_up_is_logged_with_what_it_had_done() {
    let fixture = Fixture::new();
    // the answer has one record, which comes long after the client has given up
    fixture.zeros("zeros.dat", 256 << 30);
    let mut siftd = Running::start(&fixture, &["--plain", "--no-secure"]);
    let address = siftd.address("listening, plain");
    let select = sql("SELECT count(*) FROM 'zeros.dat' WHERE n = 0");
    let mut bytes = 0;
    for leaves in [false, true] {
        let mut peer = tcp(address).await;
        peer.welcome(hello(0)).await;
        peer.send(Kind::Select, &select).await;
        bytes += SOME_BYTES;
        has_read(&siftd, bytes).await;
        if leaves {
            drop(peer);
        } else {
            peer.send(Kind::Cancel, &Cancel {}).await;
            assert_eq!(peer.failure_after_data().await.0, Status::Cancelled);
        }
        let line = record(&siftd.line("request"));
        let status = if leaves { "GONE" } else { "CANCELLED" };
        assert_eq!(line["status"], status);
        assert!(line["records_scanned"].as_u64().unwrap() > 0, "{line:?}");
        assert!(line["bytes_scanned"].as_u64().unwrap() > 0, "{line:?}");
        let text = std::fs::read_to_string(format!("/proc/{}/io", siftd.child.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap();
        bytes = line.parse().unwrap();
    }
}

#[test]
fn a_seed_file_is_not_passed_over_in_silence() {
    let fixture = Fixture::new();
    let data = fixture.data().display().to_string();
    let mut child =
        siftd(&fixture, &["serve", "--data", &data, "--port", "0", "--plain", "--no-secure"])
            .env("SIFT_RAND", fixture.outside("seed"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    let log = BufReader::new(child.stderr.take().unwrap());
    let told = log.lines().map(Result::unwrap).find(|line| line.contains("SIFT_RAND"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(told.unwrap().contains("its file is not read"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_fails_is_logged_with_its_reason() {
    let fixture = Fixture::new();
    let certificate = fixture.certificate().display().to_string();
    let mut siftd = Running::start(
        &fixture,
        &["--cert", &certificate, "--scl", "4", "--no-secure", "--default-user", "any"],
    );
    let address = siftd.address("listening, encrypted");

    let mut peer = tcp(address).await;
    peer.send(Kind::Hello, &hello(0)).await;
    peer.failure().await;
    let line = siftd.line("connection refused");
    assert!(line.contains("in the clear") && line.contains("127.0.0.1:"), "{line}");

    let mut peer = tcp(address).await;
    peer.send_bytes(&old_client_hello()).await;
    // an alert is not a frame
    let mut alert = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut peer.stream, &mut alert).await.unwrap();
    assert_eq!(alert.first(), Some(&21));
    let line = siftd.line("connection refused");
    let expected = "no protocol in common: the client offers TLSv1.1, level 4 has TLSv1.3";
    assert!(line.contains(expected), "{line}");
}

/// Returns the ClientHello of a client that knows nothing newer than TLS 1.1.
fn old_client_hello() -> Vec<u8> {
    let mut body = vec![3, 2];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0xc0, 0x14, 1, 0]);
    // signature algorithms and groups, so that the version alone is wrong
    let extensions = [0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 29];
    body.extend([0, 16]);
    body.extend(extensions);
    let mut message = vec![1, 0, 0, u8::try_from(body.len()).unwrap()];
    message.extend(body);
    let mut record = vec![22, 3, 1, 0, u8::try_from(message.len()).unwrap()];
    record.extend(message);
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_kinds_of_listeners_run_side_by_side() {
    let fixture = Fixture::with_files();
    std::fs::create_dir_all(fixture.outside("config/sift")).unwrap();
    std::fs::copy(fixture.certificate(), fixture.outside("config/sift/siftd.pem")).unwrap();
    let listeners = "[[listener]]\nport = 0\n[[listener]]\nport = 0\nencrypt = false\n";
    let mut siftd = Running::configured(&fixture, listeners);
    let encrypted = siftd.address("listening, encrypted");
    let plain = siftd.address("listening, plain");
    let mut peer = tcp(encrypted).await;
    peer.send(Kind::Hello, &hello(0)).await;
    assert_eq!(peer.failure().await.0, Status::EncryptionRequired);
    let mut peer = tcp(plain).await;
    peer.welcome(hello(0)).await;
    peer.send(Kind::Channel, &ChannelRequest {}).await;
    let _: ChannelReport = peer.message(Kind::ChannelReport).await;
    siftd.signal("INT");
    let rest = siftd.log.iter().collect::<String>();
    assert!(rest.contains("shutting down"), "{rest}");
}
