//! The users file: the users who may log in, with their passwords and certificates.
//!
//! It is TOML that `siftd user` writes, always as a whole, and readable only by its owner.
//!
//! ```toml
//! [[user]]
//! name = "ann"
//! groups = ["sales"]
//! password = "$argon2id$v=19$…"
//! certificate = ["mail:ann@example.com"]   # names in a client certificate that need no password
//! ```
//!
//! A server reads the file again after a change. If the file cannot be read any more, the users
//! stay as they were, and the log reports the fault.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sift_proto::owner::{CertificateName, NameFault, OwnerName};
use sift_select::{Identity, Look, is_local};

use super::password::{PasswordFault, PasswordHash};
use crate::replace::replaceable;

/// The maximal size of a users file.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The maximal length of the name of a user or a group.
const NAME_BYTES_MAX: usize = 64;

/// The user of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The name; empty if the server has no users and no default user.
    pub name: String,
    /// The groups of the user.
    pub groups: Vec<String>,
}

/// The entry of a user in the users file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The groups of the user.
    pub groups: Vec<String>,
    /// The hash of the password. Without one, the user can log in with a certificate only.
    pub password: Option<PasswordHash>,
    /// The names in a client certificate; each of them is enough to log in without a password.
    pub certificate: Vec<CertificateName>,
}

/// The users of a file in its order.
#[derive(Clone, Debug, Default)]
pub struct Users(Vec<(String, Account)>);

/// A fault of a users file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UsersFault {
    /// The file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is too large.
    #[error("more than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// The file is not TOML, or has unknown keys.
    #[error("{0}")]
    Syntax(String),
    /// The name of a user or group is invalid.
    #[error(
        "`{0}` is not a name; expected up to {NAME_BYTES_MAX} letters, digits and the signs . _ @ + -"
    )]
    Name(String),
    /// There is already a user with this name.
    #[error("user `{0}` is there already")]
    Taken(String),
    /// There is no user with this name.
    #[error("there is no user `{0}`")]
    Unknown(String),
    /// One certificate could be of two users.
    #[error("certificate name `{name}` is that of `{first}` and of `{second}`")]
    Ambiguous {
        /// The name in a certificate.
        name: CertificateName,
        /// The first user with this name.
        first: String,
        /// The second user with this name.
        second: String,
    },
    /// The name of a certificate is invalid.
    #[error("user `{name}`: certificate {fault}")]
    Certificate {
        /// The user.
        name: String,
        /// The fault in the name.
        fault: NameFault,
    },
    /// A password or its hash is invalid.
    #[error("user `{name}`: {fault}")]
    Password {
        /// The user.
        name: String,
        /// The fault of the password.
        fault: PasswordFault,
    },
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(default)]
    user: Vec<TextUser>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TextUser {
    name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    certificate: Vec<String>,
}

impl Users {
    /// Reads a file.
    ///
    /// # Errors
    /// All faults except `Unknown`.
    pub fn read(path: &Path) -> Result<Self, UsersFault> {
        Self::read_from(&File::open(path)?)
    }

    fn read_from(file: &File) -> Result<Self, UsersFault> {
        let mut text = String::new();
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(UsersFault::TooLarge);
        }
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, UsersFault> {
        let text: Text =
            toml::from_str(text).map_err(|error| UsersFault::Syntax(syntax(&error, text)))?;
        let mut users = Self::default();
        for TextUser { name, groups, password, certificate } in text.user {
            let password = password.map(|text| PasswordHash::parse(&text)).transpose();
            let password =
                password.map_err(|fault| UsersFault::Password { name: name.clone(), fault })?;
            let certificate = certificate.iter().map(|text| text.parse()).collect();
            let certificate: Vec<CertificateName> = match certificate {
                Ok(names) => names,
                Err(fault) => return Err(UsersFault::Certificate { name, fault }),
            };
            users.add(name, Account { groups, password, certificate })?;
        }
        Ok(users)
    }

    /// Replaces a file atomically. Only its owner may read the new file.
    ///
    /// # Errors
    /// `Io`.
    pub fn write(&self, path: &Path) -> Result<(), UsersFault> {
        let user = self.0.iter().map(|(name, account)| TextUser {
            name: name.clone(),
            groups: account.groups.clone(),
            password: account.password.as_ref().map(|hash| hash.as_str().to_owned()),
            certificate: account.certificate.iter().map(ToString::to_string).collect(),
        });
        let text = Text { user: user.collect() };
        let text = toml::to_string(&text).map_err(|error| UsersFault::Syntax(error.to_string()))?;
        let path = &replaceable(path)?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        fs::create_dir_all(folder)?;
        // only its owner may read a temporary file
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(b"# Written by `siftd user`.\n\n")?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Adds a user.
    ///
    /// # Errors
    /// `Name`, `Taken`, `Ambiguous`.
    pub fn add(&mut self, name: String, account: Account) -> Result<(), UsersFault> {
        for name in std::iter::once(&name).chain(&account.groups) {
            check_name(name)?;
        }
        if self.find(&name).is_some() {
            return Err(UsersFault::Taken(name));
        }
        for shown in &account.certificate {
            let overlaps = |(_, known): &(&str, &Account)| {
                known.certificate.iter().any(|name| name.overlaps(shown))
            };
            if let Some((first, _)) = self.iter().find(overlaps) {
                let (first, second) = (first.to_owned(), name);
                return Err(UsersFault::Ambiguous { name: shown.clone(), first, second });
            }
        }
        self.0.push((name, account));
        Ok(())
    }

    /// Removes a user.
    ///
    /// # Errors
    /// `Unknown`.
    pub fn remove(&mut self, name: &str) -> Result<(), UsersFault> {
        let at = self.0.iter().position(|(known, _)| known == name);
        let at = at.ok_or_else(|| UsersFault::Unknown(name.to_owned()))?;
        self.0.remove(at);
        Ok(())
    }

    /// Changes a user's password.
    ///
    /// # Errors
    /// `Unknown`.
    pub fn set_password(&mut self, name: &str, password: PasswordHash) -> Result<(), UsersFault> {
        let account = self.0.iter_mut().find(|(known, _)| known == name);
        let (_, account) = account.ok_or_else(|| UsersFault::Unknown(name.to_owned()))?;
        account.password = Some(password);
        Ok(())
    }

    /// Returns the names and accounts.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Account)> {
        self.0.iter().map(|(name, account)| (name.as_str(), account))
    }

    /// Returns whether there is a user with this name.
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Returns whether there are no users.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Account> {
        self.iter().find(|(known, _)| *known == name).map(|(_, account)| account)
    }

    /// Returns the users whose certificate has one of these names.
    pub(crate) fn by_certificate(
        &self,
        names: &[OwnerName],
    ) -> impl Iterator<Item = (&str, &Account)> {
        let means = |written: &CertificateName| names.iter().any(|name| written.means(name));
        self.iter().filter(move |(_, account)| account.certificate.iter().any(means))
    }
}

/// Returns the complaint and its line number. The text of the line may be a hash, so it is left
/// out.
fn syntax(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    format!("line {}: {}", before.matches('\n').count() + 1, error.message())
}

/// Checks the name of a user or group.
///
/// # Errors
/// `Name`.
pub fn check_name(name: &str) -> Result<(), UsersFault> {
    let is_fine = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '@' | '+' | '-');
    match !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.chars().all(is_fine) {
        true => Ok(()),
        false => Err(UsersFault::Name(name.chars().take(NAME_BYTES_MAX).collect())),
    }
}

/// A users file that is read again after a change.
#[derive(Debug)]
pub struct UsersFile {
    path: PathBuf,
    /// True if a stat of it does not wait for another machine.
    is_local: bool,
    state: Mutex<(Look, Arc<Users>)>,
}

impl UsersFile {
    /// Opens and reads the file.
    ///
    /// # Errors
    /// The same faults as of [`Users::read`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, UsersFault> {
        let path = path.into();
        let is_local = is_local(&File::open(&path)?);
        Ok(Self { state: Mutex::new(load(&path)?), is_local, path })
    }

    /// Returns the users that are in the file now. Blocks on the file system.
    pub fn users(&self) -> Arc<Users> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = fs::metadata(&self.path).map_err(UsersFault::from).and_then(|metadata| {
            let look = state.0;
            match look.is_settled() && Identity::from(&metadata) == look.identity() {
                true => Ok(None),
                false => load(&self.path).map(Some),
            }
        });
        match fresh {
            Ok(None) => {}
            Ok(Some(fresh)) => *state = fresh,
            Err(error) => {
                let path = self.path.display();
                tracing::error!(%path, %error, "users file does not read; those known before hold");
            }
        }
        Arc::clone(&state.1)
    }

    pub(crate) fn is_local(&self) -> bool {
        self.is_local
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads the users. The look at the file is from before it was read.
fn load(path: &Path) -> Result<(Look, Arc<Users>), UsersFault> {
    let file = File::open(path)?;
    let look = Look::settled(&file)?;
    let users = Users::read_from(&file)?;
    match look.holds(&file)? {
        true => Ok((look, Arc::new(users))),
        false => Err(io::Error::other("changed while it was read").into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn ann() -> Account {
        Account {
            groups: vec!["sales".to_owned()],
            certificate: vec!["mail:ann@x".parse().unwrap(), "ann".parse().unwrap()],
            ..Account::default()
        }
    }

    #[test]
    fn a_file_is_read_as_it_was_written_and_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/users.toml");
        let mut users = Users::default();
        users.add("ann".to_owned(), ann()).unwrap();
        users.set_password("ann", PasswordHash::dummy()).unwrap();
        users.add("bob".to_owned(), Account::default()).unwrap();
        users.write(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = Users::read(&path).unwrap();
        assert_eq!(read.0, users.0);

        let file = UsersFile::open(&path).unwrap();
        users.remove("bob").unwrap();
        users.write(&path).unwrap();
        assert!(file.users().find("bob").is_none(), "the change is seen");
        fs::write(&path, "[[user]\n").unwrap();
        assert!(file.users().find("ann").is_some(), "what was known holds");

        for name in ["bea", "cid", "dot"] {
            let text = format!("[[user]]\nname = \"{name}\"\n");
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            fs::write(&path, text).unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
            assert!(file.users().find(name).is_some(), "a change in place is seen");
        }
    }

    #[test]
    fn files_that_mean_nothing_are_refused() {
        for (text, expected) in [
            ("user = 1", "line 1: invalid type"),
            ("[[user]]\nname = \"a\"\npasword = \"x\"\n", "unknown field `pasword`"),
            ("[[user]]\nname = \"a b\"\n", "`a b` is not a name"),
            ("[[user]]\nname = \"\"\n", "is not a name"),
            ("[[user]]\nname = \"a\"\n[[user]]\nname = \"a\"\n", "user `a` is there already"),
            ("[[user]]\nname = \"a\"\npassword = \"secret\"\n", "user `a`: not an argon2id hash"),
            (
                "[[user]]\nname = \"a\"\ncertificate = [\"x\"]\n[[user]]\nname = \"b\"\ncertificate = [\"x\"]\n",
                "certificate name `x` is that of `a` and of `b`",
            ),
            (
                "[[user]]\nname = \"a\"\ncertificate = [\"X\"]\n[[user]]\nname = \"b\"\ncertificate = [\"dns:x\"]\n",
                "certificate name `dns:x` is that of `a` and of `b`",
            ),
            (
                "[[user]]\nname = \"a\"\ncertificate = [\"mail:x\"]\n",
                "user `a`: certificate `mail:x`: a mail address is expected",
            ),
        ] {
            let error = Users::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains("= \"secret\""), "{error}");
        }
    }
}
