//! The sections about loads: rates and latencies over the number of sessions or over the rate.

use super::Section;
use super::chart::{Chart, Line, Lines, Unit};
use crate::document::Load;
use crate::load::Connections;
use crate::text;

/// Makes a section for loads of one kind, with the rivals next to Sift.
pub(super) fn sections(loads: &[&Load]) -> Vec<Section> {
    let mut groups: Vec<Vec<&Load>> = Vec::new();
    for load in loads {
        let kind = |load: &Load| (load.connections, load.outcome.rate_intended.is_some());
        match groups.iter_mut().find(|group| kind(group[0]) == kind(load)) {
            Some(group) => group.push(load),
            None => groups.push(vec![load]),
        }
    }
    groups.iter().map(|group| section(group)).collect()
}

fn section(loads: &[&Load]) -> Section {
    let kind = match loads.first().map(|load| load.connections) {
        Some(Connections::Full) => ", a full handshake for each request",
        Some(Connections::Resumed) => ", a resumed session for each request",
        Some(Connections::Kept) | None => "",
    };
    let title = format!("Under load{kind}");
    let mut section = Section { picture: title.clone(), title, ..Section::default() };
    let header = [
        "sessions",
        "of",
        "answers/s",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "largest",
        "failed",
        "missed",
        "full handshakes",
        "resumed",
        "server memory",
    ];
    section.table.push(header.map(String::from).into());
    section.table.extend(loads.iter().map(|load| row(load)));
    section.chart = latencies(loads);
    section
}

fn row(load: &Load) -> Vec<String> {
    let outcome = &load.outcome;
    let at = |percentile| seconds(load, percentile).map_or_else(String::new, text::seconds);
    let memory = load.samples.iter().map(|sample| sample.resident_bytes).max();
    let pace = outcome.rate_intended.map_or_else(String::new, |rate| format!(" at {rate}/s"));
    vec![
        format!("{}{pace}", outcome.sessions),
        load.arm.clone(),
        format!("{:.0}", outcome.rate()),
        at("50"),
        at("90"),
        at("99"),
        at("99.9"),
        at("100"),
        outcome.failures.values().sum::<u64>().to_string(),
        outcome.missed.to_string(),
        load.handshakes.full.to_string(),
        load.handshakes.resumed.to_string(),
        memory.map_or_else(String::new, text::bytes),
    ]
}

/// Makes a chart of the median and the 99th percentile of each arm, if there are two steps or more.
fn latencies(loads: &[&Load]) -> Option<Chart> {
    let mut arms: Vec<&str> = Vec::new();
    for load in loads {
        if !arms.contains(&&load.arm[..]) {
            arms.push(&load.arm);
        }
    }
    let mut lines = Vec::new();
    for (arm, percentile) in arms.into_iter().flat_map(|arm| [(arm, "50"), (arm, "99")]) {
        let of_arm = loads.iter().filter(|load| load.arm == arm);
        let mut points: Vec<(f64, f64)> = of_arm
            .filter_map(|load| Some((pressure(load), seconds(load, percentile)?)))
            .filter(|(x, y)| *x > 0.0 && *y > 0.0)
            .collect();
        points.sort_by(|left, right| left.0.total_cmp(&right.0));
        points.dedup_by(|left, right| left.0 == right.0);
        if points.len() >= 2 {
            let name = format!("{arm}, p{percentile}");
            lines.push(Line { name, points, is_dashed: percentile == "99" });
        }
    }
    let is_open = loads.iter().any(|load| load.outcome.rate_intended.is_some());
    let x_label = if is_open { "requests a second" } else { "sessions" }.to_owned();
    let y_label = "latency".to_owned();
    let chart = Lines { x_label, y_label, unit: Unit::Seconds, lines, mark: None };
    (!chart.lines.is_empty()).then_some(Chart::Lines(chart))
}

#[expect(clippy::cast_precision_loss, reason = "a number of sessions")]
fn pressure(load: &Load) -> f64 {
    load.outcome.rate_intended.unwrap_or(load.outcome.sessions as f64)
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn seconds(load: &Load, percentile: &str) -> Option<f64> {
    load.outcome.percentile(percentile).map(|micros| micros as f64 / 1e6)
}
