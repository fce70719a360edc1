//! Passphrases of private keys that no configured file holds: the environment has one, or a person
//! at the terminal is asked.

use std::path::{Path, PathBuf};

use sift_proto::identity::IdentityError;
use sift_server::{CertificateFault, Error, Passphrase, Terms, TlsOptions};

/// Holds a passphrase for all keys that have one.
pub(super) const VARIABLE: &str = "SIFTD_CERT_PASSPHRASE";

/// Returns the passphrase in the environment, if there is one.
pub(super) fn from_environment() -> Passphrase {
    match std::env::var(VARIABLE) {
        Ok(text) if !text.is_empty() => Passphrase::Given(text),
        _ => Passphrase::None,
    }
}

/// Asks at the terminal; `None` without a terminal.
pub(super) fn ask(prompt: &str) -> Option<String> {
    rpassword::prompt_password(prompt).ok()
}

/// The permission to ask a person at the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    Allowed,
    /// Only passphrases that were given before are known.
    Refused,
}

/// Opens the keys of encrypted listeners, and asks once for each passphrase that is not configured.
#[derive(Default)]
pub(super) struct Opener {
    asked: Vec<(PathBuf, String)>,
}

impl Opener {
    /// Reads the files of an encrypted listener.
    pub(super) fn terms(
        &mut self,
        options: TlsOptions,
        asking: Asking,
    ) -> Result<Terms, super::error::Error> {
        let path = match Terms::encrypted(options.clone()) {
            Ok(terms) => return Ok(terms),
            Err(Error::Certificate {
                path,
                fault: CertificateFault::Identity(IdentityError::NoPassphrase),
            }) => path,
            Err(other) => return Err(other.into()),
        };
        let passphrase =
            self.passphrase(&path, asking).ok_or(super::error::Error::NoPassphrase { path })?;
        Ok(Terms::encrypted(options.passphrase(Passphrase::Given(passphrase)))?)
    }

    fn passphrase(&mut self, path: &Path, asking: Asking) -> Option<String> {
        if let Some((_, known)) = self.asked.iter().find(|(asked, _)| asked == path) {
            return Some(known.clone());
        }
        if asking == Asking::Refused {
            return None;
        }
        let answer = ask(&format!("passphrase of {}: ", path.display()))?;
        self.asked.push((path.to_owned(), answer.clone()));
        Some(answer)
    }
}
