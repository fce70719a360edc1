//! Files that change: under an index, between opening and reading, and under a scan. A changed file
//! is read as it is now, or is an error, even if its length and its modification time are the same.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FallocateFlags, fallocate};
use sift_select::{
    BuildOptions, Descriptor, Error, ErrorKind, FileSet, Index, IndexFolder, Plan, Result, Scan,
    ScanOptions, Select, Source, Step,
};

use crate::index::run;
use crate::table::Format;
use crate::tables;

const DESCRIPTOR: &str = "format = \"fixed\"\nrecord_length = 7\nterminator = \"lf\"\n[[field]]\nname = \"n\"\ntype = \"text\"\noffset = 0\nlength = 7\n";

const NAME: &str = "f.dat";

const RECORDS: usize = 4000;

const RECORD_BYTES: usize = 8;

/// A file of 4000 records, 0000000 to 0003999, in its own folder.
struct Numbers {
    folder: tempfile::TempDir,
    path: PathBuf,
    descriptor: String,
}

impl Numbers {
    fn new(promise: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(NAME);
        let text: String = (0..RECORDS).map(|n| format!("{n:07}\n")).collect();
        fs::write(&path, text).expect("write the file");
        Self { folder, path, descriptor: format!("{promise}{DESCRIPTOR}") }
    }

    fn open(&self) -> Source {
        let descriptor = Descriptor::parse("f.dat.toml", &self.descriptor).expect("a descriptor");
        let file = File::open(&self.path).expect("open the file");
        Source::open(NAME, file, Some(descriptor)).expect("a source")
    }

    fn index(&self) -> Index {
        let options = BuildOptions { zone_bytes: 1000, ..BuildOptions::default() };
        self.open().build_index(&options).expect("an index")
    }
}

/// Changes a file and sets the modification time back.
fn unseen(path: &Path, change: impl FnOnce(&Path)) {
    let modified = fs::metadata(path).and_then(|before| before.modified()).expect("a time");
    change(path);
    writable(path).set_modified(modified).expect("set the time back");
}

fn writable(path: &Path) -> File {
    File::options().write(true).open(path).expect("open to write")
}

/// Makes the record 0000007 the greatest.
fn overwrite(path: &Path) {
    writable(path).write_all_at(b"9999999", 7 * RECORD_BYTES as u64).expect("write");
}

fn overwritten(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).expect("read");
    bytes[7 * RECORD_BYTES..][..7].copy_from_slice(b"9999999");
    bytes
}

type Change = (&'static str, fn(&Path));

/// Changes that keep the inode, the length and the modification time.
const CHANGES: &[Change] = &[
    ("written in place", |path| unseen(path, overwrite)),
    ("truncated and written again", |path| {
        unseen(path, |path| fs::write(path, overwritten(path)).expect("write"));
    }),
    ("grown, written and cut", |path| {
        unseen(path, |path| {
            let bytes = fs::metadata(path).expect("there").len();
            writable(path).write_all_at(b"0000000\n", bytes).expect("append");
            overwrite(path);
            writable(path).set_len(bytes).expect("cut");
        });
    }),
    ("a hole in it", |path| {
        unseen(path, |path| {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            // not every file system has holes
            let _punched = fallocate(writable(path), flags, 4096, 4096);
            overwrite(path);
        });
    }),
    ("written with another name for a while", |path| {
        unseen(path, |path| {
            let other = path.with_extension("other");
            fs::rename(path, &other).expect("rename");
            overwrite(&other);
            fs::rename(other, path).expect("rename back");
        });
    }),
    ("written by its second name", |path| {
        unseen(path, |path| {
            let other = path.with_extension("other");
            fs::hard_link(path, &other).expect("link");
            overwrite(&other);
            fs::remove_file(other).expect("remove");
        });
    }),
];

/// Replaces the file by another one with the same length and modification time.
fn replace(path: &Path) {
    let other = path.with_extension("other");
    fs::write(&other, overwritten(path)).expect("write");
    let modified = fs::metadata(path).and_then(|before| before.modified()).expect("a time");
    writable(&other).set_modified(modified).expect("set the time");
    fs::rename(other, path).expect("rename");
}

fn append(path: &Path) {
    let bytes = fs::metadata(path).expect("there").len();
    writable(path).write_all_at(b"9999999\n", bytes).expect("append");
}

#[test]
fn an_index_is_of_no_file_that_has_changed() {
    let sql = "SELECT n FROM 'f.dat' WHERE n > '0009999'";
    let replaced: [Change; 2] = [("replaced", replace), ("appended to", append)];
    for keys in ["", "\n[[key]]\ncolumns = \"n\"\n"] {
        for (what, change) in CHANGES.iter().chain(&replaced) {
            let file = Numbers { descriptor: format!("{DESCRIPTOR}{keys}"), ..Numbers::new("") };
            let indexes = IndexFolder::new(file.folder.path());
            let index = file.index();
            indexes.save(&index).expect("save");
            assert!(file.open().find_index(&indexes).expect("readable").is_some(), "{what}");
            let (rows, known, _) =
                run(Arc::new(file.open().with_index(index.clone())), sql, ScanOptions::default());
            assert!(!rows.contains("9999999") && known.records_scanned == 0, "{what}: {known:?}");

            change(&file.path);
            assert!(file.open().find_index(&indexes).expect("readable").is_none(), "{what}");
            let (rows, known, _) =
                run(Arc::new(file.open().with_index(index)), sql, ScanOptions::default());
            assert_eq!(known.records_pruned, 0, "{what}");
            assert!(rows.contains("9999999"), "{what}: {rows}");
        }
    }
}

/// The index is not used, which costs only time.
#[test]
fn an_index_is_of_no_file_that_has_another_mode() {
    let file = Numbers::new("");
    let index = file.index();
    fs::set_permissions(&file.path, Permissions::from_mode(0o600)).expect("chmod");
    let (_, known, _) = run(
        Arc::new(file.open().with_index(index)),
        "SELECT n FROM 'f.dat'",
        ScanOptions::default(),
    );
    assert_eq!((known.records_scanned, known.records_pruned), (RECORDS as u64, 0));
}

/// Sift checks only the last 64 KiB of the indexed part; if they differ, the index is not used.
#[test]
fn of_a_file_that_is_appended_to_the_end_of_what_was_indexed_is_checked() {
    let find = |change: fn(&Path)| {
        let file = Numbers::new("append_only = true\n");
        let indexes = IndexFolder::new(file.folder.path());
        indexes.save(&file.index()).expect("save");
        change(&file.path);
        file.open().find_index(&indexes).expect("readable").is_some()
    };
    assert!(find(|_| ()));
    assert!(find(append));
    assert!(find(|path| unseen(path, append)));
    assert!(!find(|path| unseen(path, overwrite)));
    assert!(!find(|path| {
        overwrite(path);
        append(path);
    }));
    assert!(!find(|path| writable(path).set_len(RECORD_BYTES as u64).expect("cut")));
    assert!(!find(replace));
    // without `append_only`, growth is a change like any other
    let file = Numbers::new("append_only = true\n");
    let index = file.index();
    append(&file.path);
    let file = Numbers { descriptor: DESCRIPTOR.to_owned(), ..file };
    let (_, known, _) = run(
        Arc::new(file.open().with_index(index)),
        "SELECT n FROM 'f.dat'",
        ScanOptions::default(),
    );
    assert_eq!(known.records_pruned, 0);
}

/// Runs a Select in small morsels, with a change before one of them.
fn with_change(source: Arc<Source>, after: usize, change: impl Fn()) -> Result<usize> {
    let sql = format!("SELECT * FROM '{}'", source.name());
    let plan = Plan::new(&Select::parse(&sql)?, source, &[])?;
    let options =
        ScanOptions { morsel_bytes: 4 << 10, morsels_in_flight_max: 1, ..ScanOptions::default() };
    let mut scan = Scan::new(plan, options);
    let (mut rows, mut morsels) = (0, 0);
    loop {
        match scan.step()? {
            Step::Run(morsel) => {
                if morsels == after {
                    change();
                }
                morsels += 1;
                scan.accept(morsel.run());
            }
            Step::Batch(batch) => rows += batch.num_rows(),
            Step::Wait => panic!("nothing is under way"),
            Step::Done => return Ok(rows),
        }
    }
}

fn changed(name: &str) -> (ErrorKind, String) {
    (ErrorKind::FileChanged, format!("{name}: changed while it was read; try again"))
}

fn told(error: &Error) -> (ErrorKind, String) {
    (error.kind(), error.to_string())
}

#[test]
fn a_scan_of_a_file_that_has_changed_is_an_error() {
    // between opening and reading, during the scan, and just before the last morsel
    for after in [0, 3, 7] {
        for (what, change) in CHANGES.iter().chain(&[("appended to", append as fn(&Path))]) {
            let file = Numbers::new("");
            let end = with_change(Arc::new(file.open()), after, || change(&file.path));
            assert_eq!(told(&end.expect_err(what)), changed(NAME), "{what}, {after}");
        }
        // the replaced file is still open
        let file = Numbers::new("");
        let end = with_change(Arc::new(file.open()), after, || replace(&file.path));
        assert_eq!(end.expect("the file as it was"), RECORDS);
    }
}

/// It is an error even if the bytes are the same again, because they may have differed when they
/// were read.
#[test]
fn a_file_of_any_format_that_has_changed_is_an_error() {
    let table = tables::many();
    for format in table.formats {
        let folder = tempfile::tempdir().expect("a folder");
        let source = table.open(folder.path(), *format);
        let rows = with_change(Arc::clone(&source), usize::MAX, || {});
        assert_eq!(rows.expect("an answer"), table.rows.len(), "{format:?}");
        let path = fs::read_dir(folder.path()).expect("a folder").next().expect("a file");
        unseen(&path.expect("a file").path(), |path| {
            let bytes = fs::read(path).expect("read");
            writable(path).write_all_at(&bytes, 0).expect("write");
        });
        let end = with_change(source, usize::MAX, || {});
        assert_eq!(told(&end.expect_err("changed")), changed(table.name), "{format:?}");
    }
    assert!(table.formats.contains(&Format::CsvGzip) && table.formats.contains(&Format::Arrow));
}

#[test]
fn each_file_of_a_pattern_is_checked() {
    for place in 0..2 {
        let files = [Numbers::new(""), Numbers::new("")];
        let names = vec!["a=1/f.dat".to_owned(), "a=2/f.dat".to_owned()];
        let set = FileSet::new("a=*/f.dat", names).expect("a set");
        let opened: Vec<_> = files.iter().map(|file| Arc::new(file.open())).enumerate().collect();
        let source = set.source(&files[0].open(), opened).expect("a source");
        let end = with_change(Arc::new(source), 7, || unseen(&files[place].path, overwrite));
        assert_eq!(told(&end.expect_err("changed")), changed("a=*/f.dat"));
    }
}

/// A write sets a file's time before its bytes are there, and further writes in the same tick of
/// the clock do not set it again: no answer mixes the bytes of two writes.
#[test]
fn an_answer_is_of_one_state_of_a_file_that_is_written_all_the_time() {
    let file = Numbers::new("");
    let states = [b"aaaaaaa\n", b"bbbbbbb\n"].map(|record| record.repeat(100 * RECORDS));
    fs::write(&file.path, &states[0]).expect("write");
    let is_over = AtomicBool::new(false);
    let select = Select::parse("SELECT min(n), max(n) FROM 'f.dat'").expect("a Select");
    let answer = |source: Source| {
        let plan = Plan::new(&select, Arc::new(source), &[])?;
        let batches = Scan::new(plan, ScanOptions::default()).collect()?;
        let answer = format!("{:?}", batches[0]);
        let states = [answer.contains("aaaaaaa"), answer.contains("bbbbbbb")];
        Ok::<_, Error>(states)
    };
    let answers: Vec<_> = std::thread::scope(|scope| {
        scope.spawn(|| {
            let writer = writable(&file.path);
            let modified = writer.metadata().and_then(|before| before.modified());
            for state in states.iter().cycle().take_while(|_| !is_over.load(Ordering::Relaxed)) {
                let _written = writer.write_all_at(state, 0);
                let _back = modified.as_ref().map(|modified| writer.set_modified(*modified));
            }
        });
        let answers = (0..60).map(|_| answer(file.open())).collect();
        is_over.store(true, Ordering::Relaxed);
        answers
    });
    for answer in answers {
        match answer {
            Ok(states) => assert_ne!(states, [true, true]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::FileChanged),
        }
    }
    assert_ne!(answer(file.open()).expect("a file at rest"), [true, true]);
}
