//! The server of the demo and of the measurements. It is a separate process, so that its CPU time
//! and memory can be measured: the same program, started again with `ROLE` as its first argument.
//! It ends when its standard input is closed, so it never outlives its parent.
//!
//! On standard output it writes its addresses, one in each line, in the order of the channels.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode, Stdio};
use std::str::FromStr;

use sift_proto::level::Level;
use sift_server::{Access, Admission, Config, DataRoot, LEVELS, Listener, serve};
use tokio::io::AsyncReadExt as _;

use crate::Result;
use crate::authority::Authority;
use crate::link;
use crate::machine::Process;

/// The first argument of a server that was started by [`Server::start`].
const ROLE: &str = "serve-for-parent";

/// The maximal number of connections, more than the sessions of any load.
const CONNECTIONS_MAX: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// The channel that a listener requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// A channel without encryption.
    Plain,
    /// An encrypted channel of this level.
    Encrypted(Level),
}

impl std::fmt::Display for Security {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain => f.write_str("plain"),
            Self::Encrypted(level) => level.fmt(f),
        }
    }
}

impl FromStr for Security {
    type Err = sift_proto::level::LevelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "plain" => Ok(Self::Plain),
            _ => text.parse::<Level>()?.among(LEVELS).map(Self::Encrypted),
        }
    }
}

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    addresses: Vec<SocketAddr>,
}

impl Server {
    /// Serves the files below `data` on a free loopback port for each of `channels`, each port for
    /// a user of its own, and waits until it listens. `state` is the folder of the indexes, if
    /// there are some.
    ///
    /// # Errors
    /// A process that did not start, or ended too early. Its standard error says why.
    pub fn start(
        data: &Path,
        state: &Path,
        authority: &Authority,
        channels: &[Security],
    ) -> Result<Self> {
        let mut command = std::process::Command::new(std::env::current_exe()?);
        command.arg(ROLE).arg(data).arg(state).arg(&authority.server);
        command.args(channels.iter().map(Security::to_string));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("a server without standard output")?;
        let mut server = Self { child, addresses: Vec::new() };
        for line in BufReader::new(output).lines().take(channels.len()) {
            server.addresses.push(line?.parse()?);
        }
        if server.addresses.len() < channels.len() {
            return Err("the server did not start".into());
        }
        Ok(server)
    }

    /// Returns its addresses, one for each channel.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns its process.
    pub fn process(&self) -> Process {
        Process::with_id(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // nobody needs its work any more, so it is killed
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves if this process was started as a server. `main` calls it first.
pub fn run_as_server() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() != Some(OsStr::new(ROLE)) {
        return None;
    }
    Some(match run(&arguments.collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "server: {error}");
            ExitCode::from(2)
        }
    })
}

fn run(arguments: &[OsString]) -> Result<()> {
    let [data, state, certificate, channels @ ..] = arguments else {
        return Err("expected a data root, a state folder, a certificate and the channels".into());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(16)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut listeners = Vec::new();
        for (number, channel) in channels.iter().enumerate() {
            let any_port = SocketAddr::from((link::address(), 0));
            let listener = match channel.to_string_lossy().parse()? {
                Security::Plain => Listener::plain(any_port).await?,
                Security::Encrypted(level) => {
                    Listener::encrypted(any_port, Path::new(certificate), level).await?
                }
            };
            listeners.push(listener.admit(Admission::Everybody(format!("user {number}"))));
        }
        let mut output = io::stdout().lock();
        for listener in &listeners {
            writeln!(output, "{}", listener.address())?;
        }
        output.flush()?;
        drop(output);
        let parent_left = async {
            let _ = tokio::io::stdin().read(&mut [0]).await;
        };
        let mut config = Config::new(DataRoot::open(Path::new(data))?, Access::open());
        config.state = Some(PathBuf::from(state));
        config.limits.connections_max = CONNECTIONS_MAX;
        config.limits.connections_per_address_max = CONNECTIONS_MAX;
        config.limits.pending_connections_max = CONNECTIONS_MAX;
        serve(listeners, config, parent_left).await;
        Ok(())
    })
}
