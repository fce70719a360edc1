//! The proof that a name led to the same file for some time, even if entries were renamed in the
//! meantime.
//!
//! A descriptor and its data file are two entries. Between two looks, both can be exchanged for
//! others and exchanged back. A rename changes the time stamps of the entry and of its folder. So
//! an entry did not move if it is there before and after, and either the entry or its folder has
//! the same stamps as before. One of the two is enough, because a file may be written all the time,
//! and a folder may get new files all the time. If both change all the time, there is no proof.
//!
//! Two things are not noticed: FAT does not stamp a renamed entry, and on a network mount the
//! stamps may be older than the file.

use std::io;
use std::sync::Arc;

use sift_select::Look;

use super::tree::{Node, Resolved, Tree};

/// The looks at all entries on the way to a file.
#[derive(Debug)]
pub(super) struct Watch {
    /// Each folder is before the entries in it.
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    node: Arc<Node>,
    look: Look,
    /// The index of the folder; `None` for the root.
    above: Option<usize>,
}

impl Watch {
    /// Begins to watch. It first waits until every stamp on the way is so old that a later stamp
    /// differs. That takes one tick of the clock if something was just renamed. Returns `None` if
    /// the name already leads to another file.
    pub(super) fn begin(tree: &Tree, resolved: &Resolved) -> io::Result<Option<Self>> {
        let mut watch = Self { steps: Vec::new() };
        for node in resolved.links.iter().chain([&resolved.end]) {
            watch.add(node)?;
        }
        for at in 0..watch.steps.len() {
            watch.settle(at)?;
        }
        Ok(watch.steps.iter().all(|step| tree.has(&step.node)).then_some(watch))
    }

    fn add(&mut self, node: &Arc<Node>) -> io::Result<usize> {
        if let Some(at) = self.steps.iter().position(|step| Arc::ptr_eq(&step.node, node)) {
            return Ok(at);
        }
        let above = match &node.above {
            Some((folder, _)) => Some(self.add(folder)?),
            None => None,
        };
        self.steps.push(Step { node: Arc::clone(node), look: Look::new(&node.file)?, above });
        Ok(self.steps.len() - 1)
    }

    fn settle(&mut self, at: usize) -> io::Result<()> {
        let Some(above) = self.steps[at].above else { return Ok(()) };
        if self.steps[at].look.is_settled() || self.steps[above].look.is_settled() {
            return Ok(());
        }
        self.steps[at].look = Look::settled(&self.steps[at].node.file)?;
        self.steps[above].look = Look::new(&self.steps[above].node.file)?;
        Ok(())
    }

    /// Returns whether the name has led to the file since the watch began.
    pub(super) fn holds(&self, tree: &Tree) -> bool {
        let is_as_before = |step: &Step| step.look.holds(&step.node.file).unwrap_or(false);
        self.steps.iter().all(|step| match step.above {
            None => true,
            Some(above) => {
                tree.has(&step.node) && (is_as_before(step) || is_as_before(&self.steps[above]))
            }
        })
    }
}
