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
        let (path, required) = match given {
            Some(path) => (path.to_owned(), true),
            None => match users() {
                Some(path) => (path, false),
                None => return Ok(Self::default()),
            },
        };
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !required => {
                Ok(Self::default())
            }
            Err(source) => Err(Fault::File { action: "read", path, source }),
        }
    }

    fn parse(text: &str, path: PathBuf) -> Result<Self> {
        match toml::from_str::<Self>(text) {
            Ok(config) => Ok(Self { path, ..config }),
            Err(error) => Err(Fault::Config { path, error }),
        }
    }
}

/// Returns `$XDG_CONFIG_HOME/sift/sift.toml` or `~/.config/sift/sift.toml`.
fn users() -> Option<PathBuf> {
    let given = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = given.or_else(|| env::home_dir().map(|home| home.join(".config")))?;
    Some(folder.join("sift/sift.toml"))
}
