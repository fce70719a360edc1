//! Who comes in, and what each may read: what a server is told about it.

mod attempts;
pub(crate) mod grant;
pub(crate) mod login;
pub(crate) mod password;
pub(crate) mod protect;
pub(crate) mod transport;
pub(crate) mod user;

use grant::Grant;
use user::UsersFile;

/// Who comes in, and what each may read.
#[derive(Debug)]
pub struct Access {
    /// How whoever connects becomes a user, where a listener does not say otherwise.
    pub admission: Admission,
    /// Those who can log in.
    pub users: Option<UsersFile>,
    /// What each may read, the first that matches deciding; `None`: everybody may read everything.
    pub grants: Option<Vec<Grant>>,
}

/// How whoever connects to a port becomes a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// By a password, on an encrypted channel, or by a client certificate.
    LogIn,
    /// Without log-in everybody is the user of this name; it may be blank.
    Everybody(String),
}

impl Access {
    /// No log-in: whoever can connect may read every file.
    pub fn open() -> Self {
        Self { admission: Admission::Everybody(String::new()), users: None, grants: None }
    }

    /// Those who log in may read what is granted to them.
    pub fn secure(users: UsersFile, grants: Vec<Grant>) -> Self {
        Self { admission: Admission::LogIn, users: Some(users), grants: Some(grants) }
    }
}
