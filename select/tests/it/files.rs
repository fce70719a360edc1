//! Many files of one schema as one source: the answer is that of one file with all records and with
//! the columns from the names.

use std::cell::RefCell;
use std::fs::{self, File};
use std::sync::Arc;

use sift_select::{
    Descriptor, FileSet, Plan, Predicate, Result, ScanOptions, Select, Source, Value, View, explain,
};

use crate::engine::{self, Answer, RUNS, Run};

const FILES: [(&str, &str); 4] = [
    ("d/year=2023/a.csv", "n,t\n1,x\n2,y\n"),
    ("d/year=2023/b.csv", "n,t\n3,x\n"),
    ("d/year=2024/a.csv", "n,t\n"),
    ("d/year=2024/b.csv", "n,t\n4,\n5,z\n6,x\n"),
];

struct Folder {
    folder: tempfile::TempDir,
    names: Vec<String>,
    /// The names of the opened files, in order.
    opened: RefCell<Vec<String>>,
}

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        let names = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        Self { folder, names, opened: RefCell::default() }
    }

    fn open(&self, name: &str) -> Result<Arc<Source>> {
        self.opened.borrow_mut().push(name.to_owned());
        let path = self.folder.path().join(name);
        let descriptor = path.with_added_extension("toml");
        let descriptor = fs::read_to_string(&descriptor)
            .ok()
            .map(|text| Descriptor::parse(name, &text))
            .transpose()?;
        Ok(Arc::new(Source::open(name, File::open(path).expect("a file"), descriptor)?))
    }

    fn source(&self, sql: &str, parameters: &[Value]) -> Result<Arc<Source>> {
        let files = FileSet::new("d/*", self.names.clone())?;
        let matching = files.matching(&Select::parse(sql)?, parameters);
        let opened: Vec<(usize, Arc<Source>)> = matching
            .into_iter()
            .map(|file| Ok((file, self.open(&files.names()[file])?)))
            .collect::<Result<_>>()?;
        let first = match opened.first() {
            Some((_, first)) => Arc::clone(first),
            None => self.open(&files.names()[0])?,
        };
        files.source(&first, opened).map(Arc::new)
    }

    fn ask(&self, sql: &str, run: Run) -> Result<Answer> {
        engine::select(&self.source(sql, &[])?, sql, &[], run)
    }

    fn complaint(&self, sql: &str) -> String {
        self.ask(sql, RUNS[0]).expect_err(sql).to_string()
    }
}

/// Checks a Select in every way to run it.
fn check(sql: &str, columns: &str, rows: &[&str]) {
    let csv = Folder::new(&FILES);
    for run in RUNS {
        let answer = csv.ask(sql, *run).expect(sql);
        assert_eq!(answer.columns, columns, "{sql}");
        assert_eq!(answer.rows, rows, "{sql}, {run:?}");
    }
}

#[test]
fn files_are_one() {
    check(
        "SELECT * FROM 'd/*'",
        "n bigint, t text, year bigint",
        &[
            "1, 'x', 2023",
            "2, 'y', 2023",
            "3, 'x', 2023",
            "4, NULL, 2024",
            "5, 'z', 2024",
            "6, 'x', 2024",
        ],
    );
    check(
        "SELECT count(*), sum(n), max(year) FROM 'd/*'",
        "count(*) bigint, sum(n) numeric(38,0), max(year) bigint",
        &["6, 21, 2024"],
    );
    check(
        "SELECT _file, n + year AS s FROM 'd/*' WHERE t = 'x'",
        "_file text, s bigint",
        &["'d/year=2023/a.csv', 2024", "'d/year=2023/b.csv', 2026", "'d/year=2024/b.csv', 2030"],
    );
    check(
        "SELECT year, count(*) FROM 'd/*' GROUP BY year ORDER BY year DESC",
        "year bigint, count(*) bigint",
        &["2024, 3", "2023, 3"],
    );
    check(
        "SELECT n, year FROM 'd/*' ORDER BY year DESC, n DESC LIMIT 2 OFFSET 1",
        "n bigint, year bigint",
        &["5, 2024", "4, 2024"],
    );
    check("SELECT n FROM 'd/*' LIMIT 2 OFFSET 2", "n bigint", &["3", "4"]);
    check("SELECT DISTINCT t FROM 'd/*' WHERE n <> 2", "t text", &["'x'", "NULL", "'z'"]);
    check("SELECT n FROM 'd/*' f WHERE f.year = 2024 AND n < 6", "n bigint", &["4", "5"]);
    check("SELECT n FROM 'd/*' WHERE year = 2025", "n bigint", &[]);
    check("SELECT count(*) FROM 'd/*' WHERE year = 2025", "count(*) bigint", &["0"]);
}

#[test]
fn files_that_cannot_match_are_not_opened() {
    let folder = Folder::new(&FILES);
    let sql = "SELECT n FROM 'd/*' WHERE year = 2024 AND _file LIKE '%b.csv'";
    let answer = folder.ask(sql, RUNS[0]).expect(sql);
    assert_eq!(answer.rows, ["4", "5", "6"]);
    assert_eq!(*folder.opened.borrow(), ["d/year=2024/b.csv"]);
    let plan =
        folder.source(sql, &[]).and_then(|source| Plan::new(&Select::parse(sql)?, source, &[]));
    let text = explain(&plan.expect(sql), &ScanOptions::default()).expect("EXPLAIN");
    assert!(text.contains("scan: d/* (csv, 1 of 4 files, 15 bytes)"), "{text}");
}

#[test]
fn names_of_folders_are_decoded() {
    let folder = Folder::new(&[
        ("d/my%20key=a%3Db/day=2024%2D01-01/f.csv", "id\n1\n"),
        ("d/my%20key=__HIVE_DEFAULT_PARTITION__/day=2024-01-02/f.csv", "id\n2\n"),
        ("d/my%20key=..%2Fx%00/day=2024-01-03/f.csv", "id\n3\n"),
        ("d/my%20key=50%/day=2024-01-04/f.csv", "id\n4\n"),
        ("d/my%20key=%FF/day=2024-01-05/f.csv", "id\n5\n"),
        ("d/my%20key=/day=2024-01-06/f.csv", "id\n6\n"),
        ("d/my%20key=2026-01-01 00%3A00/day=2024-01-07/f.csv", "id\n7\n"),
    ]);
    let everything = "SELECT * FROM 'd/*'";
    for run in RUNS {
        let answer = folder.ask(everything, *run).expect(everything);
        assert_eq!(answer.columns, "id bigint, my key text, day date");
        assert_eq!(
            answer.rows,
            [
                "1, 'a=b', 2024-01-01",
                "2, NULL, 2024-01-02",
                "3, '../x\0', 2024-01-03",
                "4, '50%', 2024-01-04",
                "5, '%FF', 2024-01-05",
                "6, '', 2024-01-06",
                "7, '2026-01-01 00:00', 2024-01-07",
            ]
        );
    }
    for (filter, ids, opened) in [
        ("\"my key\" = 'a=b'", &["1"][..], 1),
        ("\"my key\" = 'a%3Db'", &[], 1),
        ("\"my key\" IS NULL", &["2"], 1),
        ("\"my key\" = '2026-01-01 00:00'", &["7"], 1),
        ("day > DATE '2024-01-05'", &["6", "7"], 2),
        ("_file LIKE '%a\\%3Db%'", &["1"], 1),
    ] {
        folder.opened.borrow_mut().clear();
        let sql = format!("SELECT id FROM 'd/*' WHERE {filter}");
        assert_eq!(folder.ask(&sql, RUNS[0]).expect(&sql).rows, ids, "{filter}");
        assert_eq!(folder.opened.borrow().len(), opened, "{filter}");
    }
    let source = folder.source(everything, &[]).expect(everything);
    let filter = Predicate::parse("\"my key\" = 'a=b' OR id = 4").expect("a predicate");
    let view = View::new(source, None, Some(&filter)).expect("a view");
    let shown = engine::select_in(view, "SELECT id FROM 'd/*'", &[], RUNS[0]).expect("an answer");
    assert_eq!(shown.rows, ["1", "4"]);
}

#[test]
fn a_fault_is_told_of_its_file() {
    let folder = Folder::new(&[
        ("d/a.csv", "n\n1\n2\n"),
        ("d/b.csv", "n\n3\nx\n"),
        ("d/b.csv.toml", "format = \"csv\"\n[[field]]\nname = \"n\"\ntype = \"int64\"\n"),
    ]);
    let folder = Folder { names: vec!["d/a.csv".to_owned(), "d/b.csv".to_owned()], ..folder };
    let expected = "d/b.csv: record 2 (byte 4), field `n`: 'x' is not a valid bigint";
    let got = folder.complaint("SELECT n FROM 'd/*'");
    assert!(got.starts_with(&expected[..expected.len() - 14]), "{got}");
    let got = folder.complaint("SELECT 6 / (n - 3) FROM 'd/*'");
    assert!(got.starts_with("d/b.csv: record 1 (byte 2): division by zero"), "{got}");
    let got = folder.complaint("SELECT n, 6 / (n - 3) FROM 'd/*' ORDER BY n LIMIT 3");
    assert!(got.starts_with("d/b.csv: record 2"), "{got}");
}

#[test]
fn files_of_several_schemas_are_refused() {
    let other = |text| Folder::new(&[("d/a.csv", "n,t\n1,x\n"), ("d/b.csv", text)]);
    assert_eq!(
        other("n\n1\n").complaint("SELECT n FROM 'd/*'"),
        "d/*: d/b.csv has 1 columns, d/a.csv has 2; the files of a pattern have one schema"
    );
    assert_eq!(
        other("n,t\nx,x\n").complaint("SELECT n FROM 'd/*'"),
        "d/*: d/b.csv has `n` text where d/a.csv has `n` bigint; the files of a pattern have one \
         schema, which descriptors can give them"
    );
    let folder = Folder::new(&[("d/N=1/a.csv", "n\n1\n")]);
    assert_eq!(
        folder.complaint("SELECT n FROM 'd/*'"),
        "d/*: `N` is a column of d/N=1/a.csv and a folder of its path too; rename the folder, or \
         select from its files alone"
    );
}

#[test]
fn the_path_is_a_column_of_patterns_alone() {
    let folder = Folder::new(&FILES);
    let one = folder.open("d/year=2023/a.csv").expect("a source");
    let sql = "SELECT _file FROM 'd/year=2023/a.csv'";
    let error = engine::select(&one, sql, &[], RUNS[0]).expect_err(sql);
    assert_eq!(
        error.to_string(),
        "line 1, column 8: unknown column `_file`; this file has `n`, `t`"
    );
}
