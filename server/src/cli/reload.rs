//! A reload: SIGHUP and `siftd reload` let a server take the whole configuration again, with every
//! file that it names. All of it is checked first. What is wrong changes nothing.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use sift_server::{
    Audit, Config, DataRoot, KeyChange, Listener, ListenerHandle, Reloader, RulesReloader,
    SettingsReport, Terms,
};
use tracing::{error, info};

use super::error::Error;
use super::log::{self, LogHandle};
use super::passphrase::{Asking, Opener};
use super::serve_args::ServeArgs;
use super::settings::{ListenerSettings, Settings, changes};
use super::{announce, notices, opened, terms};

/// A server that serves, the configuration that it uses, and the handles that change it.
pub(super) struct Running {
    pub(super) args: ServeArgs,
    pub(super) settings: Settings,
    pub(super) listeners: Vec<Open>,
    pub(super) opener: Opener,
    pub(super) rules: RulesReloader,
    pub(super) log: LogHandle,
    pub(super) certificates: Certificates,
}

/// An open listener, with the address of the configuration, whose port may be 0.
pub(super) struct Open {
    pub(super) settings: ListenerSettings,
    pub(super) handle: ListenerHandle,
}

/// The certificates of the open listeners, for the notices about their ends.
pub(super) type Certificates = Arc<Mutex<Vec<Reloader>>>;

/// Everything that a reload needs, checked.
struct Prepared {
    settings: Settings,
    config: Config,
    terms: Vec<Terms>,
}

impl Running {
    /// Reads everything again. Returns the keys that have changed. The log and the audit log tell
    /// the outcome.
    ///
    /// # Errors
    /// The fault; then nothing has changed.
    pub(super) async fn reload(&mut self) -> Result<Vec<KeyChange>, Error> {
        let outcome = self.replace().await;
        match &outcome {
            Ok(changes) => {
                for KeyChange { key, before, after } in changes {
                    info!(key, before, after, "changed");
                }
                info!(keys_changed = changes.len(), "configuration reloaded");
                self.rules.audit_reload(Ok(changes)).await;
                notices::tell(&self.certificates);
            }
            Err(error) => {
                error!(%error, "configuration not reloaded, the one before goes on");
                self.rules.audit_reload(Err(&error.to_string())).await;
            }
        }
        outcome
    }

    /// Returns the configuration that is in use.
    pub(super) fn report(&self) -> SettingsReport {
        SettingsReport { path: self.settings.path.clone(), keys: self.settings.keys.clone() }
    }

    async fn replace(&mut self) -> Result<Vec<KeyChange>, Error> {
        // it reads files, and opening a key with a passphrase takes time
        let Prepared { settings, config, terms } = tokio::task::block_in_place(|| self.prepare())?;
        let mut closing: Vec<Option<Open>> = self.listeners.drain(..).map(Some).collect();
        let bound = bind(&settings.listeners, terms, &closing).await;
        let replaced = bound.and_then(|bound| {
            tokio::task::block_in_place(|| self.rules.replace(config))?;
            Ok(bound)
        });
        let bound = match replaced {
            Ok(bound) => bound,
            Err(error) => {
                self.listeners = closing.into_iter().flatten().collect();
                return Err(error);
            }
        };
        for (settings, bound) in settings.listeners.iter().zip(bound) {
            let handle = match bound {
                Bound::Kept(index, terms) => {
                    let Some(open) = closing.get_mut(index).and_then(Option::take) else {
                        continue;
                    };
                    open.handle.replace(terms);
                    open.handle
                }
                Bound::New(listener) => {
                    announce(&listener.handle(), &settings.admission);
                    let handle = listener.handle();
                    self.rules.listen(listener).await;
                    handle
                }
            };
            self.listeners.push(Open { settings: settings.clone(), handle });
        }
        for Open { handle, .. } in closing.into_iter().flatten() {
            info!(address = %handle.address(), "closed for newcomers");
            handle.close();
        }
        self.log.set(settings.log_format, &settings.log_level)?;
        let reloaders = self.listeners.iter().filter_map(|open| open.handle.reloader()).collect();
        *self.certificates.lock().unwrap_or_else(PoisonError::into_inner) = reloaders;
        let changed = changes(&self.settings.keys, &settings.keys);
        self.settings = settings;
        Ok(changed)
    }

    /// Reads and checks everything that needs no socket.
    fn prepare(&mut self) -> Result<Prepared, Error> {
        let settings = Settings::new(self.args.clone())?;
        if let Some(key) = self.settings.needs_start(&settings) {
            return Err(Error::NeedsStart { key });
        }
        log::check(&settings.log_level)?;
        let terms = settings.listeners.iter();
        let terms = terms
            .map(|listener| terms_of(listener, &mut self.opener))
            .collect::<Result<Vec<_>, _>>()?;
        let config = config(&settings)?;
        Ok(Prepared { settings, config, terms })
    }
}

fn terms_of(listener: &ListenerSettings, opener: &mut Opener) -> Result<Terms, Error> {
    terms(listener, opener, Asking::Refused)
}

/// Opens the files that a configuration of the server needs.
pub(super) fn config(settings: &Settings) -> Result<Config, Error> {
    let access = opened(settings.access.clone(), &settings.listeners)?;
    Ok(Config {
        data: DataRoot::open(&settings.data)?,
        access,
        limits: settings.limits.clone(),
        protection: settings.protection.clone(),
        keyring: settings.keyring.clone(),
        state: Some(PathBuf::clone(&settings.state)),
        spill_encrypt: settings.spill_encrypt,
        compression: settings.compression,
        compress_protected: settings.compress_protected,
        audit: Audit::open(settings.audit.clone())?,
        slow_query_time: settings.slow_query_time,
    })
}

/// A listener of the new configuration.
enum Bound {
    /// It is open, with this number, and gets new terms.
    Kept(usize, Terms),
    New(Listener),
}

/// Finds the listeners that are open, and binds the others.
async fn bind(
    settings: &[ListenerSettings],
    terms: Vec<Terms>,
    open: &[Option<Open>],
) -> Result<Vec<Bound>, Error> {
    let mut kept = vec![false; open.len()];
    let mut bound = Vec::new();
    for (listener, terms) in settings.iter().zip(terms) {
        let same = open.iter().zip(&mut kept).enumerate().find(|(_, (open, kept))| {
            !**kept && open.as_ref().is_some_and(|o| o.settings.address == listener.address)
        });
        bound.push(match same {
            Some((index, (_, kept))) => {
                *kept = true;
                Bound::Kept(index, terms)
            }
            None => Bound::New(Listener::bind(listener.address, terms).await?),
        });
    }
    Ok(bound)
}
