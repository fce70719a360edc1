//! How much memory a query may hold, and all queries of a process together.
//!
//! Only what grows with the data is counted: groups, distinct values, records that wait to be
//! sorted. Blocks and batches on their way are bounded by the number of morsels in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A bound on memory, shared by all who reserve some of it.
#[derive(Debug)]
pub struct MemoryBudget {
    /// What the setting is called, for the message of who meets it.
    key: &'static str,
    bytes_max: usize,
    bytes: AtomicUsize,
    /// Whatever is reserved here is reserved there too.
    within: Option<Arc<Self>>,
}

impl MemoryBudget {
    /// A budget of `bytes_max`. Who meets it is told to raise the setting `key`.
    pub fn new(key: &'static str, bytes_max: usize) -> Self {
        Self { key, bytes_max, bytes: AtomicUsize::new(0), within: None }
    }

    /// A budget that is also part of another.
    #[must_use]
    pub fn within(self, budget: Arc<Self>) -> Self {
        Self { within: Some(budget), ..self }
    }

    /// Bytes that are reserved now.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    fn add(&self, bytes: usize) -> Result<(), Exceeded> {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let own = match before.checked_add(bytes).is_some_and(|sum| sum <= self.bytes_max) {
            true => Ok(()),
            false => Err(Exceeded { key: self.key, bytes_max: self.bytes_max }),
        };
        let all = own.and_then(|()| self.within.as_ref().map_or(Ok(()), |all| all.add(bytes)));
        if all.is_err() {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        all
    }

    fn remove(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(all) = &self.within {
            all.remove(bytes);
        }
    }
}

/// A budget has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    pub(crate) key: &'static str,
    pub(crate) bytes_max: usize,
}

/// A part of a budget; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<MemoryBudget>,
    bytes: usize,
}

impl Reservation {
    /// Of no bytes yet.
    pub(crate) fn new(budget: Arc<MemoryBudget>) -> Self {
        Self { budget, bytes: 0 }
    }

    /// Makes it so large; to make it smaller never fails. What fails changes nothing.
    pub(crate) fn resize(&mut self, bytes: usize) -> Result<(), Exceeded> {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.budget.add(more)?,
            None => self.budget.remove(self.bytes - bytes),
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Moves all that it holds into a reservation of its own.
    pub(crate) fn take(&mut self) -> Self {
        let bytes = std::mem::take(&mut self.bytes);
        Self { budget: Arc::clone(&self.budget), bytes }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.remove(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_counts_in_the_whole() {
        let all = Arc::new(MemoryBudget::new("all", 100));
        let one = Arc::new(MemoryBudget::new("one", 60).within(Arc::clone(&all)));
        let two = Arc::new(MemoryBudget::new("two", 60).within(Arc::clone(&all)));
        let mut first = Reservation::new(one);
        let mut second = Reservation::new(two);
        first.resize(60).unwrap();
        assert_eq!(first.resize(61), Err(Exceeded { key: "one", bytes_max: 60 }));
        assert_eq!(second.resize(41), Err(Exceeded { key: "all", bytes_max: 100 }));
        assert_eq!(all.bytes(), 60);
        second.resize(40).unwrap();
        let taken = first.take();
        first.resize(0).unwrap();
        assert_eq!(all.bytes(), 100);
        drop(taken);
        assert_eq!(all.bytes(), 40);
        drop(second);
        assert_eq!(all.bytes(), 0);
    }
}
