//! The subcommand `sift-bench report`: a page, a summary and charts from the JSON of one or more
//! runs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::document::{Document, VERSION};
use crate::report::{Section, html, markdown, sections};

/// Reads `documents` and writes `report.html`, `report.md` and an SVG file for each chart into
/// `folder`. Returns the written files.
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
    for Section { chart, picture, .. } in &sections {
        let Some(chart) = chart else { continue };
        let name = file_name(picture);
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        let paths = names.by_ref().map(|name| folder.join(name + ".svg"));
        let is_free = |path: &PathBuf| files.iter().all(|(other, _)| other != path);
        let path = paths.take(sections.len()).find(is_free);
        files.extend(path.map(|path| (path, chart.to_picture())));
    }
    for (path, text) in &files {
        fs::write(path, text)?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

/// Returns the name of a file from words: small letters and digits with hyphens between them.
fn file_name(words: &str) -> String {
    const CHARACTERS_MAX: usize = 100;
    let is_part = |character: char| character.is_ascii_alphanumeric();
    let parts = words.split(|character| !is_part(character)).filter(|part| !part.is_empty());
    let name = parts.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    name.chars().take(CHARACTERS_MAX).collect()
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
