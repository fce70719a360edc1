//! `siftd status`, `siftd kill` and `siftd reload`: ask a server that runs on this machine, through its control
//! socket.

use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use sift_server::{ControlAnswer, ControlRequest, KeyChange, SOCKET, StatusReport};

use super::error::{Error, counted};
use super::output::{print, shown};
use super::{settings, status};

/// The time for a server to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// The same for a reload, which reads all files of the configuration.
const RELOAD_TIME_MAX: Duration = Duration::from_secs(70);

/// The maximal size of an answer: 10,000 sessions with their texts.
const ANSWER_BYTES_MAX: u64 = 128 << 20;

/// Clears a terminal, and goes to its first line.
const CLEAR: &str = "\x1b[2J\x1b[H";

#[derive(Debug, Args)]
pub(crate) struct ControlArgs {
    /// The folder of the server's state, in which its socket is
    ///
    /// By default `state` of siftd.toml, else $STATE_DIRECTORY.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,

    /// The configuration file
    ///
    /// By default siftd.toml in $XDG_CONFIG_HOME/sift or ~/.config/sift, else in /etc/sift.
    #[arg(long, value_name = "FILE", conflicts_with = "state")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Show the state again every few seconds, until the command is ended
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "2",
        value_parser = clap::value_parser!(u32).range(1..=3600)
    )]
    watch: Option<u32>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    control: ControlArgs,
}

#[derive(Debug, Args)]
pub(crate) struct KillArgs {
    /// The number of a session or a request, as `siftd status` shows it
    id: u64,

    #[command(flatten)]
    control: ControlArgs,
}

pub(super) fn status(args: StatusArgs) -> Result<(), Error> {
    let StatusArgs { watch, json, control } = args;
    let path = control.path()?;
    let Some(seconds) = watch else {
        let report = report(&path)?;
        return Ok(print(text(&report, json)?.as_bytes())?);
    };
    let clear = if !json && io::stdout().is_terminal() { CLEAR } else { "" };
    loop {
        let text = text(&report(&path)?, json)?;
        let mut out = io::stdout().lock();
        let written = write!(out, "{clear}{}", shown(&text)).and_then(|()| out.flush());
        match written {
            // nobody watches any more
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
        drop(out);
        #[expect(clippy::disallowed_methods, reason = "the period that the caller chose")]
        std::thread::sleep(Duration::from_secs(seconds.into()));
    }
}

pub(super) fn kill(args: KillArgs) -> Result<(), Error> {
    let KillArgs { id, control } = args;
    match ask(&control.path()?, &ControlRequest::End(id))? {
        ControlAnswer::Ended(what) => Ok(print(format!("ended: {what}\n").as_bytes())?),
        other => Err(unexpected(other)),
    }
}

pub(super) fn reload(args: &ControlArgs) -> Result<(), Error> {
    match ask_for(&args.path()?, &ControlRequest::Reload, RELOAD_TIME_MAX)? {
        ControlAnswer::Reloaded(changes) => {
            let text = match changes.len() {
                0 => "reloaded; no key of siftd.toml has changed\n".to_owned(),
                keys => format!("reloaded; {} changed\n", counted(keys, "key")),
            };
            Ok(print((text + &changed(&changes)).as_bytes())?)
        }
        other => Err(unexpected(other)),
    }
}

/// Returns a line for each change, such as `    limits.idle_seconds: 600 -> 60`.
pub(super) fn changed(changes: &[KeyChange]) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_owned());
    let line = |KeyChange { key, before, after }: &KeyChange| {
        format!("    {key}: {} -> {}\n", value(before), value(after))
    };
    changes.iter().map(line).collect()
}

fn report(path: &PathBuf) -> Result<StatusReport, Error> {
    match ask(path, &ControlRequest::Status)? {
        ControlAnswer::Status(report) => Ok(report),
        other => Err(unexpected(other)),
    }
}

fn text(report: &StatusReport, json: bool) -> Result<String, Error> {
    match json {
        true => Ok(serde_json::to_string(report).map_err(io::Error::from)? + "\n"),
        false => Ok(status::text(report)),
    }
}

impl ControlArgs {
    /// Returns the path of the socket.
    pub(super) fn path(&self) -> Result<PathBuf, Error> {
        let state = match &self.state {
            Some(state) => Some(state.clone()),
            None => settings::state_named(self.config.as_deref())?,
        };
        state.map(|state| state.join(SOCKET)).ok_or(Error::NoControl)
    }
}

/// Sends a request to the server at `path`, and returns its answer.
pub(super) fn ask(path: &PathBuf, request: &ControlRequest) -> Result<ControlAnswer, Error> {
    ask_for(path, request, ANSWER_TIME_MAX)
}

fn ask_for(
    path: &PathBuf,
    request: &ControlRequest,
    time: Duration,
) -> Result<ControlAnswer, Error> {
    let answer = exchange(path, request, time);
    answer.map_err(|source| Error::NoServer { path: path.clone(), source })
}

fn exchange(path: &PathBuf, request: &ControlRequest, time: Duration) -> io::Result<ControlAnswer> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(time))?;
    stream.set_write_timeout(Some(ANSWER_TIME_MAX))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_until(b'\n', &mut answer)?;
    match answer.is_empty() {
        true => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it closed without an answer")),
        false => Ok(serde_json::from_slice(&answer)?),
    }
}

/// Returns the error of an answer that is not the expected one.
pub(super) fn unexpected(answer: ControlAnswer) -> Error {
    match answer {
        ControlAnswer::Error(text) => Error::Control(text),
        _ => Error::Control("the server gave the answer to another request".to_owned()),
    }
}
