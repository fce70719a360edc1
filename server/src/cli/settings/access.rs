//! The settings of users, log-in and `[[grant]]`.
//!
//! By default users log in. Without log-in all clients are one user. Only a server without any
//! log-in and without any grant lets everybody read everything.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use sift_server::{Admission, Grant};

use super::error::{Error, ValueFault};
use super::find;
use crate::cli::serve_args::ServeArgs;

/// The settings of users and grants for the whole server.
#[derive(Clone, Debug)]
pub(crate) struct AccessSettings {
    /// The users file, which log-in needs.
    pub(crate) users: Option<PathBuf>,
    /// `None` lets everybody read everything.
    pub(crate) grants: Option<Vec<Grant>>,
}

/// A section `[[grant]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantRule {
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    files: Vec<String>,
    columns: Option<Vec<String>>,
    filter: Option<String>,
    query_seconds_max: Option<NonZeroU32>,
}

/// The keys `secure` and `default_user`, of a listener or of the whole file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Keys<'a> {
    pub(super) secure: Option<bool>,
    pub(super) default_user: Option<&'a str>,
}

/// Returns how clients of a listener become users.
pub(super) fn admission(
    args: &ServeArgs,
    file: Keys<'_>,
    listener: Keys<'_>,
    is_plain: bool,
    number: usize,
) -> Result<Admission, ValueFault> {
    let is_secure = !args.no_secure && listener.secure.or(file.secure).unwrap_or(true);
    if is_secure {
        return match (is_plain, listener.default_user, &args.default_user) {
            (true, ..) => Err(ValueFault::PlainLogin { number }),
            (false, Some(_), _) => Err(ValueFault::SecureDefaultUser { number }),
            (false, None, Some(_)) => Err(ValueFault::SecureDefaultUser { number }),
            (false, None, None) => Ok(Admission::LogIn),
        };
    }
    let name = args.default_user.as_deref().or(listener.default_user).or(file.default_user);
    match name {
        Some(name) => match sift_server::check_name(name) {
            Ok(()) => Ok(Admission::Everybody(name.to_owned())),
            Err(error) => Err(ValueFault::UserName { number, error }),
        },
        None if is_plain => Ok(Admission::Everybody(String::new())),
        None => Err(ValueFault::NoDefaultUser { number }),
    }
}

/// Checks the users and the grants, which all listeners share.
pub(super) fn checked<'a>(
    args: &ServeArgs,
    users: Option<PathBuf>,
    rules: Vec<GrantRule>,
    folders: &[PathBuf],
    path: &Path,
    admissions: impl Iterator<Item = &'a Admission> + Clone,
) -> Result<AccessSettings, Error> {
    let value = |fault| Error::Value { path: path.to_owned(), fault };
    let is_secure = admissions.clone().any(|admission| *admission == Admission::LogIn);
    let users = args.users.clone().or(users).or_else(|| find(folders, USERS));
    if is_secure && users.is_none() {
        return Err(Error::NoUsers);
    }
    let is_open = !is_secure && rules.is_empty();
    let nobody = Admission::Everybody(String::new());
    if let Some((number, _)) = (1..).zip(admissions).find(|(_, admission)| **admission == nobody)
        && !is_open
    {
        return Err(value(ValueFault::NoDefaultUser { number }));
    }
    let grants = rules.into_iter().zip(1..).map(|(rule, number)| {
        let GrantRule { users, groups, files, columns, filter, query_seconds_max } = rule;
        let query_time = query_seconds_max.map(|seconds| Duration::from_secs(seconds.get().into()));
        let grant = Grant::new(users, groups, &files, columns, filter.as_deref());
        let grant = grant.map_err(|error| value(ValueFault::Grant { number, error }))?;
        Ok(grant.with_query_time(query_time))
    });
    let grants = grants.collect::<Result<Vec<_>, _>>()?;
    Ok(AccessSettings { users, grants: (!is_open).then_some(grants) })
}

/// The default name of the users file.
pub(super) const USERS: &str = "users.toml";
