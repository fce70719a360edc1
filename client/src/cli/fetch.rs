//! `sift fetch`: writes the bytes of a file into a file or to standard output.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sift_client::{Connection, Connector, Fetch, OutputFile, Progress, Statistics};

mod many;

use super::args::FetchArgs;
use super::fault::{Fault, Outcome, Result};
use super::interrupt;
use super::output::{self, stderr};
use super::select::{describe, rounded};
use super::target::{self, Names};
use super::{hint, sizes};

const BAR: &str = "{wide_bar} {bytes} of {total_bytes}, {binary_bytes_per_sec}, {eta} left";

/// A checked output; nothing is opened yet.
enum Target {
    Stdout,
    /// An existing file that is not regular.
    Special(PathBuf),
    Regular(PathBuf),
}

impl Target {
    /// # Errors
    /// A file that cannot be written, or that has no name.
    fn check(file: &str, args: &FetchArgs) -> Result<Self> {
        let path = match &args.output {
            None => default_target(file)?,
            given => match output::file(given.as_deref()) {
                None => return Ok(Self::Stdout),
                Some(path) => path.to_owned(),
            },
        };
        Ok(match OutputFile::is_regular(&path)? {
            true => Self::Regular(path),
            false => Self::Special(path),
        })
    }
}

/// The result of a fetch.
struct Brought {
    bytes: u64,
    resumed: u64,
    statistics: Statistics,
}

/// Fetches the files that the arguments name.
pub(super) async fn run(connector: Connector, names: &Names, args: &FetchArgs) -> Result<Outcome> {
    let Some(file) = args.one_file()? else {
        return many::run(connector, names, args).await;
    };
    let target = Target::check(file, args)?;
    let mut connection = target::connect(&connector, names).await?;
    let fetched = one(&mut connection, file, target, args).await;
    hint::of_fetch(fetched, file, &mut connection).await
}

async fn one(
    connection: &mut Connection,
    file: &str,
    target: Target,
    args: &FetchArgs,
) -> Result<Outcome> {
    let started = Instant::now();
    let mut fetch = connection.fetch(file).resume(!args.no_resume);
    if let Some(range) = args.range {
        fetch = match range.end {
            Some(end) => fetch.range(range.start..end),
            None => fetch.range(range.start..),
        };
    }
    let Brought { bytes, resumed, statistics } = match target {
        Target::Stdout => to_stdout(fetch).await?,
        Target::Special(path) => in_place(fetch, OutputFile::create(path)?).await?,
        Target::Regular(path) => interrupt::or(to_file(fetch, path, args.quiet)).await?,
    };
    if args.stats {
        let elapsed = rounded(started.elapsed());
        if let Some(file_bytes) = statistics.file_bytes {
            stderr(&format!("file      {file_bytes} bytes"));
        }
        stderr(&format!("fetched   {bytes} bytes, {resumed} of them by an earlier fetch"));
        stderr(&sizes::sent(&statistics, connection.channel()));
        let stored_bytes = bytes.saturating_sub(resumed);
        if let Some(saved) = sizes::saved(&statistics, stored_bytes, "the fetched bytes") {
            stderr(&saved);
        }
        let of = |micros| format!("{:?}", Duration::from_micros(micros));
        stderr(&format!(
            "time      waiting to send {}, in all {}; {elapsed:?} at this end",
            of(statistics.send_micros),
            of(statistics.total_micros)
        ));
        stderr(&format!("channel   {}", describe(connection.channel())));
    }
    Ok(Outcome::Found)
}

async fn to_file(fetch: Fetch<'_>, path: PathBuf, is_quiet: bool) -> Result<Brought> {
    let file = OutputFile::create(&path)?;
    // without a second file in the folder, a fetch cannot be resumed
    if file.is_in_place() {
        return in_place(fetch, file).await;
    }
    drop(file);
    let fetched = with_bar(fetch, is_quiet).to_file(path).await?;
    let (bytes, resumed, statistics) = (fetched.bytes, fetched.resumed, fetched.statistics);
    Ok(Brought { bytes, resumed, statistics })
}

async fn in_place(fetch: Fetch<'_>, mut file: OutputFile) -> Result<Brought> {
    let mut chunks = fetch.chunks().await?;
    while let Some(chunk) = chunks.next().await? {
        file.write(&chunk)?;
        // with a fast server, nothing here waits, and signals are noticed between tasks
        tokio::task::yield_now().await;
    }
    file.finish()?;
    let statistics = chunks.statistics().copied().unwrap_or_default();
    Ok(Brought { bytes: chunks.length(), resumed: 0, statistics })
}

async fn to_stdout(fetch: Fetch<'_>) -> Result<Brought> {
    let mut chunks = fetch.chunks().await?;
    let mut stdout = io::stdout().lock();
    while let Some(chunk) = chunks.next().await? {
        stdout.write_all(&chunk).map_err(Fault::Stdout)?;
    }
    stdout.flush().map_err(Fault::Stdout)?;
    let statistics = chunks.statistics().copied().unwrap_or_default();
    Ok(Brought { bytes: chunks.length(), resumed: 0, statistics })
}

/// Shows progress on standard error if that is a terminal.
fn with_bar(fetch: Fetch<'_>, is_quiet: bool) -> Fetch<'_> {
    if is_quiet || !io::stderr().is_terminal() {
        return fetch;
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(BAR) {
        bar.set_style(style);
    }
    let mut begun = false;
    fetch.progress(move |Progress { done, total }| {
        if !begun {
            bar.set_length(total);
            // the bytes of an earlier fetch do not count for the speed of this one
            bar.set_position(done);
            bar.reset_eta();
            begun = true;
        }
        bar.set_position(done);
        if done == total {
            bar.finish_and_clear();
        }
    })
}

/// Returns the last part of the file's path.
fn default_target(file: &str) -> Result<PathBuf> {
    let name = Path::new(file).file_name();
    name.map(PathBuf::from).ok_or_else(|| Fault::NoFileName(file.to_owned()))
}
