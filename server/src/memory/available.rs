//! The memory that the process may take, as the operating system tells it.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, getrlimit};

/// The memory if nothing tells it.
const UNKNOWN: u64 = 2 << 30;

/// Returns the bytes of memory that a server takes by default: half of the machine's memory, and at
/// most three quarters of the limits of its control groups and of its own (`ulimit -v`, `-d`).
pub(crate) fn default_bytes_max() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let half = machine.unwrap_or(UNKNOWN) / 2;
    let limits = [Resource::As, Resource::Data].map(|resource| getrlimit(resource).current);
    let limits = limits.into_iter().flatten().chain(control_groups(Path::new("/sys/fs/cgroup")));
    limits.map(|limit| limit / 4 * 3).fold(half, u64::min)
}

/// Returns the total of `/proc/meminfo`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// Returns the limits of the control groups, of both versions, of this process.
fn control_groups(root: &Path) -> Vec<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    groups.lines().flat_map(|group| limits(root, group)).collect()
}

/// Returns the limits of one line of `/proc/self/cgroup` (number:controllers:path), and of the
/// groups above.
fn limits(root: &Path, line: &str) -> Vec<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (root, file) = match controllers {
        "" => (root.to_owned(), "memory.max"),
        _ if controllers.split(',').any(|one| one == "memory") => {
            (root.join("memory"), "memory.limit_in_bytes")
        }
        _ => return Vec::new(),
    };
    let own = Path::new(path.trim_start_matches('/'));
    // a container sees its own group at the root
    let groups = own.ancestors().map(|group| root.join(group).join(file));
    groups.filter_map(|limit| fs::read_to_string(limit).ok()?.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_of_what_is_told_counts() {
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       2048 kB\n"), Some(2 << 20));
        assert_eq!(total("MemTotal: much"), None);
        let bytes = default_bytes_max();
        assert!((32 << 20..1 << 50).contains(&bytes), "{bytes}");
    }

    #[test]
    fn limits_of_both_versions_and_of_groups_above_are_found() {
        let root = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("memory.max", "max\n"),
            ("a/memory.max", "5000\n"),
            ("a/b/memory.max", "7000\n"),
            ("memory/c/memory.limit_in_bytes", "9000\n"),
        ] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        assert_eq!(limits(root.path(), "0::/a/b"), [7000, 5000]);
        assert_eq!(limits(root.path(), "3:cpu,memory:/c"), [9000]);
        for other in ["2:cpu:/c", "0::/elsewhere", "", "0", "0::/"] {
            assert!(limits(root.path(), other).is_empty(), "{other}");
        }
    }
}
