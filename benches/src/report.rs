//! The contents of a report: sections of text, tables and charts, in no output format.

pub mod chart;
mod cpu;
pub mod html;
mod load;
pub mod markdown;

use crate::break_even::BreakEven;
use crate::command::compare::{SELECTED, SELECTED_FLOOR, WHOLE_FILE, WHOLE_FILE_FLOOR};
use crate::document::{Cell, Channel, Document, Load, by_question};
use crate::machine::Setting;
use crate::measure::{Run, Series, Spread};
use crate::text;
use chart::{Chart, Line, Lines};

/// A part of a report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// The sentences below the heading.
    pub paragraphs: Vec<String>,
    /// The cells of a table, the header first. The first column is text, the others are figures.
    pub table: Vec<Vec<String>>,
    /// A chart.
    pub chart: Option<Chart>,
}

/// Makes a report of `documents`.
pub fn sections(documents: &[Document]) -> Vec<Section> {
    let cells: Vec<&Cell> = documents.iter().flat_map(|document| &document.cells).collect();
    let (compared, floors): (Vec<&Cell>, Vec<&Cell>) =
        cells.into_iter().partition(|cell| arm(cell, SELECTED).is_some());
    let loads: Vec<&Load> = documents.iter().flat_map(|document| &document.loads).collect();
    let mut sections = comparisons(&compared);
    sections.extend(cpu::sections(&compared));
    sections.extend(beside_rivals(&compared));
    if !floors.is_empty() {
        sections.push(beside_floors(&floors));
    }
    sections.extend(load::sections(&loads));
    sections.extend(documents.iter().map(|document| setting(&document.setting)));
    sections
}

/// Makes one section for each channel, format and link.
fn comparisons(cells: &[&Cell]) -> Vec<Section> {
    by_question(cells.iter().copied()).iter().filter_map(|group| compared(group)).collect()
}

fn compared(cells: &[&Cell]) -> Option<Section> {
    let first = cells.first()?;
    let channel = first.channel.clone().unwrap_or_default();
    let Cell { format, link, .. } = first;
    let title = format!("Whole file or selected records: {format}, {}, {link}", channel.name());
    let mut section = Section { title, ..Section::default() };
    let bytes = text::bytes(first.file_bytes);
    section.paragraphs.push(match &channel.cipher[..] {
        "" => format!("A file of {bytes}."),
        cipher => format!("A file of {bytes}; {cipher}, key exchange {}.", channel.key_exchange),
    });
    if let Some(found) = BreakEven::of(cells.iter().copied()) {
        section.paragraphs.push(format!("Break-even: {found}."));
    }
    let header = [
        "question",
        "whole file",
        "selected records",
        "times faster",
        "first record, whole",
        "selected",
        "the file's bytes alone",
        "the answer's",
        "encrypted, whole",
        "selected",
        "CPU of both ends, whole",
        "selected",
        "server memory",
    ];
    section.table.push(header.map(String::from).into());
    section.table.extend(cells.iter().filter_map(|cell| comparison(cell)));
    section.chart = selectivity_chart(cells);
    Some(section)
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
        first(whole),
        first(selected),
        floor(WHOLE_FILE_FLOOR),
        floor(SELECTED_FLOOR),
        most(whole, |run| run.bytes_sent),
        most(selected, |run| run.bytes_sent),
        cpu(whole),
        cpu(selected),
        most(selected, |run| run.server_bytes_max),
    ])
}

/// Makes the section about rivals, if there are some.
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
    let mut section = Section { title: "Compared with rivals".to_owned(), ..Section::default() };
    section.paragraphs.push(
        "The rivals answer the same questions in the same rounds, each over its own TLS 1.3 channel \
         and from the format in its name. The number in brackets is the ratio to the time of Sift's \
         selected records."
            .to_owned(),
    );
    let header = ["question"].into_iter().chain(names.iter().copied());
    section.table.push(header.map(String::from).collect());
    for cell in cells {
        let Some(ours) = arm(cell, SELECTED).and_then(|ours| Spread::seconds(&ours.runs)) else {
            continue;
        };
        let channel = cell.channel.as_ref().map(Channel::name).unwrap_or_default();
        let mut row = vec![format!("{}, {}, {channel}, {}", cell.title, cell.format, cell.link)];
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
    enough.then(|| {
        let mark = match BreakEven::of(cells.iter().copied()) {
            Some(BreakEven::At(share)) => Some(share * 100.0),
            _ => None,
        };
        let x_label = "records selected, %".to_owned();
        Chart::Lines(Lines { x_label, y_label: "seconds".to_owned(), lines, mark })
    })
}

fn beside_floors(cells: &[&Cell]) -> Section {
    let mut section = Section { title: "Compared with the floor".to_owned(), ..Section::default() };
    section.paragraphs.push(
        "Each floor handles the same bytes without our work, in the same rounds as the arm next to it."
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
            text::cell_rate(cell, before.median),
            text::cell_rate(cell, after.median),
            format!("{:.0} %", before.median / after.median * 100.0),
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

/// Returns the time until the first record.
fn first(series: &Series) -> String {
    let spread = Spread::of(series.runs.iter().filter_map(|run| run.first_seconds));
    spread.map_or_else(String::new, |spread| text::seconds(spread.median))
}

fn spread(spread: Spread) -> String {
    let Spread { median, min, max } = spread;
    format!("{} ({} to {})", text::seconds(median), text::seconds(min), text::seconds(max))
}

fn most(series: &Series, quantity: impl Fn(&Run) -> Option<u64>) -> String {
    series.runs.iter().filter_map(quantity).max().map_or_else(String::new, text::bytes)
}

fn cpu(series: &Series) -> String {
    let both = |run: &Run| Some(run.server_cpu_seconds? + run.client_cpu_seconds?);
    let mean = Spread::mean(series.runs.iter().filter_map(both));
    mean.map_or_else(String::new, text::seconds)
}

#[cfg(test)]
mod tests;
