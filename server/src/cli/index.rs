//! `siftd index`: its command line and its output.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use sift_select::{
    BuildOptions, Identity, IndexContents, IndexFolder, IndexedFile, SpillDirectory,
};
use sift_server::{LocalKeys, open_local};

use super::error::Error;
use super::output::{print, shown};
use super::settings;

/// The size of a zone: bytes of a file that are read or skipped together.
const ZONE_BYTES: u64 = 1 << 20;

/// The minimal time between two updates of the progress.
const PROGRESS_TIME: Duration = Duration::from_millis(100);

#[derive(Debug, Subcommand)]
pub(crate) enum IndexCommand {
    /// Read files and build their indexes
    ///
    /// An index has a zone map: minimum, maximum and number of NULLs of each column for every zone
    /// of about a megabyte. A Select does not read the zones that cannot match WHERE. The keys that
    /// a descriptor declares as `[[key]]` are sorted, so that a few records are found and read
    /// alone. An index is used as long as its file and the layout in its descriptor are unchanged;
    /// after that it is ignored. A new name, mode or owner of the file is a change, too, because
    /// its time of change covers all of them. With `append_only = true` in the descriptor an index
    /// stays valid for the records from which it was built, and later ones are read. An index
    /// contains values of the file, of protected columns too. Only its owner can read it, who has
    /// to be the user of the server.
    ///
    /// If --columns is given, the index also has copies of these columns. A Select that needs no
    /// others reads the copies instead of the records, if they are smaller. A column is copied only
    /// if every record has a value of its type or NULL. The new index takes the place of the old
    /// one, so building without --columns drops the copies.
    Build(BuildArgs),
    /// List all indexes
    List(StateArgs),
    /// Show whether files have an index
    Show(FilesArgs),
    /// Remove the indexes of files
    Drop(FilesArgs),
}

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// Copy these columns
    ///
    /// The names are separated by commas, or the option is repeated.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Vec<String>,

    #[command(flatten)]
    files: FilesArgs,
}

#[derive(Debug, Args)]
pub(crate) struct FilesArgs {
    /// Data files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    #[command(flatten)]
    state: StateArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// The folder of the server's state; the indexes are in `index` below it
    ///
    /// By default `state` of siftd.toml, else $STATE_DIRECTORY, else /var/tmp.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,

    /// The configuration file
    ///
    /// By default siftd.toml in $XDG_CONFIG_HOME/sift or ~/.config/sift, else in /etc/sift.
    #[arg(long, value_name = "FILE", conflicts_with = "state")]
    config: Option<PathBuf>,
}

impl StateArgs {
    fn path(self) -> Result<PathBuf, Error> {
        Ok(match self.state {
            Some(state) => state,
            None => settings::state(self.config.as_deref())?,
        })
    }

    /// A configuration that was not named may be unreadable.
    fn local_keys(&self) -> Result<LocalKeys, Error> {
        match &self.config {
            None => Ok(settings::local_keys(None).unwrap_or_default()),
            Some(config) => Ok(settings::local_keys(Some(config))?),
        }
    }

    fn folder(self) -> Result<IndexFolder, Error> {
        Ok(IndexFolder::new(&self.path()?))
    }
}

pub(crate) fn run(command: IndexCommand) -> Result<(), Error> {
    match command {
        IndexCommand::Build(BuildArgs { columns, files: FilesArgs { files, state } }) => {
            let local = state.local_keys()?;
            let state = state.path()?;
            let indexes = IndexFolder::new(&state);
            // an administrator waits for it, and sees the progress
            let spill = Arc::new(SpillDirectory::new(state, "--state", u64::MAX));
            let uncopied = Cell::new(0);
            each(&files, |file| build(file, &columns, &local, &indexes, &spill, &uncopied))?;
            match uncopied.get() {
                0 => Ok(()),
                columns => Err(Error::Uncopied(columns)),
            }
        }
        IndexCommand::Show(FilesArgs { files, state }) => {
            let local = state.local_keys()?;
            let indexes = state.folder()?;
            each(&files, |file| show(file, &local, &indexes))
        }
        IndexCommand::Drop(FilesArgs { files, state }) => {
            let indexes = state.folder()?;
            each(&files, |file| {
                let identity = identity(file)?;
                let what = if indexes.remove(identity)? { "index dropped" } else { "no index" };
                Ok(format!("{}: {what}\n", file.display()))
            })
        }
        IndexCommand::List(state) => {
            let lines = state.folder()?.list()?.iter().map(listed).collect::<String>();
            Ok(print(lines.as_bytes())?)
        }
    }
}

/// Processes each file and prints the result. It stops at the first error.
fn each(files: &[PathBuf], act: impl Fn(&Path) -> Result<String, Error>) -> Result<(), Error> {
    for file in files {
        print(act(file)?.as_bytes())?;
    }
    Ok(())
}

/// Builds the index of a file, and counts the columns that cannot be copied.
fn build(
    file: &Path,
    columns: &[String],
    local: &LocalKeys,
    indexes: &IndexFolder,
    spill: &Arc<SpillDirectory>,
    uncopied: &Cell<usize>,
) -> Result<String, Error> {
    let started = Instant::now();
    let source = open_local(file, local)?;
    if !source.is_settled() && !source.is_append_only() {
        return Err(Error::JustChanged(file.to_owned()));
    }
    // once for the zones, once for the copies, and once for each key
    let passes = 1 + u64::from(!columns.is_empty()) + source.key_specs().len() as u64;
    let progress = Progress::new(file, source.bytes().saturating_mul(passes));
    let options = BuildOptions {
        zone_bytes: ZONE_BYTES,
        spill: Some(Arc::clone(spill)),
        columns,
        uncopied: &|error| {
            progress.finish();
            // the build goes on, whether anybody reads this or not
            let _ = writeln!(io::stderr(), "siftd: {}", shown(&error.to_string()));
            uncopied.set(uncopied.get() + 1);
        },
        progress: &|bytes| progress.add(bytes),
        ..BuildOptions::default()
    };
    let path = std::path::absolute(file)?;
    let index = source.build_index(&options)?.named(&path.to_string_lossy());
    progress.finish();
    indexes.save(&index)?;
    let seconds = started.elapsed().as_secs_f64();
    let (records, zones) = (index.record_count(), index.zone_count());
    let parts = parts(index.key_specs().map(|key| key.name.as_str()), index.copied_columns());
    Ok(format!("{}: {records} records in {zones} zones{parts}, {seconds:.1} s\n", file.display()))
}

fn show(file: &Path, local: &LocalKeys, indexes: &IndexFolder) -> Result<String, Error> {
    let source = open_local(file, local)?;
    let what = match source.find_index(indexes) {
        Ok(None) => "no index, or one of the file as it was".to_owned(),
        Ok(Some(index)) => {
            let keys = index.key_specs().map(|key| key.name.as_str());
            let parts = parts(keys, index.copied_columns());
            format!("{} records in {} zones{parts}", index.record_count(), index.zone_count())
        }
        Err(error) => error.to_string(),
    };
    Ok(format!("{}: {what}\n", file.display()))
}

fn identity(file: &Path) -> Result<Identity, Error> {
    let metadata = std::fs::metadata(file)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
    Ok(Identity::from(&metadata))
}

fn listed(indexed: &IndexedFile) -> String {
    let IndexedFile { path, bytes, contents } = indexed;
    let contents = match contents {
        Ok(contents) => contents,
        Err(error) => return format!("{error}\n"),
    };
    let nanos = i64::try_from(contents.identity.changed_nanos).unwrap_or(i64::MAX);
    let changed: DateTime<Utc> = DateTime::from_timestamp_nanos(nanos);
    let mut line = format!("{}: {bytes} bytes, of {}", path.display(), contents.name);
    // writing to a String does not fail
    let _ = writeln!(
        line,
        " ({} bytes, {}): {} records in {} zones{}{}",
        contents.identity.bytes,
        changed.format("%Y-%m-%d %H:%M:%S"),
        contents.records,
        contents.zones,
        parts(
            contents.keys.iter().map(String::as_str),
            contents.copied_columns.iter().map(String::as_str)
        ),
        since(contents)
    );
    line
}

/// Returns how the file changed since its index was built; empty if it did not.
fn since(contents: &IndexContents) -> &'static str {
    match identity(Path::new(&contents.name)) {
        Ok(now) if now == contents.identity => "",
        Ok(Identity { device, inode, .. })
            if (device, inode) == (contents.identity.device, contents.identity.inode) =>
        {
            "; the file has changed since (used nevertheless if it is append_only)"
        }
        Ok(_) => "; another file is there now",
        Err(_) => "; the file is not there now",
    }
}

/// Returns the names of keys and copied columns, to add to a line about an index.
fn parts<'a>(
    keys: impl Iterator<Item = &'a str>,
    columns: impl Iterator<Item = &'a str>,
) -> String {
    let quoted = |name: &str| format!("`{name}`");
    let keys: Vec<String> = keys.map(quoted).collect();
    let columns: Vec<String> = columns.map(quoted).collect();
    let keys = match keys.as_slice() {
        [] => String::new(),
        [name] => format!(", key {name}"),
        names => format!(", keys {}", names.join(", ")),
    };
    match columns.as_slice() {
        [] => keys,
        [name] => format!("{keys}, copy of {name}"),
        names => format!("{keys}, copies of {}", names.join(", ")),
    }
}

/// The progress of reading a file, on a terminal.
struct Progress<'a> {
    file: &'a Path,
    bytes: u64,
    /// The bytes that were read, and the time of the last output.
    done: Option<Mutex<(u64, Instant)>>,
}

impl<'a> Progress<'a> {
    fn new(file: &'a Path, bytes: u64) -> Self {
        let done = io::stderr().is_terminal().then(|| Mutex::new((0, Instant::now())));
        Self { file, bytes, done }
    }

    fn add(&self, bytes: u64) {
        // if another thread is writing, this line can be left out
        let Some(Ok(mut done)) = self.done.as_ref().map(Mutex::lock) else { return };
        done.0 += bytes;
        if done.1.elapsed() >= PROGRESS_TIME {
            done.1 = Instant::now();
            let percent = done.0.saturating_mul(100) / self.bytes.max(1);
            let _ = write!(io::stderr(), "\r{}: {percent} %", self.file.display());
        }
    }

    fn finish(&self) {
        if self.done.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
