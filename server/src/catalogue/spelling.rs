//! The spelling of names on file systems that find one entry by several names.
//!
//! Some file systems ignore case, or the way in which Unicode composes a letter. Some have short
//! names (`ORDERS~1.CSV`), drop dots and spaces at the end, or open streams (`a.csv::$DATA`). A
//! grant is for a name, so a file has only the name that its folder lists. Reading the folder shows
//! this name, but costs half a microsecond for each entry of the folder. The folder is read only if
//! the file system may find an entry by another name. The file systems of Linux itself
//! ([`BY_CASE`]) ignore case in some folders at most. There the name in the other case is looked up
//! first, which takes two microseconds.
//!
//! Sources: Documentation/filesystems/ext4 and fs/unicode of Linux (`casefold`), xfs.mkfs(8)
//! (`version=ci`), zfsprops(7) (`casesensitivity`, `normalization`).

use std::io;
use std::sync::Arc;

use rustix::fs::{OFlags, fstat, fstatfs};
use rustix::io::Errno;

use super::tree::{Node, Tree, is_same};

/// File systems that find an entry only by its own name, or also by names that differ in case only.
/// They are the numbers of linux/magic.h for ext2 to ext4, XFS, Btrfs, F2FS, tmpfs, overlayfs,
/// ramfs and bcachefs. ZFS is not in the list: it can ignore how letters are composed and still
/// respect case.
const BY_CASE: [u32; 8] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0xf2f5_2010,
    0x0102_1994,
    0x794c_7630,
    0x8584_58f6,
    0xca45_1a4e,
];

/// Returns whether the entry that was found by `name` has exactly this name.
pub(super) fn is_exact(
    tree: &Tree,
    folder: &Arc<Node>,
    name: &str,
    found: &Node,
) -> io::Result<bool> {
    if heeds_case(tree, folder, name, found) {
        return Ok(true);
    }
    for entry in folder.entries()? {
        if entry?.file_name().to_bytes() == name.as_bytes() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether the folder certainly has no second name for the entry.
fn heeds_case(tree: &Tree, folder: &Arc<Node>, name: &str, found: &Node) -> bool {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the magic numbers are 32 bits, and signed on some machines"
    )]
    let magic = fstatfs(&folder.file).map(|found| found.f_type as u32);
    if !magic.is_ok_and(|magic| BY_CASE.contains(&magic)) {
        return false;
    }
    match (tree.look_up)(&folder.file, &respelled(name), OFlags::PATH) {
        Err(Errno::NOENT) => true,
        // the same entry, unless it is a hard link
        Ok(file) => fstat(file).is_ok_and(|stat| !is_same(&stat, &found.stat)),
        Err(_) => false,
    }
}

/// Returns the name with the case of its ASCII letters changed. Without such letters, it adds a
/// soft hyphen: a file system that ignores case in all of Unicode ignores that, too.
fn respelled(name: &str) -> String {
    let flip = |c: char| match c {
        'a'..='z' => c.to_ascii_uppercase(),
        _ => c.to_ascii_lowercase(),
    };
    let flipped: String = name.chars().map(flip).collect();
    if flipped == name { format!("{name}\u{ad}") } else { flipped }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::symlink;

    use rustix::fs::{Dir, Mode, openat};

    use super::*;
    use crate::access::grant::Caller;
    use crate::access::protect::Protection;
    use crate::access::transport::Transport;
    use crate::catalogue::{Catalogue, DataRoot, FileName};
    use crate::fault::Fault;
    use crate::limits::Limits;

    /// Looks up a name as a file system does that ignores the case of ASCII letters.
    fn ignoring_case(folder: &File, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let open = |name: &str, flags| {
            openat(folder, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        };
        let is_it = |entry: &str| entry.eq_ignore_ascii_case(name);
        let mut entries = Dir::new(open(".", OFlags::RDONLY | OFlags::DIRECTORY)?)?;
        let names =
            entries.by_ref().map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned());
        let found = names.collect::<Vec<_>>().into_iter().find(|entry| is_it(entry));
        open(&found.ok_or(Errno::NOENT)?, flags)
    }

    #[test]
    fn a_file_has_the_name_that_its_folder_lists_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("Sub/2024")).unwrap();
        for name in ["orders.csv", "Sub/Orders.csv", "Sub/2024/1.csv"] {
            fs::write(path(name), "a\n1\n").unwrap();
        }
        // this file is found as the descriptor, so it protects the data
        fs::write(path("Sub/2024/1.CSV.TOML"), "scl_min = 4\n").unwrap();
        symlink("sub/orders.CSV", path("link.csv")).unwrap();
        symlink("Sub/Orders.csv", path("exact.csv")).unwrap();
        fs::hard_link(path("orders.csv"), path("hard.csv")).unwrap();
        let mut root = DataRoot::open(folder.path()).unwrap();
        root.tree.look_up = ignoring_case;
        let catalogue =
            Catalogue::new(root, Limits::default(), Protection::default(), Arc::default());
        let caller = Caller::unrestricted(Transport::Local);
        for name in ["orders.csv", "Sub/Orders.csv", "Sub/2024/1.csv", "exact.csv", "hard.csv"] {
            for _ in 0..2 {
                let entry = catalogue.entry(&FileName::parse(name).unwrap(), &caller).unwrap();
                assert_eq!(entry.has_descriptor(), name == "Sub/2024/1.csv");
                catalogue.source(entry, Transport::Local).unwrap();
            }
        }
        for name in [
            "ORDERS.CSV",
            "Orders.csv",
            "sub/Orders.csv",
            "Sub/orders.csv",
            "SUB/2024/1.csv",
            "link.csv",
        ] {
            let fault = catalogue.entry(&FileName::parse(name).unwrap(), &caller).unwrap_err();
            assert!(matches!(&fault, Fault::UnknownFile(unknown) if unknown == name), "{fault}");
        }
        let listed: Vec<_> =
            catalogue.list("", &caller).unwrap().files.into_iter().map(|file| file.path).collect();
        let expected = ["Sub/2024/1.csv", "Sub/Orders.csv", "exact.csv", "hard.csv", "orders.csv"];
        assert_eq!(listed, expected);
    }

    #[test]
    fn a_name_is_respelled_with_other_letters() {
        for (name, expected) in
            [("a.csv", "A.CSV"), ("Ab.C", "aB.c"), ("2024", "2024\u{ad}"), ("größe", "GRößE")]
        {
            assert_eq!(respelled(name), expected);
        }
    }
}
