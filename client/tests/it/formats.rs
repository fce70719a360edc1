//! Forms of output beside those of the library `sift-print`: Parquet, the word for NULL, and
//! escapes on a terminal.

use std::fs::{self, File};
use std::io::Read as _;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use sift_client::Kind;

use crate::fake::{Fake, Peer, orders, run};

fn command(fake: &Fake, arguments: &[&str]) -> Command {
    let server = fake.address.to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sift"));
    command
        .args(["--plain", "--server", &server])
        .args(arguments)
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env_remove("SIFT_USER")
        .stdin(Stdio::null());
    command
}

fn sift(fake: &Fake, arguments: &[&str]) -> Output {
    command(fake, arguments).output().unwrap()
}

/// Runs `sift` with a terminal as its standard output. Returns the bytes that the terminal got.
fn on_terminal(fake: &Fake, arguments: &[&str]) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::<u8>::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let end = rustix::fs::open(name, flags, Mode::empty()).unwrap();
    let status = command(fake, arguments).stdout(end).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{arguments:?}");
    let mut bytes = Vec::new();
    // no other end is open, so the last read fails
    let _hung_up = File::from(terminal).read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}

#[test]
fn parquet_has_the_records_and_appears_when_it_is_whole() {
    run(async {
        let whole = Fake::plain(|mut peer: Peer| async move {
            peer.greet().await;
            while let Some((Kind::Select, _)) = peer.frame().await {
                peer.batches(&[orders(1), orders(5)]).await;
                peer.finish(8).await;
            }
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.parquet");
        let arguments = ["select", "SELECT", "-f", "parquet", "-o", path.to_str().unwrap()];
        let output = sift(&whole, &arguments);
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        assert_eq!(output.status.code(), Some(0));
        let expected = concat_batches(&orders(1).schema(), &[orders(1), orders(5)]).unwrap();
        let read = |file: File| {
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
            let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
            concat_batches(&expected.schema(), &batches).unwrap()
        };
        assert_eq!(read(File::open(&path).unwrap()), expected);
        // a pipe needs no seeking
        let piped = sift(&whole, &["select", "SELECT", "-f", "parquet"]);
        fs::write(folder.path().join("piped"), piped.stdout).unwrap();
        assert_eq!(read(File::open(folder.path().join("piped")).unwrap()), expected);

        let broken = Fake::plain(|mut peer: Peer| async move {
            peer.selected().await;
            peer.batches(&[orders(1)]).await;
        })
        .await;
        fs::remove_file(&path).unwrap();
        assert_eq!(sift(&broken, &arguments).status.code(), Some(2));
        assert!(!path.exists());
    });
}

#[test]
fn null_has_a_word() {
    run(async {
        let fake = Fake::plain(|mut peer: Peer| async move {
            peer.greet().await;
            while let Some((Kind::Select, _)) = peer.frame().await {
                let texts = StringArray::from(vec![None, Some(""), Some("NULL"), Some("-")]);
                let column = ("t", Arc::new(texts) as ArrayRef, true);
                peer.batches(&[RecordBatch::try_from_iter_with_nullable([column]).unwrap()]).await;
                peer.finish(4).await;
            }
        })
        .await;
        for (word, expected) in [
            (&[][..], "t\nNULL\n\"\"\n\"NULL\"\n-\n"),
            (&["--null", "-"], "t\n-\n\"\"\nNULL\n\"-\"\n"),
            (&["--null", ""], "t\n\n\"\"\nNULL\n-\n"),
        ] {
            let output = sift(&fake, &[&["select", "SELECT"], word].concat());
            assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "{word:?}");
        }
        let wrong = sift(&fake, &["select", "SELECT", "--null", "a,b"]);
        assert_eq!(wrong.status.code(), Some(2));
    });
}

#[test]
fn what_steers_a_terminal_is_escaped_there_alone() {
    run(async {
        let fake = Fake::plain(|mut peer: Peer| async move {
            peer.greet().await;
            while let Some((Kind::Select, _)) = peer.frame().await {
                let texts = StringArray::from(vec!["a\x1b[2J\u{9b}\u{202e}é\n,"]);
                let column = ("t", Arc::new(texts) as ArrayRef, true);
                peer.batches(&[RecordBatch::try_from_iter_with_nullable([column]).unwrap()]).await;
                peer.finish(1).await;
            }
        })
        .await;
        for (format, expected, raw) in [
            (
                "csv",
                "t\n\"a\\u{1b}[2J\\u{9b}\\u{202e}é\n,\"\n",
                "t\n\"a\x1b[2J\u{9b}\u{202e}é\n,\"\n",
            ),
            (
                "jsonl",
                "{\"t\":\"a\\u001b[2J\\u{9b}\\u{202e}é\\n,\"}\n",
                "{\"t\":\"a\\u001b[2J\u{9b}\u{202e}é\\n,\"}\n",
            ),
            (
                "json",
                "[{\"t\":\"a\\u001b[2J\\u{9b}\\u{202e}é\\n,\"}]\n",
                "[{\"t\":\"a\\u001b[2J\u{9b}\u{202e}é\\n,\"}]\n",
            ),
        ] {
            let arguments = ["select", "SELECT", "-f", format];
            assert_eq!(on_terminal(&fake, &arguments), expected, "{format}");
            let piped = sift(&fake, &arguments).stdout;
            assert_eq!(String::from_utf8(piped).unwrap(), raw, "{format}");
        }
    });
}
