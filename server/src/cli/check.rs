//! `siftd check`: reads everything that `siftd serve` would read, and reports the consequences.
//!
//! A fault that keeps the server from starting, or a file from being served, is an error. A setting
//! that works but is probably not intended is a warning.

mod access;
mod reach;

use std::fmt::{self, Display, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use sift_server::{
    ControlAnswer, ControlRequest, DataRoot, Notice, Requirement, SOCKET, Survey, SurveyedFile,
    TlsOptions, survey,
};

use super::control;
use super::error::counted;
use super::serve_args::ServeArgs;
use super::settings::{Channels, ListenerSettings, RESTART_KEYS, Settings, changes};
use crate::cert::file;
use reach::Reach;

/// The maximal number of names in a message.
const NAMES_MAX: usize = 5;

/// The maximal number of links in a message.
const LINKS_MAX: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The configuration file
    ///
    /// By default siftd.toml in $XDG_CONFIG_HOME/sift or ~/.config/sift, else in /etc/sift.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The folder with the data files, if the configuration does not name it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Let warnings fail the check, with exit code 1
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(args: CheckArgs) -> Result<(), super::error::Error> {
    let CheckArgs { config, data, strict } = args;
    let settings = Settings::new(ServeArgs { config, data, ..ServeArgs::default() })?;
    let mut sheet = Sheet::default();
    for listener in &settings.listeners {
        sheet.listener(listener);
    }
    if let Some(address) = settings.metrics {
        sheet.monitor(address);
    }
    if let Some(audit) = &settings.audit {
        sheet.line(format_args!("audit log {}", audit.file.display()));
    }
    sheet.files(&settings);
    sheet.reload(&settings);
    super::output::print(sheet.text.as_bytes())?;
    match (sheet.errors, sheet.warnings) {
        (0, 0) => Ok(()),
        (0, warnings) if strict => Err(super::error::Error::Strict(warnings)),
        (0, _) => Ok(()),
        (errors, _) => Err(super::error::Error::Checked(errors)),
    }
}

/// The findings, line by line.
#[derive(Debug, Default)]
struct Sheet {
    text: String,
    errors: usize,
    warnings: usize,
}

impl Sheet {
    fn line(&mut self, line: impl Display) {
        // writing to a String does not fail
        let _ = writeln!(self.text, "{line}");
    }

    fn error(&mut self, complaint: impl Display) {
        self.errors += 1;
        self.line(format_args!("error: {complaint}"));
    }

    fn warn(&mut self, complaint: impl Display) {
        self.warnings += 1;
        self.line(format_args!("warning: {complaint}"));
    }

    fn listener(&mut self, listener: &ListenerSettings) {
        let address = listener.address;
        match &listener.channels {
            Channels::Plain => {
                self.line(format_args!("listener {address}: plain"));
                if !address.ip().is_loopback() {
                    self.warn(format_args!(
                        "listener {address}: plain channels on a network: all that is sent can be \
                         read on the way"
                    ));
                }
            }
            Channels::Encrypted(tls) => {
                let (level, path) = (tls.level(), tls.certificate());
                self.line(format_args!(
                    "listener {address}: encrypted, level {level}, certificate {}",
                    path.display()
                ));
                self.certificate(tls);
            }
        }
    }

    fn monitor(&mut self, address: SocketAddr) {
        self.line(format_args!("metrics {address}: in the clear, without log-in"));
        if !address.ip().is_loopback() {
            self.warn(format_args!("metrics {address}: everybody on the network may read them"));
        }
    }

    fn certificate(&mut self, tls: &TlsOptions) {
        let notices = match tls.check() {
            Ok(notices) => notices,
            Err(error) => return self.error(error),
        };
        let path = tls.certificate();
        match file::open_mode(path) {
            Ok(None) => {}
            Ok(Some(mode)) => self.warn(format_args!(
                "{}: its private key is open to others (mode {mode:04o}): chmod 600",
                path.display()
            )),
            Err(error) => self.error(error),
        }
        for notice in notices {
            match notice {
                Notice::Fault(text) => self.error(text),
                Notice::Warning(text) => self.warn(text),
            }
        }
    }

    /// Reports what a reload would change in the server that runs with this configuration file.
    fn reload(&mut self, settings: &Settings) {
        let Some(state) = &settings.control else { return };
        // without a server that answers there is nothing to compare with
        let answer = control::ask(&state.join(SOCKET), &ControlRequest::Settings);
        let Ok(ControlAnswer::Settings(running)) = answer else { return };
        if running.path != settings.path {
            let path = running.path.unwrap_or_default();
            return self.line(format_args!("the running server uses {}", path.display()));
        }
        let changes = changes(&running.keys, &settings.keys);
        if changes.is_empty() {
            return self.line("a reload of the running server changes no key");
        }
        let keys = counted(changes.len(), "key");
        self.line(format_args!("a reload of the running server changes {keys}:"));
        self.text += &control::changed(&changes);
        for key in RESTART_KEYS {
            if changes.iter().any(|change| change.key == key) {
                self.warn(format_args!("`{key}` needs a restart; a reload would be refused"));
            }
        }
    }

    fn files(&mut self, settings: &Settings) {
        let folder = settings.data.display();
        let root = match DataRoot::open(&settings.data) {
            Ok(root) => root,
            Err(error) => return self.error(error),
        };
        let Survey { files, unserved, linked_folders, idle_rules } =
            match survey(root, settings.limits.clone(), &settings.protection, &settings.keyring) {
                Ok(survey) => survey,
                Err(error) => return self.error(error),
            };
        self.line(format_args!("data {folder}: {} files", files.len()));
        self.links(&files, linked_folders);
        for (shown, complaint) in unserved.iter().enumerate() {
            if shown == NAMES_MAX {
                let more = unserved.len() - shown;
                self.warn(format_args!("{more} more entries are not served"));
                break;
            }
            self.warn(complaint);
        }
        for problem in files.iter().filter_map(|file| file.problem.as_ref()) {
            self.error(problem);
        }
        for number in idle_rules {
            self.warn(format_args!("protect {number}: its globs match no file"));
        }
        let readable: Vec<&SurveyedFile> =
            files.iter().filter(|file| file.problem.is_none()).collect();
        let reaches: Vec<Reach> = settings.listeners.iter().map(Reach::of).collect();
        for (listener, reach) in settings.listeners.iter().zip(&reaches) {
            self.reach(listener, *reach, &readable);
        }
        for file in &readable {
            self.out_of_reach(file, &reaches);
        }
        self.access(settings, &readable);
    }

    /// Reports the names that lead to others.
    fn links(&mut self, files: &[SurveyedFile], folders: Vec<String>) {
        let links = files.iter().filter_map(|file| {
            let target = file.target.as_ref()?;
            Some(format!(
                "{}: a link to {target}; it needs a grant, and has the protection, by both names",
                file.path
            ))
        });
        let links: Vec<String> = links.chain(folders).collect();
        for link in links.iter().take(LINKS_MAX) {
            self.line(link);
        }
        if links.len() > LINKS_MAX {
            self.line(format_args!("    and {} more links", links.len() - LINKS_MAX));
        }
    }

    /// Reports the files that a listener serves and those that it refuses.
    fn reach(&mut self, listener: &ListenerSettings, reach: Reach, files: &[&SurveyedFile]) {
        let refused = |file: &&&SurveyedFile| !reach.meets(file.requirement);
        let held: Vec<String> =
            files.iter().filter(refused).map(|file| demand(&file.path, file.requirement)).collect();
        let columns: Vec<String> = files
            .iter()
            .filter(|file| !refused(file))
            .flat_map(|file| {
                let columns = file.columns.iter().filter(|(_, demand)| !reach.meets(*demand));
                columns.map(|(name, needs)| demand(&format!("{}: `{name}`", file.path), *needs))
            })
            .collect();
        let address = listener.address;
        let served = files.len() - held.len();
        self.line(format_args!("{address} serves {served} of {} files", files.len()));
        for (what, names) in [("files", held), ("columns", columns)] {
            if !names.is_empty() {
                self.line(format_args!("    never these {what}: {}", Names(&names)));
            }
        }
    }

    /// Reports the files and columns that no listener serves.
    fn out_of_reach(&mut self, file: &SurveyedFile, reaches: &[Reach]) {
        let by_none = |demand| !reaches.iter().any(|reach| reach.meets(demand));
        if by_none(file.requirement) {
            let path = &file.path;
            self.warn(format_args!(
                "{path}: no listener can serve it, it requires {}",
                file.requirement
            ));
            return;
        }
        for (name, demand) in file.columns.iter().filter(|(_, demand)| by_none(*demand)) {
            let path = &file.path;
            self.warn(format_args!(
                "{path}: no listener can serve column `{name}`, it requires {demand}"
            ));
        }
    }
}

fn demand(name: &str, requirement: Requirement) -> String {
    format!("{name} ({requirement})")
}

/// Returns the first names, and the number of the others.
struct Names<'a>(&'a [String]);

impl Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(NAMES_MAX)];
        f.write_str(&shown.join(", "))?;
        match self.0.len() - shown.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut_short() {
        let names: Vec<String> = (0..7).map(|n| n.to_string()).collect();
        assert_eq!(Names(&names).to_string(), "0, 1, 2, 3, 4 and 2 more");
        assert_eq!(Names(&names[..5]).to_string(), "0, 1, 2, 3, 4");
    }
}
