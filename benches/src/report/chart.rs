//! Charts as SVG: lines over logarithmic axes, and stacked bars. They use the colours of the page.

use std::fmt::Write as _;

use crate::text;

/// A chart.
#[derive(Clone, Debug, PartialEq)]
pub enum Chart {
    /// Lines over axes.
    Lines(Lines),
    /// Stacked bars.
    Bars(Bars),
}

/// A chart of lines over axes. Every coordinate is above 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lines {
    /// The text below the horizontal axis.
    pub x_label: String,
    /// The text next to the vertical axis.
    pub y_label: String,
    /// The lines, at most four.
    pub lines: Vec<Line>,
    /// The place on the horizontal axis of a vertical line.
    pub mark: Option<f64>,
}

/// A line through points.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// The name in the legend.
    pub name: String,
    /// The points from left to right.
    pub points: Vec<(f64, f64)>,
}

/// A chart of bars of seconds, one below the other. Each bar consists of parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bars {
    /// The names of the parts, at most four.
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

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 48.0;

/// The colours of lines and parts. Colour-blind people can distinguish them, on light and on dark
/// ground. Source: Okabe and Ito, "Color Universal Design", 2008.
const COLOURS: [&str; 4] = ["#d55e00", "#0072b2", "#009e73", "#cc79a7"];

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

impl Chart {
    /// Returns an `svg` element for a page. It uses the text colour of the page.
    pub fn to_svg(&self) -> String {
        match self {
            Self::Lines(lines) => lines.to_svg(),
            Self::Bars(bars) => bars.to_svg(),
        }
    }

    /// Returns a separate SVG file, for light and for dark ground.
    pub fn to_picture(&self) -> String {
        let style = "<style>:root { color: #1f2328; } \
                     @media (prefers-color-scheme: dark) { :root { color: #e6edf3; } }</style>";
        self.to_svg().replacen(">\n", &format!(">\n{style}\n"), 1)
    }
}

impl Lines {
    fn to_svg(&self) -> String {
        let points = self.lines.iter().flat_map(|line| &line.points);
        let (across, up) =
            (Axis::around(points.clone().map(|at| at.0)), Axis::around(points.map(|at| at.1)));
        let x = |value| LEFT + across.place(value) * (WIDTH - LEFT - RIGHT);
        let y = |value| HEIGHT - BOTTOM - up.place(value) * (HEIGHT - TOP - BOTTOM);
        let mut svg = open(HEIGHT, &format!("{} against {}", self.y_label, self.x_label));
        for value in across.decades() {
            let at = x(value);
            let (top, bottom) = (TOP, HEIGHT - BOTTOM);
            let _ = writeln!(svg, "{}", grid(at, top, at, bottom));
            let _ = writeln!(svg, "{}", label(at, bottom + 18.0, "middle", &value.to_string()));
        }
        for value in up.decades() {
            let at = y(value);
            let _ = writeln!(svg, "{}", grid(LEFT, at, WIDTH - RIGHT, at));
            let _ = writeln!(svg, "{}", label(LEFT - 8.0, at + 4.0, "end", &text::seconds(value)));
        }
        if let Some(at) = self.mark.map(x) {
            let _ = writeln!(
                svg,
                "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{}\" \
                 stroke=\"currentColor\" stroke-dasharray=\"5 4\"/>",
                HEIGHT - BOTTOM
            );
        }
        let _ = writeln!(svg, "{}", label(WIDTH / 2.0, HEIGHT - 8.0, "middle", &self.x_label));
        for (index, (line, colour)) in self.lines.iter().zip(COLOURS).enumerate() {
            let path: Vec<String> =
                line.points.iter().map(|at| format!("{:.1},{:.1}", x(at.0), y(at.1))).collect();
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"/>",
                path.join(" ")
            );
            for at in &line.points {
                let (x, y) = (x(at.0), y(at.1));
                let _ = writeln!(
                    svg,
                    "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>"
                );
            }
            let _ = writeln!(svg, "{}", legend(index, LEFT, &line.name));
        }
        svg.push_str("</svg>\n");
        svg
    }
}

impl Bars {
    fn to_svg(&self) -> String {
        const NAMES: f64 = 190.0;
        const STEP: f64 = 26.0;
        let total = |bar: &Bar| bar.seconds.iter().sum::<f64>();
        let longest = self.bars.iter().map(total).fold(f64::MIN_POSITIVE, f64::max);
        // space for the sum after the bar
        let scale = (WIDTH - NAMES - 80.0) / longest;
        #[expect(clippy::cast_precision_loss, reason = "a number of bars")]
        let top = |index: usize| 52.0 + index as f64 * STEP;
        let mut svg = open(top(self.bars.len()) + 8.0, &self.parts.join(", "));
        for (index, part) in self.parts.iter().enumerate() {
            let _ = writeln!(svg, "{}", legend(index, 8.0, part));
        }
        for (index, bar) in self.bars.iter().enumerate() {
            let (mut left, y) = (NAMES, top(index));
            let _ = writeln!(svg, "{}", label(left - 8.0, y + 13.0, "end", &bar.name));
            for (seconds, colour) in bar.seconds.iter().zip(COLOURS) {
                let width = seconds * scale;
                let _ = writeln!(
                    svg,
                    "<rect x=\"{left:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"18\" \
                     fill=\"{colour}\"/>"
                );
                left += width;
            }
            let sum = text::seconds(total(bar));
            let _ = writeln!(svg, "{}", label(left + 6.0, y + 13.0, "start", &sum));
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn open(height: f64, about: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"{}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"currentColor\">\n",
        escape(about)
    )
}

/// Returns the legend of one colour, two in a row.
fn legend(index: usize, left: f64, name: &str) -> String {
    let colour = COLOURS[index % COLOURS.len()];
    #[expect(clippy::cast_precision_loss, reason = "at most four")]
    let (x, y) = (left + (index % 2) as f64 * 280.0, 8.0 + (index / 2) as f64 * 18.0);
    format!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"18\" height=\"4\" fill=\"{colour}\"/>{}",
        label(x + 24.0, y + 7.0, "start", name)
    )
}

fn grid(x1: f64, y1: f64, x2: f64, y2: f64) -> String {
    format!(
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" \
         stroke=\"currentColor\" stroke-opacity=\"0.2\"/>"
    )
}

fn label(x: f64, y: f64, anchor: &str, label: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escape(label))
}

/// Escapes a text for markup.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
