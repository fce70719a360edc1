//! `siftd file`: what it writes, what it leaves alone, and that a running server obeys.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use sift_proto::message::Status;

use crate::fixture::{Fixture, binary};
use crate::peer::{self, sql};

fn siftd(fixture: &Fixture, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(binary());
    let output = command.arg("file").args(arguments).current_dir(fixture.data()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn a_running_server_obeys_the_next_time() {
    let served = Fixture::with_files().serve().await;
    let fixture = &served.fixture;
    let mut plain = peer::plain(&served).await;
    let (cities, pops) =
        (sql("SELECT city FROM 'cities.csv'"), sql("SELECT sum(pop) FROM 'cities.csv'"));
    plain.select(&pops).await;

    let (code, text) = siftd(fixture, &["protect", "--column", "pop", "cities.csv"]);
    let expected =
        "cities.csv: csv, file on any channel\n    column `pop` requires network encryption\n";
    assert_eq!((code, &text[..]), (Some(0), expected));
    assert_eq!(plain.select_refused(&pops).await.0, Status::NetworkEncryptRequired);
    plain.select(&cities).await;

    assert_eq!(siftd(fixture, &["protect", "--scl-min", "5", "cities.csv"]).0, Some(0));
    assert_eq!(plain.select_refused(&cities).await.0, Status::LevelRequired);
    assert_eq!(siftd(fixture, &["unprotect", "cities.csv"]).0, Some(0));
    plain.select(&cities).await;
    assert_eq!(plain.select_refused(&pops).await.0, Status::NetworkEncryptRequired);
    assert_eq!(siftd(fixture, &["unprotect", "--column", "pop", "cities.csv"]).0, Some(0));
    plain.select(&pops).await;
    assert_eq!(siftd(fixture, &["show", "cities.csv"]).1, "cities.csv: csv, file on any channel\n");
}

#[test]
fn the_rest_of_a_descriptor_and_its_mode_stay() {
    let fixture = Fixture::with_files();
    let path = fixture.data().join("sales/numbers.dat.toml");
    let before = "# as COBOL has it\n".to_owned() + &fs::read_to_string(&path).unwrap();
    fs::write(&path, &before).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let line = ["protect", "--scl-min", "4", "--column", "n", "sales/numbers.dat"];
    assert_eq!(siftd(&fixture, &line).0, Some(0));
    assert_eq!(fs::read_to_string(&path).unwrap(), before + "scl_min = 4\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    // nothing is left of the way there
    assert_eq!(fs::read_dir(fixture.data().join("sales")).unwrap().count(), 2);
}

#[test]
fn what_cannot_be_done_changes_nothing() {
    let fixture = Fixture::with_files();
    fixture.write("notes.txt", "a");
    let cases: [(&[&str], &str); 8] = [
        (&["protect", "none.csv"], "none.csv: No such file"),
        (&["protect", "notes.txt"], "notes.txt: unknown format"),
        (&["protect", "sales"], "sales: not a regular file"),
        (&["protect", "sales/numbers.dat.toml"], "a descriptor; name the data file"),
        (&["protect", "--column", "popp", "cities.csv"], "no field `popp` in the header"),
        (&["protect", "--column", "m", "sales/numbers.dat"], "no field `m`; it has `n`"),
        (&["protect", "--scl-min", "1", "cities.csv"], "1 is not in 2..=5"),
        (&["create-descriptor", "sales/numbers.dat"], "it is there already"),
    ];
    for (arguments, expected) in cases {
        let (code, text) = siftd(&fixture, arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
    assert!(!fixture.data().join("cities.csv.toml").exists());
}

#[test]
fn a_descriptor_is_made_of_what_the_file_shows() {
    let fixture = Fixture::new();
    fixture.write("a.csv", "id|price|day|name\n1|2.50|2024-02-29|NA\n");
    let line = ["create-descriptor", "--delimiter", "|", "--null", "NA", "a.csv"];
    let (code, text) = siftd(&fixture, &line);
    assert_eq!(code, Some(0), "{text}");
    let expected = "\
format = \"csv\"

[csv]
delimiter = \"|\"
null = \"NA\"

[[field]]
name = \"id\"
type = \"bigint\"

[[field]]
name = \"price\"
type = \"numeric(18,2)\"

[[field]]
name = \"day\"
type = \"date\"

[[field]]
name = \"name\"
type = \"text\"
";
    assert_eq!(fs::read_to_string(fixture.data().join("a.csv.toml")).unwrap(), expected);
}

const COPYBOOK: &str = "\
000010* a customer
       01  CUSTOMER.
           05  ID          PIC 9(4).
           05  BALANCE     PIC S9(5)V99 COMP-3.
           05  OPENED      PIC 9(8).
           05  DAY-PARTS REDEFINES OPENED.
               10  OPENED-YEAR PIC 9(4).
               10  FILLER      PIC 9(4).
";

#[test]
fn a_descriptor_is_made_of_a_copybook() {
    let fixture = Fixture::new();
    let record = |id: &str| [id.as_bytes(), b"\x00\x12\x34\x5D", b"20240229\n"].concat();
    let path = fixture.data().join("c.dat");
    fs::write(&path, [record("0001"), record("0002")].concat()).unwrap();
    fixture.write("c.cpy", COPYBOOK);
    let line = ["create-descriptor", "--copybook", "c.cpy", "--redefine", "day-parts", "c.dat"];
    let (code, text) = siftd(&fixture, &line);
    let note = "c.cpy: line 5: OPENED shares its bytes with another and is passed over\n";
    assert_eq!((code, text), (Some(0), format!("{note}c.dat: fixed, file on any channel\n")));
    let expected = "\
format = \"fixed\"
record_length = 16
terminator = \"lf\"
encoding = \"utf-8\"

[[field]]
name = \"id\"
type = \"digits\"
offset = 0
length = 4

[[field]]
name = \"balance\"
type = \"packed\"
offset = 4
length = 4
scale = 2

[[field]]
name = \"opened_year\"
type = \"digits\"
offset = 8
length = 4
";
    let descriptor = fixture.data().join("c.dat.toml");
    assert_eq!(fs::read_to_string(&descriptor).unwrap(), expected);
    let mut query = Command::new(binary());
    let query = query.args(["query", "SELECT * FROM 'c.dat'"]).current_dir(fixture.data());
    let answer = query.output().unwrap().stdout;
    let rows = "id,balance,opened_year\n1,-123.45,2024\n2,-123.45,2024\n";
    assert_eq!(String::from_utf8(answer).unwrap(), rows);

    fs::remove_file(&descriptor).unwrap();
    fs::write(&path, [record("0001"), b"more".to_vec()].concat()).unwrap();
    let (code, text) = siftd(&fixture, &line);
    assert_eq!(code, Some(2));
    assert!(
        text.ends_with(
            "c.dat: 21 bytes are 1 records of 16 bytes (terminator included) and 5 bytes more\n"
        ),
        "{text}"
    );
    fixture.write("c.cpy", COPYBOOK.replace("9(5)V99", "9(5)P"));
    let (code, text) = siftd(&fixture, &line);
    assert_eq!(code, Some(2));
    let expected =
        "c.cpy: line 4, column 32: PICTURE S9(5)P: `P` (scaling positions) is not supported";
    assert!(text.contains(expected), "{text}");
    assert!(!descriptor.exists());
}
