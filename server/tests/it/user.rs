//! `siftd user`: what it writes, what it asks for, and that a running server knows.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::fixture::{Fixture, binary};
use crate::peer;

/// Runs it with a text on standard input: exit code and all that it said.
fn user(fixture: &Fixture, arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let mut child = Command::new(binary())
        .arg("user")
        .args(arguments)
        .env("XDG_CONFIG_HOME", fixture.outside("config"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // it may end without reading
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn users_are_added_listed_changed_and_removed() {
    let fixture = Fixture::new();
    let done = (Some(0), String::new());
    let add = ["add", "ann", "--group", "sales", "--certificate", "mail:ann@example.com"];
    assert_eq!(user(&fixture, &add, "a good password\n"), done);
    let path = fixture.outside("config/sift/users.toml");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("$argon2id$") && !text.contains("good password"), "{text}");
    let bob = ["add", "bob", "--certificate", "bob@example.com", "--no-password"];
    assert_eq!(user(&fixture, &bob, ""), done);
    let (_, list) = user(&fixture, &["list"], "");
    let words: Vec<_> =
        list.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(words[0], ["ann", "sales", "password,", "certificate", "mail:ann@example.com"]);
    assert_eq!(words[1], ["bob", "certificate", "bob@example.com"]);

    fs::write(fixture.outside("secret"), "another password\n").unwrap();
    let secret = fixture.outside("secret").display().to_string();
    assert_eq!(user(&fixture, &["password", "ann", "--password-file", &secret], ""), done);
    assert_ne!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(user(&fixture, &["remove", "ann"], ""), done);
    assert!(!user(&fixture, &["list"], "").1.contains("ann"));
}

#[test]
fn what_is_wrong_is_told_and_changes_nothing() {
    let fixture = Fixture::new();
    user(&fixture, &["add", "ann", "--certificate", "x"], "a good password\n");
    let path = fixture.outside("config/sift/users.toml");
    let before = fs::read_to_string(&path).unwrap();
    for (arguments, input, expected) in [
        (&["add", "ann"][..], "a good password\n", "user `ann` is there already"),
        (&["add", "bob"], "short\n", "the password has 5 characters, at least 8 are expected"),
        (&["add", "bob"], "", "the password has 0 characters"),
        (&["add", "b b"], "a good password\n", "`b b` is not a name"),
        (&["add", "bob", "--group", ""], "a good password\n", "`` is not a name"),
        (&["add", "bob", "--certificate", "x"], "a good password\n", "is that of `ann`"),
        (&["add", "bob", "--no-password"], "", "--certificate"),
        (&["remove", "bob"], "", "there is no user `bob`"),
        (&["password", "bob"], "a good password\n", "there is no user `bob`"),
        (&["list", "--users", "/"], "", "users /: "),
    ] {
        let (code, text) = user(&fixture, arguments, input);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
}

#[test]
fn the_users_file_is_the_one_that_the_configuration_names() {
    let fixture = Fixture::new();
    fs::write(fixture.outside("siftd.toml"), "users = 'here/people.toml'\n").unwrap();
    let config = fixture.outside("siftd.toml").display().to_string();
    let (code, text) = user(&fixture, &["add", "ann", "--config", &config], "a good password\n");
    assert_eq!(code, Some(0), "{text}");
    assert!(fixture.outside("here/people.toml").exists());
}

#[tokio::test]
async fn a_running_server_knows_a_new_user() {
    let fixture = Fixture::new();
    let users = fixture.users(&[("ann", &[])]);
    let served = fixture.serve_users(users, Vec::new()).await;
    let path = served.fixture.outside("users.toml").display().to_string();
    let (code, text) = user(&served.fixture, &["add", "bob", "--users", &path], "bob and bob\n");
    assert_eq!(code, Some(0), "{text}");
    peer::user(&served, "bob").await;
    peer::user(&served, "ann").await;
}

#[test]
fn names_that_no_certificate_has_are_refused_at_once() {
    let fixture = Fixture::new();
    for (name, expected) in [
        ("email:ann@x", "`email:` is not a kind of name; write `mail:`"),
        ("mail:ann", "a mail address is expected"),
        ("ip:ann", "an IP address is expected"),
        ("cn:", "a name is expected"),
    ] {
        let add = ["add", "ann", "--certificate", name, "--no-password"];
        let (code, text) = user(&fixture, &add, "");
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(expected), "{text}");
    }
    let add = |name: &'static str, certificate| {
        ["add", name, "--certificate", certificate, "--no-password"]
    };
    assert_eq!(user(&fixture, &add("ann", "dns:A.example"), "").0, Some(0));
    assert_eq!(user(&fixture, &add("bob", "cn:a.example"), "").0, Some(0));
    let (code, text) = user(&fixture, &add("cat", "a.example"), "");
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("certificate name `a.example` is that of `ann` and of `cat`"), "{text}");
}
