//! Passwords: how they are kept, and whether one is right.
//!
//! argon2id with 19 MiB of memory, 2 passes and 1 lane, which OWASP's Password Storage Cheat Sheet
//! names first for it; RFC 9106 describes the function, and its parameters stand in each hash, a
//! PHC string, so that they can rise. A check takes some tens of milliseconds and 19 MiB: whoever
//! calls bounds how many run at once.

use argon2::password_hash::phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

/// Shorter ones are guessed; NIST SP 800-63B asks for as many.
pub const PASSWORD_CHARS_MIN: usize = 8;

/// A longer one is no password, and would only cost.
pub(crate) const PASSWORD_BYTES_MAX: usize = 1024;

/// What a hash of a users file may cost at most: memory in KiB, passes, lanes.
const COST_MAX: (u32, u32, u32) = (256 << 10, 16, 16);

/// A hash that no password is known for, at the cost of one that [`PasswordHash::new`] makes.
const DUMMY_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm8gc3VjaCB1c2VyIQ$\
                       bm9ib2R5IGhhcyB0aGlzIHBhc3N3b3JkLCBub2JvZHk";

/// A password as it is kept: from it nobody reads the password.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// Why a password or a hash is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordFault {
    /// Too easy to guess.
    #[error("the password has {0} characters, at least {PASSWORD_CHARS_MIN} are expected")]
    TooShort(usize),
    /// Longer than is accepted.
    #[error("the password has {0} bytes, at most {PASSWORD_BYTES_MAX} are accepted")]
    TooLong(usize),
    /// Not what [`PasswordHash::new`] makes.
    #[error("not an argon2id hash as `siftd user` writes it: {0}")]
    Hash(String),
    /// No random numbers, so no salt.
    #[error("cannot load random state for the salt of a password")]
    Random,
}

impl PasswordHash {
    /// Hashes a new password.
    ///
    /// # Errors
    /// `TooShort`, `TooLong`, `Random`.
    pub fn new(password: &str) -> Result<Self, PasswordFault> {
        let chars = password.chars().count();
        if chars < PASSWORD_CHARS_MIN {
            return Err(PasswordFault::TooShort(chars));
        }
        if password.len() > PASSWORD_BYTES_MAX {
            return Err(PasswordFault::TooLong(password.len()));
        }
        let mut salt = [0; 16];
        aws_lc_rs::rand::fill(&mut salt).map_err(|_unspecified| PasswordFault::Random)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT);
        let hash: phc::PasswordHash = argon2
            .hash_password_with_salt(password.as_bytes(), &salt)
            .map_err(|error| PasswordFault::Hash(error.to_string()))?;
        Ok(Self(hash.to_string()))
    }

    /// Takes the text of a hash.
    ///
    /// # Errors
    /// `Hash`.
    pub fn parse(text: &str) -> Result<Self, PasswordFault> {
        let refuse = |why: &str| PasswordFault::Hash(why.to_owned());
        let hash = phc::PasswordHash::new(text).map_err(|error| refuse(&error.to_string()))?;
        if hash.algorithm.as_str() != "argon2id" {
            return Err(refuse("another function"));
        }
        let params = Params::try_from(&hash).map_err(|error| refuse(&error.to_string()))?;
        let (memory_kib, passes, lanes) = COST_MAX;
        if params.m_cost() > memory_kib || params.t_cost() > passes || params.p_cost() > lanes {
            return Err(refuse("it costs too much"));
        }
        match (&hash.salt, &hash.hash) {
            (Some(_), Some(_)) => Ok(Self(text.to_owned())),
            _ => Err(refuse("it is not whole")),
        }
    }

    /// The hash of nobody's password: to check against it takes as long as against any.
    pub(crate) fn dummy() -> Self {
        Self(DUMMY_HASH.to_owned())
    }

    /// Whether this is the password; always as slow.
    pub(crate) fn verify(&self, password: &str) -> bool {
        Argon2::default().verify_password(password.as_bytes(), self.0.as_str()).is_ok()
    }

    /// A PHC string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_right_or_not() {
        let hash = PasswordHash::new("correct horse").unwrap();
        assert!(hash.verify("correct horse"));
        assert!(!hash.verify("correct horsE") && !hash.verify(""));
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        assert_ne!(hash, PasswordHash::new("correct horse").unwrap(), "the salt is random");
        assert_eq!(PasswordHash::parse(hash.as_str()).unwrap(), hash);
        assert!(!format!("{hash:?}").contains("argon2"));
    }

    #[test]
    fn nobodys_hash_is_one_that_costs_as_much() {
        let dummy = PasswordHash::parse(PasswordHash::dummy().as_str()).unwrap();
        assert!(!dummy.verify("anything"));
    }

    #[test]
    fn others_are_refused() {
        assert!(matches!(PasswordHash::new("seven77"), Err(PasswordFault::TooShort(7))));
        assert!(matches!(PasswordHash::new(&"x".repeat(2000)), Err(PasswordFault::TooLong(2000))));
        let salted = "$c2FsdHNhbHRzYWx0$bm9ib2R5IGhhcyB0aGlzIHBhc3N3b3JkLCBub2JvZHk";
        for (text, why) in [
            ("", ""),
            ("password", ""),
            (&format!("$argon2i$v=19$m=19456,t=2,p=1{salted}"), "another function"),
            (&format!("$argon2id$v=19$m=4194304,t=2,p=1{salted}"), "costs too much"),
            ("$argon2id$v=19$m=19456,t=2,p=1", "not whole"),
        ] {
            let error = PasswordHash::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
