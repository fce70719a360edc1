//! Renames as fast as two threads can make them: data that is protected, or not granted, at every
//! moment is never sent.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use prost::Message;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use sift_proto::frame::Kind;
use sift_proto::level::Level;
use sift_proto::message::{
    DescribeRequest, Description, ExplainRequest, FetchRequest, FileList, Finished, ListRequest,
    Status,
};
use sift_server::{Access, Grant, Limits, TlsOptions};
use tokio::net::TcpStream;

use crate::fixture::Fixture;
use crate::peer::{self, Peer, sql};

/// The mark in every protected value; no other value contains it.
const MARK: &str = "WATERMARK";

/// The time of an attack: enough for thousands of renames. A server that checks one file and opens
/// another would leak several times.
const ATTACK_TIME: Duration = Duration::from_millis(1500);

const PROTECTED: &str = "network_encrypt = true\n";

/// Returns a text that is longer than [`open`], so that its length identifies it, too.
fn secret() -> String {
    format!("id,{MARK}\n1,{MARK}\n2,{MARK}\n")
}

fn open() -> String {
    "id,WHATEVERS\n1,WHATEVERS\n".to_owned()
}

fn exchange(a: &Path, b: &Path) {
    renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).unwrap();
}

/// Makes a symbolic link, or changes its target.
fn lead(link: &Path, target: &str) {
    let beside = link.with_extension("new");
    symlink(target, &beside).unwrap();
    fs::rename(beside, link).unwrap();
}

/// Two folders exchange their names; one has a protected file and its descriptor.
fn folders(data: &Path) {
    exchange(&data.join("a"), &data.join("b"));
}

/// One link leads to one folder and then to the other; another link leads to a file in each.
fn links(data: &Path) {
    for to in ["vault", "public"] {
        lead(&data.join("link"), to);
        lead(&data.join("link.csv"), &format!("{to}/x.csv"));
    }
}

/// A protected file takes the name of an open file and gives it back. It always has a descriptor.
fn files(data: &Path) {
    let (x, vault) = (data.join("x.csv"), data.join("vault.csv"));
    let described = data.join("x.csv.toml");
    fs::hard_link(data.join("vault.csv.toml"), &described).unwrap();
    exchange(&x, &vault);
    exchange(&x, &vault);
    fs::remove_file(described).unwrap();
}

/// A file that is not granted moves into a folder after this folder has lost the granted name.
fn granted(data: &Path) {
    let (granted, closed) = (data.join("granted"), data.join("closed"));
    exchange(&granted, &closed);
    exchange(&closed.join("x.csv"), &data.join("stash/x.csv"));
    exchange(&closed.join("x.csv"), &data.join("stash/x.csv"));
    exchange(&granted, &closed);
}

/// A thread that repeats `work` until it is dropped.
struct Attack {
    is_over: std::sync::Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<u64>>,
}

impl Attack {
    fn begin(data: &Path, work: fn(&Path)) -> Self {
        let is_over = std::sync::Arc::new(AtomicBool::new(false));
        let (over, data) = (std::sync::Arc::clone(&is_over), data.to_owned());
        let thread = std::thread::spawn(move || {
            let mut rounds = 0;
            while !over.load(Ordering::Relaxed) {
                work(&data);
                rounds += 1;
            }
            rounds
        });
        Self { is_over, thread: Some(thread) }
    }

    /// Ends the attack and returns the number of its rounds.
    fn end(mut self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    for (name, text) in [
        ("a/x.csv", secret()),
        ("a/x.csv.toml", PROTECTED.to_owned()),
        ("b/x.csv", open()),
        ("vault/x.csv", secret()),
        ("vault/x.csv.toml", PROTECTED.to_owned()),
        ("public/x.csv", open()),
        ("vault.csv", secret()),
        ("vault.csv.toml", PROTECTED.to_owned()),
        ("x.csv", open()),
        ("granted/x.csv", open()),
        ("closed/x.csv", open()),
        ("stash/x.csv", secret()),
    ] {
        fixture.write(name, text);
    }
    lead(&fixture.data().join("link"), "public");
    lead(&fixture.data().join("link.csv"), "public/x.csv");
    fixture
}

/// Sends every kind of request about a file, and checks all answers. Returns the number of Selects
/// and fetches that were answered.
async fn ask(peer: &mut Peer<TcpStream>, file: &str) -> usize {
    let mut answered = 0;
    let select = format!("SELECT * FROM '{file}'");
    let explain = ExplainRequest { sql: select.clone(), parameters: Vec::new(), analyze: true };
    let folder = file.rsplit_once('/').map_or("*", |(folder, _)| folder);
    let pattern = format!("SELECT * FROM '{folder}/*.csv'");
    answered += answer(peer, Kind::Select, &sql(&select)).await;
    answered += answer(peer, Kind::Select, &sql(pattern)).await;
    let fetch = FetchRequest { file: file.to_owned(), ..FetchRequest::default() };
    answered += answer(peer, Kind::Fetch, &fetch).await;
    answered += answer(peer, Kind::Describe, &DescribeRequest { file: file.to_owned() }).await;
    answered += answer(peer, Kind::Explain, &explain).await;
    answered += answer(peer, Kind::List, &ListRequest::default()).await;
    let leaks = peer.received.windows(MARK.len()).any(|window| window == MARK.as_bytes());
    assert!(!leaks, "{file}: {}", String::from_utf8_lossy(&peer.received));
    peer.received.clear();
    answered
}

/// Sends a request once, and checks that no answer shows the length of a secret file. Returns 1 for
/// an answer with an end marker.
async fn answer(peer: &mut Peer<TcpStream>, kind: Kind, request: &impl Message) -> usize {
    peer.send(kind, request).await;
    let secret = Some(secret().len() as u64);
    loop {
        let frame = peer.next().await.expect("a frame");
        match frame.kind {
            Kind::Schema | Kind::Batch | Kind::FetchStart | Kind::Chunk => continue,
            Kind::Failure => return 0,
            Kind::FileList => {
                let list = FileList::decode(&frame.body[..]).unwrap();
                assert!(list.files.iter().all(|file| file.bytes != secret), "{list:?}");
            }
            Kind::Description => {
                let told = Description::decode(&frame.body[..]).unwrap();
                assert!(told.bytes != secret, "{told:?}");
            }
            Kind::Finished => {
                let finished = Finished::decode(&frame.body[..]).unwrap();
                let told = finished.statistics.unwrap_or_default();
                assert!(told.file_bytes != secret, "{told:?}");
                return 1;
            }
            _ => {}
        }
        return 0;
    }
}

/// Sends requests about files while two threads rename them, with a large and with a small cache of
/// open files.
async fn attack(work: [fn(&Path); 2], names: &[&str]) {
    for sources_max in [64, 1] {
        let fixture = fixture();
        let sources_max = sources_max.try_into().unwrap();
        let limits = Limits { sources_max, ..Limits::default() };
        let options = TlsOptions::new(fixture.certificate(), Level::Three);
        let users = fixture.users(&[]);
        let grant = |files: &[&str]| {
            let files: Vec<String> = files.iter().map(|&file| file.to_owned()).collect();
            Grant::new(vec!["guest".to_owned()], Vec::new(), &files, None, None).unwrap()
        };
        let grants = grant(&["*.csv", "a/*", "b/*", "vault/*", "public/*", "link/*", "granted/*"]);
        let access = Access::secure(users, vec![grants]);
        let served = fixture.serve_access(options, limits, access).await;
        let mut peer = peer::plain(&served).await;
        let attacks = work.map(|work| Attack::begin(&served.fixture.data(), work));
        let begun = Instant::now();
        let mut answered = 0;
        while begun.elapsed() < ATTACK_TIME {
            for name in names {
                answered += ask(&mut peer, name).await;
            }
        }
        for attack in attacks {
            assert!(attack.end() > 10);
        }
        assert!(answered > 0);

        // in the end, every file has its own name again
        for (name, status) in [
            ("vault/x.csv", Status::NetworkEncryptRequired),
            ("vault.csv", Status::NetworkEncryptRequired),
            ("stash/x.csv", Status::UnknownFile),
            ("closed/x.csv", Status::UnknownFile),
        ] {
            let refused = peer.select_refused(&sql(format!("SELECT * FROM '{name}'"))).await;
            assert_eq!(refused.0, status, "{name}: {}", refused.1);
        }
        for name in ["x.csv", "public/x.csv", "granted/x.csv", "link/x.csv", "link.csv"] {
            let selected = peer.select(&sql(format!("SELECT * FROM '{name}'"))).await;
            assert_eq!(selected.batch.num_rows(), 1, "{name}");
        }
        ask(&mut peer, "a/x.csv").await;
    }
}

#[tokio::test]
async fn folders_that_are_exchanged_do_not_leak() {
    attack([folders, folders], &["a/x.csv", "b/x.csv"]).await;
}

#[tokio::test]
async fn links_that_are_turned_do_not_leak() {
    attack([links, folders], &["link/x.csv", "link.csv"]).await;
}

#[tokio::test]
async fn files_that_are_exchanged_do_not_leak() {
    attack([files, granted], &["x.csv", "vault.csv", "granted/x.csv"]).await;
}
