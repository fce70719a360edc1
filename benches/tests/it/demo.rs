use std::path::Path;

use crate::{Kept, run, text};

const DEMO: &str = env!("CARGO_BIN_EXE_sift-demo");

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn both_ways_give_the_same_answer_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(DEMO, folder.path(), &["--scale", "0.001", "--scl", "5"]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert_eq!(out.matches("both answers are equal").count(), 2, "{out}");
    assert_eq!(out.matches("bytes as Arrow").count(), 2, "{out}");
    assert!(
        out.contains("level 5 (5 asked for), TLSv1.3, key exchange X25519MLKEM768, TLS_"),
        "{out}"
    );
    assert_eq!(entries(folder.path()), 0);
}

#[test]
fn a_question_that_is_none_is_an_error_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--scale", "0.001", "--question", "l_shipdat IS NULL"];
    let output = run(DEMO, folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("l_shipdat"), "{}", text(&output.stderr));
    assert_eq!(entries(folder.path()), 0);
}

#[test]
fn an_interrupt_ends_a_server_that_was_kept_and_cleans_up() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::start(folder.path());
    assert!(kept.lines.iter().any(|line| line.contains("until Ctrl-C")));
    assert_eq!(kept.interrupt(), Some(130));
    assert_eq!(entries(folder.path()), 0);
}
