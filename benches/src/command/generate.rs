//! `sift-bench generate`: the files that everything else is measured on.

use std::fs;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use crate::Result;
use crate::lineitem::{Format, Lineitem, orders};

/// Makes `lineitem` at `scale` in `folder`, in every one of `formats`, and tells how far it is on
/// standard error when that is a terminal.
///
/// # Errors
/// What the operating system says about the files.
pub fn run(folder: &Path, formats: &[Format], scale: f64) -> Result<Vec<Lineitem>> {
    fs::create_dir_all(folder)?;
    let bar = ProgressBar::new(orders(scale) * formats.len() as u64)
        .with_style(ProgressStyle::with_template("generating lineitem {wide_bar} {percent:>3} %")?);
    let made = formats.iter().map(|&format| Lineitem::generate(folder, format, scale, &bar));
    let made = made.collect::<std::io::Result<Vec<_>>>()?;
    bar.finish_and_clear();
    Ok(made)
}

/// The file of `format` in `folder`, made unless it is there. A file of another scale is made anew.
///
/// # Errors
/// As [`run`].
pub fn reuse(folder: &Path, format: Format, scale: f64) -> Result<Lineitem> {
    let stamp = folder.join(format!("{}.scale", format.file_name()));
    let wanted = scale.to_string();
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted)
        && let Ok(found) = Lineitem::found(folder, format)
    {
        return Ok(found);
    }
    let _ = fs::remove_file(&stamp);
    let made = run(folder, &[format], scale)?.pop().ok_or("nothing was made")?;
    fs::write(&stamp, wanted)?;
    Ok(made)
}
