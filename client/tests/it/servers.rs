//! `sift server` writes the configuration, and SIFT_CA is trusted.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use sift_client::Kind;
use sift_proto::message::{FileEntry, FileList};
use tempfile::TempDir;

use crate::fake::{Authority, Fake, Peer, run};

/// Answers every list with one file.
async fn listing(mut peer: Peer) {
    peer.greet().await;
    while let Some((Kind::List, _)) = peer.frame().await {
        let file = FileEntry {
            path: "a.csv".into(),
            format: "csv".into(),
            bytes: Some(1536),
            ..FileEntry::default()
        };
        peer.send(Kind::FileList, &FileList { files: vec![file] }).await;
    }
}

const LISTED: &str = "path,format,bytes,modified,protection\na.csv,csv,1536,,none\n";

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn config(&self) -> String {
        fs::read_to_string(self.at("sift/sift.toml")).unwrap()
    }

    /// Runs `sift` with this folder for its configuration.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sift"));
        for name in ["SIFT_SERVER", "SIFT_USER", "SIFT_PASSWORD", "SIFT_CA"] {
            command.env_remove(name);
        }
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command.env("XDG_CONFIG_HOME", self.0.path());
        command
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) -> String {
        stdout(&self.command(arguments).output().unwrap())
    }

    #[track_caller]
    fn fails(&self, arguments: &[&str], why: &str) {
        let output = self.command(arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(why), "{error}");
        assert_eq!(output.status.code(), Some(2));
    }
}

#[track_caller]
fn stdout(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn servers_are_added_listed_used_and_removed() {
    run(async {
        let authority = Authority::new();
        let secure = Fake::tls(authority.ordinary(), listing).await;
        let open = Fake::plain(listing).await;
        let home = Home::new();
        fs::copy(authority.file(), home.at("ca.pem")).unwrap();
        let (secure, open) = (secure.address.to_string(), open.address.to_string());
        home.succeeds(&[
            "server",
            "add",
            "a",
            &secure,
            "--ca",
            "ca.pem",
            "--scl",
            "4",
            "--default",
        ]);
        home.succeeds(&["server", "add", "b c", &open, "--plain", "--compression", "zstd"]);
        let ca = fs::canonicalize(home.at("ca.pem")).unwrap().display().to_string();
        let expected = format!(
            "default = \"a\"\n\n[server.a]\naddress = \"{secure}\"\nca = \"{ca}\"\nscl = 4\n\n\
             [server.\"b c\"]\naddress = \"{open}\"\nencrypt = false\ncompression = \"zstd\"\n"
        );
        assert_eq!(home.config(), expected);
        assert_eq!(home.succeeds(&["files"]), LISTED);
        assert_eq!(home.succeeds(&["-s", "b c", "files"]), LISTED);
        let listed = format!(
            "name,address,default,encrypt,user,ca\na,{secure},true,true,,{ca}\n\
             b c,{open},false,false,,\n"
        );
        assert_eq!(home.succeeds(&["server", "list"]), listed);
        home.fails(&["server", "remove", "bc"], "no server `bc`; did you mean `b c`?");
        home.succeeds(&["server", "remove", "a"]);
        assert_eq!(
            home.config(),
            expected.split_once("\n\n").unwrap().1.split_once("\n\n").unwrap().1
        );
    });
}

#[test]
fn comments_stay_and_what_is_wrong_changes_nothing() {
    let home = Home::new();
    fs::create_dir(home.at("sift")).unwrap();
    let before = "# mine\n[server.a] # near\naddress = \"a\"\n\n# the end\n";
    fs::write(home.at("sift/sift.toml"), before).unwrap();
    fs::write(home.at("empty.pem"), "").unwrap();
    home.fails(&["server", "add", "a", "b"], "there is a server `a` already");
    home.fails(&["server", "add", "b", "b", "--ca", "missing.pem"], "missing.pem: cannot read");
    home.fails(&["server", "add", "b", "b", "--ca", "empty.pem"], "empty.pem");
    home.fails(&["server", "add", "b", "b:port"], "b:port");
    home.fails(&["server", "add", "", "b"], "a value is required");
    assert_eq!(home.config(), before);
    // what comes from the environment is for this command alone
    let added = home.command(&["server", "add", "b", "h:1"]).env("SIFT_USER", "ann").output();
    stdout(&added.unwrap());
    assert_eq!(home.config(), format!("{before}\n[server.b]\naddress = \"h:1\"\n"));
    fs::write(home.at("sift/sift.toml"), "[server").unwrap();
    home.fails(&["server", "add", "c", "c"], "sift.toml: ");
    assert_eq!(home.config(), "[server");
}

#[test]
fn the_authority_of_the_environment_is_trusted() {
    run(async {
        let authority = Authority::new();
        let secure = Fake::tls(authority.ordinary(), listing).await;
        let open = Fake::plain(listing).await;
        let home = Home::new();
        let ask = |arguments: &[&str]| {
            home.command(arguments).env("SIFT_CA", authority.file()).output().unwrap()
        };
        let server = secure.address.to_string();
        assert_eq!(stdout(&ask(&["-s", &server, "files"])), LISTED);
        home.fails(&["-s", &server, "files"], "certificate");
        // it does not ask for encryption
        assert_eq!(stdout(&ask(&["-s", &open.address.to_string(), "--plain", "files"])), LISTED);
        home.succeeds(&["server", "add", "open", &open.address.to_string(), "--plain"]);
        assert_eq!(stdout(&ask(&["-s", "open", "files"])), LISTED);
    });
}

#[test]
fn sizes_for_people() {
    run(async {
        let fake = Fake::plain(listing).await;
        let home = Home::new();
        let server = fake.address.to_string();
        let listed = home.succeeds(&["--plain", "-s", &server, "files", "--human"]);
        assert_eq!(listed, "path,format,size,modified,protection\na.csv,csv,1.50 KiB,,none\n");
    });
}

#[test]
fn no_shell_without_a_terminal() {
    let home = Home::new();
    home.fails(&[], "the shell needs a terminal; give a command");
}
