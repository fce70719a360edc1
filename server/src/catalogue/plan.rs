//! Binds a Select to a file or to the files of a pattern, if the caller may read all that it
//! touches.

use std::sync::Arc;
use std::time::Duration;

use sift_select::{FileSet, Plan, Select, Source, Value, View, Waiting, check_wanted};
use tokio::sync::OwnedSemaphorePermit;

use super::entry::Entry;
use super::granted::{Disclosure, granted};
use super::pattern::NamePattern;
use super::{Catalogue, FileName, permitted, while_renamed, with_descriptors};
use crate::access::grant::{Caller, Grant};
use crate::access::protect::Protected;
use crate::access::transport::Transport;
use crate::fault::{Fault, withheld_text};

/// A plan that may run for a caller.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    /// True if the caller may not see all, or if what the plan reads is protected.
    pub(crate) is_protected: bool,
    /// The time for the work, if the grant bounds it.
    pub(crate) query_time: Option<Duration>,
    /// The permit to have the files of a pattern open, for as long as the plan runs.
    pub(crate) files: Option<OwnedSemaphorePermit>,
}

impl Catalogue {
    /// Binds `select` to the file with the name `from`, or to the files that match it as a pattern,
    /// or to no file; a file with the name of a pattern comes first. Without the permission to
    /// wait, only a cached file can be bound to.
    pub(crate) fn plan(
        &self,
        from: Option<&str>,
        select: &Select,
        parameters: &[Value],
        caller: &Caller,
        waiting: Waiting,
    ) -> Result<Planned, Fault> {
        // the files of a pattern and their records are chosen at one time
        let select = &select.asked_now();
        with_descriptors(|| match from {
            None => {
                let source = Source::of_nothing().map_err(Fault::Select)?.with_waiting(waiting);
                let plan =
                    Plan::new(select, Arc::new(source), parameters).map_err(Fault::Select)?;
                Ok(Planned { plan, is_protected: false, query_time: None, files: None })
            }
            Some(pattern) if NamePattern::is_one(pattern) => {
                waiting.check()?;
                let name = FileName::parse(pattern);
                // a file may have this name
                match name
                    .and_then(|name| self.plan_of_file(&name, select, parameters, caller, waiting))
                {
                    Err(Fault::UnknownFile(_) | Fault::FileName { .. }) => {
                        self.plan_of_files(pattern, select, parameters, caller)
                    }
                    planned => planned,
                }
            }
            Some(name) => {
                self.plan_of_file(&FileName::parse(name)?, select, parameters, caller, waiting)
            }
        })
    }

    fn plan_of_file(
        &self,
        name: &FileName,
        select: &Select,
        parameters: &[Value],
        caller: &Caller,
        waiting: Waiting,
    ) -> Result<Planned, Fault> {
        let transport = caller.transport;
        let (source, protected, grant) = self.asked(name, select, caller, waiting)?;
        let source = match waiting {
            Waiting::Allowed => source,
            Waiting::Refused => Arc::new(source.with_waiting(waiting)),
        };
        let view = view_of(name, source, &protected, &grant, transport)?;
        let plan = Plan::new(select, view, parameters).map_err(Fault::Select)?;
        protected.check_plan(&plan, transport)?;
        let is_protected = !plan.view().is_whole() || protected.protects(&plan);
        Ok(Planned { plan, is_protected, query_time: grant.query_time(), files: None })
    }

    /// Binds `select` to the files of a pattern. They need the same schema and the same grant of
    /// the caller.
    fn plan_of_files(
        &self,
        pattern: &str,
        select: &Select,
        parameters: &[Value],
        caller: &Caller,
    ) -> Result<Planned, Fault> {
        let names = self.names(pattern, caller)?;
        let Some((first, grant)) = names.first() else {
            return Err(Fault::UnknownFile(pattern.to_owned()));
        };
        let first = first.as_str();
        let opening = Disclosure::new(first, grant, &[], caller.transport);
        for (name, other) in &names {
            if !grant.is_same(other) {
                let (first, other) = (first.to_owned(), name.to_string());
                return Err(Fault::GrantsDiffer { pattern: pattern.to_owned(), first, other });
            }
        }
        let files = FileSet::new(pattern, names.iter().map(|(name, _)| name.to_string()).collect());
        let files = files.map_err(|error| opening.fault(error))?;
        let matching = files.matching(select, parameters);
        let max = self.limits.pattern_files_max.get().min(self.open_files.max);
        if matching.len() > max {
            return Err(Fault::TooMany { what: "files of a pattern", max });
        }
        let permit = self.open_files.take(matching.len().max(1));
        let permit = permit.ok_or(Fault::OpenFiles(self.open_files.max))?;

        let open = |name: &FileName| match self.asked(name, select, caller, Waiting::Allowed)? {
            (source, protected, by) if by.is_same(grant) => Ok((source, protected)),
            // a link has changed since the folder was read
            _ => Err(Fault::Renamed(name.to_string())),
        };
        let none_match = matching.is_empty();
        // without matching files, the first file provides the columns of the answer
        let wanted = if none_match { vec![0] } else { matching };
        let mut all_protected = Vec::new();
        let mut opened = Vec::new();
        for index in wanted {
            check_wanted()?;
            let (source, protected) = open(&names[index].0)?;
            all_protected.push(protected);
            opened.push((index, source));
        }
        // hidden parts of a file do not decide whether the files fit together
        let shown_of = |(index, source): &(usize, Arc<Source>)| {
            let source = files.source_of(*index, source)?;
            if !source.has_records() {
                return Ok(source);
            }
            let view =
                shown(pattern, grant.view(Arc::new(source))?, &all_protected, caller.transport);
            Ok(view?.source().as_ref().clone())
        };
        let disclosure = Disclosure::new(first, grant, &all_protected, caller.transport);
        let sources = opened.iter().map(shown_of).collect::<sift_select::Result<Vec<_>>>();
        let sources = sources.map_err(|error| disclosure.fault(error))?;
        let Some(source) = sources.first() else {
            return Err(Fault::UnknownFile(pattern.to_owned()));
        };
        let joined = files.joined(source, if none_match { &[] } else { &sources });
        let source = joined.map_err(|error| disclosure.fault(error))?;
        let view = grant.view(Arc::new(source));
        let view = view.and_then(|view| shown(pattern, view, &all_protected, caller.transport));
        let view = view.map_err(|error| disclosure.fault(error))?;
        let plan = Plan::new(select, view, parameters).map_err(Fault::Select)?;
        for protected in &all_protected {
            protected.check_plan(&plan, caller.transport)?;
        }
        let is_protected =
            !plan.view().is_whole() || all_protected.iter().any(|file| file.protects(&plan));
        Ok(Planned { plan, is_protected, query_time: grant.query_time(), files: Some(permit) })
    }

    /// Opens a file for a Select. Returns it with its protection and the caller's grant.
    fn asked(
        &self,
        name: &FileName,
        select: &Select,
        caller: &Caller,
        waiting: Waiting,
    ) -> Result<(Arc<Source>, Protected, Arc<Grant>), Fault> {
        let transport = caller.transport;
        // the check is made three times: by the text, so that no file is opened in vain; with the
        // file's own encryption; and exactly, on the bound plan
        let grant = granted(caller, name)?;
        let (opened, grant) = match self.known(name) {
            Some(cached) => {
                cached.protected.check_mentions(select, &grant, transport)?;
                (permitted(&cached.source, cached.protected.clone(), transport), grant)
            }
            None => while_renamed(|| {
                waiting.check()?;
                let entry = self.entry(name, caller)?;
                let grant = Arc::clone(&entry.grant);
                entry.protected.check_mentions(select, &grant, transport)?;
                match self.source(entry, transport) {
                    Err(Fault::Renamed(name)) => Err(Fault::Renamed(name)),
                    opened => Ok((opened, grant)),
                }
            })?,
        };
        let (source, protected) = opened?;
        protected.check_mentions(select, &grant, transport)?;
        Ok((source, protected, grant))
    }

    /// Returns the view of a file through a grant.
    pub(super) fn view(
        &self,
        name: &FileName,
        entry: Entry,
        grant: &Grant,
        transport: Transport,
    ) -> Result<(View, Protected), Fault> {
        let (source, protected) = self.source(entry, transport)?;
        let view = view_of(name, source, &protected, grant, transport)?;
        Ok((view, protected))
    }
}

/// Returns the view of an open file through a grant.
fn view_of(
    name: &FileName,
    source: Arc<Source>,
    protected: &Protected,
    grant: &Grant,
    transport: Transport,
) -> Result<View, Fault> {
    let files = std::slice::from_ref(protected);
    let view = grant.view(source);
    let view = view.and_then(|view| shown(name.as_str(), view, files, transport));
    let disclosure = Disclosure::new(name.as_str(), grant, files, transport);
    view.map_err(|error| disclosure.fault(error))
}

/// Returns the view for a transport that may not fulfil the requirements of all columns. `name` is
/// the file or the pattern in its errors.
fn shown(
    name: &str,
    view: View,
    files: &[Protected],
    transport: Transport,
) -> sift_select::Result<View> {
    let view = match files.iter().any(|file| file.withholds(transport)) {
        true => {
            let names = files.iter().flat_map(|file| file.columns_withheld(transport));
            view.with_columns_withheld(names.map(str::to_owned).collect())
                .with_faults_withheld(&withheld_text(name))
        }
        false => view,
    };
    view.with_types_of_shown()
}
