//! `sift fetch` of several files, patterns and folders: the tree, failures, resume, names that lead
//! out of the output folder, and names that were not asked for.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prost::Message as _;
use sift_client::{Kind, Status};
use sift_proto::message::{FetchRequest, FetchStart, FileEntry, FileList, ListRequest};

use crate::fake::{Fake, Peer, run};

/// The files that the server lists. It gives each its path as content, but for `gone.csv`.
const LISTED: [&str; 7] =
    ["a.csv", "x/b.csv", "x/y/c.csv", "../evil.csv", "/evil.csv", "x/../../evil.csv", "gone.csv"];

/// The files that the server lists for `*.txt`. Only the first one matches.
const TEXTS: [&str; 5] = ["a.txt", ".bashrc", ".a.txt", "y/b.txt", "../b.txt"];

/// The files that the server lists for the folder `f`. Only the first two match.
const IN_FOLDER: [&str; 4] = ["f/a", "f/b/c", "g/a", "f/.profile"];

/// Answers lists and fetches. A fetch of `x/b.csv` breaks off in the middle while `breaks`.
async fn serving(mut peer: Peer, breaks: Arc<AtomicBool>) {
    peer.greet().await;
    while let Some((kind, body)) = peer.frame().await {
        if kind == Kind::List {
            let pattern = ListRequest::decode(body.as_slice()).unwrap().pattern;
            let paths: &[&str] = match pattern.as_str() {
                "**/*" => &LISTED,
                "x/**/*" => &LISTED[1..3],
                "*.csv" => &LISTED[..1],
                "*.txt" => &TEXTS,
                "f/**/*" => &IN_FOLDER,
                _ => &[],
            };
            let entry = |path: &&str| FileEntry {
                path: (*path).to_owned(),
                bytes: Some(path.len() as u64),
                ..FileEntry::default()
            };
            let files = paths.iter().map(entry).collect();
            peer.send(Kind::FileList, &FileList { files }).await;
            continue;
        }
        let request = FetchRequest::decode(body.as_slice()).unwrap();
        if request.file == "gone.csv" || request.file.starts_with("no") {
            peer.fail(Status::UnknownFile, &format!("`{}`: unknown file", request.file)).await;
            continue;
        }
        let content = &request.file.as_bytes()[request.offset as usize..];
        let start = FetchStart {
            file_bytes: request.file.len() as u64,
            offset: request.offset,
            length: content.len() as u64,
            identity: "1".to_owned(),
        };
        peer.send(Kind::FetchStart, &start).await;
        if breaks.load(Ordering::Relaxed) && request.file == "x/b.csv" {
            peer.body(Kind::Chunk, &content[..3]).await;
            return;
        }
        peer.body(Kind::Chunk, content).await;
        peer.finish(0).await;
    }
}

async fn server() -> (Fake, Arc<AtomicBool>) {
    let breaks = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&breaks);
    (Fake::plain(move |peer| serving(peer, Arc::clone(&switch))).await, breaks)
}

fn fetch(fake: &Fake, here: &Path, arguments: &[&str]) -> Output {
    let server = fake.address.to_string();
    Command::new(env!("CARGO_BIN_EXE_sift"))
        .args(["--plain", "--server", &server, "fetch"])
        .args(arguments)
        .current_dir(here)
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env_remove("SIFT_USER")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn has(folder: &Path, path: &str) {
    assert_eq!(fs::read_to_string(folder.join(path)).unwrap(), path);
}

/// Returns all names below a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        if path.is_dir() && !path.is_symlink() {
            names.extend(self::names(&path));
        }
    }
    names.sort();
    names
}

#[test]
fn patterns_folders_and_names_keep_their_tree() {
    run(async {
        let (fake, _) = server().await;
        let here = tempfile::tempdir().unwrap();
        let output = fetch(&fake, here.path(), &["*.csv", "n/1.csv", "a.csv"]);
        assert_eq!((error(&output).as_str(), output.status.code()), ("", Some(0)));
        has(here.path(), "a.csv");
        has(here.path(), "n/1.csv");
        let output = fetch(&fake, here.path(), &["-r", "x/", "--output-dir", "new/out", "--stats"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(error(&output).starts_with("files     2 of 2\nfetched   16 bytes, 0 of"));
        has(&here.path().join("new/out"), "x/b.csv");
        has(&here.path().join("new/out"), "x/y/c.csv");
        assert_eq!(names(&here.path().join("new")), ["b.csv", "c.csv", "out", "x", "y"]);
        // one name is a file here, as before
        assert_eq!(fetch(&fake, here.path(), &["x/y/c.csv"]).status.code(), Some(0));
        assert!(here.path().join("c.csv").is_file());
        for wrong in [
            &["a", "b", "-o", "f"][..],
            &["a", "b", "--range", "0-1"],
            &["-r", "x", "-o", "f"],
            &["a", "--output-dir", "d", "-o", "f"],
            &[],
        ] {
            assert_eq!(fetch(&fake, here.path(), wrong).status.code(), Some(2), "{wrong:?}");
        }
    });
}

#[test]
fn what_fails_is_named_and_the_rest_is_fetched() {
    run(async {
        let (fake, _) = server().await;
        let here = tempfile::tempdir().unwrap();
        let out = here.path().join("out");
        let output = fetch(&fake, here.path(), &["-r", ".", "--output-dir", "out"]);
        let text = error(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        for path in ["../evil.csv", "/evil.csv", "x/../../evil.csv"] {
            let line = format!("sift: {path}: `{path}` leads out of the output folder\n");
            assert!(text.contains(&line), "{text}");
        }
        assert!(text.contains("sift: gone.csv: `gone.csv`: unknown file\n"), "{text}");
        assert!(text.ends_with("sift: 4 of 7 files were not fetched\n"), "{text}");
        has(&out, "x/y/c.csv");
        assert_eq!(names(here.path()), ["a.csv", "b.csv", "c.csv", "out", "x", "y"]);
    });
}

#[test]
fn what_was_not_asked_for_is_not_fetched() {
    run(async {
        let (fake, _) = server().await;
        let here = tempfile::tempdir().unwrap();
        fs::write(here.path().join(".bashrc"), "precious").unwrap();
        let output = fetch(&fake, here.path(), &["*.txt"]);
        let text = error(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        for path in &TEXTS[1..4] {
            let line =
                format!("sift: {path}: `{path}`: the server lists it, but it was not asked for\n");
            assert!(text.contains(&line), "{text}");
        }
        assert!(text.contains("`../b.txt` leads out of the output folder\n"), "{text}");
        assert!(text.ends_with("sift: 4 of 5 files were not fetched\n"), "{text}");
        has(here.path(), "a.txt");
        assert_eq!(fs::read_to_string(here.path().join(".bashrc")).unwrap(), "precious");
        assert_eq!(names(here.path()), [".bashrc", "a.txt"]);
        let output = fetch(&fake, here.path(), &["-r", "f"]);
        assert!(error(&output).ends_with("sift: 2 of 4 files were not fetched\n"));
        has(here.path(), "f/b/c");
        assert_eq!(names(here.path()), [".bashrc", "a", "a.txt", "b", "c", "f"]);
        // another argument asks for one of them
        let output = fetch(&fake, here.path(), &["*.txt", ".a.txt", "--output-dir", "out"]);
        assert!(error(&output).ends_with("sift: 3 of 5 files were not fetched\n"));
        assert_eq!(names(&here.path().join("out")), [".a.txt", "a.txt"]);
    });
}

#[test]
fn links_are_not_followed() {
    run(async {
        let (fake, _) = server().await;
        let (here, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("a.csv"), "precious").unwrap();
        symlink(outside.path().join("a.csv"), here.path().join("a.csv")).unwrap();
        symlink(outside.path(), here.path().join("x")).unwrap();
        let output = fetch(&fake, here.path(), &["a.csv", "x/b.csv", "z.csv"]);
        let text = error(&output);
        assert!(text.ends_with("sift: 2 of 3 files were not fetched\n"), "{text}");
        has(here.path(), "z.csv");
        assert_eq!(fs::read_to_string(outside.path().join("a.csv")).unwrap(), "precious");
        assert_eq!(names(outside.path()), ["a.csv"]);
    });
}

#[test]
fn a_name_that_another_file_needs_is_not_fetched() {
    run(async {
        let (fake, _) = server().await;
        let here = tempfile::tempdir().unwrap();
        let output = fetch(&fake, here.path(), &["a", "a.part", "a.part.origin", "b.part"]);
        assert!(error(&output).ends_with("sift: 2 of 4 files were not fetched\n"));
        has(here.path(), "a");
        has(here.path(), "b.part");
        assert_eq!(names(here.path()), ["a", "b.part"]);
    });
}

#[test]
fn what_broke_off_is_resumed() {
    run(async {
        let (fake, breaks) = server().await;
        let here = tempfile::tempdir().unwrap();
        breaks.store(true, Ordering::Relaxed);
        let output = fetch(&fake, here.path(), &["-r", "x"]);
        assert!(error(&output).ends_with("sift: 1 of 2 files were not fetched\n"));
        has(here.path(), "x/y/c.csv");
        assert_eq!(fs::read_to_string(here.path().join("x/b.csv.part")).unwrap(), "x/b");
        breaks.store(false, Ordering::Relaxed);
        let output = fetch(&fake, here.path(), &["-r", "x", "--stats"]);
        assert!(error(&output).contains("fetched   16 bytes, 3 of them by an earlier fetch"));
        has(here.path(), "x/b.csv");
        assert_eq!(names(here.path()), ["b.csv", "c.csv", "x", "y"]);
    });
}
