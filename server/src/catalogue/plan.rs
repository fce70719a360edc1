//! A Select bound to a file, if all that it touches is granted and may leave.

use sift_select::{Plan, Select, Value, View};

use super::{Catalogue, Entry, FileName};
use crate::fault::Fault;
use crate::grant::{Caller, Grant};
use crate::protect::{Protected, Transport};

/// A plan that may run for a caller.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    /// Whether the file has columns that may not leave on the caller's transport.
    pub(crate) is_discreet: bool,
}

impl Catalogue {
    /// Binds `select` to the file `name`, which it is from.
    pub(crate) fn plan(
        &self,
        name: &FileName,
        select: &Select,
        parameters: &[Value],
        caller: &Caller,
    ) -> Result<Planned, Fault> {
        let grant = caller.grant(name)?;
        let transport = caller.transport;
        let entry = self.entry(name, transport).map_err(|fault| grant.withheld(name, fault))?;
        // by the text, so that nothing is opened in vain; then exactly, by what is bound
        entry.protected.check_mentions(&select.mentions(), &grant, transport)?;
        let (view, protected) = self.view(name, entry, &grant, transport)?;
        let plan = Plan::new(select, view, parameters)?;
        protected.check_plan(&plan, transport)?;
        Ok(Planned { plan, is_discreet: protected.withholds(transport) })
    }

    /// What a grant lets see of a file.
    pub(super) fn view(
        &self,
        name: &FileName,
        entry: Entry,
        grant: &Grant,
        transport: Transport,
    ) -> Result<(View, Protected), Fault> {
        let (source, protected) =
            self.source(entry, transport).map_err(|fault| grant.withheld(name, fault))?;
        let view = grant.view(source).map_err(|error| grant.withheld(name, error.into()))?;
        Ok((view, protected))
    }
}
