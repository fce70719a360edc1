//! Checks at start-up that the grants fit the files.

use sift_select::ErrorKind;
use tracing::warn;

use super::{Catalogue, FileName};
use crate::access::grant::{Caller, Grant, Grants};
use crate::access::transport::Transport;
use crate::error::Error;
use crate::fault::Fault;

impl Catalogue {
    /// Binds the columns and the row filter of each grant to each file that it can decide about.
    pub(crate) fn check_grants(&self, grants: &Grants) -> Result<(), Error> {
        if grants.all().all(|grant| grant.is_whole()) {
            return Ok(());
        }
        let files = match self.list("", &Caller::unrestricted(Transport::Local)) {
            Ok(list) => list.files,
            Err(error) => {
                let error = error.to_string();
                warn!(
                    error,
                    "grants are not checked; where one does not fit a file, it is refused"
                );
                return Ok(());
            }
        };
        for file in files {
            for (number, grant) in grants.about(&file.path).filter(|(_, grant)| !grant.is_whole()) {
                self.check_grant(&file.path, grant).map_err(|error| Error::GrantUnfit {
                    number,
                    file: file.path.clone(),
                    error,
                })?;
            }
        }
        Ok(())
    }

    fn check_grant(&self, path: &str, grant: &Grant) -> Result<(), sift_select::Error> {
        let source = FileName::parse(path)
            .and_then(|name| self.entry(&name, &Caller::unrestricted(Transport::Local)))
            .and_then(|entry| self.source(entry, Transport::Local));
        let source = match source {
            Ok((source, _)) => source,
            // the file is faulty with any grant
            Err(error) => {
                let error: Fault = error;
                let error = error.to_string();
                warn!(file = path, error, "the grants of this file are not checked");
                return Ok(());
            }
        };
        for column in grant.columns_missing(&source) {
            warn!(file = path, column, "a grant names a column that the file does not have");
        }
        let may_get_columns = source.infers_columns();
        match grant.view(source) {
            // later records may have the members; until then the file is refused
            Err(error) if may_get_columns && error.kind() == ErrorKind::UnknownColumn => {
                warn!(file = path, %error, "a grant names members that the first records lack");
                Ok(())
            }
            // the key may be added while the server runs; until then the file is refused
            Err(error) if error.kind() == ErrorKind::KeyMissing => {
                warn!(file = path, %error, "the row filter of a grant reads a column without key");
                Ok(())
            }
            fits => fits.map(|_view| ()),
        }
    }
}
