//! Lines over logarithmic axes.

use std::fmt::Write as _;

use super::{Legend, WIDTH, colour, label, open};
use crate::text;

/// A chart of lines over axes. Every coordinate is above 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lines {
    /// The text below the horizontal axis.
    pub x_label: String,
    /// The name of the vertical quantity.
    pub y_label: String,
    /// The unit of the vertical axis.
    pub unit: Unit,
    /// The lines.
    pub lines: Vec<Line>,
    /// The place on the horizontal axis of a vertical line, and its name.
    pub mark: Option<(f64, String)>,
}

/// The unit of an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    #[default]
    Seconds,
    /// Bytes.
    Bytes,
}

/// A line through points.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// The name in the legend.
    pub name: String,
    /// The points from left to right.
    pub points: Vec<(f64, f64)>,
    /// True if the line is dashed.
    pub is_dashed: bool,
}

const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const BOTTOM: f64 = 48.0;

/// The height of the area between the axes.
const PLOT: f64 = 272.0;

/// The width of a line.
const STROKE: f64 = 2.5;

/// A logarithmic scale of whole decades around a range.
#[derive(Clone, Copy)]
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    fn around(values: impl Iterator<Item = f64> + Clone) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min).log10().floor();
        let high = values.fold(f64::NEG_INFINITY, f64::max).log10().ceil();
        Self { low, high: if high > low { high } else { low + 1.0 } }
    }

    /// Returns the position of a value: 0 at the low end, 1 at the high end.
    fn place(self, value: f64) -> f64 {
        (value.log10() - self.low) / (self.high - self.low)
    }

    fn decades(self) -> impl Iterator<Item = f64> {
        std::iter::successors(Some(self.low), |power| Some(power + 1.0))
            .take_while(move |power| *power <= self.high)
            .map(|power| 10_f64.powf(power))
    }
}

impl Unit {
    /// Returns a power of ten: `100 ms`.
    fn tick(self, value: f64) -> String {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a power of ten from a number of bytes"
        )]
        let text = match self {
            Self::Seconds => text::seconds(value),
            Self::Bytes => text::bytes(value.round() as u64),
        };
        text.replace(".00 ", " ").replace(".0 ", " ")
    }
}

impl Lines {
    /// Returns whether two of the lines have the same horizontal places and differ by less than
    /// the width of a line.
    pub fn coincide(&self, left: &[(f64, f64)], right: &[(f64, f64)]) -> bool {
        let (across, up) = self.axes();
        let is_near = |(left, right): (&(f64, f64), &(f64, f64))| {
            let x = (across.place(left.0) - across.place(right.0)).abs() * (WIDTH - LEFT - RIGHT);
            let y = (up.place(left.1) - up.place(right.1)).abs() * PLOT;
            x < STROKE && y < STROKE
        };
        left.len() == right.len() && left.iter().zip(right).all(is_near)
    }

    fn axes(&self) -> (Axis, Axis) {
        let points = self.lines.iter().flat_map(|line| &line.points);
        (Axis::around(points.clone().map(|at| at.0)), Axis::around(points.map(|at| at.1)))
    }

    pub(super) fn to_svg(&self) -> String {
        let (across, up) = self.axes();
        let legend = Legend::new(LEFT, self.lines.iter().map(|line| &line.name[..]));
        // the name of the mark stands above the area
        let top =
            12.0 + legend.height(self.lines.len()) + if self.mark.is_some() { 16.0 } else { 0.0 };
        let bottom = top + PLOT;
        let x = |value| LEFT + across.place(value) * (WIDTH - LEFT - RIGHT);
        let y = |value| bottom - up.place(value) * PLOT;
        let mut svg =
            open(WIDTH, bottom + BOTTOM, &format!("{} against {}", self.y_label, self.x_label));
        for value in across.decades() {
            let at = x(value);
            let _ = writeln!(svg, "{}", grid(at, top, at, bottom));
            let _ = writeln!(svg, "{}", label(at, bottom + 18.0, "middle", &value.to_string()));
        }
        for value in up.decades() {
            let at = y(value);
            let _ = writeln!(svg, "{}", grid(LEFT, at, WIDTH - RIGHT, at));
            let _ = writeln!(svg, "{}", label(LEFT - 8.0, at + 4.0, "end", &self.unit.tick(value)));
        }
        if let Some((value, name)) = &self.mark {
            let at = x(*value);
            let _ = writeln!(
                svg,
                "<line x1=\"{at:.1}\" y1=\"{top}\" x2=\"{at:.1}\" y2=\"{bottom}\" \
                 stroke=\"currentColor\" stroke-dasharray=\"5 4\"/>",
            );
            let anchor = if at > WIDTH / 2.0 { "end" } else { "start" };
            let _ = writeln!(svg, "{}", label(at, top - 5.0, anchor, name));
        }
        let _ = writeln!(svg, "{}", label(WIDTH / 2.0, bottom + 40.0, "middle", &self.x_label));
        for (index, line) in self.lines.iter().enumerate() {
            let points: Vec<(f64, f64)> = line.points.iter().map(|at| (x(at.0), y(at.1))).collect();
            let _ = write!(svg, "{}", line.drawn(index, &points));
            let (left, middle) = legend.place(index);
            let _ = write!(svg, "{}", line.sample(index, left, middle));
            let _ = writeln!(svg, "{}", label(left + 34.0, middle + 5.0, "start", &line.name));
        }
        svg.push_str("</svg>\n");
        svg
    }
}

impl Line {
    fn drawn(&self, index: usize, points: &[(f64, f64)]) -> String {
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let mut svg = format!("<polyline points=\"{}\" {}/>\n", path.join(" "), self.stroke(index));
        for (x, y) in points {
            let colour = colour(index);
            let _ =
                writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>");
        }
        svg
    }

    /// Returns the entry of the legend without its name.
    fn sample(&self, index: usize, left: f64, middle: f64) -> String {
        let (right, stroke) = (left + 28.0, self.stroke(index));
        format!("<path d=\"M{left} {middle}H{right}\" {stroke}/>\n")
    }

    fn stroke(&self, index: usize) -> String {
        let dashes = if self.is_dashed { " stroke-dasharray=\"8 5\"" } else { "" };
        let colour = colour(index);
        format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"{STROKE}\"{dashes}")
    }
}

fn grid(x1: f64, y1: f64, x2: f64, y2: f64) -> String {
    format!(
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" \
         stroke=\"currentColor\" stroke-opacity=\"0.2\"/>"
    )
}
