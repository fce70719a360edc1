use sift_benches::break_even::BreakEven;
use sift_benches::document::Document;

use crate::{Kept, run, text};

#[test]
fn both_arms_are_in_the_document_with_what_they_took() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("out.json");
    let data = folder.path().join("data");
    let arguments = [
        "compare",
        "--data",
        data.to_str().unwrap(),
        "--json",
        json.to_str().unwrap(),
        "--scale=0.001",
        "--rounds=2",
        "--levels=plain,4",
        "--questions=1%,100%,sum",
        "--rival",
        &rival(r#"{\"seconds\":0.5}"#),
    ];
    let output = run(env!("CARGO_BIN_EXE_sift-bench"), folder.path(), &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let document: Document = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    // two levels, two formats, three questions
    assert_eq!(document.cells.len(), 12);
    for cell in &document.cells {
        let [whole, selected, whole_floor, selected_floor, rival] = &cell.series[..] else {
            panic!("five arms: {cell:?}")
        };
        assert_eq!(whole_floor.runs[0].bytes_sent, Some(cell.file_bytes), "{cell:?}");
        assert!(cell.file.starts_with("lineitem."), "{cell:?}");
        assert!(selected_floor.runs[0].bytes_sent > Some(0), "{cell:?}");
        assert_eq!((rival.arm.as_str(), rival.runs[1].seconds), ("a rival", 0.5));
        assert_eq!((whole.runs.len(), selected.runs.len()), (2, 2));
        for (whole, selected) in whole.runs.iter().zip(&selected.runs) {
            assert_eq!(whole.records, selected.records, "{cell:?}");
            // a slow machine may count as a slow link, and compress
            assert_eq!(whole.narrow_bytes, Some(cell.file_bytes), "{cell:?}");
            assert!(whole.bytes_sent > Some(0) && selected.bytes_sent > Some(0), "{cell:?}");
            assert!(selected.arrow_bytes > selected.narrow_bytes, "{cell:?}");
            assert!(whole.fetch_seconds < Some(whole.seconds), "{cell:?}");
            assert!(whole.fetch_seconds < whole.first_seconds, "{cell:?}");
            assert!(selected.first_seconds < Some(selected.seconds), "{cell:?}");
        }
        let channel = cell.channel.as_ref().unwrap();
        assert_eq!(channel.cipher.is_empty(), channel.level == "plain", "{cell:?}");
    }
    let one = document.cells.iter().find(|cell| cell.title == "1%" && cell.format == "fixed");
    let one = one.unwrap();
    assert!((0.005..0.02).contains(&one.selectivity.unwrap()), "{one:?}");
    let [whole, selected, ..] = &one.series[..] else { panic!("two arms") };
    assert!(selected.runs[0].bytes_sent.unwrap() * 10 < whole.runs[0].bytes_sent.unwrap());
    let same = document.cells.iter().filter(|cell| cell.format == "csv");
    assert!(BreakEven::of(same).is_some());
}

/// Returns the output of `compare` about generated data with few records.
fn compared(more: &[&str]) -> (Document, String) {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("out.json");
    let (data, json_option) = (folder.path().join("data"), format!("--json={}", json.display()));
    let mut arguments = vec!["compare", "--data", data.to_str().unwrap(), &json_option];
    arguments.extend(["--scale=0.001", "--rounds=1"]);
    arguments.extend(more);
    let output = run(env!("CARGO_BIN_EXE_sift-bench"), folder.path(), &arguments);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    (serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap(), out.to_owned())
}

#[test]
fn every_format_gives_the_same_records() {
    let (document, _) = compared(&[
        "--levels=plain",
        "--formats=fixed,csv,jsonl,parquet",
        "--questions=1%,top 100",
    ]);
    assert_eq!(document.cells.len(), 8);
    for cell in &document.cells {
        let same = document.cells.iter().find(|other| other.title == cell.title).unwrap();
        assert_eq!(cell.series[1].runs[0].records, same.series[1].runs[0].records, "{cell:?}");
        assert_eq!(cell.selectivity.is_some(), cell.title == "1%", "{cell:?}");
    }
    let formats: Vec<&str> = document.cells.iter().map(|cell| cell.format.as_str()).collect();
    assert_eq!(formats[..2], ["fixed", "fixed"]);
    assert_eq!(formats[4..], ["jsonl", "jsonl", "parquet", "parquet"]);
}

#[test]
fn each_suite_of_a_level_has_a_channel_of_its_own() {
    let arguments = ["--levels=plain,3", "--formats=fixed", "--questions=1%"];
    let (document, out) = compared(&[&arguments[..], &["--suites=all"]].concat());
    let suites: Vec<&str> = document
        .cells
        .iter()
        .map(|cell| cell.channel.as_ref().unwrap().cipher.split(' ').next().unwrap())
        .collect();
    let expected = [
        "",
        "TLS_AES_256_GCM_SHA384",
        "TLS_AES_128_GCM_SHA256",
        "TLS_CHACHA20_POLY1305_SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    ];
    assert_eq!(suites, expected);
    assert!(out.contains("level 3 (ECDHE-ECDSA-CHACHA20-POLY1305), link"), "{out}");
    // each has its bare loop next to it
    assert!(document.cells.iter().all(|cell| cell.series.len() == 4));
    let named = "--suites=TLS_AES_128_GCM_SHA256";
    let (document, _) = compared(&[&arguments[..], &[named]].concat());
    assert_eq!(document.cells.len(), 2);
}

/// Returns a command that writes `said` for every question.
fn rival(said: &str) -> String {
    format!(r#"sh -c 'echo "{{\"arm\":\"a rival\"}}"; while read line; do echo "{said}"; done'"#)
}

#[test]
fn a_rival_with_another_answer_is_caught() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (said, complaint) in [
        (r#"{\"seconds\":1,\"records\":2}"#, "a rival: 2 records, expected 1"),
        (r#"{\"seconds\":1,\"value\":\"7\"}"#, "a rival: the answer is 7, expected "),
        ("what?", "said \"what?"),
    ] {
        let arguments = [
            "compare",
            "--data",
            data.to_str().unwrap(),
            "--scale=0.001",
            "--rounds=1",
            "--levels=plain",
            "--formats=fixed",
            "--questions=sum",
            "--rival",
            &rival(said),
        ];
        let output = run(env!("CARGO_BIN_EXE_sift-bench"), folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(complaint), "{}", text(&output.stderr));
    }
}

#[test]
fn a_server_that_runs_already_is_compared_on_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::start(folder.path());
    let (server, ca) = (kept.option("--server"), kept.option("--ca"));
    let descriptor = ca.replace("ca.pem", "data/lineitem.dat.toml");
    let mut arguments = vec!["compare", "--server", server, "--ca", ca, "--rounds=1"];
    arguments.extend(["--file=lineitem.dat", "--where=l_quantity < 10"]);
    arguments.extend(["--descriptor", &descriptor]);
    let output = run(env!("CARGO_BIN_EXE_sift-bench"), folder.path(), &arguments);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains("of the records; level 3 (TLS_AES_256_GCM_SHA384), link"), "{out}");
    assert_eq!(kept.interrupt(), Some(130));
}
