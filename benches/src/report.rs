//! What measurements say, as sections of text, tables and charts that know no output format.

pub mod chart;
pub mod html;
pub mod markdown;

use std::collections::BTreeMap;

use crate::break_even::BreakEven;
use crate::command::compare::{SELECTED, SELECTED_FLOOR, WHOLE_FILE, WHOLE_FILE_FLOOR};
use crate::document::{Cell, Document, Load};
use crate::machine::Setting;
use crate::measure::{Run, Series, Spread};
use crate::text;
use chart::{Chart, Line};

/// A part of a report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// Sentences below it.
    pub paragraphs: Vec<String>,
    /// Cells of a table, its header first; the first column is text, the others are figures.
    pub table: Vec<Vec<String>>,
    /// A chart.
    pub chart: Option<Chart>,
}

/// All that `documents` say.
pub fn sections(documents: &[Document]) -> Vec<Section> {
    let cells: Vec<&Cell> = documents.iter().flat_map(|document| &document.cells).collect();
    let (compared, floors): (Vec<&Cell>, Vec<&Cell>) =
        cells.into_iter().partition(|cell| arm(cell, SELECTED).is_some());
    let loads: Vec<&Load> = documents.iter().flat_map(|document| &document.loads).collect();
    let mut sections = comparisons(&compared);
    sections.extend(beside_rivals(&compared));
    if !floors.is_empty() {
        sections.push(beside_floors(&floors));
    }
    if !loads.is_empty() {
        sections.push(under_load(&loads));
    }
    sections.extend(documents.iter().map(|document| setting(&document.setting)));
    sections
}

/// One section for each level, format and link.
fn comparisons(cells: &[&Cell]) -> Vec<Section> {
    let mut groups: BTreeMap<_, Vec<&Cell>> = BTreeMap::new();
    for cell in cells {
        let level = cell.channel.as_ref().map_or("", |channel| channel.level.as_str());
        groups.entry((level, &cell.format, &cell.link)).or_default().push(cell);
    }
    groups
        .into_iter()
        .map(|((level, format, link), cells)| {
            let level = if level == "plain" {
                "no encryption".to_owned()
            } else {
                format!("level {level}")
            };
            let bytes = cells.first().map_or(0, |cell| cell.file_bytes);
            let mut section = Section {
                title: format!("Whole file or selected records: {format}, {level}, {link}"),
                ..Section::default()
            };
            let cipher = cells.iter().filter_map(|cell| cell.channel.as_ref()).next();
            section.paragraphs.push(match cipher {
                Some(channel) if !channel.cipher.is_empty() => format!(
                    "A file of {}; {}, key exchange {}.",
                    text::bytes(bytes),
                    channel.cipher,
                    channel.key_exchange
                ),
                _ => format!("A file of {}.", text::bytes(bytes)),
            });
            if let Some(found) = BreakEven::of(cells.iter().copied()) {
                section.paragraphs.push(format!("Break-even: {found}."));
            }
            section.table.push(
                [
                    "question",
                    "whole file",
                    "selected records",
                    "times faster",
                    "the file's bytes alone",
                    "the answer's",
                    "encrypted, whole",
                    "selected",
                    "CPU of both ends, whole",
                    "selected",
                    "server memory",
                ]
                .map(String::from)
                .into(),
            );
            section.table.extend(cells.iter().filter_map(|cell| comparison(cell)));
            section.chart = selectivity_chart(&cells);
            section
        })
        .collect()
}

fn comparison(cell: &Cell) -> Option<Vec<String>> {
    let (whole, selected) = (arm(cell, WHOLE_FILE)?, arm(cell, SELECTED)?);
    let (before, after) = (Spread::seconds(&whole.runs)?, Spread::seconds(&selected.runs)?);
    let floor = |name| {
        let time = arm(cell, name).and_then(|series| Spread::seconds(&series.runs));
        time.map_or_else(String::new, |time| text::seconds(time.median))
    };
    Some(vec![
        cell.title.clone(),
        spread(before),
        spread(after),
        text::ratio(before.median, after.median),
        floor(WHOLE_FILE_FLOOR),
        floor(SELECTED_FLOOR),
        most(whole, |run| run.bytes_sent),
        most(selected, |run| run.bytes_sent),
        cpu(whole),
        cpu(selected),
        most(selected, |run| run.server_bytes_max),
    ])
}

/// The programs of others that were asked the same, where there are some.
fn beside_rivals(cells: &[&Cell]) -> Option<Section> {
    let ours = [WHOLE_FILE, SELECTED, WHOLE_FILE_FLOOR, SELECTED_FLOOR];
    let of_ours = |series: &&Series| ours.contains(&series.arm.as_str());
    let mut names: Vec<&str> = vec![SELECTED];
    for series in cells.iter().flat_map(|cell| &cell.series).filter(|series| !of_ours(series)) {
        if !names.contains(&series.arm.as_str()) {
            names.push(&series.arm);
        }
    }
    if names.len() == 1 {
        return None;
    }
    let mut section = Section { title: "Beside rivals".to_owned(), ..Section::default() };
    section.paragraphs.push(
        "Asked the same in the same rounds, each over a TLS 1.3 channel of its own and from the form \
         of the data that its name tells; in brackets how many times Sift's selected records took \
         it."
            .to_owned(),
    );
    let header = ["question"].into_iter().chain(names.iter().copied());
    section.table.push(header.map(String::from).collect());
    for cell in cells {
        let Some(ours) = arm(cell, SELECTED).and_then(|ours| Spread::seconds(&ours.runs)) else {
            continue;
        };
        let level = cell.channel.as_ref().map_or("", |channel| channel.level.as_str());
        let mut row =
            vec![format!("{}, {}, level {level}, {}", cell.title, cell.format, cell.link)];
        row.extend(names.iter().map(|name| {
            let time = arm(cell, name).and_then(|series| Spread::seconds(&series.runs));
            time.map_or_else(String::new, |time| match *name {
                SELECTED => text::seconds(time.median),
                _ => {
                    let times = text::ratio(time.median, ours.median);
                    format!("{} ({times})", text::seconds(time.median))
                }
            })
        }));
        section.table.push(row);
    }
    Some(section)
}

fn selectivity_chart(cells: &[&Cell]) -> Option<Chart> {
    let line = |name: &str| {
        let mut points: Vec<(f64, f64)> = cells
            .iter()
            .filter_map(|cell| {
                Some((cell.selectivity? * 100.0, Spread::seconds(&arm(cell, name)?.runs)?.median))
            })
            .filter(|(x, y)| *x > 0.0 && *y > 0.0)
            .collect();
        points.sort_by(|left, right| left.0.total_cmp(&right.0));
        Line { name: name.to_owned(), points }
    };
    let lines = [WHOLE_FILE, SELECTED, WHOLE_FILE_FLOOR, SELECTED_FLOOR].map(line);
    let (lines, rest): (Vec<Line>, Vec<Line>) =
        lines.into_iter().partition(|line| line.points.len() >= 2);
    let enough = rest.iter().all(|line| line.name != WHOLE_FILE && line.name != SELECTED);
    enough.then(|| Chart {
        x_label: "records selected, %".to_owned(),
        y_label: "seconds".to_owned(),
        lines,
    })
}

fn beside_floors(cells: &[&Cell]) -> Section {
    let mut section = Section { title: "Beside the floor".to_owned(), ..Section::default() };
    section.paragraphs.push(
        "Each floor handles the same bytes without our work, in turn with what stands beside it."
            .to_owned(),
    );
    let header = ["what", "floor", "Sift", "floor's rate", "Sift's rate", "share of the floor"];
    section.table.push(header.map(String::from).into());
    for cell in cells {
        let [floor, ours] = &cell.series[..] else { continue };
        let Some((before, after)) = Spread::seconds(&floor.runs).zip(Spread::seconds(&ours.runs))
        else {
            continue;
        };
        section.table.push(vec![
            format!("{}: {}", cell.format, cell.title),
            spread(before),
            spread(after),
            text::rate(cell.file_bytes, before.median),
            text::rate(cell.file_bytes, after.median),
            format!("{:.0} %", before.median / after.median * 100.0),
        ]);
    }
    section
}

fn under_load(loads: &[&Load]) -> Section {
    let mut section = Section { title: "Under load".to_owned(), ..Section::default() };
    let header = [
        "sessions",
        "answers/s",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "largest",
        "failed",
        "missed",
        "server memory",
    ];
    section.table.push(header.map(String::from).into());
    for load in loads {
        let outcome = &load.outcome;
        let at = |percentile| {
            #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
            let shown = |micros: u64| text::seconds(micros as f64 / 1e6);
            outcome.percentile(percentile).map_or_else(String::new, shown)
        };
        let memory = load.samples.iter().map(|sample| sample.resident_bytes).max();
        let pace = outcome.rate_intended.map_or_else(String::new, |rate| format!(" at {rate}/s"));
        section.table.push(vec![
            format!("{}{pace}", outcome.sessions),
            format!("{:.0}", outcome.rate()),
            at("50"),
            at("90"),
            at("99"),
            at("99.9"),
            at("100"),
            outcome.failures.values().sum::<u64>().to_string(),
            outcome.missed.to_string(),
            memory.map_or_else(String::new, text::bytes),
        ]);
    }
    section
}

fn setting(setting: &Setting) -> Section {
    Section {
        title: format!("Measured {}", setting.started),
        paragraphs: vec![
            format!(
                "{}, {} threads, {} of memory, Linux {}; Sift {} at {}.",
                setting.processor,
                setting.threads,
                text::bytes(setting.memory_bytes),
                setting.kernel,
                setting.version,
                if setting.commit.is_empty() { "no commit" } else { &setting.commit }
            ),
            format!("`{}`", setting.command.join(" ")),
        ],
        ..Section::default()
    }
}

fn arm<'a>(cell: &'a Cell, name: &str) -> Option<&'a Series> {
    cell.series.iter().find(|series| series.arm == name)
}

fn spread(spread: Spread) -> String {
    let Spread { median, min, max } = spread;
    format!("{} ({} to {})", text::seconds(median), text::seconds(min), text::seconds(max))
}

fn most(series: &Series, quantity: impl Fn(&Run) -> Option<u64>) -> String {
    series.runs.iter().filter_map(quantity).max().map_or_else(String::new, text::bytes)
}

#[expect(clippy::cast_precision_loss, reason = "a number of runs")]
fn cpu(series: &Series) -> String {
    let both = |run: &Run| Some(run.server_cpu_seconds? + run.client_cpu_seconds?);
    let known: Vec<f64> = series.runs.iter().filter_map(both).collect();
    if known.is_empty() {
        return String::new();
    }
    text::seconds(known.iter().sum::<f64>() / known.len() as f64)
}

#[cfg(test)]
mod tests;
