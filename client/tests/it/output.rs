//! The output of `sift`: which files `-o` may replace, which files it leaves behind, and files that
//! others planted.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use sift_client::{ErrorKind, Kind, OutputFile};
use sift_proto::message::{FetchStart, FileList};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::fake::{Fake, Peer, orders, run};

const CSV: &str = "\
id,customer,price,day
1,\"Ann, \"\"A\"\"\",12.50,1970-01-01
2,\"\",,1969-12-31
3,,-0.05,2024-02-29
4,Zoë,1.00,
";

/// Answers all requests: a Select with four orders, a fetch with ten digits, a list with nothing.
async fn answering(mut peer: Peer) {
    peer.greet().await;
    while let Some((kind, _)) = peer.frame().await {
        match kind {
            Kind::Select => {
                peer.batches(&[orders(1)]).await;
                peer.finish(4).await;
            }
            Kind::Fetch => {
                let start =
                    FetchStart { file_bytes: 10, offset: 0, length: 10, identity: "a".into() };
                peer.send(Kind::FetchStart, &start).await;
                peer.body(Kind::Chunk, b"0123456789").await;
                peer.finish(0).await;
            }
            _ => peer.send(Kind::FileList, &FileList::default()).await,
        }
    }
}

struct Here {
    folder: TempDir,
    server: String,
}

impl Here {
    fn new(server: impl ToString) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), server: server.to_string() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sift(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sift"));
        command
            .args(["--plain", "--server", &self.server])
            .args(arguments)
            .current_dir(self.folder.path())
            .env("XDG_CONFIG_HOME", "/nonexistent")
            .env_remove("SIFT_USER")
            .stdin(Stdio::null());
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.sift(arguments).output().unwrap()
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) {
        let output = self.output(arguments);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        assert!(output.status.code() < Some(2), "{arguments:?}");
    }

    #[track_caller]
    fn fails(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

const SELECT: [&str; 4] = ["select", "SELECT", "-f", "csv"];
const FETCH: [&str; 2] = ["fetch", "f"];
const FILES: [&str; 3] = ["files", "-f", "csv"];

fn to<'a>(command: &[&'a str], output: &'a str) -> Vec<&'a str> {
    [command, &["-o", output]].concat()
}

/// Makes a null device. Returns whether the test may do that, which usually needs root.
fn make_null(path: &Path) -> bool {
    let made = Command::new("mknod").arg(path).args(["c", "1", "3"]).stderr(Stdio::null()).status();
    made.is_ok_and(|status| status.success()) && fs::write(path, "").is_ok()
}

#[test]
fn what_is_no_regular_file_is_written_to_and_stays_what_it_is() {
    run(async {
        let fake = Fake::plain(answering).await;
        let here = Here::new(fake.address);
        let is_root = make_null(&here.at("null"));
        assert!(Command::new("mkfifo").arg(here.at("fifo")).status().unwrap().success());
        for command in [&SELECT[..], &FETCH, &FILES] {
            here.succeeds(&to(command, "/dev/null"));
            assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
            if is_root {
                here.succeeds(&to(command, "null"));
                assert!(
                    fs::symlink_metadata(here.at("null")).unwrap().file_type().is_char_device()
                );
            }
            let fifo = here.at("fifo");
            let reader = std::thread::spawn(move || fs::read_to_string(fifo).unwrap());
            here.succeeds(&to(command, "fifo"));
            assert!(!reader.join().unwrap().is_empty(), "{command:?}");
            assert!(fs::symlink_metadata(here.at("fifo")).unwrap().file_type().is_fifo());
        }
        let socket = std::os::unix::net::UnixListener::bind(here.at("socket")).unwrap();
        for command in [&SELECT[..], &FETCH] {
            assert!(here.fails(&to(command, "socket")).contains("socket: cannot write: "));
        }
        assert!(fs::symlink_metadata(here.at("socket")).unwrap().file_type().is_socket());
        drop(socket);
        let left = if is_root { &["fifo", "null", "socket"][..] } else { &["fifo", "socket"] };
        assert_eq!(here.names(), left);
    });
}

#[test]
fn a_link_stays_one_and_its_target_is_written() {
    run(async {
        let fake = Fake::plain(answering).await;
        let here = Here::new(fake.address);
        fs::create_dir(here.at("in")).unwrap();
        for (command, expected) in [(&SELECT[..], CSV), (&FETCH, "0123456789")] {
            symlink("in/target", here.at("link")).unwrap();
            // the target of the link is made, and then replaced
            for _ in 0..2 {
                here.succeeds(&to(command, "link"));
                assert!(here.at("link").is_symlink());
                assert_eq!(fs::read_to_string(here.at("in/target")).unwrap(), expected);
            }
            assert_eq!(fs::read_dir(here.at("in")).unwrap().count(), 1);
            fs::remove_file(here.at("link")).unwrap();
        }
        assert_eq!(here.names(), ["in"]);
    });
}

/// A function that puts something at a path.
type Plant = fn(&Here, &Path);

#[test]
fn a_name_that_can_be_guessed_is_not_written_to() {
    run(async {
        let fake = Fake::plain(answering).await;
        let here = Here::new(fake.address);
        fs::write(here.at("victim"), "precious").unwrap();
        symlink("victim", here.at("out.part")).unwrap();
        here.succeeds(&to(&SELECT, "out"));
        assert_eq!(fs::read_to_string(here.at("out")).unwrap(), CSV);
        let plants: [(&str, Plant); 3] = [
            ("a link", |_, at| symlink("victim", at).unwrap()),
            ("a second name", |here, at| fs::hard_link(here.at("victim"), at).unwrap()),
            ("a FIFO", |_, at| {
                assert!(Command::new("mkfifo").arg(at).status().unwrap().success());
            }),
        ];
        for (what, plant) in plants {
            for name in ["got.part", "got.part.origin"] {
                plant(&here, &here.at(name));
                let error = here.fails(&to(&FETCH, "got"));
                let expected =
                    format!("{name}: it is a link, somebody else's, or not a regular file");
                assert!(error.contains(&expected), "{what}: {error}");
                assert!(here.at(name).symlink_metadata().is_ok(), "{what}");
                fs::remove_file(here.at(name)).unwrap();
            }
        }
        assert_eq!(fs::read_to_string(here.at("victim")).unwrap(), "precious");
        assert_eq!(here.names(), ["out", "out.part", "victim"]);
    });
}

#[test]
fn what_cannot_be_written_is_told_before_anything_is_asked() {
    // no server listens at this address
    let here = Here::new("127.0.0.1:1");
    fs::create_dir(here.at("dir")).unwrap();
    fs::write(here.at("file"), "").unwrap();
    symlink("round", here.at("round")).unwrap();
    for command in [&SELECT[..], &FETCH, &FILES] {
        for wrong in ["dir", ".", "new/", "nowhere/f", "file/f", "round"] {
            let error = here.fails(&to(command, wrong));
            assert!(error.starts_with(&format!("sift: {wrong}: cannot write: ")), "{error}");
        }
    }
    // not checked for root, who may write everywhere
    fs::set_permissions(here.at("file"), fs::Permissions::from_mode(0o444)).unwrap();
    if fs::OpenOptions::new().write(true).open(here.at("file")).is_err() {
        let error = here.fails(&to(&SELECT, "file"));
        assert!(error.contains("file: cannot write: Permission denied"), "{error}");
    }
    assert_eq!(here.names(), ["dir", "file", "round"]);
}

#[test]
fn a_file_keeps_its_mode_and_a_new_one_has_that_of_the_umask() {
    run(async {
        let fake = Fake::plain(answering).await;
        let here = Here::new(fake.address);
        fs::write(here.at("umask"), "").unwrap();
        let umask = fs::metadata(here.at("umask")).unwrap().mode();
        for command in [&SELECT[..], &FETCH] {
            here.succeeds(&to(command, "new"));
            assert_eq!(fs::metadata(here.at("new")).unwrap().mode(), umask, "{command:?}");
            fs::set_permissions(here.at("new"), fs::Permissions::from_mode(0o640)).unwrap();
            let owner = if std::os::unix::fs::chown(here.at("new"), Some(1), Some(1)).is_ok() {
                1
            } else {
                fs::metadata(here.at("new")).unwrap().uid()
            };
            here.succeeds(&to(command, "new"));
            let new = fs::metadata(here.at("new")).unwrap();
            assert_eq!((new.mode() & 0o7777, new.uid()), (0o640, owner), "{command:?}");
            fs::remove_file(here.at("new")).unwrap();
        }
        let output = here.output(&to(&SELECT, "-"));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), CSV);
        assert_eq!(here.names(), ["umask"]);
    });
}

#[test]
fn an_answer_that_breaks_off_leaves_what_was_there() {
    run(async {
        let fake = Fake::plain(|mut peer: Peer| async move {
            peer.greet().await;
            let (kind, _) = peer.frame().await.unwrap();
            if kind == Kind::Select {
                peer.batches(&[orders(1)]).await;
            }
        })
        .await;
        let here = Here::new(fake.address);
        fs::write(here.at("old"), "old").unwrap();
        symlink("old", here.at("link")).unwrap();
        for command in [&SELECT[..], &FETCH] {
            here.fails(&to(command, "old"));
            here.fails(&to(command, "link"));
            here.fails(&to(command, "new"));
            assert_eq!(fs::read_to_string(here.at("old")).unwrap(), "old");
        }
        assert_eq!(here.names(), ["link", "old"]);
    });
}

/// Returns whether the parent of the tests ignores the signal; then `sift` ignores it, too.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() & (1 << (signal - 1)) != 0
}

#[test]
fn a_signal_leaves_nothing_behind() {
    run(async {
        // signals that half of an answer is sent
        let (sender, mut begun) = mpsc::channel(1);
        let sender = Arc::new(Mutex::new(sender));
        let fake = Fake::plain(move |mut peer: Peer| {
            let sender = sender.lock().unwrap().clone();
            async move {
                peer.greet().await;
                if let Some((Kind::Select, _)) = peer.frame().await {
                    peer.batches(&[orders(1)]).await;
                }
                sender.send(()).await.unwrap();
                peer.gone().await;
            }
        })
        .await;
        let here = Here::new(fake.address);
        fs::write(here.at("old"), "old").unwrap();
        for (name, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
            if is_ignored(number) {
                continue;
            }
            for command in [to(&SELECT, "old"), to(&SELECT, "new"), to(&FETCH, "new")] {
                let mut child = here.sift(&command).spawn().unwrap();
                begun.recv().await.unwrap();
                let id = child.id().to_string();
                assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
                let status = child.wait().unwrap();
                assert_eq!(status.code(), Some(128 + number), "{command:?}");
                assert_eq!(here.names(), ["old"], "{command:?}");
            }
        }
        assert_eq!(fs::read_to_string(here.at("old")).unwrap(), "old");
    });
}

#[test]
fn a_file_of_a_program_appears_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "old").unwrap();
    let mut file = OutputFile::create(&path).unwrap();
    assert!(!file.is_in_place());
    file.write(b"new").unwrap();
    drop(file);
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    let mut file = OutputFile::create(&path).unwrap();
    file.write(b"new").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    file.finish().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    // something that has appeared at the path in the meantime is not replaced
    let file = OutputFile::create(&path).unwrap();
    fs::remove_file(&path).unwrap();
    symlink("elsewhere", &path).unwrap();
    let error = file.finish().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Local { .. }), "{error}");
    assert!(path.is_symlink());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
