//! The bytes that were encrypted, against the share of the records that was selected.

use super::chart::{Chart, Line, Lines, Unit};
use super::{Section, arm, headline, words};
use crate::command::compare::{SELECTED, WHOLE_FILE};
use crate::document::{Cell, Channel, by_file, by_question};
use crate::text;

/// Makes a section for each file with two selectivities or more.
pub(super) fn sections(cells: &[&Cell]) -> Vec<Section> {
    let is_encrypted = |cell: &&&Cell| cell.channel.as_ref().is_some_and(|of| !of.is_plain());
    let encrypted = cells.iter().filter(is_encrypted).copied();
    by_file(encrypted).iter().filter_map(|cells| section(cells)).collect()
}

/// The level and the link of a line.
#[derive(Clone, Debug, PartialEq)]
struct Way {
    level: String,
    link: String,
}

/// A line, and the ways that it stands for.
struct Drawn {
    points: Vec<(f64, f64)>,
    ways: Vec<Way>,
}

fn section(cells: &[&Cell]) -> Option<Section> {
    let first = cells.first()?;
    let whole = candidates(cells, WHOLE_FILE);
    let selected = candidates(cells, SELECTED);
    let line = |drawn: &Drawn| Line { points: drawn.points.clone(), ..Line::default() };
    let mut chart = Lines {
        x_label: "records selected, %".to_owned(),
        y_label: "bytes encrypted".to_owned(),
        unit: Unit::Bytes,
        lines: selected.iter().chain(&whole).map(line).collect(),
        mark: None,
    };
    let all: Vec<Way> = selected.iter().flat_map(|drawn| drawn.ways.clone()).collect();
    let (selected, whole) = (merged(selected, &chart), merged(whole, &chart));
    if selected.is_empty() || whole.is_empty() {
        return None;
    }
    chart.lines = named(WHOLE_FILE, &whole, &all);
    chart.lines.extend(named(SELECTED, &selected, &all));
    let lines: Vec<&Drawn> = selected.iter().chain(&whole).collect();
    let file = format!("{}, {}", words::file(first), text::bytes(first.file_bytes));
    let measured = format!("Measured at {}.", every(&all));
    Some(Section {
        title: format!("Bytes encrypted: {file}"),
        paragraphs: vec![[measured, shared(&lines, &all)].join(" ").trim_end().to_owned()],
        chart: Some(Chart::Lines(chart)),
        picture: format!("bytes {}", first.file_or_format()),
        ..Section::default()
    })
}

/// Makes a line of one arm for each channel and link that has two points or more.
fn candidates(cells: &[&Cell], name: &str) -> Vec<Drawn> {
    let mut lines = Vec::new();
    for group in by_question(cells.iter().copied()) {
        let Some(first) = group.first() else { continue };
        #[expect(clippy::cast_precision_loss, reason = "a coordinate")]
        let point = |cell: &&Cell| {
            let bytes = headline::sent(arm(cell, name)?)?;
            Some((cell.selectivity? * 100.0, bytes as f64))
        };
        let mut points: Vec<(f64, f64)> =
            group.iter().filter_map(point).filter(|(x, y)| *x > 0.0 && *y > 0.0).collect();
        points.sort_by(|left, right| left.0.total_cmp(&right.0));
        points.dedup_by(|left, right| left.0 == right.0);
        if points.len() >= 2 {
            let level = first.channel.as_ref().map(|Channel { level, .. }| level.clone());
            let way = Way { level: level.unwrap_or_default(), link: first.link.clone() };
            lines.push(Drawn { points, ways: vec![way] });
        }
    }
    lines
}

/// Returns the lines of one arm with their names.
fn named(arm: &str, lines: &[Drawn], all: &[Way]) -> Vec<Line> {
    let line = |drawn: &Drawn| Line {
        name: match lines {
            [_] => arm.to_owned(),
            _ => format!("{arm}, {}", described(&drawn.ways, all)),
        },
        points: drawn.points.clone(),
        is_dashed: arm == WHOLE_FILE,
    };
    lines.iter().map(line).collect()
}

/// Merges the lines that cannot be told apart in `chart`.
fn merged(candidates: Vec<Drawn>, chart: &Lines) -> Vec<Drawn> {
    let mut lines: Vec<Drawn> = Vec::new();
    for candidate in candidates {
        match lines.iter_mut().find(|line| chart.coincide(&line.points, &candidate.points)) {
            Some(line) => line.ways.extend(candidate.ways),
            None => lines.push(candidate),
        }
    }
    lines
}

/// Returns the levels of `ways` over a link, each once, in their order.
fn levels(ways: &[Way], link: &str) -> Vec<String> {
    let mut levels: Vec<String> = Vec::new();
    for way in ways.iter().filter(|way| way.link == link) {
        if !levels.contains(&way.level) {
            levels.push(way.level.clone());
        }
    }
    levels.sort();
    levels
}

/// Returns the links of `ways`, each once, in their order.
fn links(ways: &[Way]) -> Vec<&str> {
    let mut links: Vec<&str> = Vec::new();
    for way in ways {
        if !links.contains(&way.link.as_str()) {
            links.push(&way.link);
        }
    }
    links
}

/// Returns all levels with their links: `levels 3 and 5 over loopback and 1 Gbit/s`.
fn every(ways: &[Way]) -> String {
    let mut by_levels: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for link in links(ways) {
        let (levels, link) = (levels(ways, link), words::link(link));
        match by_levels.iter_mut().find(|(same, _)| *same == levels) {
            Some((_, links)) => links.push(link),
            None => by_levels.push((levels, vec![link])),
        }
    }
    let parts: Vec<String> = by_levels
        .iter()
        .map(|(levels, links)| format!("{} over {}", words::levels(levels), words::list(links)))
        .collect();
    parts.join("; ")
}

/// Returns the links of a line, with the levels if the line does not stand for all of them.
fn described(ways: &[Way], all: &[Way]) -> String {
    if is_every_level(ways, all) {
        return words::list(&links(ways).into_iter().map(words::link).collect::<Vec<_>>());
    }
    every(ways)
}

fn is_every_level(ways: &[Way], all: &[Way]) -> bool {
    links(ways).iter().all(|link| levels(ways, link) == levels(all, link))
}

/// Says what shares a line.
fn shared(lines: &[&Drawn], all: &[Way]) -> String {
    let mut every_level: Vec<String> = all.iter().map(|way| way.level.clone()).collect();
    every_level.sort();
    every_level.dedup();
    let is_all =
        |line: &&Drawn| links(all).iter().all(|link| levels(&line.ways, link) == levels(all, link));
    if all.len() > 1 && links(all).len() > 1 && lines.iter().all(is_all) {
        return "Levels and links differ by less than the width of a line, so each line stands for \
                all of them."
            .to_owned();
    }
    let each_is_every = lines.iter().all(|line| is_every_level(&line.ways, all));
    if every_level.len() > 1 && each_is_every {
        return "The levels differ by less than the width of a line, so each line stands for all of \
                them."
            .to_owned();
    }
    if lines.iter().any(|line| line.ways.len() > 1) {
        return "What differs by less than the width of a line shares one line.".to_owned();
    }
    String::new()
}
