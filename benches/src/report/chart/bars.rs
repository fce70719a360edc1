//! Bars, one below the other: stacked ones, and pairs.

use std::fmt::Write as _;

use super::{Legend, WIDTH, colour, label, open};
use crate::command::compare::{SELECTED, WHOLE_FILE};
use crate::text;

/// A chart of bars of seconds. Each bar consists of parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bars {
    /// The names of the parts, at most six.
    pub parts: Vec<String>,
    /// The bars, each with a value for every part.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bar {
    /// The name before the bar.
    pub name: String,
    /// The seconds of its parts, not below 0.
    pub seconds: Vec<f64>,
}

/// A chart of quantities of the whole file and of the selected records. Each quantity has a scale
/// of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pairs {
    pairs: Vec<Pair>,
}

#[derive(Clone, Debug, PartialEq)]
struct Pair {
    name: String,
    values: [f64; 2],
    texts: [String; 2],
}

/// The space for a number after the longest bar.
const NUMBER: f64 = 80.0;

/// The width of a chart of pairs, which fits a telephone. `html` knows it, too.
const PAIRS_WIDTH: f64 = 460.0;

/// The height of a bar.
const HEIGHT: f64 = 18.0;

/// The distance of two bars from top to top.
const STEP: f64 = 26.0;

impl Bars {
    pub(super) fn to_svg(&self) -> String {
        const NAMES: f64 = 190.0;
        let total = |bar: &Bar| bar.seconds.iter().sum::<f64>();
        let longest = self.bars.iter().map(total).fold(f64::MIN_POSITIVE, f64::max);
        let scale = (WIDTH - NAMES - NUMBER) / longest;
        let legend = Legend::new(8.0, self.parts.iter().map(String::as_str));
        let first = 16.0 + legend.height(self.parts.len());
        #[expect(clippy::cast_precision_loss, reason = "a number of bars")]
        let top = |index: usize| first + index as f64 * STEP;
        let mut svg = open(WIDTH, top(self.bars.len()) + 8.0, &self.parts.join(", "));
        for (index, part) in self.parts.iter().enumerate() {
            let (left, middle) = legend.place(index);
            let _ = writeln!(svg, "{}", rectangle(left, middle - 5.0, 18.0, 10.0, index));
            let _ = writeln!(svg, "{}", label(left + 24.0, middle + 5.0, "start", part));
        }
        for (index, bar) in self.bars.iter().enumerate() {
            let (mut left, y) = (NAMES, top(index));
            let _ = writeln!(svg, "{}", label(left - 8.0, y + 13.0, "end", &bar.name));
            for (part, seconds) in bar.seconds.iter().enumerate() {
                let width = seconds * scale;
                let _ = writeln!(svg, "{}", rectangle(left, y, width, HEIGHT, part));
                left += width;
            }
            let sum = text::seconds(total(bar));
            let _ = writeln!(svg, "{}", label(left + 6.0, y + 13.0, "start", &sum));
        }
        svg.push_str("</svg>\n");
        svg
    }
}

impl Pairs {
    /// Adds a quantity of the whole file and of the selected records, if both are known.
    pub fn add(&mut self, name: String, values: Option<[f64; 2]>, shown: impl Fn(f64) -> String) {
        let Some(values) = values else { return };
        self.pairs.push(Pair { name, values, texts: values.map(shown) });
    }

    pub(super) fn to_svg(&self) -> String {
        const NAMES: f64 = 130.0;
        const GAP: f64 = 12.0;
        let mut body = String::new();
        let mut y = 4.0;
        for Pair { name, values, texts } in &self.pairs {
            let _ = writeln!(body, "{}", label(0.0, y + 13.0, "start", &shortened(name)));
            let longest = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
            let scale = (PAIRS_WIDTH - NAMES - NUMBER) / longest;
            let arms = [WHOLE_FILE, SELECTED].into_iter().zip(values).zip(texts);
            for (index, ((arm, value), text)) in arms.enumerate() {
                y += STEP;
                // a short bar is still seen
                let width = (value * scale).max(1.0);
                let _ = writeln!(body, "{}", label(NAMES - 8.0, y + 13.0, "end", arm));
                let _ = writeln!(body, "{}", rectangle(NAMES, y, width, HEIGHT, index));
                let _ = writeln!(body, "{}", label(NAMES + width + 6.0, y + 13.0, "start", text));
            }
            y += STEP + GAP;
        }
        let names: Vec<&str> = self.pairs.iter().map(|pair| &pair.name[..]).collect();
        let mut svg = open(PAIRS_WIDTH, y - GAP, &names.join(", "));
        svg.push_str(&body);
        svg.push_str("</svg>\n");
        svg
    }
}

/// Shortens a name so that it fits the width of a chart of pairs.
fn shortened(name: &str) -> String {
    const CHARACTERS_MAX: usize = 62;
    let count = name.chars().count();
    if count <= CHARACTERS_MAX {
        return name.to_owned();
    }
    // the quantity is at the end
    let start: String = name.chars().take(CHARACTERS_MAX - 20).collect();
    let end: String = name.chars().skip(count - 19).collect();
    format!("{start}…{end}")
}

fn rectangle(x: f64, y: f64, width: f64, height: f64, index: usize) -> String {
    let colour = colour(index);
    format!(
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height}\" \
         fill=\"{colour}\"/>"
    )
}
