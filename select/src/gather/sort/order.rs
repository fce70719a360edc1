//! A merge sort in steps: chunks are sorted one by one, then merged in pairs.

use std::cmp::Ordering;

use crate::gather::pace::Pace;
use sift_files::cancel::{Stopped, spend};

/// The number of items that are sorted or merged without a check: this takes at most some
/// milliseconds.
const CHUNK_ITEMS: usize = 8 << 10;

/// The approximate number of steps of one comparison.
pub(super) const COMPARE_STEPS: usize = 8;

/// Items that are being sorted.
#[derive(Debug)]
pub(crate) struct MergeSort<T> {
    items: Vec<T>,
    /// The result of the current pass over the items, as far as it is done.
    merged: Vec<T>,
    /// The length of the sorted chunks; 0 while the first chunks are being sorted.
    sorted: usize,
    /// The next items to be merged, of the left and of the right chunk of a pair. While the first
    /// chunks are being sorted, `left` is the number of sorted items.
    left: usize,
    right: usize,
}

impl<T: Copy> MergeSort<T> {
    /// Makes a sort without items.
    pub(crate) fn new() -> Self {
        Self { items: Vec::new(), merged: Vec::new(), sorted: 0, left: 0, right: 0 }
    }

    /// Adds items, before the first [`step`](Self::step).
    pub(crate) fn extend(&mut self, items: impl IntoIterator<Item = T>) {
        self.items.extend(items);
    }

    /// Returns the items, sorted after `step` has returned true.
    pub(crate) fn items(&self) -> &[T] {
        &self.items
    }

    /// Returns the items as [`items`](Self::items) does.
    pub(crate) fn into_items(self) -> Vec<T> {
        self.items
    }

    /// Sorts until the step is over; returns true at the end. The order of equal items is
    /// unspecified. Each step needs the same comparison.
    pub(crate) fn step(
        &mut self,
        pace: &Pace,
        compare: impl Fn(&T, &T) -> Ordering,
    ) -> Result<bool, Stopped> {
        while self.sorted == 0 {
            let rest = &mut self.items[self.left..];
            let chunk = CHUNK_ITEMS.min(rest.len());
            spend(chunk * chunk.max(2).ilog2() as usize * COMPARE_STEPS)?;
            rest[..chunk].sort_unstable_by(&compare);
            self.left += chunk;
            if self.left == self.items.len() {
                self.start_pass(CHUNK_ITEMS);
            } else if pace.is_over() {
                return Ok(false);
            }
        }
        while self.sorted < self.items.len() {
            self.merge_some(&compare)?;
            if self.merged.len() == self.items.len() {
                std::mem::swap(&mut self.items, &mut self.merged);
                self.start_pass(2 * self.sorted);
            } else if pace.is_over() {
                return Ok(false);
            }
        }
        self.merged = Vec::new();
        Ok(true)
    }

    /// Starts the next pass, which merges chunks of `sorted` items.
    fn start_pass(&mut self, sorted: usize) {
        (self.sorted, self.left, self.right) = (sorted, 0, sorted.min(self.items.len()));
        self.merged.clear();
        self.merged.reserve_exact(if sorted < self.items.len() { self.items.len() } else { 0 });
    }

    /// Merges up to `CHUNK_ITEMS` items of a pair of chunks.
    fn merge_some(&mut self, compare: &impl Fn(&T, &T) -> Ordering) -> Result<(), Stopped> {
        let length = self.items.len();
        let pair = self.merged.len() / (2 * self.sorted) * (2 * self.sorted);
        let left_end = (pair + self.sorted).min(length);
        let right_end = (pair + 2 * self.sorted).min(length);
        spend(CHUNK_ITEMS * COMPARE_STEPS)?;
        let end = (self.merged.len() + CHUNK_ITEMS).min(right_end);
        let (mut left, mut right) =
            (&self.items[self.left..left_end], &self.items[self.right..right_end]);
        let ends = left.last().zip(right.first());
        let is_sorted = ends.is_some_and(|(l, r)| compare(r, l) != Ordering::Less);
        while let (Some(l), Some(r)) = (left.first(), right.first())
            && self.merged.len() < end
            && !is_sorted
        {
            if compare(r, l) == Ordering::Less {
                self.merged.push(*r);
                right = &right[1..];
            } else {
                self.merged.push(*l);
                left = &left[1..];
            }
        }
        // one of them is empty, or comes before the other, or there are enough
        for rest in [&mut left, &mut right] {
            let more = rest.len().min(end - self.merged.len());
            self.merged.extend_from_slice(&rest[..more]);
            *rest = &rest[more..];
        }
        (self.left, self.right) = (left_end - left.len(), right_end - right.len());
        if self.merged.len() == right_end {
            (self.left, self.right) = (right_end, (right_end + self.sorted).min(length));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use sift_files::cancel::Cancel;

    #[test]
    fn any_number_of_items_is_sorted_in_steps() {
        let mut random = fastrand::Rng::with_seed(1);
        for count in [0, 1, 2, CHUNK_ITEMS, CHUNK_ITEMS + 1, 5 * CHUNK_ITEMS + 3] {
            for values_max in [1, 1000, u32::MAX] {
                let mut items: Vec<u32> = (0..count).map(|_| random.u32(0..values_max)).collect();
                if values_max == 1 {
                    // two sorted parts
                    items = (0..).take(count / 3).chain((0..).take(count - count / 3)).collect();
                }
                let mut expected = items.clone();
                expected.sort_unstable();
                let mut sort = MergeSort::new();
                sort.extend(items);
                let mut steps = 1;
                while !sort.step(&Pace::new(Duration::ZERO), u32::cmp).unwrap() {
                    steps += 1;
                }
                assert_eq!(sort.into_items(), expected);
                assert!(steps * CHUNK_ITEMS >= count, "{steps} steps for {count} items");
            }
        }
    }

    #[test]
    fn sorting_is_given_up() {
        let cancel = Cancel::default();
        cancel.raise();
        let mut sort = MergeSort::new();
        sort.extend((0..8 * CHUNK_ITEMS).rev());
        let sorted = cancel.during(|| sort.step(&Pace::unlimited(), usize::cmp));
        assert_eq!(sorted, Err(Stopped));
    }
}
