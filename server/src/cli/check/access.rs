//! The report of the users' rights: the files and columns that each user may read, and on which
//! channels.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use sift_server::{
    Access, Admission, Config, DataRoot, Grant, Requirement, Server, SurveyedFile, User, Users,
};

use super::reach::Reach;
use super::{Names, Sheet};
use crate::cert::file;
use crate::cli::settings::{ListenerSettings, Settings};

/// The maximal number of files in the report of one user.
const FILES_MAX: usize = 20;

impl Sheet {
    /// Reports the files that each user may read.
    pub(super) fn access(&mut self, settings: &Settings, files: &[&SurveyedFile]) {
        let users = match &settings.access.users {
            None => Users::default(),
            Some(path) => match self.users(path) {
                Some(users) => users,
                None => return,
            },
        };
        let Some(grants) = &settings.access.grants else {
            return self.line("everybody may read every file: there is no log-in and no [[grant]]");
        };
        self.grants(grants, &users, &settings.listeners, files);
        self.fit(settings);
        let grants: Vec<Arc<Grant>> = grants.iter().cloned().map(Arc::new).collect();
        for user in people(&users, &settings.listeners) {
            let lets_in = |listener: &&ListenerSettings| match &listener.admission {
                Admission::LogIn => users.contains(&user.name),
                Admission::Everybody(name) => *name == user.name,
            };
            let reaches = settings.listeners.iter().filter(lets_in).map(Reach::of);
            self.user(&user, &grants, &reaches.collect::<Vec<_>>(), files);
        }
    }

    /// Reads the users file. An error is reported.
    fn users(&mut self, path: &Path) -> Option<Users> {
        let users = match Users::read(path) {
            Ok(users) => users,
            Err(fault) => {
                self.error(format_args!("{}: {fault}", path.display()));
                return None;
            }
        };
        let number = users.iter().count();
        self.line(format_args!("users {}: {number}", path.display()));
        match file::open_mode(path) {
            Ok(None) => {}
            Ok(Some(mode)) => self.warn(format_args!(
                "{}: it is open to others (mode {mode:04o}): chmod 600",
                path.display()
            )),
            Err(error) => self.error(error),
        }
        Some(users)
    }

    /// Reports grants without users or files.
    fn grants(
        &mut self,
        grants: &[Grant],
        users: &Users,
        listeners: &[ListenerSettings],
        files: &[&SurveyedFile],
    ) {
        if grants.is_empty() {
            self.warn("nobody may read anything: there is no [[grant]]");
        }
        let known: BTreeSet<String> =
            people(users, listeners).into_iter().map(|user| user.name).collect();
        for (number, grant) in (1..).zip(grants) {
            for name in grant.users().iter().filter(|name| !known.contains(*name)) {
                self.warn(format_args!("grant {number}: there is no user `{name}`"));
            }
            let has_members =
                |group: &String| users.iter().any(|(_, account)| account.groups.contains(group));
            for group in grant.groups().iter().filter(|group| !has_members(group)) {
                self.warn(format_args!("grant {number}: nobody is in group `{group}`"));
            }
            if !files.iter().any(|file| grant.covers(&file.path)) {
                self.warn(format_args!("grant {number}: its globs match no file"));
            }
        }
    }

    /// Checks that columns and row filters fit the files, as a server does when it starts.
    fn fit(&mut self, settings: &Settings) {
        let checked = DataRoot::open(&settings.data).and_then(|data| {
            // users make no difference to this check
            let grants = settings.access.grants.clone();
            let access = Access { admission: Admission::LogIn, users: None, grants };
            let config = Config {
                limits: settings.limits.clone(),
                protection: settings.protection.clone(),
                keyring: settings.keyring.clone(),
                ..Config::new(data, access)
            };
            Server::new(config).check_grants()
        });
        if let Err(error) = checked {
            self.error(error);
        }
    }

    /// Reports the files that one user may read. `reaches` are those of the listeners that admit
    /// the user.
    fn user(
        &mut self,
        user: &User,
        grants: &[Arc<Grant>],
        reaches: &[Reach],
        files: &[&SurveyedFile],
    ) {
        let name = &user.name;
        let deciding =
            |path: &str| grants.iter().find(|grant| grant.is_for(user) && grant.covers(path));
        let mut granted: Vec<(&SurveyedFile, Arc<Grant>)> = Vec::new();
        for file in files {
            let Some(grant) = deciding(&file.path) else { continue };
            let Some(target) = &file.target else {
                granted.push((*file, Arc::clone(grant)));
                continue;
            };
            match deciding(target).and_then(|there| Grant::join(grant, there)) {
                Some(grant) => granted.push((*file, grant)),
                None => self.warn(format_args!(
                    "user {name} may not read {}: it is a link to {target}, of which nothing that \
                     the grant of the link lets read is granted to {name}",
                    file.path
                )),
            }
        }
        if granted.is_empty() {
            return self.warn(format_args!("user {name} may read none of the files"));
        }
        self.line(format_args!("user {name} may read {} of {} files", granted.len(), files.len()));
        for (file, grant) in granted.iter().take(FILES_MAX) {
            self.line(format_args!("    {}", told(file, grant)));
        }
        if granted.len() > FILES_MAX {
            self.line(format_args!("    and {} more", granted.len() - FILES_MAX));
        }
        for (file, _) in granted {
            if !reaches.iter().any(|reach| reach.meets(file.requirement)) {
                self.warn(format_args!(
                    "user {name} may read {}, and no listener that lets {name} in can serve it: it \
                     requires {}",
                    file.path, file.requirement
                ));
            }
        }
    }
}

/// Returns the users who can log in, and the default users of listeners without log-in.
fn people(users: &Users, listeners: &[ListenerSettings]) -> Vec<User> {
    let with_groups = |name: &str| User {
        name: name.to_owned(),
        groups: users
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, account)| account.groups.clone())
            .unwrap_or_default(),
    };
    let mut names: Vec<&str> = users.iter().map(|(name, _)| name).collect();
    for listener in listeners {
        if let Admission::Everybody(name) = &listener.admission
            && !names.contains(&name.as_str())
        {
            names.push(name);
        }
    }
    names.into_iter().map(with_groups).collect()
}

/// Returns a line such as `a.csv: columns id, city; the records of a filter; requires level 3 or
/// higher`.
fn told(file: &SurveyedFile, grant: &Grant) -> String {
    let columns = match grant.columns() {
        None => "all columns".to_owned(),
        Some(names) => format!("columns {}", Names(names)),
    };
    let records = if grant.has_all_records() { "all records" } else { "the records of a filter" };
    let channel = match file.requirement {
        Requirement::None => "any channel".to_owned(),
        requirement => format!("requires {requirement}"),
    };
    let is_granted = |name: &String| grant.columns().is_none_or(|columns| columns.contains(name));
    let beyond = file.columns.iter().filter(|(name, _)| is_granted(name));
    let beyond: Vec<String> =
        beyond.map(|(name, requirement)| format!("; `{name}` requires {requirement}")).collect();
    format!("{}: {columns}; {records}; {channel}{}", file.path, beyond.concat())
}
