//! The selectivity above which the whole file is faster than the selected records.

use std::fmt;

use crate::command::compare::{SELECTED, WHOLE_FILE};
use crate::document::Cell;
use crate::measure::Spread;

/// The faster arm, over the measured selectivities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BreakEven {
    /// The selected records are faster at every selectivity.
    Selected,
    /// The whole file is faster at every selectivity.
    WholeFile,
    /// The selected records are faster below this share, the whole file above it.
    At(f64),
}

impl BreakEven {
    /// Computes it from cells that differ only by their selectivity. Cells without a selectivity
    /// are left out; at least two are needed. Between two selectivities the lead is interpolated.
    /// `None` if the lead changes in another way than once from the selected records to the file.
    pub fn of<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Option<Self> {
        let mut leads: Vec<(f64, f64)> = cells.into_iter().filter_map(lead).collect();
        leads.sort_by(|left, right| left.0.total_cmp(&right.0));
        if leads.len() < 2 {
            return None;
        }
        let ahead = leads.iter().take_while(|(_, lead)| *lead > 0.0).count();
        if leads.iter().skip(ahead).any(|(_, lead)| *lead > 0.0) {
            return None;
        }
        let Some((high, after)) = leads.get(ahead) else { return Some(Self::Selected) };
        let last_ahead = ahead.checked_sub(1).and_then(|index| leads.get(index));
        let Some((low, before)) = last_ahead else { return Some(Self::WholeFile) };
        Some(Self::At(low + (high - low) * before / (before - after)))
    }
}

impl fmt::Display for BreakEven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Selected => f.write_str("the selected records are faster at every selectivity"),
            Self::WholeFile => f.write_str("the whole file is faster at every selectivity"),
            Self::At(share) => {
                write!(f, "the whole file is faster from {:.0} % of the records on", share * 100.0)
            }
        }
    }
}

/// Returns the selectivity of a cell and the lead of the selected records, in seconds.
fn lead(cell: &Cell) -> Option<(f64, f64)> {
    let median = |arm| {
        let series = cell.series.iter().find(|series| series.arm == arm)?;
        Some(Spread::seconds(&series.runs)?.median)
    };
    Some((cell.selectivity?, median(WHOLE_FILE)? - median(SELECTED)?))
}

#[cfg(test)]
mod tests {
    use crate::measure::{Run, Series};

    use super::*;

    fn cell(selectivity: f64, whole: f64, selected: f64) -> Cell {
        let series = |arm: &str, seconds| Series {
            arm: arm.to_owned(),
            runs: vec![Run { seconds, ..Run::default() }],
        };
        Cell {
            selectivity: Some(selectivity),
            series: vec![series(WHOLE_FILE, whole), series(SELECTED, selected)],
            ..Cell::default()
        }
    }

    #[test]
    fn the_lead_changes_between_two_selectivities() {
        let cells = [cell(1.0, 1.0, 1.5), cell(0.01, 1.0, 0.1), cell(0.5, 1.0, 0.75)];
        let Some(BreakEven::At(share)) = BreakEven::of(&cells) else { panic!("none found") };
        assert!((share - 2.0 / 3.0).abs() < 1e-9, "{share}");
    }

    #[test]
    fn one_arm_may_win_everywhere() {
        let ahead = [cell(0.01, 1.0, 0.1), cell(1.0, 1.0, 0.9)];
        assert_eq!(BreakEven::of(&ahead), Some(BreakEven::Selected));
        let behind = [cell(0.01, 1.0, 1.1), cell(1.0, 1.0, 1.9)];
        assert_eq!(BreakEven::of(&behind), Some(BreakEven::WholeFile));
        assert_eq!(BreakEven::of(&ahead[..1]), None);
        let later_ahead = [cell(0.01, 1.0, 1.1), cell(1.0, 1.0, 0.9)];
        assert_eq!(BreakEven::of(&later_ahead), None);
    }
}
