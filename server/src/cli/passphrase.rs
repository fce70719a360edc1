//! Passphrases of private keys that no configured file holds: the environment has one, or a person
//! at the terminal is asked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use sift_proto::identity::IdentityError;
use sift_server::{CertificateFault, Error, Listener, Passphrase, TlsOptions};

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

/// Opens encrypted listeners, and asks once for each passphrase that is not configured.
#[derive(Default)]
pub(super) struct Opener {
    asked: Vec<(PathBuf, String)>,
}

impl Opener {
    pub(super) async fn listen(
        &mut self,
        address: SocketAddr,
        options: TlsOptions,
    ) -> Result<Listener, super::error::Error> {
        let path = match Listener::with_tls(address, options.clone()).await {
            Ok(listener) => return Ok(listener),
            Err(Error::Certificate {
                path,
                fault: CertificateFault::Identity(IdentityError::NoPassphrase),
            }) => path,
            Err(other) => return Err(other.into()),
        };
        let passphrase =
            self.passphrase(&path).ok_or(super::error::Error::NoPassphrase { path })?;
        Ok(Listener::with_tls(address, options.passphrase(Passphrase::Given(passphrase))).await?)
    }

    fn passphrase(&mut self, path: &Path) -> Option<String> {
        if let Some((_, known)) = self.asked.iter().find(|(asked, _)| asked == path) {
            return Some(known.clone());
        }
        let answer = ask(&format!("passphrase of {}: ", path.display()))?;
        self.asked.push((path.to_owned(), answer.clone()));
        Some(answer)
    }
}
