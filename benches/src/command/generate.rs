//! The subcommand `sift-bench generate`, which makes the files for all measurements.

use std::fs;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use crate::Result;
use crate::lineitem::{Format, Lineitem, orders};

/// Makes `lineitem` at `scale` in `folder`, in each of `formats`. It shows its progress on standard
/// error if that is a terminal.
///
/// # Errors
/// An error of the operating system about the files.
pub fn run(folder: &Path, formats: &[Format], scale: f64) -> Result<Vec<Lineitem>> {
    fs::create_dir_all(folder)?;
    let bar = ProgressBar::new(orders(scale) * formats.len() as u64)
        .with_style(ProgressStyle::with_template("generating lineitem {wide_bar} {percent:>3} %")?);
    let made = formats.iter().map(|&format| Lineitem::generate(folder, format, scale, &bar));
    let made = made.collect::<std::io::Result<Vec<_>>>()?;
    bar.finish_and_clear();
    Ok(made)
}

/// Returns the file of `format` in `folder`. It is made if it is missing or has another scale.
///
/// # Errors
/// The errors of [`run`].
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
