//! Pruning by an index: the answer is the same, whatever the index.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::compute::concat_batches;
use fastrand::Rng;
use sift_select::property::{answers_ignore_morsels, any_index};
use sift_select::{
    BuildOptions, Descriptor, FileSet, Index, IndexFolder, Plan, Predicate, Result, Scan,
    ScanOptions, ScanStatistics, Select, Source, Step, View, explain,
};

/// A file in a folder, with the folder of its index.
struct Indexed {
    folder: tempfile::TempDir,
    name: &'static str,
    descriptor: &'static str,
}

impl Indexed {
    fn new(name: &'static str, descriptor: &'static str, bytes: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(name), bytes).expect("write the file");
        Self { folder, name, descriptor }
    }

    fn open(&self) -> Source {
        let file = File::open(self.folder.path().join(self.name)).expect("open the file");
        let descriptor = (!self.descriptor.is_empty())
            .then(|| Descriptor::parse("f.toml", self.descriptor).expect("a descriptor"));
        Source::open(self.name, file, descriptor).expect("a source")
    }

    fn index(&self, zone_bytes: u64) -> Index {
        self.open().build_index(&zones_of(zone_bytes)).expect("an index")
    }

    fn indexed(&self, zone_bytes: u64) -> Arc<Source> {
        Arc::new(self.open().with_index(self.index(zone_bytes)))
    }

    fn indexes(&self) -> IndexFolder {
        IndexFolder::new(self.folder.path())
    }
}

fn zones_of(zone_bytes: u64) -> BuildOptions<'static> {
    BuildOptions { zone_bytes, ..BuildOptions::default() }
}

/// Makes a CSV file: `id` is 1 to `records`, `name` is n and `id`, `none` is NULL.
fn csv(records: u32) -> Indexed {
    let rows: String = (1..=records).map(|id| format!("{id},n{id:04},\n")).collect();
    Indexed::new("f.csv", "", format!("id,name,none\n{rows}"))
}

fn fixed(records: u32) -> Indexed {
    let rows: String = (1..=records).map(|id| format!("{id:05}n{id:04}\n")).collect();
    let descriptor = "format = \"fixed\"\nrecord_length = 10\nterminator = \"lf\"\n[[field]]\nname = \"id\"\ntype = \"digits\"\noffset = 0\nlength = 5\n[[field]]\nname = \"name\"\ntype = \"text\"\noffset = 5\nlength = 5\n";
    Indexed::new("f.dat", descriptor, rows)
}

/// Returns all rows as text, the counters of the scan, and the result at the end.
pub(crate) fn run(
    view: impl Into<View>,
    sql: &str,
    options: ScanOptions,
) -> (String, ScanStatistics, Result<()>) {
    let plan = Plan::new(&Select::parse(sql).expect("a Select"), view, &[]).expect("a plan");
    let (schema, mut batches) = (Arc::clone(plan.schema()), Vec::new());
    let mut scan = Scan::new(plan, options);
    let end = loop {
        match scan.step() {
            Ok(Step::Run(morsel)) => scan.accept(morsel.run()),
            Ok(Step::Batch(batch)) => batches.push(batch),
            Ok(Step::Done) => break Ok(()),
            Ok(Step::Wait) => panic!("nothing is under way"),
            Err(error) => break Err(error),
        }
    };
    // the division of rows into batches depends on the morsels
    let rows = concat_batches(&schema, &batches).expect("batches of one schema");
    (format!("{rows:?}"), scan.statistics(), end)
}

fn statistics(source: &Arc<Source>, sql: &str) -> ScanStatistics {
    let (_, statistics, end) = run(Arc::clone(source), sql, ScanOptions::default());
    end.expect("an answer");
    statistics
}

#[test]
fn zones_that_are_ruled_out_are_not_read() {
    for file in [csv(1000), fixed(1000)] {
        let source = file.indexed(1000);
        let name = file.name;
        for (filter, read_max) in [
            ("id = 500", 100),
            ("id BETWEEN 100 AND 110", 200),
            ("name LIKE 'n001%'", 200),
            ("id IN (1, 1000)", 200),
            ("id < 0", 0),
            ("id < 50 OR id > 980", 300),
        ] {
            let sql = format!("SELECT * FROM '{name}' WHERE {filter}");
            let pruned = statistics(&source, &sql);
            assert!(pruned.records_scanned <= read_max, "{name}: {filter}: {pruned:?}");
            assert_eq!(pruned.records_scanned + pruned.records_pruned, 1000, "{filter}");
            let all = run(
                Arc::clone(&source),
                &sql,
                ScanOptions { pruning: false, ..ScanOptions::default() },
            );
            assert_eq!((all.1.records_scanned, all.1.records_pruned), (1000, 0));
            assert_eq!(run(Arc::clone(&source), &sql, ScanOptions::default()).0, all.0, "{filter}");
        }
        // filters that cannot prune
        for filter in ["id + 1 = 500", "upper(name) = 'N0001'"] {
            let sql = format!("SELECT * FROM '{name}' WHERE {filter}");
            assert_eq!(statistics(&source, &sql).records_scanned, 1000, "{filter}");
        }
    }
    let source = csv(1000).indexed(1000);
    assert_eq!(statistics(&source, "SELECT * FROM 'f' WHERE none IS NOT NULL").bytes_scanned, 0);
}

#[test]
fn an_offset_passes_over_zones() {
    for file in [csv(1000), fixed(1000)] {
        let source = file.indexed(1000);
        let select = |sql: &str| {
            let sql = sql.replace('t', &format!("'{}'", file.name));
            let (rows, statistics, end) = run(Arc::clone(&source), &sql, ScanOptions::default());
            end.expect("an answer");
            let all = ScanOptions { pruning: false, ..ScanOptions::default() };
            assert_eq!(rows, run(Arc::clone(&source), &sql, all).0, "{sql}");
            statistics.records_pruned
        };
        assert!(select("SELECT id FROM t LIMIT 3 OFFSET 900") > 800);
        assert_eq!(select("SELECT id FROM t OFFSET 2000"), 1000);
        assert_eq!(select("SELECT 1 / id FROM t LIMIT 3 OFFSET 900"), 0);
        assert_eq!(select("SELECT id FROM t ORDER BY id DESC LIMIT 3 OFFSET 900"), 0);
        assert_eq!(select("SELECT id FROM t WHERE id > 0 LIMIT 3 OFFSET 900"), 0);
    }
}

#[test]
fn an_offset_counts_records_after_those_of_an_index() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = ["d/a.csv", "d/b.csv"].map(str::to_owned);
    let descriptor = "format = \"csv\"\nappend_only = true\n";
    let open = |name: &str| {
        let file = File::open(folder.path().join(&name[2..])).expect("open the file");
        let descriptor = Descriptor::parse("f.toml", descriptor).expect("a descriptor");
        Source::open(name, file, Some(descriptor)).expect("a source")
    };
    let rows = |from: u32, to: u32| (from..to).map(|id| format!("{id}\n")).collect::<String>();
    let path = folder.path().join("a.csv");
    fs::write(&path, format!("id\n{}", rows(0, 100))).expect("write a file");
    fs::write(folder.path().join("b.csv"), format!("id\n{}", rows(200, 300))).expect("a file");
    let indexes = [0, 1].map(|file| open(&names[file]).build_index(&zones_of(50)).expect("built"));
    let mut appended = fs::OpenOptions::new().append(true).open(&path).expect("open to append");
    appended.write_all(rows(100, 130).as_bytes()).expect("append");

    let set = FileSet::new("d/*", names.to_vec()).expect("a set");
    let opened: Vec<(usize, Arc<Source>)> = std::iter::zip(&names, indexes)
        .map(|(name, index)| Arc::new(open(name).with_index(index)))
        .enumerate()
        .collect();
    let source = Arc::new(set.source(&opened[0].1, opened.clone()).expect("one source"));
    for offset in [0, 60, 99, 100, 129, 130, 131, 180, 229, 230] {
        let sql = format!("SELECT id FROM 'd/*' LIMIT 3 OFFSET {offset}");
        let pruned = run(Arc::clone(&source), &sql, ScanOptions::default());
        let all = ScanOptions { pruning: false, ..ScanOptions::default() };
        assert_eq!(pruned.0, run(Arc::clone(&source), &sql, all).0, "{sql}");
    }
}

/// Hidden records influence neither the counters nor the time of an answer.
#[test]
fn a_view_with_a_row_filter_is_read_whole() {
    let source = csv(1000).indexed(1000);
    let filter = Predicate::parse("id > 500").expect("a filter");
    let view = View::new(source, None, Some(&filter)).expect("a view");
    for sql in ["SELECT * FROM 'f.csv' WHERE id = 7", "SELECT id FROM 'f.csv' LIMIT 1 OFFSET 400"] {
        let (_, statistics, end) = run(view.clone(), sql, ScanOptions::default());
        end.expect("an answer");
        assert_eq!(statistics.records_pruned, 0, "{sql}");
        let explained = Plan::new(&Select::parse(sql).expect("a Select"), view.clone(), &[]);
        let explained =
            explain(&explained.expect("a plan"), &ScanOptions::default()).expect("EXPLAIN");
        assert!(!explained.contains("zone") && !explained.contains("pruned"), "{explained}");
    }
}

/// Records with faults, some of them after records that are not read: the rows before the fault and
/// its position are the same.
#[test]
fn faults_are_the_same_with_and_without_an_index() {
    const WHERE: &[&str] = &[
        "a > 30",
        "a > 30 AND b < 20",
        "b < 20 AND a > 30",
        "b = 7 AND 1 / a > 0",
        "1 / a > 0 AND b = 7",
        "a BETWEEN 10 AND 12 AND c LIKE 'x%'",
        "c >= 'y' OR b IS NULL",
        "a IS NULL",
        "c = 'x1'",
    ];
    const REST: &[&str] =
        &["", " LIMIT 3", " LIMIT 2 OFFSET 40", " ORDER BY b, a LIMIT 4", " ORDER BY c DESC"];
    for seed in 0..40 {
        let mut random = Rng::with_seed(seed);
        let mut text = "a,b,c\n".to_owned();
        for record in 0..120 {
            let fault = random.u8(0..60);
            let a = if fault == 0 { "x".to_owned() } else { (record / 2).to_string() };
            let b = match random.u8(0..8) {
                _ if fault == 1 => "y".to_owned(),
                0 => String::new(),
                _ => random.u8(0..40).to_string(),
            };
            let c = format!("{}{}", random.choice(['x', 'y', 'z']).expect("one"), record % 3);
            text += &format!("{a},{b},{c}\n");
        }
        let descriptor = "format = \"csv\"\n[[field]]\nname = \"a\"\ntype = \"int64\"\n[[field]]\nname = \"b\"\ntype = \"int64\"\n[[field]]\nname = \"c\"\ntype = \"text\"\n";
        let source = Indexed::new("f.csv", descriptor, text).indexed(40);
        for filter in WHERE {
            let rest = random.choice(REST).expect("one");
            for what in ["*", "a, c", "c"] {
                println!("seed {seed}");
                let sql = format!("SELECT {what} FROM 'f.csv' WHERE {filter}{rest}");
                answers_ignore_morsels(&source, &sql);
            }
        }
        for rest in REST {
            answers_ignore_morsels(&source, &format!("SELECT a, c FROM 'f.csv'{rest}"));
        }
        answers_ignore_morsels(&source, "SELECT c, count(*) FROM 'f.csv' WHERE a > 50 GROUP BY c");
    }
}

#[test]
fn records_with_faults_are_named_by_their_place_in_the_file() {
    let mut text = "id,n\n".to_owned();
    for id in 1..=200 {
        text += &format!("{id},{}\n", if id == 150 { "x".to_owned() } else { id.to_string() });
    }
    let descriptor = "format = \"csv\"\n[[field]]\nname = \"id\"\ntype = \"int64\"\n[[field]]\nname = \"n\"\ntype = \"int64\"\n";
    let byte = text.find("150,x").expect("the record");
    let file = Indexed::new("f.csv", descriptor, text);
    let sql = "SELECT n FROM 'f.csv' WHERE id > 140";
    let (_, statistics, end) = run(file.indexed(50), sql, ScanOptions::default());
    assert!(statistics.records_pruned > 100, "{statistics:?}");
    let expected = format!("f.csv: record 150 (byte {byte}), field `n`: 'x' is not bigint");
    let error = end.expect_err("a fault").to_string();
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn csv_with_newlines_in_quotes_and_blank_lines() {
    let rows: String = (1..=100).map(|id| format!("{id},\"a\n{id}\"\r\n\r\n")).collect();
    // the last record has no line end
    let file = Indexed::new("f.csv", "", format!("id,s\r\n\r\n{rows}101,x"));
    for zone_bytes in [1, 30, 500, 1 << 20] {
        let source = file.indexed(zone_bytes);
        for filter in ["id = 101", "id = 1", "id BETWEEN 40 AND 60", "s = 'x'", "id <> 50"] {
            answers_ignore_morsels(&source, &format!("SELECT * FROM 'f.csv' WHERE {filter}"));
        }
        let found = statistics(&source, "SELECT * FROM 'f.csv' WHERE id >= 101");
        assert_eq!(found.records_selected, 1);
    }
}

#[test]
fn files_that_have_no_records() {
    let sources = [csv(0), fixed(0)];
    for file in sources {
        let source = file.indexed(100);
        let sql = format!("SELECT count(*) FROM '{}' WHERE id IS NOT NULL", file.name);
        assert_eq!(statistics(&source, &sql).records_pruned, 0);
    }
}

#[test]
fn a_file_whose_records_cannot_be_told_apart_has_no_index() {
    let file = Indexed::new("f.csv", "", "a,b\n1,2\n3,4\n5,6,7\n");
    let error = file.open().build_index(&zones_of(1)).expect_err("refused");
    assert_eq!(error.to_string(), "f.csv: record 3 (byte 12): 3 fields, the header has 2");
}

/// Returns the only file in the folder of the indexes.
fn index_file(indexes: &IndexFolder) -> PathBuf {
    let [file] = &indexes.list().expect("a list")[..] else { panic!("not one index") };
    file.path.clone()
}

#[test]
fn damaged_indexes_are_none() {
    let file = csv(40);
    let source = file.open();
    let indexes = file.indexes();
    assert!(source.find_index(&indexes).expect("none").is_none());
    let path = indexes.save(&file.index(200)).expect("save");
    assert_eq!(path, index_file(&indexes));
    assert!(source.find_index(&indexes).expect("a good index").is_some());
    let good = fs::read(&path).expect("the index");
    let put = |bytes: &[u8]| fs::write(&path, bytes).expect("write the index");
    for length in 0..good.len() {
        put(&good[..length]);
        source.find_index(&indexes).expect_err("cut off");
    }
    for place in 0..good.len() {
        for bit in [0, 7] {
            let mut bad = good.clone();
            bad[place] ^= 1 << bit;
            put(&bad);
            source.find_index(&indexes).expect_err("a bit is another");
        }
    }
    put(&[&good[..], b"\0"].concat());
    let error = source.find_index(&indexes).expect_err("too long").to_string();
    assert!(error.ends_with(": there are bytes after its last page"), "{error}");
    let mut other = good.clone();
    other[8] += 1;
    put(&other);
    let error = source.find_index(&indexes).expect_err("of another version").to_string();
    assert!(
        error.ends_with(": it is of another version; `siftd index build` makes it new"),
        "{error}"
    );
    let [listed] = &indexes.list().expect("a list")[..] else { panic!("not one index") };
    assert!(listed.contents.is_err());
    put(&good);
    assert!(source.find_index(&indexes).expect("a good index").is_some());
}

/// Bodies with damage that a checksum does not detect.
#[test]
fn damaged_bodies_are_refused_or_consistent() {
    let file = csv(40);
    let (source, indexes) = (file.open(), file.indexes());
    let path = indexes.save(&file.index(200)).expect("save");
    let good = fs::read(path).expect("the index");
    let body = &good[24..];
    any_index(&source, body);
    let mut random = Rng::with_seed(7);
    for place in 0..body.len() {
        any_index(&source, &body[..place]);
        for _ in 0..8 {
            let mut bad = body.to_vec();
            bad[place] = random.u8(..);
            any_index(&source, &bad);
        }
    }
}

#[test]
fn an_index_is_of_one_file_as_it_was() {
    let file = csv(40);
    let indexes = file.indexes();
    indexes.save(&file.index(200)).expect("save");
    let has = |source: &Source| source.find_index(&indexes).expect("readable").is_some();
    assert!(has(&file.open()));
    // another type makes it another file
    let typed = Indexed { descriptor: "[[field]]\nname = \"id\"\ntype = \"text\"\n", ..csv(0) };
    let opened = |descriptor: &str| {
        let path = file.folder.path().join(file.name);
        let descriptor = Descriptor::parse("f.toml", descriptor).expect("a descriptor");
        Source::open("elsewhere/f.csv", File::open(path).expect("open"), Some(descriptor))
    };
    assert!(!has(&opened(typed.descriptor).expect("a source")));
    assert!(!has(&opened("[csv]\nnull = \"n0001\"\n").expect("a source")));
    // its protection and its name do not determine its records
    assert!(has(&opened("format = \"csv\"\nnetwork_encrypt = true\n").expect("a source")));
    // another file with the same name
    let other = csv(41);
    let path = index_file(&indexes);
    let theirs = other.indexes().save(&other.index(200)).expect("save");
    fs::copy(theirs, &path).expect("copy");
    assert!(!has(&file.open()));
    indexes.save(&file.index(200)).expect("save");
    assert!(has(&file.open()));
    // the file grows
    let before = file.open();
    append(&file.folder.path().join(file.name), "41,n0041,\n");
    assert!(!has(&file.open()));
    // a source that was opened before ends with an error, with an index or without
    let (_, _, end) =
        run(Arc::new(before), "SELECT * FROM 'f.csv' WHERE id = 7", ScanOptions::default());
    assert!(end.is_err());
    assert!(indexes.remove(file.open().identity().expect("one file")).expect("removed"));
    assert!(indexes.list().expect("a list").is_empty());
}

fn append(path: &Path, text: &str) {
    use std::io::Write;
    let mut file = File::options().append(true).open(path).expect("the file");
    file.write_all(text.as_bytes()).expect("append");
}

#[test]
fn indexes_that_others_can_write_are_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let file = csv(40);
    let indexes = file.indexes();
    let path = indexes.save(&file.index(200)).expect("save");
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(indexes.path()).expect("there").permissions().mode() & 0o777, 0o700);
    for (path, bad, good) in [(&*path, 0o620, 0o600), (indexes.path(), 0o777, 0o700)] {
        mode(path, bad).expect("chmod");
        let error = file.open().find_index(&indexes).expect_err("refused").to_string();
        assert!(error.ends_with(": others can write it; it is not used"), "{error}");
        mode(path, good).expect("chmod");
    }
    assert!(file.open().find_index(&indexes).expect("a good index").is_some());
}
