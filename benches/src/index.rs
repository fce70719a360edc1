//! Indexes of generated files, for measured servers.

use std::path::Path;
use std::sync::Arc;

use sift_select::{BuildOptions, IndexFolder, SpillDirectory};
use sift_server::{LocalKeys, open_local};

use crate::Result;
use crate::lineitem::{Format, Lineitem};

/// Builds the index of each of `files` that can have one, in the folder of a server's state.
///
/// # Errors
/// The errors of `select`.
pub fn build(files: &[Lineitem], state: &Path) -> Result<()> {
    let spill = Arc::new(SpillDirectory::new(state.to_owned(), "the state", u64::MAX));
    let options = BuildOptions { spill: Some(spill), ..BuildOptions::default() };
    // Parquet has statistics of its own
    for file in files.iter().filter(|file| file.format != Format::Parquet) {
        IndexFolder::new(state)
            .save(&open_local(&file.path, &LocalKeys::default())?.build_index(&options)?)?;
    }
    Ok(())
}
