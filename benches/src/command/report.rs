//! The subcommand `sift-bench report`: a page, a summary and charts from the JSON of one or more
//! runs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::document::{Document, VERSION};
use crate::report::{Section, html, markdown, sections};

/// Reads `documents` and writes `report.html`, `report.md` and `chart-N.svg` into `folder`. Returns
/// the written files.
///
/// # Errors
/// A fault in a document, or an error of the operating system.
pub fn run(documents: &[PathBuf], folder: &Path) -> Result<Vec<PathBuf>> {
    let documents = documents.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?;
    let sections = sections(&documents);
    fs::create_dir_all(folder)?;
    let mut files = vec![
        (folder.join("report.html"), html::render(&sections)),
        (folder.join("report.md"), markdown::render(&sections)),
    ];
    let charts = sections.iter().filter_map(|Section { chart, .. }| chart.as_ref());
    files.extend(charts.enumerate().map(|(index, chart)| {
        (folder.join(format!("chart-{}.svg", index + 1)), chart.to_picture())
    }));
    for (path, text) in &files {
        fs::write(path, text)?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

fn read(path: &Path) -> Result<Document> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| named(&error))?;
    let document: Document = serde_json::from_str(&text).map_err(|error| named(&error))?;
    if document.sift_bench != VERSION {
        let version = document.sift_bench;
        return Err(
            named(&format!("document version {version}, this program reads {VERSION}")).into()
        );
    }
    Ok(document)
}
