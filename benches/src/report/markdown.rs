//! A report as Markdown, for a README or an issue.

use std::fmt::Write as _;

use super::Section;

/// The sections without their charts.
pub fn render(sections: &[Section]) -> String {
    let mut out = String::from("# Sift, measured\n");
    for section in sections {
        let _ = write!(out, "\n## {}\n", section.title);
        for paragraph in &section.paragraphs {
            let _ = write!(out, "\n{paragraph}\n");
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
