//! The hashes of passwords, and the check of a password.
//!
//! The function is argon2id with 19 MiB of memory, 2 passes and 1 lane, the first choice of OWASP's
//! Password Storage Cheat Sheet. RFC 9106 describes it. Each hash is a PHC string that contains its
//! parameters, so they can be raised later. A check takes some tens of milliseconds and 19 MiB, so
//! the caller has to bound how many run at once.

use argon2::password_hash::phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

/// The minimal length of a password, as NIST SP 800-63B requires it. Shorter ones are easy to
/// guess.
pub const PASSWORD_CHARS_MIN: usize = 8;

/// The maximal length of a password. Hashing a longer text only costs time.
pub(crate) const PASSWORD_BYTES_MAX: usize = 1024;

/// The maximal cost of a hash in a users file: memory in KiB, passes, lanes.
const COST_MAX: (u32, u32, u32) = (256 << 10, 16, 16);

/// A hash without a known password. Its cost is that of a hash that [`PasswordHash::new`] makes.
const DUMMY_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm8gc3VjaCB1c2VyIQ$\
                       bm9ib2R5IGhhcyB0aGlzIHBhc3N3b3JkLCBub2JvZHk";

/// The hash of a password. The password cannot be computed from it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// The reason why a password or a hash is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordFault {
    /// The password is too easy to guess.
    #[error("the password has {0} characters, at least {PASSWORD_CHARS_MIN} are expected")]
    TooShort(usize),
    /// The password is too long.
    #[error("the password has {0} bytes, at most {PASSWORD_BYTES_MAX} are accepted")]
    TooLong(usize),
    /// The hash is not one that [`PasswordHash::new`] makes.
    #[error("not an argon2id hash as `siftd user` writes it: {0}")]
    Hash(String),
    /// There are no random numbers for the salt.
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

    /// Parses the text of a hash.
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

    /// Returns a hash that fits no password. Checking against it takes as long as against any
    /// other.
    pub(crate) fn dummy() -> Self {
        Self(DUMMY_HASH.to_owned())
    }

    /// Returns whether this is the password. It takes the same time in both cases.
    pub(crate) fn verify(&self, password: &str) -> bool {
        Argon2::default().verify_password(password.as_bytes(), self.0.as_str()).is_ok()
    }

    /// Returns the hash as a PHC string.
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
    fn the_dummy_hash_costs_as_much_as_others() {
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
