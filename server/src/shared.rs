//! The state that all connections of a server share: files, users, grants, limits and counters.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::access::Admission;
use crate::access::login::Login;
use crate::audit::Audit;
use crate::blocking::{Jobs, processors};
use crate::catalogue::statements::Statements;
use crate::config::{Config, Listener, ListenerHandle};
use crate::fault::Fault;
use crate::limits::Limits;
use crate::memory::AnswerMemory;
use crate::metrics::Metrics;
use crate::open_files::OpenFiles;
use crate::permits::{Full, Permit, Permits, network};
use crate::pool::Pool;
use crate::pulse::Pulse;
use crate::quota::Quotas;
use crate::rules::{self, ConnectionPermits, Kept, Rules, RulesReloader};
use crate::sessions::Sessions;

/// The counters of a server. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    connections: Arc<AtomicU64>,
    requests: Arc<AtomicU64>,
    files: Arc<AtomicU64>,
    morsels: Arc<AtomicU64>,
}

/// The state that all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    rules: RulesReloader,
    pub(crate) statements: Arc<Statements>,
    pub(crate) jobs: Jobs,
    /// The threads for the work of Selects.
    pub(crate) pool: Pool,
    pub(crate) pulse: Pulse,
    pub(crate) login: Arc<Login>,
    pub(crate) audit: Audit,
    pub(crate) activity: Activity,
    /// The way in which clients become users, if their listener does not set one.
    pub(crate) admission: Admission,
    /// The open sessions.
    pub(crate) sessions: Arc<Sessions>,
    /// The metrics, if somebody may read them.
    pub(crate) metrics: Option<Arc<Metrics>>,
    /// The memory of all answers.
    answers: Arc<AnswerMemory>,
    /// The quotas of the users.
    pub(crate) quotas: Quotas,
    /// The listeners that take connections.
    listeners: Mutex<Vec<ListenerHandle>>,
    /// The permits of open connections.
    permits: Arc<ConnectionPermits>,
    /// One permit for each walk through the folders of the data root, by the user's name.
    pub(crate) walks: Permits<String>,
}

/// The permits of an open connection.
#[derive(Debug)]
pub(crate) struct Admitted {
    _of_address: Permit,
    _of_user: Option<Permit>,
}

impl Activity {
    /// Returns the number of accepted connections.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Returns the number of requests.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Returns how many times a data file was opened. Descriptors do not count.
    pub fn files_opened(&self) -> u64 {
        self.files.load(Ordering::Relaxed)
    }

    /// Returns the number of morsels that ran.
    pub fn morsels_run(&self) -> u64 {
        self.morsels.load(Ordering::Relaxed)
    }

    pub(crate) fn connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn morsels(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.morsels)
    }
}

impl Shared {
    /// Makes the state of a server. `listeners` takes those that are opened later.
    pub(crate) fn new(mut config: Config, listeners: mpsc::Sender<Listener>) -> Self {
        let activity = Activity::default();
        let files_opened = Arc::clone(&activity.files);
        let (admission, users) = (config.access.admission.clone(), config.access.users.take());
        let kept = Kept {
            login: Arc::new(Login::new(users, &config.limits)),
            audit: config.audit.clone(),
            pool: Pool::new(rules::jobs_max(&config.limits)),
            answers: Arc::new(AnswerMemory::new(rules::answer_bytes_max(&config.limits))),
            permits: Arc::new(ConnectionPermits::new(&config.limits)),
            files_opened: Arc::clone(&files_opened),
            open_files: OpenFiles::new(),
        };
        let Kept { login, audit, pool, answers, permits, .. } = kept.clone();
        // a walk is work of the processor rather than of the disk
        let walks_max = processors();
        let rules = Rules::new(config, files_opened, kept.open_files.clone());
        Self {
            rules: RulesReloader::new(rules, kept, listeners),
            login,
            pool,
            quotas: Quotas::new(Arc::clone(&answers)),
            answers,
            admission,
            statements: Arc::new(Statements::new()),
            jobs: Jobs::new(),
            activity,
            sessions: Arc::default(),
            metrics: None,
            listeners: Mutex::default(),
            permits,
            walks: Permits::new(walks_max, walks_max.div_ceil(2)),
            pulse: Pulse::default(),
            audit,
        }
    }

    /// Returns the rules of this moment. A request keeps those that it began with.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        self.rules.current()
    }

    /// Returns the limits of this moment.
    pub(crate) fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.rules().limits)
    }

    /// Returns the handle that replaces the rules.
    pub(crate) fn reloader(&self) -> RulesReloader {
        self.rules.clone()
    }

    /// Returns the memory of the answers that wait to be sent.
    pub(crate) fn answer_bytes(&self) -> usize {
        self.answers.bytes()
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<ListenerHandle>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a listener among the open ones.
    pub(crate) fn opened(&self, listener: ListenerHandle) {
        self.listeners().push(listener);
    }

    /// Counts a listener no more.
    pub(crate) fn closed(&self, listener: &ListenerHandle) {
        self.listeners().retain(|other| !other.is(listener));
    }

    /// Returns for each encrypted listener when the first certificate of its chain ends, in Unix
    /// time.
    pub(crate) fn certificate_ends(&self) -> Vec<(SocketAddr, i64)> {
        let listeners = self.listeners();
        let end = |listener: &ListenerHandle| {
            Some((listener.address(), listener.reloader()?.first_end()?))
        };
        listeners.iter().filter_map(end).collect()
    }

    /// Returns the permits of one more open connection from `address`, of a user who logged in by
    /// the name `user`.
    ///
    /// # Errors
    /// `Busy` if too many connections are open.
    pub(crate) fn admit(&self, address: IpAddr, user: Option<&str>) -> Result<Admitted, Fault> {
        let busy = |what, max: NonZeroUsize| Fault::Busy { what, max: max.get() };
        let limits = self.limits();
        let of_user = user.map(|name| self.permits.by_user.try_acquire(name.to_owned()));
        let of_user = of_user.transpose().map_err(|full| match full {
            Full::Own => busy("connections of your user", limits.connections_per_user_max),
            Full::All => busy("connections", limits.connections_max),
        })?;
        let of_address = self.permits.by_address.try_acquire(network(address));
        let of_address = of_address.map_err(|full| match full {
            Full::Own => busy("connections from your address", limits.connections_per_address_max),
            Full::All => busy("connections", limits.connections_max),
        })?;
        Ok(Admitted { _of_address: of_address, _of_user: of_user })
    }
}
