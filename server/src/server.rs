//! The server: listeners, the accept loop and the shutdown.
//!
//! Each listener has a door of its own, at which a connection has a place until its Hello has been
//! answered. After that a connection needs a connection permit; without one it is refused with
//! `SERVER_BUSY`.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::audit::Event;
use crate::config::{Config, Listener};
use crate::connection::port::Port;
use crate::connection::{self, report};
use crate::control::{self, ControlSocket};
use crate::door::Door;
use crate::error::Error;
use crate::monitor::{self, Monitor};
use crate::open_files::Explained;
use crate::pulse::Watchdog;
use crate::rules::RulesReloader;
use crate::shared::{Activity, Shared};
use crate::shutdown::{Shutdown, shutdown as new_shutdown};

/// The maximal number of new listeners that wait to be opened. A reload waits for them.
const LISTENERS_MAX: usize = 16;

/// The name and version of this server.
const SERVER: &str = concat!("siftd ", env!("CARGO_PKG_VERSION"));

/// Serves until `shutdown` is ready. Then it waits for answers under way, at most for the grace
/// time. Connections run on the runtime of the caller, best on one that [`runtime`](crate::runtime)
/// makes.
pub async fn serve(listeners: Vec<Listener>, config: Config, shutdown: impl Future<Output = ()>) {
    Server::new(config).serve(listeners, shutdown).await;
}

/// A server whose activity can be observed.
#[derive(Debug)]
pub struct Server {
    shared: Shared,
    monitor: Option<Monitor>,
    control: Option<ControlSocket>,
    /// The listeners that are opened later.
    opened_later: mpsc::Receiver<Listener>,
}

/// The time for connections to note that they were cut off.
const CUT_OFF_TIME: Duration = Duration::from_secs(1);

impl Server {
    /// Makes a server that does not serve yet.
    pub fn new(config: Config) -> Self {
        let (sender, opened_later) = mpsc::channel(LISTENERS_MAX);
        Self { shared: Shared::new(config, sender), monitor: None, control: None, opened_later }
    }

    /// Lets monitors read the metrics of the server, and ask whether it takes requests.
    #[must_use]
    pub fn with_monitor(mut self, monitor: Monitor) -> Self {
        self.shared.metrics = Some(Arc::clone(&monitor.metrics));
        self.monitor = Some(monitor);
        self
    }

    /// Lets commands of this machine ask the server through a socket.
    #[must_use]
    pub fn with_control(self, control: ControlSocket) -> Self {
        Self { control: Some(control), ..self }
    }

    /// Checks that the columns and row filters of the grants fit all files that the grants match.
    /// Blocks on the file system. A later file that does not fit is refused.
    ///
    /// # Errors
    /// `GrantUnfit`.
    pub fn check_grants(&self) -> Result<(), Error> {
        let rules = self.shared.rules();
        rules.catalogue.check_grants(&rules.grants)
    }

    /// Returns a handle that replaces the rules of the server while it serves.
    pub fn rules_reloader(&self) -> RulesReloader {
        self.shared.reloader()
    }

    /// Returns a watchdog, which tells whether the server still moves.
    pub fn watchdog(&self) -> Watchdog {
        Watchdog::new(self.shared.pulse.clone(), self.shared.pool.clone())
    }

    /// Returns a handle to the counters of the server.
    pub fn activity(&self) -> Activity {
        self.shared.activity.clone()
    }

    /// Serves as [`serve`](serve()) does.
    pub async fn serve(mut self, listeners: Vec<Listener>, shutdown: impl Future<Output = ()>) {
        let (trigger, told) = new_shutdown();
        let shared = Arc::new(self.shared);
        let mut observed = JoinSet::new();
        if let Some(monitor) = self.monitor {
            observed.spawn(monitor::answer_all(monitor, Arc::clone(&shared), told.clone()));
        }
        if let Some(control) = self.control {
            observed.spawn(control::answer_all(control, Arc::clone(&shared)));
        }
        // a line that cannot be written is told in the log
        let _ = shared.audit.write(Event::Start { server: SERVER }).await;
        let mut accepting = JoinSet::new();
        for listener in listeners {
            shared.opened(listener.handle());
            accepting.spawn(accept_all(Arc::clone(&shared), listener, told.clone()));
        }
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(listener) = self.opened_later.recv() => {
                    shared.opened(listener.handle());
                    accepting.spawn(accept_all(Arc::clone(&shared), listener, told.clone()));
                }
                Some(ended) = accepting.join_next() => {
                    report_panic("a listener", ended);
                }
                Some(ended) = observed.join_next() => {
                    report_panic("the port for monitors or the control socket", ended);
                }
            }
        }
        info!("shutting down");
        trigger.begin();
        let ending = async {
            while let Some(ended) = accepting.join_next().await {
                report_panic("a listener", ended);
            }
        };
        let mut ending = pin!(ending);
        let grace = shared.limits().grace_time;
        if timeout(grace, &mut ending).await.is_err() {
            warn!(grace_seconds = grace.as_secs(), "answers under way are cut off");
            // each is told, and has its line in the log and in the audit log
            shared.sessions.end_all();
            let _ = timeout(connection::END_TIME_MAX + CUT_OFF_TIME, ending).await;
        }
        let _ = shared.audit.write(Event::Stop { server: SERVER }).await;
        // removes the control socket
        observed.shutdown().await;
    }
}

/// Accepts connections until the shutdown, then waits for their end. Dropping the future ends them.
async fn accept_all(shared: Arc<Shared>, listener: Listener, mut shutdown: Shutdown) {
    let Listener { tcp, handle } = listener;
    let mut closing = handle.closing();
    let mut limits = shared.limits();
    let mut door = Door::new(&limits);
    let mut connections = JoinSet::new();
    let mut beat = shared.pulse.listener();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.begun() => break,
            () = closing.begun() => break,
            // before connections, as there may always be one
            () = beat.answer() => continue,
            accepted = accept(&tcp) => accepted,
            Some(ended) = connections.join_next() => {
                report_panic("a connection", ended);
                continue;
            }
        };
        let (stream, peer) = accepted;
        // while there is always one to accept, nobody else looks at those that have ended
        while let Some(ended) = connections.try_join_next() {
            report_panic("a connection", ended);
        }
        let current = shared.limits();
        if *current != *limits {
            // those before keep their places at the door before
            (limits, door) = (Arc::clone(&current), Door::new(&current));
        }
        let metrics = shared.metrics.as_deref();
        let newcomer = match door.enter(stream, peer.ip(), metrics) {
            Ok(newcomer) => newcomer,
            Err(error) => {
                report::refused(metrics, peer, &error);
                continue;
            }
        };
        shared.activity.connection();
        let port = Port::of(&handle, &shared.admission);
        let (shared, shutdown) = (Arc::clone(&shared), shutdown.clone());
        connections.spawn(async move {
            connection::run(&shared, newcomer, peer, port, shutdown).await;
        });
    }
    drop((tcp, beat));
    shared.closed(&handle);
    while let Some(ended) = connections.join_next().await {
        report_panic("a connection", ended);
    }
}

/// Logs that a task has panicked. A listener that has takes no connections any more.
fn report_panic(what: &str, ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "{what} panicked");
    }
}

/// The wait after a failure to accept. Without file descriptors the next attempt fails, too, and
/// attempts without a wait would use a whole core.
const BACK_OFF: std::ops::Range<Duration> = Duration::from_millis(10)..Duration::from_secs(1);

/// The bytes in a socket's buffer that the kernel has not begun to send, from which on it takes no
/// more.
const UNSENT_BYTES_MAX: u32 = 256 << 10;

async fn accept(tcp: &TcpListener) -> (TcpStream, std::net::SocketAddr) {
    let mut back_off = BACK_OFF.start;
    loop {
        match tcp.accept().await {
            Ok((stream, peer)) => {
                // the last piece of an answer must not wait for the acknowledgement of the previous
                // piece; if this fails, the connection is only slower
                let _ = stream.set_nodelay(true);
                // how long the writer waits tells the speed of the link, which a large buffer would
                // hide
                let _ = SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES_MAX);
                return (stream, peer);
            }
            Err(error) => {
                warn!(error = %Explained(&error), "cannot accept");
                sleep(back_off).await;
                back_off = BACK_OFF.end.min(back_off * 2);
            }
        }
    }
}
