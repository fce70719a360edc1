//! A sort that can be cancelled: chunks are sorted one by one, then merged in pairs.

use std::cmp::Ordering;

use sift_files::cancel::{Stopped, spend};

/// The number of items that are sorted without a check: this takes about a millisecond.
const CHUNK_ITEMS: usize = 16 << 10;

/// The approximate number of steps of one comparison.
const COMPARE_STEPS: usize = 8;

/// Sorts items. The order of equal items is unspecified.
pub(super) fn sort_by<T: Copy>(
    items: &mut Vec<T>,
    compare: impl Fn(&T, &T) -> Ordering,
) -> Result<(), Stopped> {
    for chunk in items.chunks_mut(CHUNK_ITEMS) {
        let comparisons = chunk.len() * chunk.len().max(2).ilog2() as usize;
        spend(comparisons * COMPARE_STEPS)?;
        chunk.sort_unstable_by(&compare);
    }
    let mut merged = Vec::with_capacity(if items.len() > CHUNK_ITEMS { items.len() } else { 0 });
    let mut sorted = CHUNK_ITEMS;
    while sorted < items.len() {
        merged.clear();
        for pair in items.chunks(2 * sorted) {
            let (left, right) = pair.split_at(sorted.min(pair.len()));
            merge(left, right, &mut merged, &compare)?;
        }
        std::mem::swap(items, &mut merged);
        sorted *= 2;
    }
    Ok(())
}

fn merge<T: Copy>(
    mut left: &[T],
    mut right: &[T],
    merged: &mut Vec<T>,
    compare: &impl Fn(&T, &T) -> Ordering,
) -> Result<(), Stopped> {
    while let (Some(l), Some(r)) = (left.first(), right.first()) {
        spend(COMPARE_STEPS)?;
        if compare(r, l) == Ordering::Less {
            merged.push(*r);
            right = &right[1..];
        } else {
            merged.push(*l);
            left = &left[1..];
        }
    }
    merged.extend_from_slice(left);
    merged.extend_from_slice(right);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sift_files::cancel::Cancel;

    #[test]
    fn any_number_of_items_is_sorted() {
        let mut random = fastrand::Rng::with_seed(1);
        for count in [0, 1, 2, CHUNK_ITEMS, CHUNK_ITEMS + 1, 5 * CHUNK_ITEMS + 3] {
            let mut items: Vec<u32> = (0..count).map(|_| random.u32(0..1000)).collect();
            let mut expected = items.clone();
            expected.sort_unstable();
            sort_by(&mut items, u32::cmp).unwrap();
            assert_eq!(items, expected);
        }
    }

    #[test]
    fn sorting_is_given_up() {
        let cancel = Cancel::default();
        cancel.raise();
        let mut items: Vec<usize> = (0..8 * CHUNK_ITEMS).rev().collect();
        assert_eq!(cancel.during(|| sort_by(&mut items, usize::cmp)), Err(Stopped));
    }
}
