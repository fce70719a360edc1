//! Figures for people: tables and units.

use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use crate::document::Cell;
use crate::measure::Spread;

/// A cell as a small table: each arm's time with its spread, its rate over the file, and its rate
/// as a share of the first arm's.
pub fn floors(cell: &Cell) -> String {
    let mut text = format!("{}, {}: {}\n", cell.format, bytes(cell.file_bytes), cell.title);
    let mut table = table(["", "median", "fastest", "slowest", "rate", "of the first"]);
    let first = cell.series.first().and_then(|series| Spread::seconds(&series.runs));
    for series in &cell.series {
        let Some(time) = Spread::seconds(&series.runs) else { continue };
        let share = first.map_or(1.0, |first| first.median / time.median);
        table.add_row([
            series.arm.clone(),
            seconds(time.median),
            seconds(time.min),
            seconds(time.max),
            rate(cell.file_bytes, time.median),
            format!("{:.0} %", share * 100.0),
        ]);
    }
    let _ = writeln!(text, "{table}");
    text
}

/// A table without lines, with all columns but the first to the right.
pub fn table<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Decimal units, three digits: `960 MB`.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn bytes(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64;
    let mut unit = "B";
    for larger in ["kB", "MB", "GB", "TB"] {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = larger;
    }
    format!("{} {unit}", three_digits(value))
}

/// `0.066 s`, `66 ms` where it is short.
pub fn seconds(seconds: f64) -> String {
    if seconds < 1e-3 {
        return format!("{} µs", three_digits(seconds * 1e6));
    }
    if seconds < 1.0 {
        return format!("{} ms", three_digits(seconds * 1e3));
    }
    format!("{} s", three_digits(seconds))
}

/// Bytes a second.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn rate(bytes: u64, seconds: f64) -> String {
    format!("{} GB/s", three_digits(bytes as f64 / seconds / 1e9))
}

/// A whole number with its thousands apart: `6 001 215`.
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn three_digits(value: f64) -> String {
    let decimals = match value {
        value if value >= 99.95 => 0,
        value if value >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_whatever_the_size() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(960_194_400), "960 MB");
        assert_eq!(bytes(1_500), "1.50 kB");
        assert_eq!(seconds(0.0661), "66.1 ms");
        assert_eq!(seconds(2.345), "2.35 s");
        assert_eq!(rate(960_194_400, 0.066), "14.5 GB/s");
        assert_eq!(count(6_001_215), "6 001 215");
        assert_eq!(count(12), "12");
    }
}
