//! The memory that a query, and all queries of a process together, may take.
//!
//! Only memory that grows with the data is counted: groups, distinct values, and records to be
//! sorted. The memory of other blocks and batches is bounded by the number of morsels in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A bound on memory that several reservations share.
#[derive(Debug)]
pub struct MemoryBudget {
    /// The name of the setting, for the message at the limit.
    key: &'static str,
    bytes_max: usize,
    bytes: AtomicUsize,
    /// The budget in which each reservation counts, too.
    within: Option<Arc<Self>>,
}

impl MemoryBudget {
    /// Makes a budget of `bytes_max`. The error at this limit names the setting `key`.
    pub fn new(key: &'static str, bytes_max: usize) -> Self {
        Self { key, bytes_max, bytes: AtomicUsize::new(0), within: None }
    }

    /// Returns the budget as a part of another.
    #[must_use]
    pub fn within(self, budget: Arc<Self>) -> Self {
        Self { within: Some(budget), ..self }
    }

    /// Returns the bytes that are reserved now.
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

/// The error of a budget that has too little memory left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    pub(crate) key: &'static str,
    pub(crate) bytes_max: usize,
}

/// A part of a budget, released when it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<MemoryBudget>,
    bytes: usize,
}

impl Reservation {
    /// Makes a reservation of no bytes.
    pub(crate) fn new(budget: Arc<MemoryBudget>) -> Self {
        Self { budget, bytes: 0 }
    }

    /// Changes its size; making it smaller never fails. A failure changes nothing.
    pub(crate) fn resize(&mut self, bytes: usize) -> Result<(), Exceeded> {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.budget.add(more)?,
            None => self.budget.remove(self.bytes - bytes),
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Moves all its bytes into a new reservation.
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
