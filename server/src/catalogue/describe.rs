//! The description of a file. It contains only what the caller may see, and does not show how much
//! is hidden.

use std::sync::Arc;

use sift_proto::message::{Description, Field};
use sift_select::{Requirement, View, type_name};

use super::entry::Entry;
use super::{Catalogue, FileName, while_renamed, with_descriptors};
use crate::access::grant::{Caller, Grant};
use crate::access::protect::Protected;
use crate::access::transport::Transport;
use crate::fault::Fault;

impl Catalogue {
    /// Returns the format, the columns and the protection of a file.
    pub(crate) fn describe(&self, file: &str, caller: &Caller) -> Result<Description, Fault> {
        let name = FileName::parse(file)?;
        with_descriptors(|| while_renamed(|| self.describe_file(&name, caller)))
    }

    fn describe_file(&self, name: &FileName, caller: &Caller) -> Result<Description, Fault> {
        let transport = caller.transport;
        let entry = self.entry(name, caller)?;
        let grant = Arc::clone(&entry.grant);
        let mut description = description(name, &entry, &grant, transport);
        // the protection is not a secret, but column names may come from the data
        if entry.protected.check_file(transport).is_ok() {
            match self.view(name, entry, &grant, transport) {
                Ok((view, protected)) => {
                    set_requirement(&mut description, protected.file);
                    describe_columns(&mut description, &view, &protected);
                }
                // the whole file is encrypted by its format
                Err(Fault::Protected(refusal)) => {
                    set_requirement(&mut description, refusal.requirement);
                    description.bytes = None;
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(description)
    }
}

fn description(name: &FileName, entry: &Entry, grant: &Grant, transport: Transport) -> Description {
    let is_whole = grant.is_whole() && !entry.protected.withholds(transport);
    let mut description = Description {
        file: name.to_string(),
        format: entry.format.to_owned(),
        bytes: is_whole.then_some(entry.bytes),
        ..Description::default()
    };
    set_requirement(&mut description, entry.protected.file);
    description
}

/// Sets the requirement of the file.
fn set_requirement(description: &mut Description, requirement: Requirement) {
    description.network_encrypt = requirement.network_encrypt();
    description.scl_min = requirement.scl_min().map_or(0, u32::from);
}

fn describe_columns(description: &mut Description, view: &View, protected: &Protected) {
    let source = view.source();
    let fields = view.columns().iter().map(|&column| {
        let field = source.schema().field(column);
        let requirement = protected.column(field.name());
        // the position of a column may show what is before it
        let storage = if view.has_all_values() { source.storage(column) } else { String::new() };
        Field {
            name: field.name().clone(),
            r#type: type_name(field.data_type()),
            nullable: field.is_nullable(),
            storage,
            network_encrypt: requirement.network_encrypt(),
            scl_min: requirement.scl_min().map_or(0, u32::from),
        }
    });
    description.fields = fields.collect();
    description.bytes = view.is_whole().then(|| source.bytes());
    if view.has_all_records() {
        description.records = source.records();
    }
    if view.has_all_values() {
        description.record_bytes = source.record_bytes();
    }
}
