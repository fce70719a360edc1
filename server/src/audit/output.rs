//! The file of the audit log, and the thread that writes to it.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rustix::fs::OFlags;
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use super::record::Event;
use super::{COMPLAINT_TIME, FileState};

/// The most lines that are written together.
const TOGETHER_MAX: usize = 256;

/// A line to be written, which may be empty, and where to say whether it was.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) line: Vec<u8>,
    pub(super) done: oneshot::Sender<bool>,
}

/// The open file.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    path: PathBuf,
    state: Arc<FileState>,
    /// True if the file ends within a line.
    is_torn: bool,
    complained: Option<Instant>,
}

impl Output {
    /// Opens the file for its owner alone, to append to it. A symbolic link is an error, and so is
    /// anything else than a regular file or a character device.
    pub(super) fn open(path: &Path, state: Arc<FileState>) -> io::Result<Self> {
        // a pipe without a reader must not hang the server
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
        let mut options = File::options();
        options.read(true).append(true).create(true).mode(0o600).custom_flags(flags);
        let file = options.open(path)?;
        let metadata = file.metadata()?;
        let kind = metadata.file_type();
        if !kind.is_file() && !kind.is_char_device() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        // a crash may have left a part of a line
        let mut last = [b'\n'];
        if let Some(end) = metadata.len().checked_sub(1).filter(|_| kind.is_file()) {
            file.read_exact_at(&mut last, end)?;
        }
        let is_torn = last != [b'\n'];
        Ok(Self { file, path: path.to_owned(), state, is_torn, complained: None })
    }

    /// Writes lines until nobody can send more.
    pub(super) fn write_all(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut received = Vec::new();
        while orders.blocking_recv_many(&mut received, TOGETHER_MAX) > 0 {
            let lines = received.iter().map(|order| &order.line[..]).collect::<Vec<_>>().concat();
            let count = received.iter().filter(|order| !order.line.is_empty()).count();
            let is_written = self.write(&lines, count as u64);
            for order in received.drain(..) {
                // a connection that has ended asks no more
                let _ = order.done.send(is_written);
            }
        }
    }

    /// Writes lines, after the number of those that are missing. Returns whether the file took all.
    fn write(&mut self, lines: &[u8], count: u64) -> bool {
        let lost = self.state.lost.load(Ordering::Relaxed);
        let mut bytes = if self.is_torn { vec![b'\n'] } else { Vec::new() };
        if lost > 0 {
            bytes.extend(Event::Gap { lost }.line());
        }
        bytes.extend(lines);
        match self.append(&bytes) {
            Ok(()) => {
                self.is_torn = false;
                self.state.hangs.store(false, Ordering::Relaxed);
                // a reload may have moved the number to the next file
                let less = |before: u64| Some(before.saturating_sub(lost));
                let _ = self.state.lost.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
                true
            }
            Err(error) => {
                self.state.lost.fetch_add(count, Ordering::Relaxed);
                self.complain(&error);
                false
            }
        }
    }

    /// Appends all bytes, or none if that can be.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = |file: &File| file.metadata().map(|metadata| metadata.len());
        let before = length(&self.file)?;
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            let error = match self.file.write(rest) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(more) => {
                    written += more;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            if written > 0 {
                // the rest of a line would make the next one unreadable; what another writer has
                // appended stays
                let is_alone = length(&self.file)? == before + written as u64;
                self.is_torn |= !is_alone || self.file.set_len(before).is_err();
            }
            return Err(error);
        }
        Ok(())
    }

    fn complain(&mut self, error: &io::Error) {
        if self.complained.is_some_and(|before| before.elapsed() < COMPLAINT_TIME) {
            return;
        }
        self.complained = Some(Instant::now());
        let (path, lost) = (self.path.display(), self.state.lost.load(Ordering::Relaxed));
        error!(%path, %error, lost, "the audit log takes no lines");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_file_is_its_owners_and_no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let open = |path: &Path| Output::open(path, Arc::default());
        open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(open(&link).is_err());
        assert!(open(folder.path()).is_err());
    }

    #[test]
    fn lines_that_are_missing_are_counted_in_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let state = Arc::new(FileState::default());
        let lost = || state.lost.load(Ordering::Relaxed);
        let mut full = Output::open(Path::new("/dev/full"), Arc::clone(&state)).unwrap();
        assert!(!full.write(b"{}\n", 1));
        assert!(!full.write(b"{}\n{}\n", 2));
        // a probe is no line
        assert!(!full.write(b"", 0));
        assert_eq!(lost(), 3);
        let mut output = Output::open(&path, Arc::clone(&state)).unwrap();
        assert!(output.write(b"{\"a\":1}\n", 1) && output.write(b"{\"a\":2}\n", 1));
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].ends_with("\"event\":\"gap\",\"lost\":3}"), "{text}");
        assert_eq!(lines[1..], ["{\"a\":1}", "{\"a\":2}"]);
        assert_eq!(lost(), 0);
    }

    #[test]
    fn a_line_that_a_crash_has_torn_does_not_spoil_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        fs::write(&path, "{\"a\":1}\n{\"b").unwrap();
        let mut output = Output::open(&path, Arc::default()).unwrap();
        assert!(output.write(b"{\"c\":2}\n", 1) && output.write(b"{\"d\":3}\n", 1));
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "{\"a\":1}\n{\"b\n{\"c\":2}\n{\"d\":3}\n");
    }
}
