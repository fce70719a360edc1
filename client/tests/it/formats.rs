//! Forms of output beside those of the library `sift-print`: Parquet, and the word for NULL.

use std::fs::{self, File};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sift_client::Kind;

use crate::fake::{Fake, Peer, orders, run};

fn sift(fake: &Fake, arguments: &[&str]) -> Output {
    let server = fake.address.to_string();
    Command::new(env!("CARGO_BIN_EXE_sift"))
        .args(["--plain", "--server", &server])
        .args(arguments)
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env_remove("SIFT_USER")
        .stdin(Stdio::null())
        .output()
        .unwrap()
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
