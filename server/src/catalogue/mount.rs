//! Finds out whether a file comes over a network mount.
//!
//! A protected file on a network mount has already left its machine, so it is treated as on a plain
//! channel. The magic number of `statfs` shows the file system. All FUSE file systems have the same
//! number, so /proc/self/mountinfo shows their type. A FUSE file system that is not known to be
//! local counts as a network. A network below another layer is not found, for example an overlay or
//! an encrypting file system on NFS.
//!
//! Source: statfs(2), linux/magic.h, proc_pid_mountinfo(5).

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Returns the name of the network file system of a path; `None` for a local file.
///
/// # Errors
/// An error of the operating system.
pub(crate) fn network_of(path: &Path) -> io::Result<Option<&'static str>> {
    let path = fs::canonicalize(path)?;
    // the magic numbers are 32 bits, and signed on some machines
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "32 bits are wanted"
    )]
    let magic = rustix::fs::statfs(&path)?.f_type as u32;
    if magic != FUSE {
        return Ok(of_magic(magic));
    }
    let mounts = fs::read("/proc/self/mountinfo")?;
    Ok(of_fuse(type_in(&mounts, &path).as_deref()))
}

const FUSE: u32 = 0x6573_5546;

/// Returns the network file system with a magic number.
fn of_magic(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517b | 0xfe53_4d42 | 0xff53_4d42 => "SMB",
        0x0102_1997 => "9P",
        0x00c3_6400 => "Ceph",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x564c => "NCP",
        0x0bd0_0bd0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x786f_4256 => "a folder of the virtual machine's host",
        _ => return None,
    })
}

/// FUSE file systems whose data is on this machine.
const LOCAL_FUSE: &[&str] = &[
    "fuseblk",
    "fuse.bindfs",
    "fuse.encfs",
    "fuse.exfat",
    "fuse.fuse-overlayfs",
    "fuse.gocryptfs",
    "fuse.lxcfs",
    "fuse.mergerfs",
    "fuse.ntfs-3g",
    "fuse.portal",
    "fuse.snapfuse",
    "fuse.squashfuse",
    "fuse.unionfs",
];

/// Returns the network file system of a FUSE type; `None` is for a mount that was not found.
fn of_fuse(kind: Option<&str>) -> Option<&'static str> {
    match kind {
        Some(kind) if LOCAL_FUSE.contains(&kind) => None,
        Some("fuse.sshfs") => Some("sshfs"),
        Some("virtiofs") => Some("virtiofs"),
        _ => Some("FUSE"),
    }
}

/// Returns the type of the mount of an absolute path. The mount with the longest mount point
/// counts, and the last one of several.
fn type_in(mounts: &[u8], path: &Path) -> Option<String> {
    let mut found: Option<(usize, String)> = None;
    for line in mounts.split(|&byte| byte == b'\n') {
        let Some((point, kind)) = mount(line) else { continue };
        let length = point.as_os_str().len();
        if path.starts_with(&point) && found.as_ref().is_none_or(|(longest, _)| length >= *longest)
        {
            found = Some((length, kind));
        }
    }
    found.map(|(_, kind)| kind)
}

/// Returns the mount point, which is the fifth word, and the type, which is the first word after a
/// `-`.
fn mount(line: &[u8]) -> Option<(PathBuf, String)> {
    let mut words = line.split(|&byte| byte == b' ');
    let point = words.nth(4)?;
    let kind = words.skip_while(|word| *word != b"-").nth(1)?;
    Some((
        PathBuf::from(OsStr::from_bytes(&unescaped(point))),
        String::from_utf8(kind.to_vec()).ok()?,
    ))
}

/// Replaces escapes such as `\040`, which stand for blank, tab, line end and backslash.
fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let [first, more @ ..] = rest {
        let octal = match (first, more) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
                Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
            }
            _ => None,
        };
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &more[3..] } else { more };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use sift_select::is_local;

    use super::*;

    const MOUNTS: &[u8] = b"\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:35 / /mnt/far rw,nosuid - fuse.sshfs ann@far: rw,user_id=0
41 22 0:36 / /mnt/far/near rw shared:2 master:3 - fuseblk /dev/sdb1 rw
42 22 0:37 / /mnt/with\\040blank rw - fuse.rclone cloud: rw
43 22 0:38 / /mnt/twice rw - fuse.bindfs /a rw
44 43 0:39 / /mnt/twice rw - fuse.sshfs far: rw
nonsense
";

    #[test]
    fn fuse_is_told_by_the_mount() {
        let cases = [
            ("/mnt/far/a.csv", Some("sshfs")),
            ("/mnt/far/near/a.csv", None),
            ("/mnt/farther/a.csv", Some("FUSE")),
            ("/mnt/with blank/a.csv", Some("FUSE")),
            ("/mnt/twice/a.csv", Some("sshfs")),
        ];
        for (path, expected) in cases {
            let kind = type_in(MOUNTS, Path::new(path));
            assert_eq!(of_fuse(kind.as_deref()), expected, "{path}: {kind:?}");
        }
        assert_eq!(type_in(MOUNTS, Path::new("/mnt/farther/a.csv")).as_deref(), Some("ext4"));
        assert_eq!(of_fuse(None), Some("FUSE"));
    }

    #[test]
    fn magic_numbers_are_those_of_the_manual() {
        for (magic, name) in [
            (0x6969, Some("NFS")),
            (0xff53_4d42, Some("SMB")),
            (0x0102_1997, Some("9P")),
            (0xef53, None),      // ext2 to ext4
            (0x0102_1994, None), // tmpfs
            (0x794c_7630, None), // overlayfs
        ] {
            assert_eq!(of_magic(magic), name, "{magic:x}");
        }
    }

    #[test]
    fn the_folder_of_the_tests_can_be_asked() {
        let folder = std::env::temp_dir();
        let network = network_of(&folder).unwrap();
        assert!(network.is_none() || !is_local(&File::open(folder).unwrap()));
        assert!(network_of(Path::new("/nowhere/at/all")).is_err());
    }
}
