//! The words of a report: names of files, links and levels, and figures inside of sentences.

use crate::document::Cell;
use crate::link::Link;

/// Returns the name of the file of `cell`, with its format if the name does not tell it.
pub(super) fn file(cell: &Cell) -> String {
    let Cell { file, format, .. } = cell;
    if file.is_empty() {
        return format!("the file ({format})");
    }
    match file.rsplit_once('.') {
        Some((_, ending)) if ending == format => file.clone(),
        _ => format!("{file} ({format})"),
    }
}

/// Returns the name of a link: `loopback`, `100 Mbit/s`, `the link as it is`.
pub(super) fn link(link: &str) -> String {
    let Ok(Link { rate: Some(rate), round_trip }) = link.parse() else {
        return if link == "as it is" { format!("the link {link}") } else { link.to_owned() };
    };
    let rate = rate.replace("gbit", " Gbit/s").replace("mbit", " Mbit/s");
    match round_trip {
        Some(time) => format!("{rate} and {} ms", time.trim_end_matches("ms")),
        None => rate,
    }
}

/// Returns a share as percent, with two digits at most: `1.8 %`.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let decimals = match percent {
        percent if percent >= 9.95 || percent <= 0.0 => 0,
        percent if percent >= 0.995 => 1,
        percent if percent >= 0.0995 => 2,
        _ => 3,
    };
    let digits = format!("{percent:.decimals$}");
    let digits = match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.'),
        false => &digits,
    };
    format!("{} %", if digits == "0" && percent > 0.0 { "less than 0.001" } else { digits })
}

/// Returns a ratio above 1 with two digits: `1.2`, `12`.
pub(super) fn times(ratio: f64) -> String {
    let decimals = usize::from(ratio < 9.95);
    format!("{ratio:.decimals$}")
}

/// Joins words: `3, 4 and 5`.
pub(super) fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}

/// Returns `level 3`, `levels 3 and 5`.
pub(super) fn levels(levels: &[String]) -> String {
    format!("level{} {}", if levels.len() == 1 { "" } else { "s" }, list(levels))
}

/// Returns `text` marked as code for a paragraph, shortened if it is long.
pub(super) fn code(text: &str) -> String {
    const CHARACTERS_MAX: usize = 80;
    let mut short: String = text.chars().take(CHARACTERS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    // backquotes mark code, and cannot be inside of it
    format!("`{}`", short.replace('`', "'"))
}
