//! The display of figures for people: tables and units.

use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use crate::break_even::BreakEven;
use crate::document::{Cell, Channel, Crowd, Fairness, Load, by_question};
use crate::load::{Handshakes, Outcome};
use crate::measure::{Run, Spread};

/// Returns a cell as a small table: the time of each arm with its spread, its rate over the file,
/// and its rate as a share of the first arm's rate.
pub fn floors(cell: &Cell) -> String {
    let size =
        if cell.file_bytes > 0 { format!(", {}", bytes(cell.file_bytes)) } else { String::new() };
    let mut text = format!("{}{size}: {}\n", cell.format, cell.title);
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
            cell_rate(cell, time.median),
            format!("{:.0} %", share * 100.0),
        ]);
    }
    let _ = writeln!(text, "{table}");
    text
}

/// Returns a cell of `sift-bench compare` as a small table with the figures of each arm.
pub fn compare(cell: &Cell) -> String {
    let channel = cell.channel.as_ref().map(Channel::name).unwrap_or_default();
    let share = cell.selectivity.map_or_else(String::new, |share| {
        format!(", {} % of the records", three_digits(share * 100.0))
    });
    let mut text = format!(
        "{} ({}), {}{share}; {channel}, link {}\n",
        cell.format,
        bytes(cell.file_bytes),
        cell.title,
        cell.link
    );
    let mut table = table([
        "",
        "median",
        "fastest",
        "slowest",
        "first record",
        "encrypted",
        "on the wire",
        "CPU server",
        "client",
        "memory server",
        "client",
    ]);
    for series in &cell.series {
        let Some(time) = Spread::seconds(&series.runs) else { continue };
        let runs = &series.runs;
        table.add_row([
            series.arm.clone(),
            seconds(time.median),
            seconds(time.min),
            seconds(time.max),
            median_seconds(runs, |run| run.first_seconds),
            largest(runs, |run| run.bytes_sent),
            largest(runs, |run| run.bytes_wire),
            mean_seconds(runs, |run| run.server_cpu_seconds),
            mean_seconds(runs, |run| run.client_cpu_seconds),
            largest(runs, |run| run.server_bytes_max),
            largest(runs, |run| run.client_bytes_max),
        ]);
    }
    let _ = writeln!(text, "{table}");
    text
}

/// Returns the break-even selectivity for each format, channel and link among `cells`.
pub fn break_evens(cells: &[Cell]) -> String {
    let mut text = String::new();
    for group in by_question(cells) {
        let (Some(cell), Some(found)) = (group.first(), BreakEven::of(group.iter().copied()))
        else {
            continue;
        };
        let channel = cell.channel.as_ref().map(Channel::name).unwrap_or_default();
        let _ = writeln!(text, "{channel}, {}, link {}: {found}", cell.format, cell.link);
    }
    text
}

/// Returns the light Selects beside one crowd of heavy ones as a small table.
pub fn crowd(crowd: &Crowd) -> String {
    let Crowd { kind, selects, seconds: together, light } = crowd;
    let mut text = format!("{selects} {kind}, {} together\n", seconds(*together));
    let mut table = table(["", "alone p50", "p99", "beside p50", "p99", "times p50", "p99"]);
    for Fairness { select, alone, beside } in light {
        let at = |outcome: &Outcome, percentile| {
            #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
            let shown = |micros: u64| micros as f64 / 1e6;
            outcome.percentile(percentile).filter(|_| outcome.answers > 0).map(shown)
        };
        let shown = |outcome, percentile| at(outcome, percentile).map_or("none".into(), seconds);
        let times = |percentile| {
            let times = at(beside, percentile).zip(at(alone, percentile));
            times.map_or_else(String::new, |(beside, alone)| three_digits(beside / alone))
        };
        table.add_row([
            select.clone(),
            shown(alone, "50"),
            shown(alone, "99"),
            shown(beside, "50"),
            shown(beside, "99"),
            times("50"),
            times("99"),
        ]);
    }
    let _ = writeln!(text, "{table}");
    text
}

/// Returns a step of a load in one or two lines.
pub fn load(load: &Load) -> String {
    let outcome = &load.outcome;
    let at = |percentile| {
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let shown = |micros: u64| seconds(micros as f64 / 1e6);
        outcome.percentile(percentile).map_or_else(String::new, shown)
    };
    let pace = outcome.rate_intended.map_or_else(String::new, |rate| format!(" at {rate}/s"));
    let mut text = format!(
        "{}, {} sessions{pace}: {:.0} answers/s, p50 {}, p90 {}, p99 {}, p99.9 {}, max {}",
        load.arm,
        outcome.sessions,
        outcome.rate(),
        at("50"),
        at("90"),
        at("99"),
        at("99.9"),
        at("100")
    );
    if let Some([first, .., last]) = load.samples.get(..) {
        let cores = (last.cpu_seconds - first.cpu_seconds) / (last.seconds - first.seconds);
        let memory = load.samples.iter().map(|sample| sample.resident_bytes).max().unwrap_or(0);
        let _ = write!(
            text,
            "; server {cores:.2} cores, {}, {} descriptors",
            bytes(memory),
            last.descriptors
        );
    }
    let Handshakes { full, resumed } = load.handshakes;
    if full + resumed > 0 {
        let _ = write!(text, "\n  {full} full handshakes, {resumed} resumed");
    }
    for (kind, count) in &outcome.failures {
        let _ = write!(text, "\n  {count} failed: {kind}");
    }
    if outcome.missed > 0 {
        let _ = write!(text, "\n  {} were due and never asked", outcome.missed);
    }
    text
}

fn largest(runs: &[Run], quantity: impl Fn(&Run) -> Option<u64>) -> String {
    runs.iter().filter_map(quantity).max().map_or_else(|| "-".to_owned(), bytes)
}

fn median_seconds(runs: &[Run], quantity: impl Fn(&Run) -> Option<f64>) -> String {
    let spread = Spread::of(runs.iter().filter_map(quantity));
    spread.map_or_else(|| "-".to_owned(), |spread| seconds(spread.median))
}

fn mean_seconds(runs: &[Run], quantity: impl Fn(&Run) -> Option<f64>) -> String {
    let mean = Spread::mean(runs.iter().filter_map(quantity));
    mean.map_or_else(|| "-".to_owned(), seconds)
}

/// Makes a table without lines. All columns except the first are aligned to the right.
pub fn table<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Formats bytes with decimal units and three digits: `960 MB`.
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

/// Formats seconds: `0.066 s`, or `66 ms` for short times.
pub fn seconds(seconds: f64) -> String {
    if seconds == 0.0 {
        return "0 s".to_owned();
    }
    if seconds < 1e-3 {
        return format!("{} µs", three_digits(seconds * 1e6));
    }
    if seconds < 0.9995 {
        return format!("{} ms", three_digits(seconds * 1e3));
    }
    format!("{} s", three_digits(seconds))
}

/// Returns the rate of a cell whose run took `seconds`: handshakes a second if they were counted,
/// else the bytes of the file a second.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn cell_rate(cell: &Cell, seconds: f64) -> String {
    match cell.handshakes {
        Some(count) => format!("{:.0}/s", count as f64 / seconds),
        None => rate(cell.file_bytes, seconds),
    }
}

/// Formats a rate in bytes a second; empty without bytes.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn rate(bytes: u64, seconds: f64) -> String {
    if bytes == 0 {
        return String::new();
    }
    format!("{} GB/s", three_digits(bytes as f64 / seconds / 1e9))
}

/// Formats the ratio of `large` to `small`: `91 ×`.
pub fn ratio(large: f64, small: f64) -> String {
    if small > 0.0 { format!("{} ×", three_digits(large / small)) } else { String::new() }
}

/// Formats a ratio like [`ratio`].
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn bytes_ratio(large: u64, small: u64) -> String {
    ratio(large as f64, small as f64)
}

/// Formats an integer with spaces between thousands: `6 001 215`.
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
        assert_eq!(seconds(0.9996), "1.00 s");
        assert_eq!(rate(960_194_400, 0.066), "14.5 GB/s");
        assert_eq!(count(6_001_215), "6 001 215");
        assert_eq!(count(12), "12");
    }
}
