//! The audit log: what is in its lines, when they are written, and files that take none.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sift_proto::frame::Kind;
use sift_proto::level::Level;
use sift_proto::message::{
    ChannelReport, ChannelRequest, DescribeRequest, FetchRequest, FileList, ListRequest,
    SelectRequest, Status, value,
};
use sift_server::{
    Access, Audit, AuditOptions, AuditParameters, AuditText, ClientCertificates, Grant, Limits,
    TlsOptions, WhenFull,
};

use crate::client_certificates::showing;
use crate::command::Running;
use crate::fixture::{Fixture, PATIENCE, Served};
use crate::peer::{self, client, hello, login, sql, tls_channel};
use crate::status::ask;

const SCHEMA: &str = include_str!("../../../docs/audit.schema.json");

/// Returns what is wrong with a value by the schema of the documents, by the keywords that it uses.
fn fault(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    for (keyword, rule) in schema.as_object().unwrap() {
        let wrong = match keyword.as_str() {
            "$ref" => {
                let name = rule.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                fault(root, &root["$defs"][name], value)
            }
            "oneOf" => {
                let rules = rule.as_array().unwrap();
                let faults: Vec<_> = rules.iter().map(|rule| fault(root, rule, value)).collect();
                let fits = faults.iter().filter(|fault| fault.is_none()).count();
                (fits != 1).then(|| format!("{fits} of {faults:?}"))
            }
            "const" => (rule != value).then(|| format!("{value} is not {rule}")),
            "enum" => (!rule.as_array().unwrap().contains(value)).then(|| value.to_string()),
            "type" => {
                let names = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
                let is = |name: &Value| match name.as_str().unwrap() {
                    "null" => value.is_null(),
                    "boolean" => value.is_boolean(),
                    "number" => value.is_number(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "string" => value.is_string(),
                    "array" => value.is_array(),
                    "object" => value.is_object(),
                    other => panic!("type {other}"),
                };
                (!names.iter().any(is)).then(|| format!("{value} is not {rule}"))
            }
            "minimum" => (value.as_f64() < rule.as_f64()).then(|| value.to_string()),
            "required" => {
                let mut missing = rule.as_array().unwrap().iter().map(|key| key.as_str().unwrap());
                missing.find(|key| value.get(key).is_none()).map(|key| format!("no {key}"))
            }
            "properties" => {
                let members = value.as_object().into_iter().flatten();
                let mut known = members.filter_map(|(key, value)| Some((rule.get(key)?, value)));
                known.find_map(|(rule, value)| fault(root, rule, value))
            }
            "additionalProperties" => {
                let mut keys = value.as_object().into_iter().flatten().map(|(key, _)| key);
                keys.find(|key| schema["properties"].get(key.as_str()).is_none()).cloned()
            }
            "items" => {
                let mut items = value.as_array().into_iter().flatten();
                items.find_map(|item| fault(root, rule, item))
            }
            "$schema" | "$defs" | "title" | "description" => None,
            other => panic!("keyword {other}"),
        };
        if wrong.is_some() {
            return wrong;
        }
    }
    None
}

/// Returns the lines of a file, each of which fits the schema.
pub(crate) fn lines(path: &Path) -> Vec<Value> {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let text = fs::read_to_string(path).unwrap();
    let parse = |line: &str| {
        let value = serde_json::from_str(line).unwrap();
        assert_eq!(fault(&schema, &schema, &value), None, "{line}");
        value
    };
    text.lines().map(parse).collect()
}

#[test]
fn the_schema_refuses_what_is_not_in_it() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let gap = json!({"time": "", "event": "gap", "lost": 1});
    assert_eq!(fault(&schema, &schema, &gap), None);
    for (key, value) in [("lost", json!(0)), ("more", json!(1)), ("event", json!("hole"))] {
        let mut wrong = gap.clone();
        wrong[key] = value;
        assert!(fault(&schema, &schema, &wrong).is_some(), "{key}");
    }
}

fn options(path: &Path) -> AuditOptions {
    AuditOptions {
        file: path.to_owned(),
        text: AuditText::Full,
        parameters: AuditParameters::Full,
        when_full: WhenFull::Continue,
    }
}

/// Starts a server with the user `ann` and this audit log.
async fn served(change: impl FnOnce(&mut AuditOptions)) -> Served {
    let mut fixture = Fixture::with_files();
    let mut options = options(&fixture.outside("audit.jsonl"));
    change(&mut options);
    fixture.audit = Audit::open(Some(options)).unwrap();
    let users = fixture.users(&[("ann", &[])]);
    let all = |name: &str, filter| {
        Grant::new(vec![name.to_owned()], Vec::new(), &["**".to_owned()], None, filter).unwrap()
    };
    let grants = vec![all("ann", Some("pop > 5 OR pop IS NULL")), all("guest", None)];
    fixture.serve_users(users, grants).await
}

fn pop(value: i64) -> SelectRequest {
    let number = sift_proto::message::Value { kind: Some(value::Kind::Integer(value)) };
    SelectRequest {
        sql: "SELECT city FROM 'cities.csv' WHERE pop > $1".to_owned(),
        parameters: vec![number],
        schema_kept: 0,
    }
}

#[tokio::test]
async fn who_asked_what_is_written_before_the_end_marker() {
    let served = served(|_| ()).await;
    let path = served.fixture.outside("audit.jsonl");
    let last = || lines(&path).last().cloned().unwrap();
    let mut ann = peer::user(&served, "ann").await;
    assert_eq!(lines(&path)[0]["event"], "start");
    let line = last();
    assert_eq!(
        (&line["event"], &line["user"], &line["method"], &line["status"]),
        (&json!("login"), &json!("ann"), &json!("password"), &json!("OK"))
    );
    assert_eq!(line["channel"]["protocol"], "TLSv1.3");
    assert_eq!(line["channel"]["level"], 5);
    assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"));

    ann.select(&pop(1_000_000)).await;
    let line = last();
    assert_eq!((&line["event"], &line["kind"]), (&json!("request"), &json!("Select")));
    assert_eq!(line["text"], "SELECT city FROM 'cities.csv' WHERE pop > $1");
    assert_eq!(line["parameters"], json!([1_000_000]));
    assert_eq!(line["file"], "cities.csv");
    assert_eq!(line["files"], json!(["cities.csv"]));
    assert_eq!(line["columns"], json!(["city", "pop"]));
    assert_eq!((&line["records"], &line["status"]), (&json!(1), &json!("OK")));
    assert!(line["bytes"].as_u64().unwrap() > 0);

    ann.select(&sql("SELECT 1")).await;
    assert_eq!((&last()["file"], last().get("files")), (&json!(""), None));
    ann.select_refused(&sql("SELECT citty FROM 'cities.csv'")).await;
    let line = last();
    assert_eq!(line["status"], "UNKNOWN_COLUMN");
    assert!(line["reason"].as_str().unwrap().contains("`citty`"));
    let fetch = FetchRequest { file: "cities.csv".to_owned(), ..FetchRequest::default() };
    ann.refused(Kind::Fetch, &fetch).await;
    assert_eq!((&last()["kind"], &last()["status"]), (&json!("Fetch"), &json!("GRANT_REQUIRED")));

    let mut guest = peer::plain(&served).await;
    assert_eq!((&last()["user"], &last()["method"]), (&json!("guest"), &json!("none")));
    guest.send(Kind::List, &ListRequest { pattern: "*.csv".to_owned() }).await;
    let _: FileList = guest.message(Kind::FileList).await;
    assert_eq!((&last()["kind"], &last()["file"]), (&json!("List"), &json!("*.csv")));
    guest.send(Kind::Fetch, &fetch).await;
    while guest.next().await.unwrap().kind != Kind::Finished {}
    assert_eq!((&last()["kind"], &last()["files"]), (&json!("Fetch"), &json!(["cities.csv"])));
    guest.refused(Kind::Describe, &DescribeRequest { file: "none.csv".to_owned() }).await;
    assert_eq!(last()["status"], "UNKNOWN_FILE");
    guest.send(Kind::Channel, &ChannelRequest {}).await;
    let _: ChannelReport = guest.message(Kind::ChannelReport).await;
    assert_eq!(last()["kind"], "Channel");
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("ann and ann"), "a password is in the audit log");
}

#[tokio::test]
async fn log_ins_that_fail_and_channels_that_do_not_do_are_in_it() {
    let served = served(|_| ()).await;
    let path = served.fixture.outside("audit.jsonl");
    let last = || lines(&path).last().cloned().unwrap();
    let mut wrong = tls_channel(&served, client(&served.fixture)).await.unwrap();
    let mut bad = login("ann");
    bad.password = "a secret guess".to_owned();
    wrong.send(Kind::Hello, &bad).await;
    assert_eq!(wrong.failure().await.0, Status::LoginRejected);
    let line = last();
    assert_eq!((&line["event"], &line["user"]), (&json!("login"), &json!("ann")));
    assert_eq!(line["status"], "LOGIN_REJECTED");
    let mut plain = peer::tcp(served.plain).await;
    plain.send(Kind::Hello, &hello(4)).await;
    assert_eq!(plain.failure().await.0, Status::LevelNotMet);
    assert_eq!(last()["status"], "LEVEL_NOT_MET");
    assert!(!fs::read_to_string(&path).unwrap().contains("a secret guess"));
}

#[tokio::test]
async fn a_certificate_is_in_it_with_its_fingerprint() {
    let mut fixture = Fixture::with_files();
    let path = fixture.outside("audit.jsonl");
    fixture.audit = Audit::open(Some(options(&path))).unwrap();
    let certificate = fixture.issue("ann", |params| {
        let mail = "ann@example.com".try_into().unwrap();
        params.subject_alt_names.push(rcgen::SanType::Rfc822Name(mail));
    });
    let users = fixture.users(&[("ann", &[])]);
    let options = TlsOptions::new(fixture.certificate(), Level::Three)
        .clients(fixture.outside("authority.pem"), ClientCertificates::Required);
    let access = Access::secure(users, Vec::new());
    let served = fixture.serve_access(options, Limits::default(), access).await;
    let config = showing(&served.fixture, &certificate, &rustls::version::TLS13);
    tls_channel(&served, config).await.unwrap().welcome(hello(3)).await;
    let line = lines(&path).last().cloned().unwrap();
    assert_eq!((&line["user"], &line["method"]), (&json!("ann"), &json!("certificate")));
    assert_eq!(line["certificate"]["names"], json!(["mail:ann@example.com"]));
    assert_eq!(line["certificate"]["sha256"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn texts_and_parameters_have_the_form_of_the_configuration() {
    let hashed = served(|options| {
        options.text = AuditText::Hash;
        options.parameters = AuditParameters::Count;
    });
    let served = hashed.await;
    let path = served.fixture.outside("audit.jsonl");
    let mut ann = peer::user(&served, "ann").await;
    ann.select(&pop(424_242)).await;
    ann.select(&pop(424_243)).await;
    ann.select_refused(&sql("SELECT 'secretive' + 1 FROM 'cities.csv'")).await;
    let lines = lines(&path);
    let [one, other, refused] = lines.last_chunk().unwrap();
    assert_eq!(one["text_sha256"], other["text_sha256"]);
    assert_eq!(one["parameters_count"], 1);
    assert!(refused.get("reason").is_none());
    let text = fs::read_to_string(&path).unwrap();
    for hidden in ["SELECT", "424242", "secretive"] {
        assert!(!text.contains(hidden), "{hidden}");
    }
}

#[tokio::test]
async fn a_full_disk_stops_answers_only_if_the_configuration_says_so() {
    let fixture = |when_full| {
        served(move |options| {
            options.file = "/dev/full".into();
            options.when_full = when_full;
        })
    };
    let served = fixture(WhenFull::Continue).await;
    let mut ann = peer::user(&served, "ann").await;
    assert_eq!(ann.select(&pop(0)).await.batch.num_rows(), 2);

    let served = fixture(WhenFull::Stop).await;
    let mut ann = tls_channel(&served, client(&served.fixture)).await.unwrap();
    ann.send(Kind::Hello, &login("ann")).await;
    let (status, message) = ann.failure().await;
    assert_eq!(status, Status::Internal);
    assert!(message.starts_with("the server cannot write its audit log"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_and_slow_selects_are_told() {
    let fixture = Fixture::new();
    fixture.zeros("zeros.dat", 256 << 30);
    fixture.state();
    let text = "state = '../../state'\nslow_query_seconds = 1\n[audit]\nfile = '../../audit.jsonl'\n\
        [[listener]]\nport = 0\nencrypt = false\n";
    let mut siftd = Running::configured(&fixture, text);
    let address = siftd.address("listening, plain");
    let mut peer = peer::tcp(address).await;
    peer.welcome(hello(0)).await;
    peer.send(Kind::Select, &sql("SELECT count(*) FROM 'zeros.dat' WHERE n = 0")).await;
    let started = std::time::Instant::now();
    let id = loop {
        let (_, text) = ask(&fixture, &["status", "--json"]);
        let status: Value = serde_json::from_str(&text).unwrap();
        let request = &status["sessions"][0]["request"];
        if request["seconds"].as_f64().is_some_and(|seconds| seconds > 1.0) {
            break request["id"].to_string();
        }
        assert!(started.elapsed() < PATIENCE + Duration::from_secs(1), "{text}");
    };
    assert_eq!(ask(&fixture, &["kill", &id]).0, Some(0));
    assert_eq!(peer.failure_after_data().await.0, Status::Ended);
    let line = siftd.line("slow Select");
    assert!(line.contains("\"text\":\"SELECT count(*)") && line.contains("scan"), "{line}");
    drop(peer);
    siftd.signal("TERM");
    siftd.child.wait().unwrap();
    let lines = lines(&fixture.outside("audit.jsonl"));
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["start", "login", "kill", "request", "stop"]);
    assert_eq!(lines[2]["id"].to_string(), id);
    assert_eq!(lines[3]["status"], "ENDED");
}
