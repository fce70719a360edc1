//! The path for a file that replaces another file by renaming.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Follows the symbolic links of `path`. Returns the path of the regular file at their end, or
/// `path` itself if it does not exist.
///
/// # Errors
/// An error of the operating system. Anything else than a regular file, and a link to nothing, is
/// never replaced.
pub fn replaceable(path: &Path) -> io::Result<PathBuf> {
    let refused = |text: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    match fs::metadata(path) {
        Ok(found) if found.is_file() => fs::canonicalize(path),
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(_) => refused("it is not a regular file, and nothing else is replaced"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match path.is_symlink() {
            true => refused("it is a link that leads to nothing; remove it"),
            false => Ok(path.to_owned()),
        },
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_regular_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "").unwrap();
        symlink("file", at("link")).unwrap();
        symlink("nothing", at("dangling")).unwrap();
        assert_eq!(replaceable(&at("link")).unwrap(), fs::canonicalize(at("file")).unwrap());
        assert_eq!(replaceable(&at("new")).unwrap(), at("new"));
        for wrong in [at("dangling"), at(""), PathBuf::from("/dev/null")] {
            assert!(replaceable(&wrong).is_err(), "{}", wrong.display());
        }
    }
}
