//! The state that all connections of a server share: files, users, grants, limits and counters.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sift_select::{Cancel, IndexFolder, MemoryBudget, ScanOptions, SpillDirectory};

use crate::access::grant::{Grant, Grants};
use crate::access::login::Login;
use crate::access::protect::Protection;
use crate::access::{Access, Admission};
use crate::audit::Audit;
use crate::blocking::{Jobs, processors};
use crate::catalogue::Catalogue;
use crate::catalogue::keyring::Keyring;
use crate::catalogue::statements::Statements;
use crate::config::Config;
use crate::error::Error;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::link::CompressionChoice;
use crate::memory::AnswerMemory;
use crate::metrics::Metrics;
use crate::permits::{Full, Permit, Permits, network};
use crate::pool::Pool;
use crate::pulse::Pulse;
use crate::quota::Quotas;
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
    pub(crate) login: Login,
    pub(crate) limits: Limits,
    pub(crate) compression: CompressionChoice,
    pub(crate) compress_protected: bool,
    pub(crate) audit: Audit,
    /// The time from which on a Select is slow.
    pub(crate) slow_query_time: Option<Duration>,
    pub(crate) activity: Activity,
    /// The way in which clients become users, if their listener does not set one.
    pub(crate) admission: Admission,
    /// The open sessions.
    pub(crate) sessions: Arc<Sessions>,
    /// The metrics, if somebody may read them.
    pub(crate) metrics: Option<Arc<Metrics>>,
    /// The memory of all Selects together for groups and sorted records.
    memory: Arc<MemoryBudget>,
    spill: Option<Arc<SpillDirectory>>,
    /// The memory of all answers.
    answers: Arc<AnswerMemory>,
    /// What the requests of each user may take.
    pub(crate) quotas: Quotas,
    /// One permit for each connection whose Hello has been answered, by its address.
    connections: Permits<IpAddr>,
    /// One permit for each of them whose user logged in, by the name.
    user_connections: Permits<String>,
    /// One permit for each walk through the folders of the data root, by the user's name.
    pub(crate) walks: Permits<String>,
}

/// The permits of an open connection.
#[derive(Debug)]
pub(crate) struct Admitted {
    _of_address: Permit,
    _of_user: Option<Permit>,
}

/// The rules by which a request is judged: the files with their protection and keys, and the grants.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) grants: Arc<Grants>,
}

/// Replaces the grants, the protection and the keys of a server that serves.
#[derive(Clone, Debug)]
pub struct RulesReloader(Arc<RwLock<Rules>>);

impl RulesReloader {
    fn current(&self) -> Rules {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Checks the grants as [`Server::check_grants`](crate::Server::check_grants) does, and lets new
    /// requests be judged by all three. Requests under way go on by the earlier ones. Blocks on the
    /// file system.
    ///
    /// # Errors
    /// `GrantUnfit`; then nothing has changed.
    pub fn reload(
        &self,
        grants: Option<Vec<Grant>>,
        protection: Protection,
        keyring: Keyring,
    ) -> Result<(), Error> {
        let catalogue = Arc::new(self.current().catalogue.with_rules(protection, keyring));
        let grants = Arc::new(Grants::new(grants));
        catalogue.check_grants(&grants)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Rules { catalogue, grants };
        Ok(())
    }
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

/// The memory of a running morsel, about: what it reads, and its decoded columns.
const JOB_BYTES: usize = 16 << 20;

impl Shared {
    pub(crate) fn new(config: Config) -> Self {
        let Config {
            data,
            access,
            limits,
            protection,
            keyring,
            state,
            spill_encrypt,
            compression,
            compress_protected,
            audit,
            slow_query_time,
        } = config;
        let Access { admission, users, grants } = access;
        let activity = Activity::default();
        let files_opened = Arc::clone(&activity.files);
        let spill_bytes_max = limits.spill_bytes_max.get();
        let indexes = state.as_deref().map(IndexFolder::new);
        let spill = state.map(|folder| {
            let spill = SpillDirectory::new(folder, "spill_bytes_max", spill_bytes_max);
            Arc::new(if spill_encrypt { spill.encrypted() } else { spill })
        });
        // the rest is for what runs and for what is kept open
        let bytes_max = limits.memory_bytes_max.get();
        let memory = MemoryBudget::new("memory_bytes_max", bytes_max / 2);
        let answers = Arc::new(AnswerMemory::new(bytes_max / 4));
        // a walk is work of the processor rather than of the disk
        let walks_max = processors();
        Self {
            login: Login::new(users, &limits),
            admission,
            rules: RulesReloader(Arc::new(RwLock::new(Rules {
                catalogue: Arc::new(
                    Catalogue::new(data, limits.clone(), protection, files_opened)
                        .with_indexes(indexes)
                        .with_keys(keyring),
                ),
                grants: Arc::new(Grants::new(grants)),
            }))),
            statements: Arc::new(Statements::new()),
            jobs: Jobs::new(),
            pool: Pool::new(bytes_max / 8 / JOB_BYTES),
            pulse: Pulse::default(),
            quotas: Quotas::new(Arc::clone(&answers)),
            answers,
            activity,
            sessions: Arc::default(),
            metrics: None,
            connections: Permits::new(
                limits.connections_max.get(),
                limits.connections_per_address_max.get(),
            ),
            user_connections: Permits::new(
                limits.connections_max.get(),
                limits.connections_per_user_max.get(),
            ),
            walks: Permits::new(walks_max, walks_max.div_ceil(2)),
            memory: Arc::new(memory),
            spill,
            limits,
            compression,
            compress_protected,
            audit,
            slow_query_time,
        }
    }

    /// Returns the rules of this moment. A request keeps those that it began with.
    pub(crate) fn rules(&self) -> Rules {
        self.rules.current()
    }

    /// Returns the handle that replaces the rules.
    pub(crate) fn reloader(&self) -> RulesReloader {
        self.rules.clone()
    }

    /// Returns the options for the scan of one Select, which `cancel` stops.
    pub(crate) fn scan_options(&self, cancel: &Cancel) -> ScanOptions {
        let bytes_max = self.limits.query_memory_bytes_max.get();
        let memory = MemoryBudget::new("query_memory_bytes_max", bytes_max);
        ScanOptions {
            morsel_bytes: self.limits.morsel_bytes.get(),
            morsels_in_flight_max: self.limits.morsels_in_flight_max.get(),
            memory: Arc::new(memory.within(Arc::clone(&self.memory))),
            spill: self.spill.clone(),
            cancel: cancel.clone(),
            ..ScanOptions::default()
        }
    }

    /// Returns the memory of all Selects together for groups and sorted records.
    pub(crate) fn query_bytes(&self) -> usize {
        self.memory.bytes()
    }

    /// Returns the memory of the answers that wait to be sent.
    pub(crate) fn answer_bytes(&self) -> usize {
        self.answers.bytes()
    }

    /// Returns the permits of one more open connection from `address`, of a user who logged in by
    /// the name `user`.
    ///
    /// # Errors
    /// `Busy` if too many connections are open.
    pub(crate) fn admit(&self, address: IpAddr, user: Option<&str>) -> Result<Admitted, Fault> {
        let busy = |what, max: NonZeroUsize| Fault::Busy { what, max: max.get() };
        let limits = &self.limits;
        let of_user = user.map(|name| self.user_connections.try_acquire(name.to_owned()));
        let of_user = of_user.transpose().map_err(|full| match full {
            Full::Own => busy("connections of your user", limits.connections_per_user_max),
            Full::All => busy("connections", limits.connections_max),
        })?;
        let of_address = self.connections.try_acquire(network(address));
        let of_address = of_address.map_err(|full| match full {
            Full::Own => busy("connections from your address", limits.connections_per_address_max),
            Full::All => busy("connections", limits.connections_max),
        })?;
        Ok(Admitted { _of_address: of_address, _of_user: of_user })
    }
}
