//! The descriptor of a file that stores its schema itself: it only names protected fields.

use std::collections::HashSet;

use super::keys::Keys;
use super::{Requirements, parse_fields, parse_name, parse_requirement};
use crate::Result;
use crate::problem::descriptor::DescriptorProblem;

/// The keys of the file.
pub(super) const KEYS: &[&str] = &[];

/// The names of the fields.
pub(super) fn parse(keys: &Keys<'_>, requirements: &mut Requirements) -> Result<Vec<String>> {
    let mut names = HashSet::new();
    for keys in parse_fields(keys, &["name", "network_encrypt", "scl_min"])? {
        let name = parse_name(&keys)?;
        if !names.insert(name.clone()) {
            let problem = DescriptorProblem::SameName { tables: "fields", name };
            return Err(keys.error("name", problem));
        }
        requirements.push((name, parse_requirement(&keys)?));
    }
    Ok(requirements.iter().map(|(name, _)| name.clone()).collect())
}
