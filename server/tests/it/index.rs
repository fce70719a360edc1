//! `siftd index`, and servers that find an index, or a damaged one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use sift_proto::frame::Kind;
use sift_proto::message::{ExplainRequest, Explanation, Status};
use sift_server::Grant;

use crate::fixture::{Fixture, Served, binary, write_unseen};
use crate::peer::{self, Peer, sql};

const FILE: &str = "sales/numbers.dat";
const RARE: &str = "SELECT n FROM 'sales/numbers.dat' WHERE n = 250000";

/// A file of several zones.
fn with_numbers() -> Fixture {
    let fixture = Fixture::new();
    fixture.numbers(FILE, 0..300_000);
    fixture.state();
    fixture
}

fn index(fixture: &Fixture, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(binary());
    command.arg("index").args(arguments).arg("--state").arg(fixture.state());
    let output = command.current_dir(fixture.data()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn built(fixture: &Fixture) -> PathBuf {
    let (code, text, errors) = index(fixture, &["build", FILE]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(text.starts_with("sales/numbers.dat: 300000 records in 4 zones, "), "{text}");
    let mut files = fs::read_dir(fixture.state().join("index")).unwrap();
    files.next().unwrap().unwrap().path()
}

async fn explain<S>(peer: &mut Peer<S>, text: &str, analyze: bool) -> String
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let request = ExplainRequest { sql: text.to_owned(), parameters: Vec::new(), analyze };
    peer.send(Kind::Explain, &request).await;
    let told: Explanation = peer.message(Kind::Explanation).await;
    told.text
}

/// Records that were ruled out, of an answer that is right.
async fn pruned(served: &Served) -> u64 {
    let mut peer = peer::plain(served).await;
    let answer = peer.select(&sql(RARE)).await;
    let statistics = answer.statistics;
    assert_eq!(statistics.records_selected, 1);
    assert_eq!(statistics.records_scanned() + statistics.records_pruned(), 300_000);
    statistics.records_pruned()
}

#[test]
fn indexes_are_built_listed_shown_and_dropped() {
    let fixture = with_numbers();
    let no_index = "sales/numbers.dat: no index, or one of the file as it was\n";
    assert_eq!(index(&fixture, &["show", FILE]).1, no_index);
    assert_eq!(index(&fixture, &["list"]).1, "");
    let path = built(&fixture);
    assert_eq!(
        index(&fixture, &["show", FILE]).1,
        "sales/numbers.dat: 300000 records in 4 zones\n"
    );
    let (_, listed, _) = index(&fixture, &["list"]);
    assert!(listed.starts_with(path.to_str().unwrap()), "{listed}");
    assert!(listed.contains("numbers.dat (2400000 bytes, "), "{listed}");
    assert!(listed.ends_with("): 300000 records in 4 zones\n"), "{listed}");
    // what became of the file since
    let file = fixture.data().join(FILE);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let (_, listed, _) = index(&fixture, &["list"]);
    assert!(
        listed.ends_with(
            " in 4 zones; the file has changed since (used nevertheless if it is append_only)\n"
        ),
        "{listed}"
    );
    assert_eq!(index(&fixture, &["show", FILE]).1, no_index);
    built(&fixture);
    fs::rename(&file, file.with_extension("old")).unwrap();
    let (_, listed, _) = index(&fixture, &["list"]);
    assert!(listed.ends_with(" in 4 zones; the file is not there now\n"), "{listed}");
    fs::copy(file.with_extension("old"), &file).unwrap();
    let (_, listed, _) = index(&fixture, &["list"]);
    assert!(listed.ends_with(" in 4 zones; another file is there now\n"), "{listed}");
    fs::rename(file.with_extension("old"), &file).unwrap();
    assert_eq!(index(&fixture, &["drop", FILE]).1, "sales/numbers.dat: index dropped\n");
    assert_eq!(index(&fixture, &["drop", FILE]).1, "sales/numbers.dat: no index\n");

    let (code, _, errors) = index(&fixture, &["build", "none.dat"]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("none.dat: No such file"), "{errors}");
    fixture.write("odd.csv", "a,b\n1\n");
    let (code, _, errors) = index(&fixture, &["build", "odd.csv"]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("odd.csv: record 1 (byte 4): 1 field, the header has 2"), "{errors}");
}

#[tokio::test]
async fn a_server_uses_an_index_as_soon_as_it_is_there() {
    let served = with_numbers().serve().await;
    assert_eq!(pruned(&served).await, 0);
    let path = built(&served.fixture);
    assert!(pruned(&served).await > 190_000);
    // a damaged one, and one that is gone, cost time alone
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert_eq!(pruned(&served).await, 0);
    built(&served.fixture);
    assert!(pruned(&served).await > 190_000);
    fs::remove_file(&path).unwrap();
    assert_eq!(pruned(&served).await, 0);
}

#[tokio::test]
async fn an_index_hides_no_record_that_was_written_in_place() {
    let served = with_numbers().serve().await;
    built(&served.fixture);
    assert!(pruned(&served).await > 190_000);
    let path = served.fixture.data().join(FILE);
    let record = fs::read(&path).unwrap()[250_000 * 8..][..8].to_vec();
    write_unseen(&path, &record, 0);
    let mut peer = peer::plain(&served).await;
    let answer = peer.select(&sql(RARE)).await;
    assert_eq!(answer.statistics.records_selected, 2);
    assert_eq!(answer.statistics.records_pruned(), 0);
    // one that is built at once is of the file as it is now
    built(&served.fixture);
    let answer = peer.select(&sql(RARE)).await;
    assert_eq!(answer.statistics.records_selected, 2);
    assert!(answer.statistics.records_pruned() > 90_000);
}

#[tokio::test]
async fn a_key_finds_records_and_the_ends_of_an_order() {
    let fixture = with_numbers();
    let descriptor = fixture.data().join(format!("{FILE}.toml"));
    let declared =
        fs::read_to_string(&descriptor).unwrap() + "\n[[key]]\ncolumns = \"n\"\nunique = true\n";
    fs::write(descriptor, declared).unwrap();
    let (code, text, errors) = index(&fixture, &["build", FILE]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(text.contains(" records in 4 zones, key `n`, "), "{text}");
    assert!(index(&fixture, &["list"]).1.ends_with(" in 4 zones, key `n`\n"));
    assert!(index(&fixture, &["show", FILE]).1.ends_with(" in 4 zones, key `n`\n"));
    let served = fixture.serve().await;
    assert_eq!(pruned(&served).await, 299_999);
    let mut peer = peer::plain(&served).await;
    let told = explain(&mut peer, RARE, true).await;
    let line = "\n  key: n, optimized at head and tail; 299999 records are not read\n";
    assert!(told.contains(line), "{told}");
    assert!(told.contains("\n  299999 records pruned, 8 of 2400000 bytes read\n"), "{told}");
    let last = "SELECT n FROM 'sales/numbers.dat' ORDER BY n DESC LIMIT 3";
    let answer = peer.select(&sql(last)).await;
    assert_eq!(answer.statistics.records_scanned(), 3);
}

#[test]
fn columns_are_copied_until_an_index_is_built_without() {
    let fixture = with_numbers();
    let (code, text, errors) = index(&fixture, &["build", "--columns", "n", FILE]);
    assert_eq!(code, Some(0), "{errors}");
    let copies = " records in 7 zones, copy of `n`";
    assert!(text.contains(&format!("{copies}, ")), "{text}");
    assert!(index(&fixture, &["list"]).1.ends_with(&format!("{copies}\n")));
    assert!(index(&fixture, &["show", FILE]).1.ends_with(&format!("{copies}\n")));
    let (code, _, errors) = index(&fixture, &["build", "--columns", "n,m", FILE]);
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("numbers.dat: unknown column `m`"), "{errors}");
    built(&fixture);
    assert!(index(&fixture, &["list"]).1.ends_with(" records in 4 zones\n"));

    fixture.write("odd.csv", "a,b\n1,2\n3,x\n");
    fixture.write("odd.csv.toml", "[[field]]\nname = \"b\"\ntype = \"int64\"\n");
    let (code, text, errors) = index(&fixture, &["build", "--columns", "a,b", "odd.csv"]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(text.starts_with("odd.csv: 2 records in 1 zones, copy of `a`, "), "{text}");
    let fault = "siftd: odd.csv: record 2 (byte 8), field `b`: 'x' is not bigint";
    assert!(errors.starts_with(fault), "{errors}");
    let end = "a copy of `b` needs a value of every record\n\
               siftd: 1 column not copied; the lines above say why\n";
    assert!(errors.ends_with(end), "{errors}");
}

#[tokio::test]
async fn copies_of_columns_are_read_instead_of_the_file() {
    let served = with_numbers().serve().await;
    let (code, _, errors) = index(&served.fixture, &["build", "--columns", "n", FILE]);
    assert_eq!(code, Some(0), "{errors}");
    let mut peer = peer::plain(&served).await;
    let text = "SELECT sum(n) FROM 'sales/numbers.dat' WHERE n % 3 = 0";
    let told = explain(&mut peer, text, true).await;
    assert!(told.contains("\n  reads 7 of 7 zones\n  reads column copies: n\n"), "{told}");
    assert!(told.contains("\nran: 300000 records scanned, 100000 selected\n"), "{told}");
    let answer = peer.select(&sql(text)).await;
    assert_eq!(answer.statistics.records_selected, 100_000);
    let bytes = answer.statistics.bytes_scanned();
    assert!((200_000..700_000).contains(&bytes), "{bytes}");
}

#[tokio::test]
async fn a_protected_column_needs_its_channel_for_a_copy_too() {
    let fixture = with_numbers();
    let descriptor = fixture.data().join(format!("{FILE}.toml"));
    let declared = fs::read_to_string(&descriptor).unwrap() + "network_encrypt = true\n";
    fs::write(descriptor, declared).unwrap();
    let (code, _, errors) = index(&fixture, &["build", "--columns", "n", FILE]);
    assert_eq!(code, Some(0), "{errors}");
    let served = fixture.serve().await;
    let select = sql("SELECT sum(n) FROM 'sales/numbers.dat' WHERE n % 3 = 0");
    let (status, _) = peer::plain(&served).await.select_refused(&select).await;
    assert_eq!(status, Status::NetworkEncryptRequired);
    let answer = peer::tls(&served).await.select(&select).await;
    assert_eq!(answer.statistics.records_selected, 100_000);
    assert!(answer.statistics.bytes_scanned() < 700_000, "{:?}", answer.statistics);
}

#[tokio::test]
async fn explain_tells_what_an_index_rules_out() {
    let fixture = with_numbers();
    built(&fixture);
    let served = fixture.serve().await;
    let mut peer = peer::plain(&served).await;
    let told = explain(&mut peer, RARE, false).await;
    assert!(told.contains("\n  reads 1 of 4 zones\n"), "{told}");
    assert!(told.contains(" records: n = 250000\n"), "{told}");
    assert!(!told.contains("ran:"), "{told}");
    assert_eq!(served.activity.morsels_run(), 0);
    let told = explain(&mut peer, RARE, true).await;
    assert!(told.contains("\nran: 98304 records scanned, 1 selected\n"), "{told}");
    assert!(told.contains("\n  201696 records pruned, 786432 of 2400000 bytes read\n"), "{told}");
    assert!(served.activity.morsels_run() > 0);
    // what fails, fails here too
    let request = ExplainRequest {
        sql: "SELECT 1 / n FROM 'sales/numbers.dat'".to_owned(),
        parameters: Vec::new(),
        analyze: true,
    };
    let (_, said) = peer.refused(Kind::Explain, &request).await;
    assert!(said.contains("record 1 (byte 0): division by zero"), "{said}");
}

#[tokio::test]
async fn a_row_filter_hides_what_an_index_knows() {
    let fixture = with_numbers();
    built(&fixture);
    let users = fixture.users(&[("ann", &[])]);
    let grant = Grant::new(vec!["ann".into()], Vec::new(), &["**".into()], None, Some("n < 10"));
    let served = fixture.serve_users(users, vec![grant.unwrap()]).await;
    let mut ann = peer::user(&served, "ann").await;
    for (text, records) in [(RARE, 0), ("SELECT n FROM 'sales/numbers.dat' WHERE n = 5", 1)] {
        let told = explain(&mut ann, text, true).await;
        assert!(!told.contains("zone") && !told.contains("pruned"), "{told}");
        assert!(!told.contains("bytes") && !told.contains("300000"), "{told}");
        let ran = format!("\nran: {records} records selected\n  in ");
        assert!(told.contains(&ran), "{told}");
    }
}

#[test]
fn a_local_query_uses_it_too() {
    let fixture = with_numbers();
    built(&fixture);
    let output = Command::new(binary())
        .args(["query", "--state"])
        .arg(fixture.state())
        .arg(RARE)
        .current_dir(fixture.data())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "n\n250000\n");
}
