//! The identity of an open file: tells whether it is still the one that was looked at.
//!
//! A file's *time of change* (`ctime`) tells: every write, truncation and setting of times stamps
//! it from the kernel's clock, and nobody but root can choose it. Two cases need care. The clock
//! ticks (every 1 to 10 ms; a file system may keep whole seconds), so a change within the tick of
//! the one before leaves the stamp as it is. And a write stamps the file before its bytes are
//! there, so the bytes of one that has begun come without another stamp. [`Look::settled`]
//! therefore waits for both before a byte is read: after that, every change gives the file another
//! identity.
//!
//! Some changes do not show: a change after root has set the clock back, if it gets the stamp of
//! the one before; stores into a shared mapping, of which Linux stamps the first into a page until
//! that is written back (tmpfs stamps none, and POSIX asks for no more than a stamp at `msync`);
//! direct writes (`O_DIRECT`) that had begun before; and a write whose times are set back before
//! the last name of the file is removed, all within one scan. Network file systems have clocks of
//! their own: those have to be right within two seconds.
//!
//! Sources: inode_set_ctime_current and generic_file_write_iter of Linux, statx(2),
//! clock_gettime(2).

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use rustix::fs::{SeekFrom, fstatfs, seek, tell};
use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

/// The identity of a file: equal as long as the file is the one that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Device that holds the file.
    pub device: u64,
    /// Inode on that device.
    pub inode: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// Last modification, nanoseconds since 1970-01-01T00:00:00Z. Its owner can set it.
    pub modified_nanos: i128,
    /// Last change of contents, mode, owner, names or times, nanoseconds since
    /// 1970-01-01T00:00:00Z.
    pub changed_nanos: i128,
}

impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified_nanos: nanos(metadata.mtime(), metadata.mtime_nsec()),
            changed_nanos: nanos(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The coarsest clock of a file system, FAT's: two changes within this time may have one stamp. It
/// counts where nothing better is known: on file systems that are not among [`EXACT`], and where a
/// stamp is a whole second.
const GRAIN_NANOS: i128 = 2 * SECOND_NANOS;

const SECOND_NANOS: i128 = 1_000_000_000;

/// After so long no other wait begins for a file to settle, each of which takes three seconds at
/// most: one that still changes is being written all the time.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// The most looks at a file that has changed at each of them.
const LOOKS_MAX: usize = 4;

/// One look at an open file.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    identity: Identity,
    /// The kernel's clock just before: a later change has no earlier stamp.
    clock_nanos: i128,
    /// True if stamps are of that clock, and writes that have begun are waited for.
    is_exact: bool,
    /// True if the file had a name.
    is_named: bool,
}

impl Look {
    /// Looks at a file that is about to be read, and waits until every later change must show: a
    /// tick of the clock after a change on the common file systems of this machine, two seconds
    /// elsewhere. The look is not [settled](Self::is_settled) where that is in vain: the file is
    /// written all the time, or has a stamp that lies in the future. The file's cursor stays where
    /// it is.
    ///
    /// # Errors
    /// The errors of the operating system.
    pub fn settled(file: &File) -> io::Result<Self> {
        let mut look = Self::new(file)?;
        let mut waited = Duration::ZERO;
        for _ in 1..LOOKS_MAX {
            let Some(rest) = look.rest().filter(|_| waited < WAIT_MAX) else { break };
            wait(rest);
            waited += rest;
            look = Self::new(file)?;
        }
        Ok(look)
    }

    /// Looks at a file without waiting for a clock. The cursor moves there and back.
    ///
    /// # Errors
    /// The errors of the operating system.
    pub fn new(file: &File) -> io::Result<Self> {
        // in this order: a write that begins after the clock was read is stamped with that time or
        // later, and one that began before has ended when the file is looked at
        let clock_nanos = clock(ClockId::RealtimeCoarse);
        wait_for_writer(file);
        let metadata = file.metadata()?;
        Ok(Self {
            identity: Identity::from(&metadata),
            clock_nanos,
            is_exact: is_one_of(file, &EXACT),
            is_named: metadata.nlink() > 0,
        })
    }

    /// Returns what the file was.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Returns the time of the look, by the kernel's clock: nanoseconds since 1970-01-01T00:00:00Z.
    pub fn clock_nanos(&self) -> i128 {
        self.clock_nanos
    }

    /// Returns whether every change after this look gives the file another identity.
    pub fn is_settled(&self) -> bool {
        self.identity.changed_nanos < self.stamp_min()
    }

    /// Returns whether the file is what it was; `false` where a change might not show. Ask it after
    /// the last byte was read. The removal of the last name, as when another file takes its place,
    /// is not a change: a stamp does not tell it from others, but length and time of modification
    /// stay.
    ///
    /// # Errors
    /// The errors of the operating system.
    pub fn holds(&self, file: &File) -> io::Result<bool> {
        let metadata = file.metadata()?;
        let mut now = Identity::from(&metadata);
        if self.is_named && metadata.nlink() == 0 {
            now.changed_nanos = self.identity.changed_nanos;
        }
        Ok(now == self.identity && !self.hides_changes_until(clock(ClockId::Realtime)))
    }

    /// Returns whether a change since then could have left the identity as it is.
    fn hides_changes_until(&self, now: i128) -> bool {
        let stamp_max = if self.is_exact { now } else { now + GRAIN_NANOS };
        (self.stamp_min()..=stamp_max).contains(&self.identity.changed_nanos)
    }

    /// The earliest stamp of a later change.
    fn stamp_min(&self) -> i128 {
        match self.is_exact {
            true => self.clock_nanos - self.clock_nanos.rem_euclid(self.grain()),
            false => self.clock_nanos - GRAIN_NANOS,
        }
    }

    /// The nanoseconds that stamps of the file system may be multiples of, as far as this one
    /// tells: FAT's are of two seconds, those of ext3 of one, those of exFAT of 10 ms.
    fn grain(&self) -> i128 {
        let changed = self.identity.changed_nanos;
        let mut grain = 1;
        while grain < SECOND_NANOS && changed % (grain * 10) == 0 {
            grain *= 10;
        }
        if grain < SECOND_NANOS { grain } else { GRAIN_NANOS }
    }

    /// The time after which a look is settled if the file does not change; `None` where it is, or
    /// where that takes longer than any clock's grain.
    fn rest(&self) -> Option<Duration> {
        if self.is_settled() {
            return None;
        }
        let grain = if self.is_exact { self.grain() } else { GRAIN_NANOS };
        let nanos = self.identity.changed_nanos + grain - self.clock_nanos;
        // a little more, since the clock is behind the stamps by a tick
        if nanos > GRAIN_NANOS + SECOND_NANOS {
            return None;
        }
        // the clock goes on by whole ticks
        let tick = nanos_of(clock_getres(ClockId::RealtimeCoarse)).max(1);
        let nanos = (nanos.max(0) / tick + 1) * tick;
        u64::try_from(nanos).ok().map(Duration::from_nanos)
    }
}

/// Waits for the end of a write that has begun, however long it takes: finding data in a file takes
/// the lock that the writer holds, on the file systems that are [`LOCKED`].
fn wait_for_writer(file: &File) {
    if !is_one_of(file, &LOCKED) {
        return;
    }
    if let Ok(at) = tell(file) {
        // a file without data has none to find
        let _found = seek(file, SeekFrom::Data(0));
        let _back = seek(file, SeekFrom::Start(at));
    }
}

#[expect(clippy::disallowed_methods, reason = "for the kernel's clock, not for another thread")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}

fn clock(id: ClockId) -> i128 {
    nanos_of(clock_gettime(id))
}

fn nanos_of(time: Timespec) -> i128 {
    nanos(time.tv_sec, time.tv_nsec)
}

fn nanos(seconds: i64, nanos: i64) -> i128 {
    i128::from(seconds) * SECOND_NANOS + i128::from(nanos)
}

/// Returns whether looking at an opened file, or at others beside it, takes no time and tells how
/// it is now: on file systems that are known to have their data on this machine. On others what is
/// known of a file may be older than the file, and their times are not of this machine's clock.
pub fn is_local(file: &File) -> bool {
    is_one_of(file, &EXACT) || is_one_of(file, &[RAMFS, BCACHEFS])
}

/// Returns whether the file system has one of these magic numbers of linux/magic.h.
fn is_one_of(file: &File, magics: &[u32]) -> bool {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the magic numbers are 32 bits, and signed on some machines"
    )]
    let magic = fstatfs(file).map(|found| found.f_type as u32);
    magic.is_ok_and(|magic| magics.contains(&magic))
}

/// File systems that stamp by the kernel's clock and let a reader wait for a writer: ext2 to ext4,
/// XFS, Btrfs, F2FS, ZFS, tmpfs, overlayfs.
const EXACT: [u32; 7] =
    [0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0x2fc1_2fc1, 0x0102_1994, 0x794c_7630];

/// The file systems of [`EXACT`] where `SEEK_DATA` waits for a writer. On XFS and ZFS reading
/// waits.
const LOCKED: [u32; 5] = [0xef53, 0x9123_683e, 0xf2f5_2010, 0x0102_1994, 0x794c_7630];

const RAMFS: u32 = 0x8584_58f6;

const BCACHEFS: u32 = 0xca45_1a4e;

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Instant;

    use super::*;

    fn stamped(changed_nanos: i128, clock_nanos: i128, is_exact: bool) -> Look {
        let identity = Identity { device: 1, inode: 2, bytes: 3, modified_nanos: 4, changed_nanos };
        Look { identity, clock_nanos, is_exact, is_named: true }
    }

    #[test]
    fn a_look_is_settled_when_the_clock_has_passed_the_stamp() {
        const S: i128 = SECOND_NANOS;
        // stamp, clock, whether it is settled here, and elsewhere
        for (changed, clock, here, elsewhere) in [
            (7 * S + 1, 7 * S + 1, false, false),
            (7 * S + 1, 7 * S + 2, true, false),
            (7 * S + 1, 9 * S + 1, true, false),
            (7 * S + 1, 9 * S + 2, true, true),
            // a file system may have whole milliseconds, or whole seconds
            (7 * S + 1_000_000, 7 * S + 1_999_999, false, false),
            (7 * S + 1_000_000, 7 * S + 2_000_000, true, false),
            (6 * S, 8 * S - 1, false, false),
            (6 * S, 8 * S, true, false),
            (7 * S, 8 * S, true, false),
            // a clock that was set back
            (3600 * S + 1, S, false, false),
        ] {
            let look = stamped(changed, clock, true);
            assert_eq!(look.is_settled(), here, "{look:?}");
            assert_eq!(stamped(changed, clock, false).is_settled(), elsewhere, "{look:?}");
            for look in [look, stamped(changed, clock, false)] {
                let Some(rest) = look.rest() else { continue };
                let later = look.clock_nanos + i128::try_from(rest.as_nanos()).unwrap();
                assert!(stamped(changed, later, look.is_exact).is_settled(), "{look:?}, {rest:?}");
            }
        }
        assert_eq!(stamped(3600 * S + 1, S, true).rest(), None);
    }

    #[test]
    fn a_change_hides_where_it_could_have_the_same_stamp() {
        for (changed, clock, now, here, elsewhere) in [
            (101, 101, 101, true, true),
            (101, 100, 101, true, true),
            (101, 102, 109, false, true),
            // it is in the future still, so nothing was stamped so
            (109, 101, 108, false, true),
            (101 + 2 * GRAIN_NANOS, 101, 105, false, false),
        ] {
            assert_eq!(stamped(changed, clock, true).hides_changes_until(now), here, "{changed}");
            assert_eq!(stamped(changed, clock, false).hides_changes_until(now), elsewhere);
        }
    }

    #[test]
    fn a_settled_look_holds_until_the_file_changes() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"0123456789").unwrap();
        let look = Look::settled(file.as_file()).unwrap();
        assert!(look.is_settled());
        assert!(look.holds(file.as_file()).unwrap());
        assert_eq!(file.stream_position().unwrap(), 10, "the cursor stays");

        let modified = file.as_file().metadata().unwrap().modified().unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(b"x").unwrap();
        file.as_file().set_modified(modified).unwrap();
        assert!(!look.holds(file.as_file()).unwrap());
        let now = Look::new(file.as_file()).unwrap().identity();
        assert_eq!(
            Identity { changed_nanos: look.identity().changed_nanos, ..now },
            look.identity()
        );
    }

    #[test]
    fn a_file_that_loses_its_name_is_the_same() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let look = Look::settled(file.as_file()).unwrap();
        let (open, path) = file.into_parts();
        drop(path);
        assert!(look.holds(&open).unwrap());
        open.set_len(1).unwrap();
        assert!(!look.holds(&open).unwrap());
    }

    #[test]
    fn a_file_that_is_written_all_the_time_is_not_waited_for() {
        let mut file = tempfile::tempfile().unwrap();
        let other = file.try_clone().unwrap();
        let is_over = AtomicBool::new(false);
        let holds = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let _written = file.write(b"x");
                }
            });
            let started = Instant::now();
            // it may have been settled for a moment, and the writer slow
            let look = Look::settled(&other);
            assert!(started.elapsed() < WAIT_MAX + 3 * Duration::from_secs(1));
            let same = |now: Look| look.as_ref().is_ok_and(|look| now.identity == look.identity);
            while Look::new(&other).is_ok_and(same) {}
            is_over.store(true, Ordering::Relaxed);
            look.and_then(|look| look.holds(&other))
        });
        assert!(!holds.unwrap());
    }
}
