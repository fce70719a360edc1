use std::fs::{self, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};

use sift_select::{Select, Waiting};

use super::*;
use crate::blocking::GivesUp;

fn plain() -> Caller {
    Caller::unrestricted(Transport::Plain)
}

#[test]
fn nothing_is_looked_for_at_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.csv"), "a\n1\n").unwrap();
    let root = DataRoot::open(folder.path()).unwrap();
    let catalogue = Catalogue::new(root, Limits::default(), Protection::default(), Arc::default());
    let caller = Caller::unrestricted(Transport::Local);
    let select = Select::parse("SELECT a FROM t").unwrap();
    for from in ["a.csv", "*.csv", "*.none"] {
        let fault =
            catalogue.plan(Some(from), &select, &[], &caller, Waiting::Refused).unwrap_err();
        assert!(fault.would_block(), "{from}: {fault}");
    }
    catalogue.plan(Some("*.csv"), &select, &[], &caller, Waiting::Allowed).unwrap();
}

#[test]
fn what_is_known_of_a_file_is_known_until_something_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let is_local = is_local(&File::open(folder.path()).unwrap());
    let catalogue = || {
        let root = DataRoot::open(folder.path()).unwrap();
        Catalogue::new(root, Limits::default(), Protection::default(), Arc::default())
    };
    let known = |catalogue: &Catalogue, name: &str| {
        catalogue.known(&FileName::parse(name).unwrap()).is_some()
    };
    let opened = |name: &str| {
        let catalogue = catalogue();
        assert!(!known(&catalogue, name));
        let entry = catalogue.entry(&FileName::parse(name).unwrap(), &plain());
        catalogue.source(entry.unwrap(), Transport::Plain).unwrap();
        catalogue
    };
    for name in ["a.csv", "in/a.csv"] {
        let write = |text: &str| {
            fs::create_dir_all(path("in")).unwrap();
            fs::write(path(name), text).unwrap();
        };
        let described = path(&format!("{name}.toml"));
        let of_catalogue = |change: &dyn Fn()| {
            write("a\n1\n");
            let catalogue = opened(name);
            assert_eq!(known(&catalogue, name), is_local, "{name}");
            change();
            let known = known(&catalogue, name);
            let _ = fs::remove_file(&described);
            known
        };
        assert_eq!(of_catalogue(&|| {}), is_local);
        assert!(!of_catalogue(&|| write("a\n12\n")));
        assert!(!of_catalogue(&|| write_unseen(&path(name), b"a\n2\n")));
        assert!(!of_catalogue(&|| fs::remove_file(path(name)).unwrap()));
        assert!(!of_catalogue(&|| {
            let changed = || fs::metadata(path(name)).unwrap().ctime_nsec();
            let before = changed();
            // the clock of the file system ticks in between
            while changed() == before {
                fs::set_permissions(path(name), Permissions::from_mode(0o600)).unwrap();
            }
        }));
        assert!(!of_catalogue(&|| fs::write(&described, "scl_min = 4\n").unwrap()));
    }
    // the same file, by way of a link
    write_linked(&path);
    let catalogue = opened("in/a.csv");
    fs::rename(path("in"), path("out")).unwrap();
    symlink("out", path("in")).unwrap();
    assert!(!known(&catalogue, "in/a.csv"));
    assert!(!known(&opened("link.csv"), "link.csv"));
}

/// Writes a file of the same length in place, and sets its time of modification back.
fn write_unseen(path: &Path, bytes: &[u8]) {
    let file = File::options().write(true).open(path).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file.set_modified(modified).unwrap();
}

#[test]
fn a_descriptor_is_read_again_when_it_was_written_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("a.csv"), "a\n1\n").unwrap();
    fs::write(path("a.csv.toml"), "scl_min = 3\n").unwrap();
    let root = DataRoot::open(folder.path()).unwrap();
    let catalogue = Catalogue::new(root, Limits::default(), Protection::default(), Arc::default());
    let name = FileName::parse("a.csv").unwrap();
    let caller = Caller::unrestricted(Transport::Local);
    for text in ["scl_min = 3\n", "scl_min = 4\n", "scl_min = 3\n", "scl_min = 5\n"] {
        write_unseen(&path("a.csv.toml"), text.as_bytes());
        for _ in 0..2 {
            let entry = catalogue.entry(&name, &caller).unwrap();
            let level = text.trim_end().trim_start_matches("scl_min = ").parse().unwrap();
            assert_eq!(entry.protected.file.scl_min().map(u32::from), Some(level));
        }
    }
}

fn write_linked(path: &dyn Fn(&str) -> PathBuf) {
    fs::write(path("a.csv"), "a\n1\n").unwrap();
    fs::write(path("in/a.csv"), "a\n1\n").unwrap();
    symlink("a.csv", path("link.csv")).unwrap();
}

thread_local! {
    /// The data root of [`exchanging`].
    static EXCHANGED: std::cell::RefCell<PathBuf> = const { std::cell::RefCell::new(PathBuf::new()) };
}

/// The lookup of a file system while somebody exchanges two files at the worst moments. `x.csv`
/// is the protected file when it is looked for, and the open file when its descriptor is looked
/// for. The protected file has a descriptor at every moment.
fn exchanging(
    folder: &File,
    name: &str,
    flags: rustix::fs::OFlags,
) -> Result<std::os::fd::OwnedFd, Errno> {
    use rustix::fs::{CWD, Mode, OFlags, RenameFlags, openat, renameat_with};
    let root = EXCHANGED.with_borrow(Clone::clone);
    let path = |name: &str| root.join(name);
    let (described, is_secret) = (path("x.csv.toml"), path("x.csv.toml").exists());
    let exchange = || {
        let (x, vault) = (path("x.csv"), path("vault.csv"));
        renameat_with(CWD, x, CWD, vault, RenameFlags::EXCHANGE).unwrap();
    };
    if name == "x.csv" && !is_secret {
        fs::hard_link(path("vault.csv.toml"), described).unwrap();
        exchange();
    } else if name == "x.csv.toml" && is_secret {
        exchange();
        fs::remove_file(described).unwrap();
    }
    openat(folder, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

#[test]
fn what_is_exchanged_and_exchanged_back_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("x.csv"), "a\n1\n").unwrap();
    fs::write(path("vault.csv"), "a\n2\n").unwrap();
    fs::write(path("vault.csv.toml"), "scl_min = 4\n").unwrap();
    EXCHANGED.set(folder.path().to_owned());
    let mut root = DataRoot::open(folder.path()).unwrap();
    root.tree.look_up = exchanging;
    let catalogue = Catalogue::new(root, Limits::default(), Protection::default(), Arc::default());
    let name = FileName::parse("x.csv").unwrap();
    let entry = catalogue.entry(&name, &plain()).unwrap();
    assert!(!entry.has_descriptor(), "the one is looked for, the other is described");
    let fault = catalogue.source(entry, Transport::Plain).unwrap_err();
    assert!(matches!(fault, Fault::Renamed(_)), "{fault}");
    let fault = catalogue.open(&name, &plain()).unwrap_err();
    assert!(matches!(fault, Fault::Renamed(_)), "{fault}");
    let fault = catalogue.describe("x.csv", &plain()).unwrap_err();
    assert!(matches!(fault, Fault::Renamed(_)), "{fault}");
}

#[test]
fn what_comes_between_the_look_and_the_opening_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("a.csv"), "a\n1\n").unwrap();
    fs::write(path("b.csv"), "a\n2\n").unwrap();
    symlink("a.csv", path("link.csv")).unwrap();
    let opened = Arc::default();
    let root = DataRoot::open(folder.path()).unwrap();
    let catalogue =
        Catalogue::new(root, Limits::default(), Protection::default(), Arc::clone(&opened));
    let look = |name: &str| catalogue.entry(&FileName::parse(name).unwrap(), &plain()).unwrap();
    let is_refused = |entry: Entry| {
        let fault = catalogue.source(entry, Transport::Plain).unwrap_err();
        matches!(fault, Fault::Renamed(_))
    };
    catalogue.source(look("link.csv"), Transport::Plain).unwrap();

    let (file, link) = (look("a.csv"), look("link.csv"));
    fs::write(path("a.csv.toml"), "scl_min = 4\n").unwrap();
    assert!(is_refused(file) && is_refused(link));

    let link = look("link.csv");
    fs::remove_file(path("link.csv")).unwrap();
    symlink("b.csv", path("link.csv")).unwrap();
    let fault = catalogue.source(link, Transport::Local).unwrap_err();
    assert!(matches!(fault, Fault::Renamed(_)), "{fault}");
    catalogue.source(look("link.csv"), Transport::Plain).unwrap();
}
