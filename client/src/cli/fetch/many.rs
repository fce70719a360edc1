//! `sift fetch` of several files, patterns and folders: a few at a time, with one progress.
//!
//! The tree of the server is kept below one folder. A path comes from the server, so it is checked
//! before a file is made: it was asked for, it has no `..`, it is not absolute, and it does not
//! lead through a link.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, Metadata};
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use glob::{MatchOptions, Pattern};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sift_client::{Connection, Connector, ErrorKind, Fetched, Progress};
use sift_print::printable;
use tokio::task::JoinSet;

use crate::cli::args::FetchArgs;
use crate::cli::fault::{Fault, Outcome, Result};
use crate::cli::hint::{escaped, is_pattern};
use crate::cli::interrupt;
use crate::cli::output::stderr;
use crate::cli::select::rounded;
use crate::cli::target::{self, Names};

/// The number of files that are fetched at a time, each on a connection of its own.
const CONNECTIONS_MAX: usize = 4;

/// The rules by which a server matches patterns: `*` does not match a `/`, `**` does, and neither
/// matches a dot at the start of a name.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

const BAR: &str = "{wide_bar} {bytes} of {total_bytes}, {binary_bytes_per_sec}, {msg}";

/// Fetches the files that the arguments name.
///
/// # Errors
/// [`Fault::NotFetched`] if a file was not fetched, which was told before; no connection.
pub(super) async fn run(connector: Connector, names: &Names, args: &FetchArgs) -> Result<Outcome> {
    let started = Instant::now();
    let mut connection = target::connect(&connector, names).await?;
    let files = found(&mut connection, args).await?;
    let all = files.len();
    if all == 0 {
        return Ok(Outcome::NothingFound);
    }
    let work = Arc::new(Work::new(connector, args, files));
    interrupt::or(work_off(&work, connection)).await?;
    let state = work.state();
    if args.stats {
        let elapsed = rounded(started.elapsed());
        let State { bytes, resumed, bytes_sent, done, .. } = *state;
        stderr(&format!("files     {done} of {all}"));
        stderr(&format!("fetched   {bytes} bytes, {resumed} of them by an earlier fetch"));
        stderr(&format!("sent      {bytes_sent} bytes"));
        stderr(&format!("time      {elapsed:?} at this end"));
    }
    match all - state.done {
        0 => Ok(Outcome::Found),
        failed => Err(Fault::NotFetched { failed, all }),
    }
}

/// A file to fetch.
struct File {
    path: String,
    bytes: Option<u64>,
    /// False if the server lists a file that no argument is about.
    is_asked: bool,
}

/// Asks the server for the files of patterns and folders. Each file is there once. What matches
/// nothing is a name, which the server knows or not.
async fn found(connection: &mut Connection, args: &FetchArgs) -> Result<Vec<File>> {
    let mut listed = Vec::new();
    let mut known = HashSet::new();
    let mut patterns = Vec::new();
    for argument in &args.files {
        let folder = argument.trim_matches('/');
        let is_all = args.recursive && matches!(folder, "" | ".");
        let pattern = match is_pattern(argument) {
            true => Some(argument.clone()),
            false if is_all => Some("**/*".to_owned()),
            false if args.recursive => Some(escaped(folder) + "/**/*"),
            false => None,
        };
        let mut matching = Vec::new();
        if let Some(pattern) = pattern {
            // a server refuses a pattern that is wrong; if it lists files, they match nothing here
            patterns.extend(Pattern::new(&pattern).ok());
            let files = connection.files(pattern).await?;
            matching.extend(files.into_iter().map(|file| (file.path, file.bytes)));
        }
        if matching.is_empty() && !is_all {
            matching.push((argument.clone(), None));
        }
        listed.extend(matching.into_iter().filter(|(path, _)| known.insert(path.clone())));
    }
    let is_asked = |path: &String| {
        args.files.contains(path)
            || patterns.iter().any(|pattern| pattern.matches_with(path, MATCHING))
    };
    let file = |(path, bytes)| File { is_asked: is_asked(&path), path, bytes };
    Ok(listed.into_iter().map(file).collect())
}

/// The state that all connections share.
struct Work {
    connector: Connector,
    folder: PathBuf,
    resume: bool,
    /// The names of all files.
    paths: HashSet<String>,
    all: usize,
    bar: ProgressBar,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<File>,
    done: usize,
    bytes: u64,
    resumed: u64,
    bytes_sent: u64,
}

impl Work {
    fn new(connector: Connector, args: &FetchArgs, files: Vec<File>) -> Self {
        let total = files.iter().filter_map(|file| file.bytes).fold(0, u64::saturating_add);
        let target = match io::stderr().is_terminal() && !args.quiet {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        if let Ok(style) = ProgressStyle::with_template(BAR) {
            bar.set_style(style);
        }
        Self {
            connector,
            folder: args.output_dir.clone().unwrap_or_else(|| PathBuf::from(".")),
            resume: !args.no_resume,
            paths: files.iter().map(|file| file.path.clone()).collect(),
            all: files.len(),
            bar,
            state: Mutex::new(State { queue: files.into(), ..State::default() }),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells that a file was not fetched.
    fn failed(&self, path: &str, fault: &Fault) {
        let line = format!("sift: {}: {}", printable(path, &[]), fault.shown());
        self.bar.suspend(|| stderr(&line));
    }

    fn fetched(&self, fetched: &Fetched) {
        let mut state = self.state();
        state.done += 1;
        state.bytes = state.bytes.saturating_add(fetched.bytes);
        state.resumed = state.resumed.saturating_add(fetched.resumed);
        state.bytes_sent = state.bytes_sent.saturating_add(fetched.statistics.bytes_sent);
        self.bar.set_message(format!("{} of {} files", state.done, self.all));
    }
}

/// Fetches all files of the queue.
///
/// # Errors
/// The folder cannot be made.
async fn work_off(work: &Arc<Work>, first: Connection) -> Result<()> {
    let made = fs::create_dir_all(&work.folder);
    made.map_err(|source| Fault::File { action: "create", path: work.folder.clone(), source })?;
    let mut workers = JoinSet::new();
    workers.spawn(worker(Arc::clone(work), Some(first)));
    for _ in 1..CONNECTIONS_MAX.min(work.all) {
        workers.spawn(worker(Arc::clone(work), None));
    }
    // a worker that panics leaves the rest to the others
    while workers.join_next().await.is_some() {}
    work.bar.finish_and_clear();
    let left = std::mem::take(&mut work.state().queue);
    left.iter().for_each(|file| work.failed(&file.path, &Fault::NotConnected));
    Ok(())
}

/// Fetches files of the queue, one after the other, as long as there is a connection.
async fn worker(work: Arc<Work>, mut connection: Option<Connection>) {
    loop {
        let open = match connection.take() {
            Some(open) => Ok(open),
            // the server may not want so many connections
            None => work.connector.connect().await,
        };
        let Ok(mut open) = open else { return };
        let Some(file) = work.state().queue.pop_front() else { return };
        match fetch(&work, &mut open, &file).await {
            Ok(fetched) => work.fetched(&fetched),
            Err(fault) => {
                work.failed(&file.path, &fault);
                if is_broken(&fault) {
                    continue;
                }
            }
        }
        connection = Some(open);
    }
}

/// Returns whether no other request can follow on the connection.
fn is_broken(fault: &Fault) -> bool {
    let Fault::Client(error) = fault else { return false };
    matches!(error.kind(), ErrorKind::ClientServer { .. } | ErrorKind::BrokenStream { .. })
}

async fn fetch(work: &Work, connection: &mut Connection, file: &File) -> Result<Fetched> {
    let (folders, name) = split(&file.path)?;
    if !file.is_asked {
        return Err(Fault::NotAsked(file.path.clone()));
    }
    let parts = [".part.origin", ".part"];
    let whole = parts.iter().find_map(|suffix| file.path.strip_suffix(suffix));
    if let Some(whole) = whole.filter(|whole| work.paths.contains(*whole)) {
        return Err(Fault::NeededName(whole.to_owned()));
    }
    let to = destination(&work.folder, &folders, name)?;
    let bar = work.bar.clone();
    let (mut counted, mut expected) = (0, file.bytes.unwrap_or_default());
    let progress = move |Progress { done, total }| {
        bar.inc_length(total.saturating_sub(expected));
        expected = expected.max(total);
        bar.inc(done.saturating_sub(counted));
        counted = counted.max(done);
    };
    let fetch = connection.fetch(&file.path).resume(work.resume).progress(progress);
    Ok(fetch.to_file(to).await?)
}

/// Splits a path of the server into the folders on the way and the name of the file.
///
/// # Errors
/// The path leads out of the output folder.
fn split(path: &str) -> Result<(Vec<&str>, &str)> {
    let is_inside = |name: &&str| !matches!(*name, "" | "." | "..") && !name.contains('\0');
    let mut folders: Vec<&str> = path.split('/').collect();
    let is_inside = folders.iter().all(is_inside);
    match folders.pop().filter(|_| is_inside) {
        Some(name) => Ok((folders, name)),
        None => Err(Fault::Outside(path.to_owned())),
    }
}

/// Returns the place of a file below the output folder, and makes the folders on the way to it.
///
/// # Errors
/// The way leads through something that is not a folder, or ends at something that is not a file.
fn destination(folder: &Path, folders: &[&str], name: &str) -> Result<PathBuf> {
    let mut place = folder.to_owned();
    for inner in folders {
        place.push(inner);
        let failed = |source| Fault::File { action: "create", path: place.clone(), source };
        match found_at(&place).map_err(failed)? {
            Some(there) if there.is_dir() => {}
            Some(_) => return Err(failed(io::ErrorKind::NotADirectory.into())),
            // another worker may have made it meanwhile
            None => match fs::create_dir(&place) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(failed(error));
                }
                _ => {}
            },
        }
    }
    place.push(name);
    let failed = |source| Fault::File { action: "write", path: place.clone(), source };
    match found_at(&place).map_err(failed)? {
        Some(there) if !there.is_file() => Err(Fault::NotReplaced(place)),
        _ => Ok(place),
    }
}

/// Returns what is at a path itself, not at the end of a link; `None` if there is nothing.
fn found_at(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(there) => Ok(Some(there)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_path_leads_out_of_the_folder() {
        let outside = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let to = |path| {
            let (folders, name) = split(path)?;
            destination(folder.path(), &folders, name)
        };
        assert_eq!(to("a/b/c.csv").unwrap(), folder.path().join("a/b/c.csv"));
        assert!(folder.path().join("a/b").is_dir());
        assert_eq!(to("..a/...").unwrap(), folder.path().join("..a/..."));
        for wrong in
            ["", "/", "/etc/x", "..", "../x", "a/../x", "a/..", "./x", "a//x", "a/", "a/.", "x\0y"]
        {
            assert!(matches!(to(wrong), Err(Fault::Outside(_))), "{wrong:?}");
        }
        symlink(outside.path(), folder.path().join("link")).unwrap();
        assert!(matches!(to("link/x"), Err(Fault::File { .. })));
        fs::write(outside.path().join("victim"), "").unwrap();
        symlink(outside.path().join("victim"), folder.path().join("file")).unwrap();
        symlink(outside.path().join("new"), folder.path().join("dangling")).unwrap();
        fs::create_dir(folder.path().join("folder")).unwrap();
        for wrong in ["file", "dangling", "folder"] {
            assert!(matches!(to(wrong), Err(Fault::NotReplaced(_))), "{wrong}");
        }
        assert!(matches!(to("file/x"), Err(Fault::File { .. })));
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    }
}
