//! The configuration of access: how clients become users, and which grants users have.

mod attempts;
pub(crate) mod grant;
pub(crate) mod login;
pub(crate) mod password;
pub(crate) mod protect;
pub(crate) mod transport;
pub(crate) mod user;

use grant::Grant;
use user::UsersFile;

/// The users of a server and their grants.
#[derive(Debug)]
pub struct Access {
    /// The way in which a client becomes a user, if its listener does not set one.
    pub admission: Admission,
    /// The users who can log in.
    pub users: Option<UsersFile>,
    /// The grants in order; the first that matches decides. `None` lets everybody read everything.
    pub grants: Option<Vec<Grant>>,
}

/// The way in which a client that connects to a port becomes a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The client logs in by a password on an encrypted channel, or by a client certificate.
    LogIn,
    /// Every client is the user of this name, without log-in. The name may be empty.
    Everybody(String),
}

impl Access {
    /// Makes an access without log-in: every client may read every file.
    pub fn open() -> Self {
        Self { admission: Admission::Everybody(String::new()), users: None, grants: None }
    }

    /// Makes an access with log-in: each user may read the files of its grants.
    pub fn secure(users: UsersFile, grants: Vec<Grant>) -> Self {
        Self { admission: Admission::LogIn, users: Some(users), grants: Some(grants) }
    }
}
