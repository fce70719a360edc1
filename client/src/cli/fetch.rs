//! `sift fetch`: a file as it stands, into a file or to standard output.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sift_client::{Connection, Fetch, Progress, Statistics};

use super::args::FetchArgs;
use super::output::stderr;
use super::select::{describe, rounded};
use super::{Fault, Outcome, Result};

const BAR: &str = "{wide_bar} {bytes} of {total_bytes}, {binary_bytes_per_sec}, {eta} left";

pub(super) async fn run(connection: &mut Connection, args: &FetchArgs) -> Result<Outcome> {
    let started = Instant::now();
    let target = match &args.output {
        Some(path) if path.as_os_str() == "-" => None,
        Some(path) => Some(path.clone()),
        None => Some(default_target(&args.file)?),
    };
    let mut fetch = connection.fetch(&args.file).resume(!args.no_resume);
    if let Some(range) = args.range {
        fetch = match range.end {
            Some(end) => fetch.range(range.start..end),
            None => fetch.range(range.start..),
        };
    }
    let (bytes, resumed, statistics) = match target {
        Some(path) => {
            let fetched = with_bar(fetch).to_file(path).await?;
            (fetched.bytes, fetched.resumed, fetched.statistics)
        }
        None => {
            let (bytes, statistics) = to_stdout(fetch).await?;
            (bytes, 0, statistics)
        }
    };
    if args.stats {
        let elapsed = rounded(started.elapsed());
        stderr(&format!("bytes     {bytes}, of which an earlier fetch had brought {resumed}"));
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

async fn to_stdout(fetch: Fetch<'_>) -> Result<(u64, Statistics)> {
    let mut chunks = fetch.chunks().await?;
    let mut stdout = io::stdout().lock();
    while let Some(chunk) = chunks.next().await? {
        stdout.write_all(&chunk).map_err(Fault::Stdout)?;
    }
    stdout.flush().map_err(Fault::Stdout)?;
    Ok((chunks.length(), chunks.statistics().copied().unwrap_or_default()))
}

/// Shows progress on standard error if that is a terminal.
fn with_bar(fetch: Fetch<'_>) -> Fetch<'_> {
    if !io::stderr().is_terminal() {
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
            // what an earlier fetch has brought says nothing about the speed of this one
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

/// The last part of the file's path.
fn default_target(file: &str) -> Result<PathBuf> {
    let name = Path::new(file).file_name();
    name.map(PathBuf::from).ok_or_else(|| Fault::NoFileName(file.to_owned()))
}
