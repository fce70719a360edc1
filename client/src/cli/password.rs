//! Reads the password of a user from a file, from the environment, or at the terminal.

use std::env;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::fault::{Fault, Result};

/// The environment variable with the password. A file takes precedence.
const VARIABLE: &str = "SIFT_PASSWORD";

/// The maximal length of the file: more than the longest password with its line end.
const FILE_BYTES_MAX: u64 = 4096;

/// Returns the password in the file, if one is named, or in the environment.
pub(super) fn given(file: Option<PathBuf>) -> Result<Option<Zeroizing<String>>> {
    match file {
        Some(path) => read(&path).map(Some),
        None => Ok(env::var(VARIABLE).ok().filter(|text| !text.is_empty()).map(Zeroizing::new)),
    }
}

/// Asks for the password at the terminal.
pub(super) fn ask(user: &str) -> Result<Zeroizing<String>> {
    rpassword::prompt_password(format!("password of {user}: "))
        .map(Zeroizing::new)
        .map_err(|_no_terminal| Fault::NoPassword(user.to_owned()))
}

/// Reads the first line of a file.
fn read(path: &Path) -> Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
        .map_err(|source| Fault::File { action: "read", path: path.to_owned(), source })?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}
