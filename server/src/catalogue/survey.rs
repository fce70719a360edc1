//! A survey of the files and their protection before a server serves them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use sift_select::Requirement;

use super::keyring::Keyring;
use super::{Catalogue, DataRoot, FileName, Listed, Listing, Remark};
use crate::access::grant::Caller;
use crate::access::protect::Protection;
use crate::access::transport::Transport;
use crate::fault::Fault;
use crate::limits::Limits;

/// The files below a data root, with what protects them.
#[derive(Debug)]
pub struct Survey {
    /// The files, sorted by path.
    pub files: Vec<SurveyedFile>,
    /// Entries that are not served, although that is perhaps not intended: folders that cannot be
    /// read, links out of the data root or to nothing, names that are not UTF-8.
    pub unserved: Vec<String>,
    /// Links to folders, and their effect.
    pub linked_folders: Vec<String>,
    /// The rules of the protection that apply to no file, counted from 1.
    pub idle_rules: Vec<usize>,
}

/// One file.
#[derive(Debug)]
pub struct SurveyedFile {
    /// The path below the data root.
    pub path: String,
    /// The path that symbolic links lead to, if the file has two names because of them.
    pub target: Option<String>,
    /// The requirement of the file for a channel.
    pub requirement: Requirement,
    /// The columns with a stricter requirement, in order.
    pub columns: Vec<(String, Requirement)>,
    /// The reason why nobody can select from the file, most often its descriptor.
    pub problem: Option<String>,
}

/// The reason why there is no survey, in the words of a server.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SurveyError(#[from] Fault);

/// Looks at every file below `data`, within the limits of a List. It opens files with a descriptor,
/// and Parquet files, which may be encrypted.
///
/// # Errors
/// The errors of a List: a data root that cannot be read, or too many files.
pub fn survey(
    data: DataRoot,
    limits: Limits,
    protection: &Protection,
    keyring: &Keyring,
) -> Result<Survey, SurveyError> {
    let files_opened = Arc::new(AtomicU64::new(0));
    let catalogue =
        Catalogue::new(data, limits, protection.clone(), files_opened).with_keys(keyring.clone());
    let anybody = Caller::unrestricted(Transport::Local);
    let Listing { files: listed, remarks } = catalogue.listing("", &anybody)?;
    let mut used = BTreeSet::new();
    let mut files = Vec::with_capacity(listed.len());
    for Listed { entry, target } in listed {
        for name in [&entry.path].into_iter().chain(&target) {
            used.extend(protection.rules_of(name));
        }
        files.push(file(&catalogue, &anybody, entry.path, target));
    }
    let (linked, unserved): (Vec<_>, Vec<_>) =
        remarks.iter().partition(|remark| remark.is_served());
    let told = |remarks: Vec<&Remark>| remarks.into_iter().map(ToString::to_string).collect();
    let idle_rules = (1..=protection.rules.len()).filter(|number| !used.contains(number)).collect();
    Ok(Survey { files, unserved: told(unserved), linked_folders: told(linked), idle_rules })
}

fn file(
    catalogue: &Catalogue,
    anybody: &Caller,
    path: String,
    target: Option<String>,
) -> SurveyedFile {
    let entry = FileName::parse(&path).and_then(|name| catalogue.entry(&name, anybody));
    match entry {
        Ok(entry) => {
            let known = entry.protected.clone();
            let (protected, problem) = match entry.has_descriptor() || entry.format == "parquet" {
                true => match catalogue.source(entry, Transport::Local) {
                    Ok((_, protected)) => (protected, None),
                    Err(fault) => (known, Some(fault.to_string())),
                },
                false => (known, None),
            };
            let (requirement, columns) = (protected.file, protected.columns());
            SurveyedFile { path, target, requirement, columns, problem }
        }
        Err(fault) => SurveyedFile {
            path,
            target,
            requirement: Requirement::Encryption,
            columns: Vec::new(),
            problem: Some(fault.to_string()),
        },
    }
}
