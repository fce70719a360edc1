//! A report as Markdown, for a README or an issue.

use std::fmt::Write as _;

use super::Section;

/// The sections without their charts.
pub fn render(sections: &[Section]) -> String {
    let mut out = String::from("# Sift, measured\n");
    for section in sections {
        if !section.title.is_empty() {
            let _ = write!(out, "\n## {}\n", section.title);
        }
        for paragraph in section.paragraphs.iter().chain(&section.notes) {
            let _ = write!(out, "\n{paragraph}\n");
        }
        if !section.command.is_empty() {
            let fence = fence(&section.command);
            let _ = write!(out, "\n{fence}sh\n{}\n{fence}\n", section.command);
        }
        for (index, row) in section.table.iter().enumerate() {
            if index == 0 {
                out.push('\n');
            }
            let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
            if index == 0 {
                let _ = writeln!(out, "| --- |{}", " ---: |".repeat(row.len().saturating_sub(1)));
            }
        }
    }
    out
}

/// Returns a fence that is not inside of `code`.
fn fence(code: &str) -> String {
    let longest = code.split(|character| character != '`').map(str::len).max();
    "`".repeat(longest.unwrap_or(0).max(2) + 1)
}
