//! The configuration file: servers by name.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::args::CompressionName;
use super::fault::{Fault, Result};

/// A configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// The name of the server, if the command line names none.
    pub(super) default: Option<String>,
    #[serde(default)]
    pub(super) server: BTreeMap<String, Server>,
    /// The path of the file.
    #[serde(skip)]
    pub(super) path: PathBuf,
}

/// One server of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub(super) address: String,
    pub(super) ca: Option<PathBuf>,
    pub(super) scl: Option<u8>,
    #[serde(default = "encrypted")]
    pub(super) encrypt: bool,
    pub(super) server_name: Option<String>,
    pub(super) client_cert: Option<PathBuf>,
    pub(super) user: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) compression: Option<CompressionName>,
}

fn encrypted() -> bool {
    true
}

impl Config {
    /// Resolves a path of the configuration, which is relative to the file's folder.
    pub(super) fn beside(&self, path: &Path) -> PathBuf {
        self.path.parent().map_or_else(|| path.to_owned(), |folder| folder.join(path))
    }

    /// Reads the given file, which must exist. Without one, it reads the user's file, which may be
    /// missing.
    pub(super) fn load(given: Option<&Path>) -> Result<Self> {
        let Ok(path) = path(given) else { return Ok(Self::default()) };
        match read(&path)? {
            Some(text) => Self::parse(&text, path),
            None if given.is_none() => Ok(Self::default()),
            None => {
                let source = io::ErrorKind::NotFound.into();
                Err(Fault::File { action: "read", path, source })
            }
        }
    }

    pub(super) fn parse(text: &str, path: PathBuf) -> Result<Self> {
        match toml::from_str::<Self>(text) {
            Ok(config) => Ok(Self { path, ..config }),
            Err(error) => Err(Fault::Config { path, error }),
        }
    }
}

/// Returns the path of the given configuration file, or of the user's.
///
/// # Errors
/// The user has no home.
pub(super) fn path(given: Option<&Path>) -> Result<PathBuf> {
    given.map(Path::to_owned).or_else(users).ok_or(Fault::NoHome)
}

/// Reads a configuration file; `None` if there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Fault::File { action: "read", path: path.to_owned(), source }),
    }
}

/// Returns `$XDG_CONFIG_HOME/sift/sift.toml` or `~/.config/sift/sift.toml`.
fn users() -> Option<PathBuf> {
    let given = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = given.or_else(|| env::home_dir().map(|home| home.join(".config")))?;
    Some(folder.join("sift/sift.toml"))
}
