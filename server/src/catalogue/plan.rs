//! A Select bound to a file, if all that it touches may leave.

use sift_select::{Plan, Select, Value};

use super::{Catalogue, FileName};
use crate::fault::Fault;
use crate::protect::Transport;

/// A plan that may run for a transport.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    /// Whether the file has columns that may not leave on it.
    pub(crate) is_discreet: bool,
}

impl Catalogue {
    /// Binds `select` to the file `name`, which it is from.
    pub(crate) fn plan(
        &self,
        name: &FileName,
        select: &Select,
        parameters: &[Value],
        transport: Transport,
    ) -> Result<Planned, Fault> {
        let entry = self.entry(name, transport)?;
        // by the text, so that nothing is opened in vain; then exactly, by what is bound
        entry.protected.check_mentions(&select.mentions(), transport)?;
        let (source, protected) = self.source(entry, transport)?;
        let plan = Plan::new(select, source, parameters)?;
        protected.check_plan(&plan, transport)?;
        Ok(Planned { plan, is_discreet: protected.withholds(transport) })
    }
}
