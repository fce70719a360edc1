//! A report as one HTML page that loads nothing: no script, no font, no picture.

use std::fmt::Write as _;

use super::Section;
use super::chart::escape;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
div { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 0.7rem; border-bottom: 1px solid var(--line); text-align: right; }
th { vertical-align: bottom; }
td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; min-width: 7rem; }
svg { width: 100%; min-width: 28rem; max-width: 42rem; height: auto; display: block; margin: 1rem 0; }
p, code { overflow-wrap: anywhere; }
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
        let _ = writeln!(out, "<h2>{}</h2>", escape(&section.title));
        for paragraph in &section.paragraphs {
            let _ = writeln!(out, "<p>{}</p>", code(&escape(paragraph)));
        }
        if let Some(chart) = &section.chart {
            let _ = writeln!(out, "<div>{}</div>", chart.to_svg());
        }
        if !section.table.is_empty() {
            out.push_str("<div><table>\n");
            for (index, row) in section.table.iter().enumerate() {
                let tag = if index == 0 { "th" } else { "td" };
                out.push_str("<tr>");
                for cell in row {
                    // a spread stands below its median
                    let cell = escape(cell).replace(" (", "<br>(");
                    let _ = write!(out, "<{tag}>{cell}</{tag}>");
                }
                out.push_str("</tr>\n");
            }
            out.push_str("</table></div>\n");
        }
    }
    out.push_str("</body>\n</html>\n");
    out
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
