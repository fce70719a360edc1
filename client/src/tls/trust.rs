//! Reads the files for a handshake: the trusted authorities, and the client certificate.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustls::pki_types::CertificateDer;
use sift_proto::identity::{self, Identity, IdentityError, PEM_BYTES_MAX};

use crate::error::{Error, Result, Usage};
use crate::options::{ClientIdentity, Roots};

/// Returns the certificates of the trusted authorities, at least one. A TLS library may not accept
/// all certificates of the platform.
pub(super) fn authorities(roots: &Roots) -> Result<Vec<CertificateDer<'static>>> {
    match roots {
        Roots::File(path) => {
            let found = identity::certificates(&read(path)?)
                .map_err(|error| Error::local("read certificates", path, invalid(error)))?;
            match found.is_empty() {
                true => Err(Usage::NoCertificate(path.clone()).into()),
                false => Ok(found),
            }
        }
        // rustls-native-certs and not rustls-platform-verifier, because the verifier and its errors
        // are then the same for the platform's authorities and a file's, and there is no Java
        // bridge in the tree
        Roots::Platform => {
            let found = rustls_native_certs::load_native_certs();
            if found.certs.is_empty() {
                let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
                let errors =
                    if errors.is_empty() { "none found".into() } else { errors.join(", ") };
                return Err(Usage::NoPlatformRoots(errors).into());
            }
            Ok(found.certs)
        }
    }
}

/// Returns the chain and the key of the client certificate.
pub(super) fn identity(own: &ClientIdentity) -> Result<Identity> {
    let text = read(&own.path)?;
    Identity::parse(&text, own.passphrase.reveal()).map_err(|error| match error {
        error @ (IdentityError::NoPassphrase | IdentityError::WrongPassphrase) => {
            Usage::Passphrase { path: own.path.clone(), error }.into()
        }
        other => Error::local("use a client certificate", &own.path, invalid(other)),
    })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let failed = |source| Error::local("read certificates", path, source);
    let file = File::open(path).map_err(failed)?;
    file.take(PEM_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > PEM_BYTES_MAX {
        return Err(failed(invalid(format!("more than {PEM_BYTES_MAX} bytes"))));
    }
    Ok(bytes)
}

pub(super) fn invalid(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
