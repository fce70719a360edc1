//! A signing request for an authority that others run: a new key, and what is to be certified.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{IsCa, KeyPair};

use super::Error;
use super::file::{self, Existing, Readers};
use super::subject::Subject;

const EXISTS: &str =
    "its certificate may be on the way; remove it first, or name another folder with --dir";

/// The files of a request: the request and its key.
pub(crate) struct Files {
    pub(crate) request: PathBuf,
    pub(crate) key: PathBuf,
}

/// Writes `siftd.csr` and `siftd.key`; what is there already is never touched.
pub(crate) fn create(
    folder: &Path,
    subject: &Subject,
    passphrase: Option<&str>,
) -> Result<Files, Error> {
    let files = Files { request: folder.join("siftd.csr"), key: folder.join("siftd.key") };
    file::must_not_exist(&files.request, EXISTS)?;
    file::must_not_exist(&files.key, EXISTS)?;

    let mut params = subject.params()?;
    // for the authority to say
    params.use_authority_key_identifier_extension = false;
    params.is_ca = IsCa::NoCa;
    let key = KeyPair::generate()?;
    let request = params.serialize_request(&key)?.pem()?;

    let keep = Existing::Keep { hint: EXISTS };
    file::write(&files.key, &file::key_pem(&key, passphrase)?, Readers::Owner, keep)?;
    if let Err(error) = file::write(&files.request, &request, Readers::Everybody, keep) {
        let _ = fs::remove_file(&files.key);
        return Err(error);
    }
    Ok(files)
}
