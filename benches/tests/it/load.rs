use std::path::Path;
use std::process::Output;

use sift_benches::document::Document;
use sift_benches::load::Handshakes;

use crate::{run, text};

fn load(folder: &Path, more: &[&str]) -> Output {
    let data = folder.join("data");
    let mut arguments = vec!["load", "--data", data.to_str().unwrap(), "--scale=0.001"];
    arguments.extend(["--warm-up=0.1", "--seconds=0.5"]);
    arguments.extend(more);
    run(env!("CARGO_BIN_EXE_sift-bench"), folder, &arguments)
}

#[test]
fn every_step_is_in_the_document() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("out.json");
    let json_option = format!("--json={}", json.display());
    let options = ["--sessions=1,3", "--index", "--idle=5", &json_option, "--assert=failures<1"];
    let output = load(folder.path(), &options);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let document: Document = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(document.loads.len(), 2);
    for load in &document.loads {
        assert!(load.outcome.answers > 0, "{load:?}");
        assert_eq!(load.idle, 5);
        assert!(load.samples.last().unwrap().descriptors > 5, "{load:?}");
    }
}

#[test]
fn connections_of_one_request_shake_hands_as_they_were_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("out.json");
    let json_option = format!("--json={}", json.display());
    for (connections, is_resumed) in [("full", false), ("resumed", true)] {
        let connections = format!("--connections={connections}");
        let output = load(folder.path(), &["--sessions=2", &connections, &json_option]);
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        let document: Document =
            serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
        let [load] = &document.loads[..] else { panic!("one step: {document:?}") };
        let Handshakes { full, resumed } = load.handshakes;
        assert!(full + resumed >= load.outcome.answers, "{load:?}");
        // the first connection of each session has no session to resume
        assert_eq!((full == 2, resumed > 0), (is_resumed, is_resumed), "{load:?}");
        assert!(text(&output.stdout).contains(&format!("{full} full handshakes")));
    }
}

#[test]
fn a_rival_is_put_under_the_same_load() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("out.json");
    let json_option = format!("--json={}", json.display());
    let asked = folder.path().join("asked");
    let said = r#"{\"sessions\":7,\"seconds\":1,\"answers\":5,\"failures\":{},\"missed\":0,\"latency_micros\":{}}"#;
    let rival = format!(
        r#"sh -c 'echo "{{\"arm\":\"a rival\"}}"; while read line; do echo "$line" >> {}; echo "{said}"; done'"#,
        asked.display()
    );
    let output = load(folder.path(), &["--sessions=1,2", "--rival", &rival, &json_option]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let document: Document = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    let arms: Vec<&str> = document.loads.iter().map(|load| load.arm.as_str()).collect();
    assert_eq!(arms, ["Sift", "a rival", "Sift", "a rival"]);
    assert_eq!(document.loads[1].outcome.answers, 5);
    let asked = std::fs::read_to_string(asked).unwrap();
    let first = r#"{"sessions":1,"rate":null,"connections":"kept","warm_up":0.1,"seconds":0.5,"keys":6000,"keys_each":8}"#;
    assert_eq!(asked.lines().next(), Some(first));
}

#[test]
fn a_bound_that_does_not_hold_fails() {
    let folder = tempfile::tempdir().unwrap();
    let output = load(folder.path(), &["--sessions=1", "--rate=20", "--assert=p50<1us"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let told = "sift-bench: p50<1us does not hold at 1 sessions";
    assert!(text(&output.stderr).contains(told), "{}", text(&output.stderr));
}

#[test]
fn failures_are_told_by_their_status() {
    let folder = tempfile::tempdir().unwrap();
    let mix = folder.path().join("mix.toml");
    std::fs::write(&mix, "[[select]]\nsql = \"SELECT * FROM 'nothing.csv'\"\n").unwrap();
    let mix = format!("--mix={}", mix.display());
    let output = load(folder.path(), &["--sessions=1", &mix, "--assert=failures<1"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("failed: UNKNOWN_FILE"), "{}", text(&output.stdout));
}
