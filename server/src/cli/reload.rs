//! SIGHUP lets a server read again: its certificates, and from siftd.toml the grants, the
//! protection and the keys of encrypted Parquet files.

use std::net::SocketAddr;
use std::path::PathBuf;

use sift_server::{CompressionChoice, Limits, Reloader, RulesReloader, UsersFile};
use tracing::{error, info, warn};

use super::error::Error;
use super::serve_args::{LogFormat, ServeArgs};
use super::settings::{AccessSettings, ListenerSettings, Settings};
use super::{notices, warn_of_grants};

/// The configuration that the server has been started with, and the handles that change it.
pub(super) struct Running {
    pub(super) args: ServeArgs,
    pub(super) started: Started,
    pub(super) certificates: Vec<Reloader>,
    pub(super) rules: RulesReloader,
}

/// The values that only a start reads.
#[derive(PartialEq)]
pub(super) struct Started {
    data: PathBuf,
    users: Option<PathBuf>,
    listeners: Vec<ListenerSettings>,
    others: Others,
}

/// The values that only a start reads, and that do not change what somebody may read.
#[derive(PartialEq)]
struct Others {
    state: PathBuf,
    limits: Limits,
    log_format: LogFormat,
    metrics: Option<SocketAddr>,
    compression: CompressionChoice,
    compress_protected: bool,
    spill_encrypt: bool,
}

impl Started {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            data: settings.data.clone(),
            users: settings.access.users.clone(),
            listeners: settings.listeners.clone(),
            others: Others {
                state: settings.state.clone(),
                limits: settings.limits.clone(),
                log_format: settings.log_format,
                metrics: settings.metrics,
                compression: settings.compression,
                compress_protected: settings.compress_protected,
                spill_encrypt: settings.spill_encrypt,
            },
        }
    }

    /// Returns the first key that is not the same and says who may read what.
    fn changed(&self, other: &Self) -> Option<&'static str> {
        if self.data != other.data {
            return Some("data");
        }
        if self.users != other.users {
            return Some("users");
        }
        (self.listeners != other.listeners).then_some("[[listener]]")
    }
}

impl Running {
    /// Reads everything again. What cannot be used changes nothing.
    pub(super) fn reload(&self) {
        for reloader in &self.certificates {
            let certificate = reloader.certificate().display();
            match reloader.reload() {
                Ok(()) => info!(%certificate, "certificate reloaded"),
                Err(error) => {
                    error!(%certificate, %error, "certificate not reloaded, the one before goes on");
                }
            }
        }
        notices::tell(&self.certificates);
        match self.reload_rules() {
            Ok(()) => info!("grants, protection and keys reloaded"),
            Err(error) => {
                error!(%error, "grants, protection and keys not reloaded, those before go on");
            }
        }
    }

    fn reload_rules(&self) -> Result<(), Error> {
        let settings = Settings::new(self.args.clone())?;
        let fresh = Started::new(&settings);
        if let Some(key) = self.started.changed(&fresh) {
            return Err(Error::NeedsStart { key });
        }
        let Settings { access, listeners, protection, keyring, .. } = settings;
        let AccessSettings { users, grants } = access;
        self.rules.reload(grants.clone(), protection, keyring)?;
        match users.map(UsersFile::open).transpose() {
            Ok(users) => warn_of_grants(grants.as_deref(), users.as_ref(), &listeners),
            Err(error) => warn!(%error, "users file does not read; those known before hold"),
        }
        if self.started.others != fresh.others {
            warn!("other keys than grants, protection and Parquet keys count at the next start");
        }
        Ok(())
    }
}
