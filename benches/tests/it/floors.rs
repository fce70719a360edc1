use sift_benches::document::Document;

use crate::{run, text};

#[test]
fn each_floor_stands_beside_what_it_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("out.json");
    let (data, json_option) = (folder.path().join("data"), format!("--json={}", json.display()));
    let arguments =
        ["floors", "--data", data.to_str().unwrap(), "--scale=0.001", "--rounds=1", &json_option];
    let output = run(env!("CARGO_BIN_EXE_sift-bench"), folder.path(), &arguments);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    let document: Document = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert!(document.cells.iter().all(|cell| cell.series.len() == 2));
    let titles: Vec<&str> = document
        .cells
        .iter()
        .filter(|cell| cell.handshakes.is_some())
        .map(|cell| cell.title.as_str())
        .collect();
    assert_eq!(titles.len(), 6, "{titles:?}");
    assert!(titles[0].starts_with("full handshake at level 3, TLS_"), "{titles:?}");
    assert!(titles[1].starts_with("resumed handshake at level 3, TLS_"), "{titles:?}");
    assert!(out.contains("/s"), "{out}");
}
