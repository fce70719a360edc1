//! Charts as SVG: lines over logarithmic axes, and bars. They use the colours of the page.

mod bars;
mod lines;

pub use bars::{Bar, Bars, Pairs};
pub use lines::{Line, Lines, Unit};

/// A chart.
#[derive(Clone, Debug, PartialEq)]
pub enum Chart {
    /// Lines over axes.
    Lines(Lines),
    /// Stacked bars.
    Bars(Bars),
    /// Pairs of bars.
    Pairs(Pairs),
}

const WIDTH: f64 = 640.0;

/// The height of a row of a legend.
const LEGEND: f64 = 18.0;

/// The colours of lines and parts. Colour-blind people can distinguish them, on light and on dark
/// ground. Source: Okabe and Ito, "Color Universal Design", 2008.
const COLOURS: [&str; 6] = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"];

impl Chart {
    /// Returns an `svg` element for a page. It uses the text colour of the page.
    pub fn to_svg(&self) -> String {
        match self {
            Self::Lines(lines) => lines.to_svg(),
            Self::Bars(bars) => bars.to_svg(),
            Self::Pairs(pairs) => pairs.to_svg(),
        }
    }

    /// Returns a separate SVG file, for light and for dark ground.
    pub fn to_picture(&self) -> String {
        let style = "<style>:root { color: #1f2328; } \
                     @media (prefers-color-scheme: dark) { :root { color: #e6edf3; } }</style>";
        self.to_svg().replacen(">\n", &format!(">\n{style}\n"), 1)
    }
}

fn open(width: f64, height: f64, about: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"{}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"currentColor\">\n",
        escape(about)
    )
}

/// The place of the rows of a legend.
#[derive(Clone, Copy)]
struct Legend {
    left: f64,
    /// The number of entries in a row.
    columns: usize,
}

impl Legend {
    /// Returns a legend with two entries in a row, or one if a name is long.
    fn new<'a>(left: f64, mut names: impl Iterator<Item = &'a str>) -> Self {
        const CHARACTERS_MAX: usize = 36;
        let is_long = names.any(|name| name.chars().count() > CHARACTERS_MAX);
        Self { left, columns: if is_long { 1 } else { 2 } }
    }

    /// Returns the height of all rows.
    #[expect(clippy::cast_precision_loss, reason = "a number of rows")]
    fn height(self, entries: usize) -> f64 {
        entries.div_ceil(self.columns) as f64 * LEGEND
    }

    /// Returns the place of an entry: left and middle.
    #[expect(clippy::cast_precision_loss, reason = "a number of entries")]
    fn place(self, index: usize) -> (f64, f64) {
        let (row, column) = (index / self.columns, index % self.columns);
        (self.left + column as f64 * 280.0, 10.0 + row as f64 * LEGEND)
    }
}

fn colour(index: usize) -> &'static str {
    COLOURS[index % COLOURS.len()]
}

fn label(x: f64, y: f64, anchor: &str, label: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escape(label))
}

/// Escapes a text for markup.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
