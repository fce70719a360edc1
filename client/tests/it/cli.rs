//! The `sift` command as a process: exit codes, forms of output, configuration.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::ipc::reader::StreamReader;
use sift_client::{ChannelReport, Description, Field, FileEntry, Kind, Statistics, Status};
use sift_proto::message::{
    Explanation, FetchRequest, FetchStart, FileList, Finished, Hello, ListRequest,
};

use crate::fake::{Authority, Fake, Peer, orders, run};

fn sift(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sift"));
    for name in ["SIFT_SERVER", "SIFT_USER", "SIFT_PASSWORD"] {
        command.env_remove(name);
    }
    command.args(arguments);
    command.env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// Runs `sift --plain --server …` with more arguments.
fn plain(fake: &Fake, arguments: &[&str]) -> Output {
    let server = fake.address.to_string();
    sift(&[&["--plain", "--server", &server], arguments].concat()).output().unwrap()
}

#[track_caller]
fn check(output: &Output, code: i32, stdout: &str, stderr: &str) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert_eq!(text(&output.stderr), stderr);
    assert_eq!(text(&output.stdout), stdout);
    assert_eq!(output.status.code(), Some(code));
}

/// Answers every Select with some orders.
async fn selling(mut peer: Peer) {
    peer.greet().await;
    while let Some((Kind::Select, _)) = peer.frame().await {
        peer.batches(&[orders(1), orders(5)]).await;
        peer.finish(8).await;
    }
}

/// Lets nobody in, and says who tried.
async fn rejecting(mut peer: Peer) {
    let Hello { user, password, .. } = peer.expect(Kind::Hello).await;
    peer.fail(Status::LoginRejected, &format!("`{user}` by `{password}`")).await;
}

const CSV: &str = "\
id,customer,price,day
1,\"Ann, \"\"A\"\"\",12.50,1970-01-01
2,\"\",,1969-12-31
3,,-0.05,2024-02-29
4,Zoë,1.00,
5,\"Ann, \"\"A\"\"\",12.50,1970-01-01
6,\"\",,1969-12-31
7,,-0.05,2024-02-29
8,Zoë,1.00,
";

#[test]
fn csv_is_the_form_of_a_pipe() {
    run(async {
        let fake = Fake::plain(selling).await;
        check(&plain(&fake, &["select", "SELECT"]), 0, CSV, "");
        check(&plain(&fake, &["select", "SELECT", "--format", "csv"]), 0, CSV, "");
    });
}

#[test]
fn json_lines_are_exact() {
    run(async {
        let fake = Fake::plain(selling).await;
        let output = plain(&fake, &["select", "SELECT", "-f", "jsonl"]);
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 8);
        assert_eq!(
            lines[..4],
            [
                r#"{"id":1,"customer":"Ann, \"A\"","price":12.50,"day":"1970-01-01"}"#,
                r#"{"id":2,"customer":"","price":null,"day":"1969-12-31"}"#,
                r#"{"id":3,"customer":null,"price":-0.05,"day":"2024-02-29"}"#,
                r#"{"id":4,"customer":"Zoë","price":1.00,"day":null}"#,
            ]
        );
    });
}

#[test]
fn two_columns_of_one_name_are_no_json() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.selected().await;
            let ones: ArrayRef = Arc::new(Int64Array::from(vec![1]));
            let batch = RecordBatch::try_from_iter([("n", ones.clone()), ("n", ones)]).unwrap();
            peer.batches(&[batch]).await;
            peer.finish(1).await;
            peer.gone().await;
        })
        .await;
        let message = "sift: JSON: two columns have the name `n`, and the members of an object \
                       need different names; rename one (… AS name), or print another format\n";
        check(&plain(&fake, &["select", "SELECT", "-f", "jsonl"]), 2, "", message);
        check(&plain(&fake, &["select", "SELECT", "-f", "csv"]), 0, "n,n\n1,1\n", "");
    });
}

#[test]
fn a_table_aligns_numbers_and_shows_null() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.selected().await;
            let texts: ArrayRef = Arc::new(StringArray::from(vec![
                Some("NULL"),
                None,
                Some("a\x1b[31m\nb"),
                Some("Zoë"),
            ]));
            let numbers: ArrayRef =
                Arc::new(Int64Array::from(vec![Some(1), Some(-200), None, Some(30)]));
            let batch = RecordBatch::try_from_iter_with_nullable([
                ("text", texts, true),
                ("n", numbers, true),
            ]);
            peer.batches(&[batch.unwrap()]).await;
            peer.finish(4).await;
            peer.gone().await;
        })
        .await;
        let expected = "\
text               n
─────────────────────
\"NULL\"             1
NULL            -200
a\\u{1b}[31m\\nb  NULL
Zoë               30
(4 rows)
";
        check(&plain(&fake, &["select", "SELECT", "-f", "table"]), 0, expected, "");
    });
}

#[test]
fn every_page_of_a_table_is_aligned_as_the_first() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.selected().await;
            let texts = (0..2500).map(|i| if i == 3 { "the widest" } else { "x" });
            let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(100_000..102_500));
            let batch = RecordBatch::try_from_iter([("text", texts), ("n", numbers)]).unwrap();
            peer.batches(&[batch]).await;
            peer.finish(2500).await;
            peer.gone().await;
        })
        .await;
        let output = plain(&fake, &["select", "SELECT", "-f", "table"]);
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2503);
        assert_eq!(lines[2], "x           100000");
        assert_eq!(lines[5], "the widest  100003");
        assert_eq!(lines[2501], "x           102499");
        assert_eq!(lines[2502], "(2500 rows)");
    });
}

#[test]
fn arrow_goes_to_a_file_that_is_whole() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.arrow");
        let fake = Fake::plain(selling).await;
        let file = path.to_str().unwrap();
        check(&plain(&fake, &["select", "SELECT", "-f", "arrow", "-o", file]), 0, "", "");
        let reader = StreamReader::try_new(std::fs::File::open(&path).unwrap(), None).unwrap();
        let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        assert_eq!(batches, [orders(1), orders(5)]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    });
}

#[test]
fn a_broken_answer_is_exit_code_2_and_no_file() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.selected().await;
            peer.batches(&[orders(1)]).await;
        })
        .await;
        let output = plain(&fake, &["select", "SELECT"]);
        assert_eq!(output.status.code(), Some(2));
        let error = String::from_utf8(output.stderr).unwrap();
        let start = format!("sift: the answer of {} broke off after 4 records", fake.address);
        assert!(error.starts_with(&start), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.csv");
        let output = plain(&fake, &["select", "SELECT", "-o", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    });
}

#[test]
fn nothing_found_is_exit_code_1() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.greet().await;
            match peer.frame().await.unwrap().0 {
                Kind::Select => {
                    peer.batches(&[orders(1).slice(0, 0)]).await;
                    peer.finish(0).await;
                }
                _ => peer.send(Kind::FileList, &FileList::default()).await,
            }
            peer.gone().await;
        })
        .await;
        check(&plain(&fake, &["select", "SELECT"]), 1, "id,customer,price,day\n", "");
        check(&plain(&fake, &["files", "*.csv"]), 1, "path,format,bytes,modified,protection\n", "");
    });
}

#[test]
fn errors_are_exit_code_2_with_a_prefix() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.selected().await;
            peer.fail(Status::UnknownColumn, "line 1, column 8: unknown column `x`").await;
            peer.gone().await;
        })
        .await;
        let expected = "sift: line 1, column 8: unknown column `x`\n";
        check(&plain(&fake, &["select", "SELECT x"]), 2, "", expected);
        let expected = "sift: --param date:soon: `soon` is not a date; give YYYY-MM-DD\n";
        check(&plain(&fake, &["select", "SELECT", "--param", "date:soon"]), 2, "", expected);
        let slip = plain(&fake, &["select", "SELECT", "-p", "intger:5"]);
        assert_eq!(slip.status.code(), Some(2));
        let error = String::from_utf8(slip.stderr).unwrap();
        assert!(error.ends_with("; did you mean `integer`?\n"), "{error}");
        for wrong in [
            &["select"][..],
            &["select", "SELECT", "--scl", "1"],
            &["select", "SELECT", "--plain", "--ca", "x"],
            &["fetch", "f", "--range", "5"],
            &["nothing"],
        ] {
            let output = sift(wrong).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{wrong:?}");
            assert!(!output.stderr.is_empty());
        }
        let output = sift(&["--scl", "1", "channel"]).output().unwrap();
        assert!(String::from_utf8(output.stderr).unwrap().contains("level 1 is retired"));
    });
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.selected().await;
            // more than every pipe and socket holds
            let batches: Vec<RecordBatch> = (0..4).map(orders).collect();
            let (schema, bodies) = crate::fake::encode(&batches);
            peer.body(Kind::Schema, &schema).await;
            for _ in 0..100_000 {
                peer.body(Kind::Batch, &bodies[0]).await;
            }
            peer.gone().await;
        })
        .await;
        let server = fake.address.to_string();
        for form in ["csv", "jsonl", "table", "arrow"] {
            let mut child = sift(&["--plain", "-s", &server, "select", "SELECT", "-f", form])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap());
            let mut line = Vec::new();
            lines.read_until(b'\n', &mut line).unwrap();
            assert!(!line.is_empty());
            drop(lines);
            let mut error = String::new();
            child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
            assert_eq!(error, "", "{form}");
            assert_eq!(child.wait().unwrap().code(), Some(0), "{form}");
        }
    });
}

#[test]
fn the_select_comes_from_standard_input_and_parameters_are_typed() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            let request = peer.selected().await;
            assert_eq!(request.sql, "SELECT 1\n");
            let kinds: Vec<_> = request.parameters.into_iter().map(|p| p.kind.unwrap()).collect();
            use sift_proto::message::value::Kind as Value;
            let text = |text: &str| text.to_owned();
            assert_eq!(
                kinds,
                [
                    Value::Integer(-5),
                    Value::Decimal(text("12.50")),
                    Value::Text(text("abc")),
                    Value::Date(-1),
                    Value::Null(true)
                ]
            );
            peer.batches(&[orders(1)]).await;
            peer.finish(4).await;
            peer.gone().await;
        })
        .await;
        let server = fake.address.to_string();
        let parameters =
            ["--param", "-5", "-p", "12.50", "-p", "abc", "-p", "date:1969-12-31", "-p", "null:"];
        let mut child = sift(&["--plain", "-s", &server, "select", "-"])
            .args(parameters)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"SELECT 1\n").unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        assert_eq!(output.status.code(), Some(0));
    });
}

#[test]
fn statistics_go_to_standard_error() {
    run(async {
        let fake = Fake::plain(selling).await;
        let output = plain(&fake, &["select", "SELECT", "--stats"]);
        assert_eq!(String::from_utf8(output.stdout).unwrap(), CSV);
        let error = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<&str> = error.lines().collect();
        assert!(
            lines[0].starts_with("records   8 received; 8 selected; only those who may see"),
            "{error}"
        );
        // this server tells no sizes
        assert!(lines[1].starts_with("sent      ") && lines[1].ends_with(" in the clear"));
        assert!(error.ends_with("channel   not encrypted\n"), "{error}");
    });
}

#[test]
fn statistics_tell_the_sizes_of_the_file_the_records_and_what_was_sent() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.greet().await;
            while let Some((kind, _)) = peer.frame().await {
                if kind == Kind::Fetch {
                    let identity = "1".to_owned();
                    let start = FetchStart { file_bytes: 4, offset: 0, length: 4, identity };
                    peer.send(Kind::FetchStart, &start).await;
                    peer.body(Kind::Chunk, b"abcd").await;
                } else {
                    peer.batches(&[orders(1)]).await;
                }
                let statistics = Statistics {
                    records_scanned: Some(9),
                    records_pruned: Some(1),
                    records_selected: 4,
                    bytes_scanned: Some(1800),
                    file_bytes: Some(2000),
                    arrow_bytes: 700,
                    narrow_bytes: 400,
                    bytes_sent: 300,
                    ..Statistics::default()
                };
                peer.send(Kind::Finished, &Finished { statistics: Some(statistics) }).await;
            }
        })
        .await;
        let output = plain(&fake, &["select", "SELECT", "--stats"]);
        let error = String::from_utf8(output.stderr).unwrap();
        let expected = "records   4 received; 4 selected of 9 scanned, 1 ruled out unread\n\
                        file      2000 bytes, 1800 of them scanned\n\
                        arrow     700 bytes, the selected records in memory\n\
                        narrow    400 bytes\n\
                        sent      300 bytes in the clear, compressed\n\
                        saved     1700 bytes, 85.0000 % of the file\n\
                        time      ";
        assert!(error.starts_with(expected), "{error}");

        let output = plain(&fake, &["fetch", "a.csv", "-o", "-", "--stats"]);
        assert_eq!(output.stdout, b"abcd");
        let error = String::from_utf8(output.stderr).unwrap();
        let expected = "file      2000 bytes\n\
                        fetched   4 bytes, 0 of them by an earlier fetch\n\
                        sent      300 bytes in the clear, compressed\n\
                        saved     nothing: 296 bytes more than the fetched bytes\n\
                        time      ";
        assert!(error.starts_with(expected), "{error}");
    });
}

#[test]
fn files_describe_explain_channel() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.greet().await;
            let (kind, body) = peer.frame().await.unwrap();
            match kind {
                Kind::List => {
                    let request: ListRequest = prost::Message::decode(body.as_slice()).unwrap();
                    assert_eq!(request.pattern, "*");
                    let file = FileEntry {
                        path: "sales/a.csv".into(),
                        format: "csv".into(),
                        bytes: Some(1234),
                        modified: Some(1_500_000),
                        network_encrypt: true,
                        scl_min: 3,
                    };
                    peer.send(Kind::FileList, &FileList { files: vec![file] }).await;
                }
                Kind::Describe => {
                    let field = Field {
                        name: "id".into(),
                        r#type: "Int64".into(),
                        nullable: false,
                        storage: "8 bytes at 0".into(),
                        network_encrypt: true,
                        scl_min: 0,
                    };
                    let description = Description {
                        file: "a.dat".into(),
                        format: "fixed".into(),
                        bytes: Some(1600),
                        records: Some(10),
                        record_bytes: Some(160),
                        fields: vec![field],
                        network_encrypt: true,
                        scl_min: 0,
                    };
                    peer.send(Kind::Description, &description).await;
                }
                Kind::Explain => {
                    let text = "scan\n  all\x1b".to_owned();
                    peer.send(Kind::Explanation, &Explanation { text }).await;
                }
                _ => {
                    let report = ChannelReport { peer: "1.2.3.4:5".into(), ..Default::default() };
                    peer.send(Kind::ChannelReport, &report).await;
                }
            }
            peer.gone().await;
        })
        .await;
        let expected = "path,format,bytes,modified,protection\nsales/a.csv,csv,1234,1970-01-01T00:00:01.500Z,scl_min 3\n";
        check(&plain(&fake, &["files", "*"]), 0, expected, "");
        let expected = "\
file            a.dat
format          fixed
bytes           1600
records         10
bytes a record  160
protection      network_encrypt: leaves on encrypted channels only

field  type   nullable  storage       protection
──────────────────────────────────────────────────────
id     Int64  false     8 bytes at 0  network_encrypt
(1 row)
";
        check(&plain(&fake, &["describe", "a.dat"]), 0, expected, "");
        check(&plain(&fake, &["explain", "SELECT"]), 0, "scan\n  all\\u{1b}\n", "");
        let address = fake.address;
        let expected = format!(
            "\
host            {address}
address         {address}
server          fake/1
encrypted       no
this end        1.2.3.4:5
"
        );
        check(&plain(&fake, &["channel"]), 0, &expected, "");
    });
}

#[test]
fn fetch_writes_the_file_here_or_to_standard_output() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.greet().await;
            let request: FetchRequest = peer.expect(Kind::Fetch).await;
            let content = &b"0123456789"[request.offset as usize..];
            let length = request.length.unwrap_or(u64::MAX).min(content.len() as u64);
            let start =
                FetchStart { file_bytes: 10, offset: request.offset, length, identity: "a".into() };
            peer.send(Kind::FetchStart, &start).await;
            peer.body(Kind::Chunk, &content[..length as usize]).await;
            peer.finish(0).await;
            peer.gone().await;
        })
        .await;
        check(&plain(&fake, &["fetch", "x/f.dat", "-o", "-"]), 0, "0123456789", "");
        check(&plain(&fake, &["fetch", "f", "-o", "-", "--range", "2-4"]), 0, "234", "");
        let folder = tempfile::tempdir().unwrap();
        let server = fake.address.to_string();
        let output = sift(&["--plain", "-s", &server, "fetch", "x/f.dat"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        check(&output, 0, "", "");
        assert_eq!(std::fs::read(folder.path().join("f.dat")).unwrap(), b"0123456789");
    });
}

/// Answers with two files, and ignores everything else.
async fn with_two_files(mut peer: Peer) {
    peer.greet().await;
    while let Some((kind, body)) = peer.frame().await {
        match kind {
            Kind::List => {
                let request: ListRequest = prost::Message::decode(body.as_slice()).unwrap();
                let known = |path: &str| FileEntry { path: path.into(), ..Default::default() };
                let files = match &request.pattern[..] {
                    "*" => vec![known("cities.csv")],
                    "sales/*" | "**/orders.csv" => vec![known("sales/orders.csv")],
                    _ => Vec::new(),
                };
                peer.send(Kind::FileList, &FileList { files }).await;
            }
            Kind::Fetch => {
                let request: FetchRequest = prost::Message::decode(body.as_slice()).unwrap();
                peer.fail(Status::UnknownFile, &format!("`{}`: unknown file", request.file)).await;
            }
            _ => peer.fail(Status::UnknownFile, "`citis.csv`: unknown file").await,
        }
    }
}

#[test]
fn an_unknown_file_is_told_with_the_nearest_one() {
    run(async {
        let fake = Fake::plain(with_two_files).await;
        let nearest = "sift: `citis.csv`: unknown file; did you mean `cities.csv`?\n";
        check(&plain(&fake, &["select", "SELECT * FROM 'citis.csv'"]), 2, "", nearest);
        check(&plain(&fake, &["explain", "SELECT * FROM 'citis.csv'"]), 2, "", nearest);
        check(&plain(&fake, &["describe", "citis.csv"]), 2, "", nearest);
        for (file, hint) in [
            ("sales/order.csv", "did you mean `sales/orders.csv`?"),
            ("orders.csv", "did you mean `sales/orders.csv`?"),
            (
                "a*.csv",
                "-o and --range are for one file, by its name: `sift fetch 'a*.csv'` fetches all that \
                 match, and `sift select \"SELECT * FROM 'a*.csv'\"` selects from all of them",
            ),
        ] {
            let expected = format!("sift: `{file}`: unknown file; {hint}\n");
            check(&plain(&fake, &["fetch", file, "-o", "-"]), 2, "", &expected);
        }
        let unlike = plain(&fake, &["fetch", "nothing-like-it", "-o", "-"]);
        check(&unlike, 2, "", "sift: `nothing-like-it`: unknown file\n");
    });
}

fn configure(folder: &Path, text: &str) -> String {
    let path = folder.join("sift.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn servers_by_name() {
    run(async {
        let authority = Authority::new();
        let secure = Fake::tls(authority.ordinary(), selling).await;
        let open = Fake::plain(selling).await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(authority.file(), folder.path().join("ca.pem")).unwrap();
        let config = configure(
            folder.path(),
            &format!(
                "default = \"secure\"\n\
                 [server.secure]\naddress = \"{}\"\nca = \"ca.pem\"\nscl = 5\n\
                 [server.open]\naddress = \"{}\"\nencrypt = false\n",
                secure.address, open.address
            ),
        );
        check(&sift(&["--config", &config, "select", "S"]).output().unwrap(), 0, CSV, "");
        let named = sift(&["--config", &config, "select", "S", "-s", "open"]).output().unwrap();
        check(&named, 0, CSV, "");
        let by_environment = sift(&["--config", &config, "select", "S"])
            .env("SIFT_SERVER", "open")
            .output()
            .unwrap();
        check(&by_environment, 0, CSV, "");
    });
}

#[test]
fn a_configuration_that_is_wrong_says_where() {
    let folder = tempfile::tempdir().unwrap();
    for (text, expected) in [
        ("[server.a]\naddress = \"a\"\nscll = 3", "unknown field `scll`"),
        ("default = \"b\"", "there is no [server.b], which `default` names"),
        ("default = \"fiels\"\n[server.files]\naddress = \"a\"", "did you mean `files`?"),
        (
            "default = \"a\"\n[server.a]\naddress = \"a\"\nscl = 1",
            "[server.a] scl: level 1 is retired",
        ),
        ("[server.a]\nca = 5", "line 2, column 6"),
    ] {
        let config = configure(folder.path(), text);
        let output = sift(&["--config", &config, "channel"]).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(error.starts_with(&format!("sift: {config}: ")), "{error}");
        assert!(error.contains(expected), "{error}");
    }
    let missing = folder.path().join("missing.toml");
    let output = sift(&["--config", missing.to_str().unwrap(), "channel"]).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("missing.toml: cannot read: "));
}

#[test]
fn a_server_that_is_not_there_is_told_with_the_nearest_name() {
    let folder = tempfile::tempdir().unwrap();
    // the misspelled name is an address, so no resolver is asked
    let config = configure(folder.path(), "[server.\"127.0.0.1:1b\"]\naddress = \"a\"\n");
    let output = sift(&["--config", &config, "-s", "127.0.0.1:1", "files"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    let hint = "; did you mean the server `127.0.0.1:1b` of the configuration?\n";
    assert!(error.ends_with(hint), "{error}");
}

#[test]
fn help_and_completions() {
    let output = sift(&["--help"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("Exit codes: 0 something was found, 1 nothing was found"), "{help}");
    for shell in ["bash", "zsh", "fish"] {
        let output = sift(&["completions", shell]).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stdout.len() > 500);
    }
}

#[test]
fn each_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let output = sift(&["man", &folder.path().display().to_string()]).output().unwrap();
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]));
    let page = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(page("sift.1").contains("nothing was found"));
    assert!(page("sift-select.1").contains("\\-\\-param"));
    let output = sift(&["man", "/nowhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("sift: /nowhere: cannot write manual pages: "), "{error}");
}

#[test]
fn a_user_has_a_password_from_a_file_the_environment_or_the_configuration() {
    run(async {
        let authority = Authority::new();
        let fake = Fake::tls(authority.ordinary(), rejecting).await;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("secret"), "of a file\nand more\n").unwrap();
        let (server, ca) = (fake.address.to_string(), authority.file().display().to_string());
        let config = format!(
            "[server.here]\naddress = \"{server}\"\nuser = \"bob\"\npassword_file = \"secret\"\n"
        );
        std::fs::write(path("sift.toml"), config).unwrap();
        let (secret, config) = (path("secret"), path("sift.toml"));
        let cases: [(&[&str], &str); 5] = [
            (&["-s", &server, "-u", "ann"], "`ann` by `of the environment`"),
            (&["-s", &server, "-u", "ann", "--password-file", &secret], "`ann` by `of a file`"),
            (&["-s", &server], "`` by ``"),
            (&["-s", "here", "--config", &config], "`bob` by `of a file`"),
            (&["-s", "here", "--config", &config, "-u", "ann"], "`ann` by `of the environment`"),
        ];
        for (arguments, who) in cases {
            let output = sift(&[&["--ca", &ca], arguments, &["files"]].concat())
                .env("SIFT_PASSWORD", "of the environment")
                .output()
                .unwrap();
            check(&output, 2, "", &format!("sift: {who}, log-in rejected on {server}\n"));
        }
        let plain = plain(&fake, &["--user", "ann", "--password-file", &secret, "files"]);
        assert_eq!(plain.status.code(), Some(2));
    });
}
