//! The proof that a name led to one file for a while, whatever was renamed in the meantime.
//!
//! A descriptor and its data file have two names, so between two looks both can be exchanged for
//! others and exchanged back. Whoever renames an entry stamps the folder that it stands in, and the
//! entry itself: so an entry was where it is if it is there before and after, and one of the two has
//! the same stamps. Both are asked since a file may be written all the time, and a folder may get new
//! files all the time. Where both change all the time nothing is proved.
//!
//! What is not seen: on FAT the entry is not stamped, and of a network mount the stamps may be older
//! than the file.

use std::io;
use std::sync::Arc;

use sift_select::Look;

use super::tree::{Node, Tree, Way};

/// The looks at all entries on a way.
#[derive(Debug)]
pub(super) struct Watch {
    /// A folder stands before what is in it.
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    node: Arc<Node>,
    look: Look,
    /// The index of the folder; none of the root.
    above: Option<usize>,
}

impl Watch {
    /// Begins to watch, after every stamp on the way is old enough for a later one to differ, which
    /// takes a tick of the clock where something was just renamed. `None` if the name leads to
    /// something else by now.
    pub(super) fn begin(tree: &Tree, way: &Way) -> io::Result<Option<Self>> {
        let mut watch = Self { steps: Vec::new() };
        for node in way.links.iter().chain([&way.end]) {
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

    /// Whether the name has led to the file since the watch began.
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
