//! Log-in: turns a Hello into a user, by password or client certificate, or because all clients of
//! a port are one user.
//!
//! Passwords are accepted on encrypted channels only. A client does not learn whether a user
//! exists: the password of an unknown user is checked against a dummy hash, which takes as long.
//! Checks run on threads of their own, which no other work can occupy. Each needs 19 MiB, so few
//! run at once.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::time::sleep;
use zeroize::Zeroizing;

use super::Admission;
use super::attempts::Attempts;
use super::password::{PASSWORD_BYTES_MAX, PasswordHash};
use super::user::{Account, User, Users, UsersFile, check_name};
use crate::blocking::{Panicked, Threads};
use crate::channel::Facts;
use crate::limits::Limits;
use crate::permits::{Permits, network};

/// The greatest `password_checks_max`, which a reload may set. A thread starts when it is needed.
const PASSWORD_CHECKS_MAX: usize = 64;

/// The users, and the limits of log-ins.
#[derive(Debug)]
pub(crate) struct Login {
    users: RwLock<Option<Arc<UsersFile>>>,
    attempts: Mutex<Attempts>,
    /// One permit for each password that is being checked, by the address that sent it.
    checks: Permits<IpAddr>,
    /// Threads for the users file and for passwords.
    threads: Threads,
}

/// The additional time of a log-in from an address that tries many names.
const SLOWED_TIME: Duration = Duration::from_secs(1);

/// The user of a connection, and how the server knows it.
#[derive(Clone, Debug)]
pub(crate) struct Identified {
    pub(crate) user: Arc<User>,
    proof: Proof,
    /// The users when the server looked last.
    users: Option<Arc<Users>>,
}

#[derive(Clone, Debug)]
enum Proof {
    /// Every client of the port is the user.
    Port,
    Certificate,
    /// The password, as its hash was when it was right.
    Password(PasswordHash),
}

/// The user name and the password of a Hello.
pub(crate) struct Credentials {
    user: String,
    password: Zeroizing<String>,
}

/// The reason why a client does not become a user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Denied {
    #[error("bad user name or password")]
    Rejected,
    #[error("this server wants a user name and a password, or the client certificate of a user")]
    Wanted,
    #[error(
        "a password came in the clear; it should be changed: passwords belong on encrypted channels"
    )]
    PasswordInTheClear,
    #[error("too many log-ins have failed; try again in {seconds} seconds")]
    Limited { seconds: u64 },
    #[error("every client of this port is user `{0}`, without log-in; connect without a user name")]
    NoLogin(String),
    #[error("user `{0}` was removed, or has another password or certificate; log in again")]
    Removed(String),
    #[error("this port no longer lets everybody in as user `{0}`; connect again")]
    Closed(String),
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

impl Identified {
    /// Returns the user's name, if the user proved to be it.
    pub(crate) fn logged_in(&self) -> Option<&str> {
        match self.proof {
            Proof::Port => None,
            Proof::Certificate | Proof::Password(_) => Some(&self.user.name),
        }
    }

    /// Returns how the client proved who it is, in one word.
    pub(crate) fn method(&self) -> &'static str {
        match self.proof {
            Proof::Port => "none",
            Proof::Certificate => "certificate",
            Proof::Password(_) => "password",
        }
    }
}

impl Credentials {
    pub(crate) fn new(user: &str, password: String) -> Self {
        Self { user: user.to_owned(), password: Zeroizing::new(password) }
    }
}

impl Login {
    pub(crate) fn new(users: Option<UsersFile>, limits: &Limits) -> Self {
        let attempts = Attempts::new(
            limits.login_failures_max.get(),
            limits.login_failures_per_address_max.get(),
            limits.login_forgiven_time,
        );
        let checks_max = limits.password_checks_max.get();
        Self {
            users: RwLock::new(users.map(Arc::new)),
            attempts: Mutex::new(attempts),
            checks: Permits::new(checks_max, checks_max.div_ceil(2)),
            // others than passwords are brief
            threads: Threads::new(PASSWORD_CHECKS_MAX + 2),
        }
    }

    /// Replaces the users file and the limits. Failures before are still counted.
    pub(crate) fn replace(&self, users: Option<UsersFile>, limits: &Limits) {
        *self.users.write().unwrap_or_else(PoisonError::into_inner) = users.map(Arc::new);
        let checks_max = limits.password_checks_max.get();
        self.checks.set_max(checks_max, checks_max.div_ceil(2));
        self.attempts(|attempts| {
            attempts.set_limits(
                limits.login_failures_max.get(),
                limits.login_failures_per_address_max.get(),
                limits.login_forgiven_time,
            );
        });
    }

    fn users(&self) -> Option<Arc<UsersFile>> {
        self.users.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the user of a client.
    ///
    /// # Errors
    /// The reason for the client. `PasswordInTheClear` is for channels without encryption.
    pub(crate) async fn user(
        &self,
        admission: &Admission,
        facts: &Facts,
        credentials: Credentials,
    ) -> Result<Identified, Denied> {
        let (user, proof) = match admission {
            Admission::Everybody(name) => {
                // a client that asks for another user must not silently become this user
                if !credentials.user.is_empty() && credentials.user != *name {
                    return Err(Denied::NoLogin(name.clone()));
                }
                (self.everybody(name.clone()).await?, Proof::Port)
            }
            Admission::LogIn if credentials.password.is_empty() => {
                (self.by_certificate(facts, credentials.user).await?, Proof::Certificate)
            }
            Admission::LogIn => {
                let (user, hash) = self.by_password(facts, credentials).await?;
                (user, Proof::Password(hash))
            }
        };
        Ok(Identified { user: Arc::new(user), proof, users: None })
    }

    /// Looks up again who a client is: the groups may have changed, and the user may have been
    /// removed.
    ///
    /// # Errors
    /// `Removed`, also if the user no longer has that certificate or password.
    pub(crate) async fn again(&self, known: &mut Identified, facts: &Facts) -> Result<(), Denied> {
        let Some(file) = self.users() else {
            if !matches!(known.proof, Proof::Port) {
                return Err(Denied::Removed(known.user.name.clone()));
            }
            if !known.user.groups.is_empty() {
                let name = known.user.name.clone();
                known.user = Arc::new(User { name, groups: Vec::new() });
            }
            known.users = None;
            return Ok(());
        };
        let users = match file.is_local() {
            // a stat of a file of this machine takes less time than another thread
            true => file.users(),
            false => self.threads.run(move || Ok::<_, Denied>(file.users())).await?,
        };
        if known.users.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, &users)) {
            return Ok(());
        }
        let name = &known.user.name;
        let account = match &known.proof {
            Proof::Port => users.find(name),
            Proof::Password(hash) => {
                users.find(name).filter(|account| account.password.as_ref() == Some(hash))
            }
            Proof::Certificate => {
                let mut found = users.by_certificate(&facts.peer_names);
                found.find(|(found, _)| found == name).map(|(_, account)| account)
            }
        };
        if account.is_none() && !matches!(known.proof, Proof::Port) {
            return Err(Denied::Removed(name.clone()));
        }
        let groups = account.map(|account| &account.groups[..]).unwrap_or_default();
        if groups != known.user.groups {
            known.user = Arc::new(User { name: name.clone(), groups: groups.to_vec() });
        }
        known.users = Some(users);
        Ok(())
    }

    /// Returns the user that every client is. Its groups are in the users file, if there is one.
    async fn everybody(&self, name: String) -> Result<User, Denied> {
        let Some(users) = self.users() else { return Ok(User { name, groups: Vec::new() }) };
        self.threads
            .run(move || {
                let groups = users.users().find(&name).map(|account| account.groups.clone());
                Ok(User { name, groups: groups.unwrap_or_default() })
            })
            .await
    }

    async fn by_certificate(&self, facts: &Facts, claimed_name: String) -> Result<User, Denied> {
        let users = self.users().ok_or(Denied::Wanted)?;
        let names = facts.peer_names.clone();
        if names.is_empty() {
            let denied = if claimed_name.is_empty() { Denied::Wanted } else { Denied::Rejected };
            return Err(denied);
        }
        self.threads
            .run(move || {
                let users = users.users();
                let mut found =
                    users.by_certificate(&names).map(|(name, account)| user(name, account));
                match (found.next(), found.next()) {
                    (Some(user), None) if claimed_name.is_empty() || claimed_name == user.name => {
                        Ok(user)
                    }
                    _ => Err(Denied::Rejected),
                }
            })
            .await
    }

    /// Returns the user with the hash of the password.
    async fn by_password(
        &self,
        facts: &Facts,
        credentials: Credentials,
    ) -> Result<(User, PasswordHash), Denied> {
        let users = self.users().ok_or(Denied::Rejected)?;
        if !facts.is_encrypted() {
            return Err(Denied::PasswordInTheClear);
        }
        let Credentials { user: name, password } = credentials;
        if check_name(&name).is_err() || password.len() > PASSWORD_BYTES_MAX {
            return Err(Denied::Rejected);
        }
        let address = facts.peer.ip();
        if self.attempts(|attempts| attempts.is_slowed(address, Instant::now())) {
            sleep(SLOWED_TIME).await;
        }
        let permit = self.checks.acquire(network(address)).await;
        // the check is after the wait, because other attempts may have failed in the meantime
        self.attempts(|attempts| attempts.check(address, &name, Instant::now()))
            .map_err(|wait| Denied::Limited { seconds: wait.as_secs() + 1 })?;
        let claimed_name = name.clone();
        let found = self
            .threads
            .run(move || {
                // the permit is released after the check, even if the connection has ended before
                let _permit = permit;
                let users = users.users();
                let account = users.find(&claimed_name);
                let hash = account.and_then(|account| account.password.clone());
                let known = hash.is_some();
                let hash = hash.unwrap_or_else(PasswordHash::dummy);
                let right = hash.verify(&password);
                match account {
                    Some(account) if known && right => Ok((user(&claimed_name, account), hash)),
                    _ => Err(Denied::Rejected),
                }
            })
            .await;
        if found.is_err() {
            self.attempts(|attempts| attempts.failed(address, &name, Instant::now()));
        }
        found
    }

    fn attempts<T>(&self, act: impl FnOnce(&mut Attempts) -> T) -> T {
        act(&mut self.attempts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn user(name: &str, account: &Account) -> User {
    User { name: name.to_owned(), groups: account.groups.clone() }
}
