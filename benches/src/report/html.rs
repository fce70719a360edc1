//! A report as one HTML page that loads nothing: no script, no font, no picture.

use std::fmt::Write as _;

use super::Section;
use super::chart::escape;

/// Wide parts scroll in a box of their own, and are shrunk to the paper in print.
const STYLE: &str = "
:root { color-scheme: light dark; --line: #8886; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 0 auto; padding: 1rem;
  box-sizing: border-box; }
h1 { font-size: 1.1rem; font-weight: normal; opacity: 0.75; margin: 0; }
h2 { font-size: 1.15rem; margin-top: 2.5rem; }
h1, h2, p, code { overflow-wrap: anywhere; }
p { max-width: 48rem; }
.result { font-size: 1.4rem; line-height: 1.35; margin: 0.5rem 0 1.5rem; }
div { overflow-x: auto; }
pre { overflow-x: auto; padding: 0.5rem 0.75rem; border: 1px solid var(--line); font-size: 0.875rem; }
table { border-collapse: collapse; font-size: 0.8125rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem; border-bottom: 1px solid var(--line); text-align: right; }
th { vertical-align: bottom; }
td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; min-width: 5.5rem; padding-left: 0; }
td:first-child { white-space: normal; overflow-wrap: anywhere; }
svg { width: 100%; min-width: 28rem; max-width: 42rem; height: auto; display: block; margin: 1rem 0; }
svg[viewBox^=\"0 0 460 \"] { min-width: 0; max-width: 34rem; }
@media print {
  @page { size: landscape; margin: 12mm; }
  :root { color-scheme: light; }
  div, pre { overflow: visible; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  table { font-size: 0.625rem; }
  th, td { padding: 0.15rem 0.3rem; }
  h2, p { break-after: avoid; }
  svg, tr, pre { break-inside: avoid; }
  svg { max-width: 32rem; }
}
";

/// Returns the page with all sections and their charts.
pub fn render(sections: &[Section]) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Sift, measured</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>Sift, measured</h1>\n"
    );
    for section in sections {
        add(&mut out, section);
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn add(out: &mut String, section: &Section) {
    let Section { title, paragraphs, chart, notes, table, command, picture: _ } = section;
    let class = if title.is_empty() { " class=\"result\"" } else { "" };
    if !title.is_empty() {
        let _ = writeln!(out, "<h2>{}</h2>", escape(title));
    }
    for paragraph in paragraphs {
        let _ = writeln!(out, "<p{class}>{}</p>", code(&escape(paragraph)));
    }
    if let Some(chart) = chart {
        let _ = writeln!(out, "<div>{}</div>", chart.to_svg());
    }
    for note in notes {
        let _ = writeln!(out, "<p>{}</p>", code(&escape(note)));
    }
    if !table.is_empty() {
        // the keyboard scrolls what has the focus
        out.push_str("<div tabindex=\"0\"><table>\n");
        for (index, row) in table.iter().enumerate() {
            let tag = if index == 0 { "th" } else { "td" };
            add_row(out, row, tag);
        }
        out.push_str("</table></div>\n");
    }
    if !command.is_empty() {
        let _ = writeln!(out, "<pre tabindex=\"0\"><code>{}</code></pre>", escape(command));
    }
}

fn add_row(out: &mut String, row: &[String], tag: &str) {
    out.push_str("<tr>");
    for (column, cell) in row.iter().enumerate() {
        let cell = escape(cell);
        // a spread stands below its median
        let cell = if column == 0 { cell } else { cell.replace(" (", "<br>(") };
        let _ = write!(out, "<{tag}>{cell}</{tag}>");
    }
    out.push_str("</tr>\n");
}

/// Marks text in backquotes as code.
fn code(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return text.to_owned();
    }
    let tagged = parts.iter().enumerate().map(|(index, part)| match index % 2 {
        0 => (*part).to_owned(),
        _ => format!("<code>{part}</code>"),
    });
    tagged.collect()
}
