//! `siftd query`: the same scan without a server and without protection.

use std::process::Command;

use crate::fixture::{Fixture, binary};

fn query(fixture: &Fixture, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(binary());
    let output = command.arg("query").args(arguments).current_dir(fixture.data()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_select_is_answered_in_each_format() {
    let fixture = Fixture::with_files();
    // protection does not apply to a local reader of the file
    fixture.write("cities.csv.toml", "scl_min = 5\n");
    let select = "SELECT city, pop FROM 'cities.csv' WHERE pop > 1000000 OR pop IS NULL";
    let (code, text, errors) = query(&fixture, &[select]);
    assert_eq!((code, &text[..]), (Some(0), "city,pop\nRome,2748109\nBern,\n"), "{errors}");
    let (_, text, _) = query(&fixture, &["--format", "jsonl", select]);
    assert_eq!(text, "{\"city\":\"Rome\",\"pop\":2748109}\n{\"city\":\"Bern\",\"pop\":null}\n");
    let (_, text, _) = query(&fixture, &["--format", "table", select]);
    assert_eq!(text, "city      pop\n──────────────\nRome  2748109\nBern     NULL\n(2 rows)\n");
    fixture.write("steers.csv", "text\nNULL\na\u{202e}b\n");
    let (_, text, _) = query(&fixture, &["--format", "table", "steers.csv"]);
    assert_eq!(text, "text\n───────────\n\"NULL\"\na\\u{202e}b\n(2 rows)\n");
    let (code, text, errors) =
        query(&fixture, &["--format", "jsonl", "SELECT city, city FROM 'cities.csv'"]);
    assert_eq!((code, &text[..]), (Some(2), ""));
    assert!(errors.contains("two columns have the name `city`"), "{errors}");
    let (_, text, _) = query(&fixture, &["sales/numbers.dat"]);
    assert_eq!(text.lines().count(), 1001);
}

#[test]
fn a_link_is_followed_to_the_descriptor_of_its_file() {
    let fixture = Fixture::with_files();
    let path = fixture.data().join("sales/numbers.dat");
    std::os::unix::fs::symlink(path, fixture.outside("link")).unwrap();
    let (code, text, errors) = query(&fixture, &["SELECT count(*) FROM '../link'"]);
    assert_eq!((code, &text[..]), (Some(0), "count(*)\n1000\n"), "{errors}");
}

#[test]
fn a_pattern_is_all_files_of_one_schema() {
    let fixture = Fixture::with_files();
    fixture.write("by/year=2023/a.csv", "n\n1\n");
    fixture.write("by/year=2024/b.csv", "n\n2\n3\n");
    let select = "SELECT year, sum(n) FROM 'by/*/*.csv' GROUP BY year";
    let (code, text, errors) = query(&fixture, &[select]);
    assert_eq!((code, &text[..]), (Some(0), "year,sum(n)\n2023,1\n2024,5\n"), "{errors}");
    let absolute = fixture.data().join("by/year=2024/?.csv");
    let (code, text, errors) = query(&fixture, &[&absolute.to_string_lossy()]);
    assert_eq!((code, text.lines().count()), (Some(0), 3), "{errors}");
    let (code, _, errors) = query(&fixture, &["by/*/*.tsv"]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("by/*/*.tsv"), "{errors}");
}

#[test]
fn mistakes_are_told_as_a_server_tells_them() {
    let fixture = Fixture::with_files();
    fixture.write("odd.csv", "a\n1\n");
    fixture.write("odd.csv.toml", "scl_min = many\n");
    let cases = [
        ("SELECT citty FROM 'cities.csv'", "unknown column `citty`; this file has `city`, `pop`"),
        ("SELECT city FROM", "line 1, column"),
        ("none.csv", "none.csv: No such file"),
        ("sales", "not a regular file"),
        ("SELECT pop / 0 FROM 'cities.csv'", "division by zero"),
        ("odd.csv", "odd.csv.toml: line 1"),
    ];
    for (text, expected) in cases {
        let (code, _, errors) = query(&fixture, &[text]);
        assert_eq!(code, Some(2), "{text}: {errors}");
        assert!(errors.contains(expected), "{text}: {errors}");
    }
}
