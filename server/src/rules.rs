//! The part of a server that a reload replaces while it serves: the files with their protection and
//! keys, the grants, the limits, and how answers are sent. A request keeps the rules that it began
//! with.

use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sift_select::{Cancel, IndexFolder, MemoryBudget, ScanOptions, SpillDirectory};
use tokio::sync::mpsc;

use crate::access::Access;
use crate::access::grant::Grants;
use crate::access::login::Login;
use crate::audit::{Audit, Event, KeyChange};
use crate::catalogue::Catalogue;
use crate::config::{Config, Listener};
use crate::error::Error;
use crate::limits::Limits;
use crate::link::CompressionChoice;
use crate::memory::AnswerMemory;
use crate::open_files::OpenFiles;
use crate::permits::Permits;
use crate::pool::Pool;

/// The rules by which a request is judged and answered.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) compression: CompressionChoice,
    pub(crate) compress_protected: bool,
    /// The time from which on a Select is slow.
    pub(crate) slow_query_time: Option<Duration>,
    /// The memory of all Selects together for groups and sorted records.
    memory: Arc<MemoryBudget>,
    spill: Option<Arc<SpillDirectory>>,
    spill_encrypt: bool,
}

impl Rules {
    /// Makes the rules of a configuration. `files_opened` counts the data files that are opened, and
    /// `open_files` bounds those of patterns that are open.
    pub(crate) fn new(config: Config, files_opened: Arc<AtomicU64>, open_files: OpenFiles) -> Self {
        let Config { data, access, limits, protection, keyring, state, spill_encrypt, .. } = config;
        let indexes = state.as_deref().map(IndexFolder::new);
        let spill_bytes_max = limits.spill_bytes_max.get();
        let spill = state.map(|folder| {
            let spill = SpillDirectory::new(folder, "spill_bytes_max", spill_bytes_max);
            Arc::new(if spill_encrypt { spill.encrypted() } else { spill })
        });
        let memory = MemoryBudget::new("memory_bytes_max", query_bytes_max(&limits));
        let catalogue = Catalogue::new(data, limits.clone(), protection, files_opened)
            .with_open_files(open_files);
        Self {
            catalogue: Arc::new(catalogue.with_indexes(indexes).with_keys(keyring)),
            grants: Arc::new(Grants::new(access.grants)),
            compression: config.compression,
            compress_protected: config.compress_protected,
            slow_query_time: config.slow_query_time,
            memory: Arc::new(memory),
            spill,
            spill_encrypt,
            limits: Arc::new(limits),
        }
    }

    /// Goes on with the counters of the rules before, where their bound is the same.
    fn after(self, before: &Self) -> Self {
        let kept = |is_same: bool| is_same.then_some(before);
        let (new, old) = (&self.limits, &before.limits);
        let memory = kept(new.memory_bytes_max == old.memory_bytes_max);
        let has_same_cipher = self.spill_encrypt == before.spill_encrypt;
        let spill = kept(new.spill_bytes_max == old.spill_bytes_max && has_same_cipher);
        Self {
            memory: memory.map_or(self.memory, |before| Arc::clone(&before.memory)),
            spill: spill.map_or(self.spill, |before| before.spill.clone()),
            ..self
        }
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
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory.bytes()
    }
}

/// Replaces the rules, the users, the audit log and the listeners of a server that serves.
#[derive(Clone, Debug)]
pub struct RulesReloader {
    rules: Arc<RwLock<Arc<Rules>>>,
    kept: Kept,
    listeners: mpsc::Sender<Listener>,
}

/// The parts that stay over a reload, and get new limits.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) login: Arc<Login>,
    pub(crate) audit: Audit,
    pub(crate) pool: Pool,
    /// The memory of all answers.
    pub(crate) answers: Arc<AnswerMemory>,
    pub(crate) permits: Arc<ConnectionPermits>,
    /// Counts the data files that are opened.
    pub(crate) files_opened: Arc<AtomicU64>,
    pub(crate) open_files: OpenFiles,
}

/// The permits of open connections.
#[derive(Debug)]
pub(crate) struct ConnectionPermits {
    /// One permit for each connection whose Hello has been answered, by its address.
    pub(crate) by_address: Permits<IpAddr>,
    /// One permit for each of them whose user logged in, by the name.
    pub(crate) by_user: Permits<String>,
}

impl ConnectionPermits {
    pub(crate) fn new(limits: &Limits) -> Self {
        let max = limits.connections_max.get();
        Self {
            by_address: Permits::new(max, limits.connections_per_address_max.get()),
            by_user: Permits::new(max, limits.connections_per_user_max.get()),
        }
    }

    fn set_limits(&self, limits: &Limits) {
        let max = limits.connections_max.get();
        self.by_address.set_max(max, limits.connections_per_address_max.get());
        self.by_user.set_max(max, limits.connections_per_user_max.get());
    }
}

/// The memory of a running morsel, about: what it reads, and its decoded columns.
const JOB_BYTES: usize = 16 << 20;

/// Returns the memory for the groups and the sorted records of all Selects. They take more
/// while they are sorted and merged, and the allocator keeps some of what is freed.
fn query_bytes_max(limits: &Limits) -> usize {
    limits.memory_bytes_max.get() / 4
}

/// Returns the memory for the answers of all Selects.
pub(crate) fn answer_bytes_max(limits: &Limits) -> usize {
    limits.memory_bytes_max.get() / 4
}

/// Returns how many morsels of a lane may run at once. The rest of the memory is for what is kept
/// open.
pub(crate) fn jobs_max(limits: &Limits) -> usize {
    limits.memory_bytes_max.get() / 8 / JOB_BYTES
}

impl RulesReloader {
    pub(crate) fn new(rules: Rules, kept: Kept, listeners: mpsc::Sender<Listener>) -> Self {
        Self { rules: Arc::new(RwLock::new(Arc::new(rules))), kept, listeners }
    }

    pub(crate) fn current(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// Replaces all but the folder of the state, which has to be the same. It checks the grants
    /// first, as [`Server::check_grants`](crate::Server::check_grants) does. Requests under way go on by the earlier configuration, open connections keep their
    /// channel and its compression. Blocks on the file system.
    ///
    /// # Errors
    /// `GrantUnfit`; then nothing has changed.
    pub fn replace(&self, mut config: Config) -> Result<(), Error> {
        let audit = std::mem::take(&mut config.audit);
        let none = Access::open();
        let access = std::mem::replace(&mut config.access, none);
        let Access { users, grants, .. } = access;
        config.access.grants = grants;
        let Kept { files_opened, open_files, .. } = &self.kept;
        let rules = Rules::new(config, Arc::clone(files_opened), open_files.clone());
        rules.catalogue.check_grants(&rules.grants)?;
        let Kept { login, audit: current, pool, answers, permits, .. } = &self.kept;
        current.adopt(&audit);
        login.replace(users, &rules.limits);
        permits.set_limits(&rules.limits);
        pool.set_running_max(jobs_max(&rules.limits));
        answers.set_bytes_max(answer_bytes_max(&rules.limits));
        self.set(rules.after(&self.current()));
        Ok(())
    }

    /// Lets the server accept connections at one more listener.
    pub async fn listen(&self, listener: Listener) {
        // a server that has ended listens no more
        let _ = self.listeners.send(listener).await;
    }

    /// Writes to the audit log that the configuration was loaded again, or why it was not.
    pub async fn audit_reload(&self, changes: Result<&[KeyChange], &str>) {
        let event = Event::Reload {
            status: if changes.is_ok() { "OK" } else { "FAILED" },
            reason: changes.err().unwrap_or_default(),
            changes: changes.unwrap_or_default(),
        };
        // a line that cannot be written is told in the log
        let _ = self.kept.audit.write(event).await;
    }
}
