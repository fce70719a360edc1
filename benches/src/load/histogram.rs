//! Latencies by size, exact to a thousandth, in memory that does not grow: the layout of HDR
//! histograms. Below 2048 each value has a count of its own; above, each power of two is cut into
//! 1024 equal pieces. Source: G. Tene, HdrHistogram, <https://hdrhistogram.org>.

/// Counts of values up to [`VALUE_MAX`].
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

/// A larger value is counted as this one: in microseconds 71 minutes.
pub(super) const VALUE_MAX: u64 = u32::MAX as u64;

/// Pieces of a power of two, as a power of two.
const PIECES_BITS: u32 = 10;

impl Histogram {
    pub(super) fn new() -> Self {
        Self { counts: vec![0; index(VALUE_MAX) + 1], total: 0, max: 0 }
    }

    pub(super) fn record(&mut self, value: u64) {
        let value = value.min(VALUE_MAX);
        self.counts[index(value)] += 1;
        self.total += 1;
        self.max = self.max.max(value);
    }

    /// How many values were recorded.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The smallest value that at least `percentile` of a hundred values do not exceed, rounded up
    /// to the end of its piece; 0 of no values.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count"
    )]
    pub(super) fn at_percentile(&self, percentile: f64) -> u64 {
        let wanted = (self.total as f64 * percentile / 100.0).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return last_of(index).min(self.max);
            }
        }
        self.max
    }
}

/// Which count a value belongs to.
fn index(value: u64) -> usize {
    let power = (u64::BITS - 1).saturating_sub(value.leading_zeros());
    let shift = power.saturating_sub(PIECES_BITS);
    let piece = value >> shift;
    let index = (u64::from(shift) << PIECES_BITS) + piece;
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The largest value of a count: what [`index`] does, undone.
fn last_of(index: usize) -> u64 {
    let index = index as u64;
    let shift = (index >> PIECES_BITS).saturating_sub(1);
    let piece = index - (shift << PIECES_BITS);
    ((piece + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_each_other_and_are_a_thousandth_wide() {
        let mut expected = 0;
        for at in 0..=index(VALUE_MAX) {
            let (first, last) = (expected, last_of(at));
            assert_eq!((index(first), index(last)), (at, at));
            assert!(last - first <= first / 1024, "{first} to {last}");
            expected = last + 1;
        }
        assert_eq!(expected, VALUE_MAX + 1);
    }

    #[test]
    fn percentiles_of_the_numbers_to_ten_thousand() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.at_percentile(99.0), 0);
        (1..=10_000).for_each(|value| histogram.record(value));
        for (percentile, expected) in [(0.0, 1), (50.0, 5000), (99.0, 9900), (100.0, 10_000)] {
            let found = histogram.at_percentile(percentile);
            assert!((expected..=expected + expected / 1000).contains(&found), "{found}");
        }
        histogram.record(u64::MAX);
        assert_eq!(histogram.at_percentile(100.0), VALUE_MAX);
        assert_eq!(histogram.total(), 10_001);
    }
}
