//! A temporary certificate authority: one root and one server certificate for loopback.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::Result;
use crate::link;

/// The files of an authority and of the server certificate that it signed.
#[derive(Clone, Debug)]
pub struct Authority {
    /// The certificate of the authority, for clients.
    pub ca: PathBuf,
    /// The certificate chain and the key of the server, in one file.
    pub server: PathBuf,
}

impl Authority {
    /// Makes both files in `folder`: P-256 keys, valid for `localhost`, the loopback addresses and
    /// that of shaped links.
    ///
    /// # Errors
    /// An error of the operating system about the files.
    pub fn create(folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "Sift demo authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let root = params.self_signed(&key)?;
        let issuer = Issuer::new(params, key);

        let names =
            ["localhost", "127.0.0.1", "::1", &link::SHAPED_ADDRESS.to_string()].map(String::from);
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "localhost");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let server = params.signed_by(&key, &issuer)?;

        let made = Self { ca: folder.join("ca.pem"), server: folder.join("siftd.pem") };
        fs::write(&made.ca, root.pem())?;
        fs::write(&made.server, server.pem() + &key.serialize_pem())?;
        Ok(made)
    }
}
