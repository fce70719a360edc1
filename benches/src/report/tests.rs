//! A document with one of everything, through every renderer.

use std::collections::BTreeMap;

use super::*;
use crate::document::{Channel, SIFT};
use crate::load::{Connections, Handshakes, Outcome};

fn cell(title: &str, selectivity: f64, seconds: [f64; 2]) -> Cell {
    let series = |arm: &str, seconds, bytes| Series {
        arm: arm.to_owned(),
        runs: vec![Run { seconds, bytes_sent: Some(bytes), ..Run::default() }],
    };
    Cell {
        title: title.to_owned(),
        file: "lineitem.dat".to_owned(),
        format: "fixed".to_owned(),
        file_bytes: 1_000_000_000,
        link: "loopback".to_owned(),
        channel: Some(Channel { level: "5".to_owned(), ..Channel::default() }),
        selectivity: Some(selectivity),
        series: vec![
            series(WHOLE_FILE, seconds[0], 1_000_000_000),
            series(SELECTED, seconds[1], 10_000_000),
        ],
        ..Cell::default()
    }
}

fn document() -> Document {
    let mut document = Document::start();
    document.cells = vec![cell("1% <&>", 0.01, [1.0, 0.1]), cell("100%", 1.0, [1.0, 1.2])];
    document.loads = vec![Load {
        arm: SIFT.to_owned(),
        outcome: Outcome {
            sessions: 16,
            rate_intended: None,
            seconds: 2.0,
            answers: 1000,
            failures: BTreeMap::new(),
            missed: 0,
            latency_micros: BTreeMap::from([("99".to_owned(), 2_000)]),
        },
        idle: 0,
        connections: Connections::Kept,
        handshakes: Handshakes::default(),
        samples: Vec::new(),
    }];
    document
}

#[test]
fn markdown_has_the_ratio_the_break_even_and_the_command() {
    let text = markdown::render(&sections(&[document()]));
    assert!(text.contains("| 1% <&> | 1.00 s (1.00 s to 1.00 s) | 100 ms"), "{text}");
    assert!(text.contains("| 10.0 × | 1.00 GB | 10.0 MB |\n"), "{text}");
    assert!(
        text.contains("Break-even: the whole file is faster from 82 % of the records on."),
        "{text}"
    );
    assert!(text.contains("| 16 | Sift | 500 |"), "{text}");
}

#[test]
fn rivals_stand_beside_the_selected_records() {
    let mut document = document();
    let runs = vec![Run { seconds: 0.25, ..Run::default() }];
    document.cells[0].series.push(Series { arm: "Rival".to_owned(), runs: runs.clone() });
    document.cells[0].series.push(Series { arm: SELECTED_FLOOR.to_owned(), runs });
    let text = markdown::render(&sections(&[document]));
    assert!(text.contains("| question | selected records | Rival |"), "{text}");
    assert!(text.contains("loopback | 100 ms | 250 ms (2.50 ×) |"), "{text}");
    assert!(text.contains("| 1.20 s |  |"), "{text}");
}

#[test]
fn html_escapes_stands_alone_and_has_the_chart() {
    let page = html::render(&sections(&[document()]));
    assert!(page.contains("<td>1% &lt;&amp;&gt;</td>"), "{page}");
    assert!(!page.contains("src=") && !page.contains("<script"), "{page}");
    assert!(!page.contains("http") || page.matches("http").count() == page.matches("<svg").count());
    assert!(page.contains("<pre tabindex=\"0\"><code>"), "{page}");
    // bytes and seconds, of the whole file and of the selected records
    assert_eq!(page.matches("<polyline").count(), 4);
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
}

#[test]
fn encrypting_is_what_is_above_the_same_in_the_clear() {
    let mut document = document();
    let mut clear = document.cells[0].clone();
    clear.channel = Some(Channel { level: "plain".to_owned(), ..Channel::default() });
    document.cells.push(clear);
    let channel = document.cells[0].channel.as_mut().unwrap();
    channel.cipher = "TLS_AES_256_GCM_SHA384 TLSv1.3 Kx=any".to_owned();
    for (cell, server_cpu) in [(0, 1.5), (2, 0.5)] {
        for series in &mut document.cells[cell].series {
            series.runs[0].server_cpu_seconds = Some(server_cpu);
            series.runs[0].client_cpu_seconds = Some(0.25);
        }
    }
    let found = sections(&[document]);
    let text = markdown::render(&found);
    assert!(
        text.contains(
            "## CPU time: lineitem.dat (fixed), level 5 (TLS_AES_256_GCM_SHA384), loopback"
        ),
        "{text}"
    );
    let row = "| 1% <&>, whole | 500 ms | 1.00 s | 250 ms | 0 s |";
    assert!(text.contains(row), "{text}");
    let picture = found.iter().find_map(|section| match &section.chart {
        Some(chart @ Chart::Bars(_)) => Some(chart.to_picture()),
        _ => None,
    });
    let picture = picture.unwrap();
    // a bar of 1.75 s is as long as there is room, its second part begins at 0.5 of that
    assert!(picture.contains("x=\"295.7\" y=\"52.0\" width=\"211.4\""), "{picture}");
    assert!(picture.contains("prefers-color-scheme: dark"), "{picture}");
}

#[test]
fn latencies_stand_over_the_number_of_sessions() {
    let mut document = document();
    let mut more = document.loads[0].clone();
    more.outcome.sessions = 64;
    more.outcome.latency_micros = BTreeMap::from([("99".to_owned(), 8_000)]);
    document.loads.push(more);
    let page = html::render(&sections(&[document]));
    assert!(page.contains("latency against sessions"), "{page}");
    assert!(page.contains("Sift, p99") && !page.contains("Sift, p50"), "{page}");
}

#[test]
fn points_are_where_their_logarithms_are() {
    let line = Line {
        name: "a".to_owned(),
        points: vec![(0.01, 0.1), (1.0, 1.0), (100.0, 10.0)],
        ..Line::default()
    };
    let svg = Chart::Lines(Lines { lines: vec![line], ..Lines::default() }).to_svg();
    // the middle point of a straight line over whole decades is in the middle of the plot
    assert!(svg.contains("points=\"64.0,302.0 344.0,166.0 624.0,30.0\""), "{svg}");
}

/// Returns the sentence of the result of `cells`, and the notes below it.
fn result(cells: Vec<Cell>) -> (String, Vec<String>) {
    let section = sections(&[Document { cells, ..document() }]).remove(0);
    assert_eq!((&section.title[..], &section.picture[..]), ("", "result"));
    assert!(matches!(section.chart, Some(Chart::Pairs(_))), "{section:?}");
    (section.paragraphs[0].clone(), section.notes)
}

/// Returns a cell about a file of a user.
fn own(predicate: &str, selectivity: f64, seconds: [f64; 2]) -> Cell {
    let mut cell = cell(predicate, selectivity, seconds);
    (cell.file, cell.format) = ("a/orders.csv".to_owned(), "csv".to_owned());
    cell.link = "as it is".to_owned();
    cell
}

#[test]
fn the_result_is_a_win_if_the_selected_records_were_faster() {
    let (sentence, notes) =
        result(vec![cell("1%", 0.0104, [1.2, 0.1]), cell("50%", 0.5, [1.2, 0.8])]);
    let expected = "At level 5 over loopback, Sift answered 1 % of lineitem.dat (fixed) 12 times as \
                    fast as fetching the whole file, and encrypted 10.0 MB instead of 1.00 GB.";
    assert_eq!(sentence, expected);
    assert_eq!(notes[1..], ["In all 2 cases Sift was faster."]);
}

#[test]
fn the_result_is_a_loss_if_the_whole_file_was_faster() {
    let (sentence, notes) =
        result(vec![cell("1%", 0.01, [1.0, 1.26]), cell("50%", 0.5, [1.0, 3.0])]);
    let expected = "At level 5 over loopback, Sift answered 1 % of lineitem.dat (fixed) 1.3 times as \
                    slow as fetching the whole file, and encrypted 10.0 MB instead of 1.00 GB.";
    assert_eq!(sentence, expected);
    assert_eq!(notes[1], "In all 2 cases the whole file was faster.");
    assert!(notes[2].starts_with("The largest loss: At level 5"), "{notes:?}");
    assert!(
        notes[2].contains("answered 50 % of lineitem.dat (fixed) 3.0 times as slow"),
        "{notes:?}"
    );
}

#[test]
fn times_that_overlap_are_about_the_same() {
    let mut cell = cell("1%", 0.01, [1.0, 0.8]);
    cell.series[0].runs.extend([0.7, 1.1].map(|seconds| Run { seconds, ..Run::default() }));
    let (sentence, _) = result(vec![cell.clone()]);
    assert!(sentence.contains("about as fast as fetching the whole file, and"), "{sentence}");
    // a large ratio is established also if the slowest run is as slow as the other arm
    cell.series[1].runs = [0.1, 0.1, 0.9].map(|seconds| Run { seconds, ..Run::default() }).into();
    let (sentence, _) = result(vec![cell]);
    assert!(sentence.contains("10 times as fast as fetching the whole file."), "{sentence}");
}

#[test]
fn the_case_of_the_result_does_not_depend_on_the_times() {
    let mut cells = vec![
        cell("0.01%", 0.0001, [9.0, 0.1]),
        cell("50%", 0.5, [9.0, 0.1]),
        cell("sum", 0.01, [9.0, 0.1]),
        cell("1%", 0.011, [1.0, 2.0]),
        cell("1%", 0.01, [9.0, 0.1]),
    ];
    cells[2].selectivity = None;
    cells[4].channel = Some(Channel { level: "3".to_owned(), ..Channel::default() });
    let (sentence, notes) = result(cells);
    assert!(sentence.contains("1.1 % of lineitem.dat (fixed) 2.0 times as slow"), "{sentence}");
    assert_eq!(
        notes[1],
        "In 4 of 5 cases Sift was faster; in 1 of 5 cases the whole file was faster."
    );
    // the only loss is the result
    assert_eq!(notes.len(), 2);
}

#[test]
fn one_case_needs_no_notes() {
    let mut cell = cell("sum", 0.01, [1.0, 0.5]);
    (cell.selectivity, cell.link) = (None, "100mbit/20ms".to_owned());
    cell.channel = Some(Channel { level: "plain".to_owned(), ..Channel::default() });
    let (sentence, notes) = result(vec![cell]);
    let expected = "Without encryption over 100 Mbit/s and 20 ms, Sift answered `sum` about \
                    lineitem.dat (fixed) 2.0 times as fast as fetching the whole file, and sent 10.0 MB \
                    instead of 1.00 GB.";
    assert_eq!((&sentence[..], notes), (expected, Vec::new()));
}

#[test]
fn an_own_case_has_a_sentence_a_chart_and_no_empty_columns() {
    let (sentence, _) = result(vec![own("price > 490", 0.018, [1.0, 0.5])]);
    let expected = "At level 5 over the link as it is, Sift answered `price > 490` (1.8 % of \
                    a/orders.csv) 2.0 times as fast as fetching the whole file, and encrypted 10.0 MB \
                    instead of 1.00 GB.";
    assert_eq!(sentence, expected);
    let cells = vec![own("price > 490", 0.018, [1.0, 0.5]), own("price > 1000", 0.0, [1.0, 0.4])];
    let found = sections(&[Document { cells, loads: Vec::new(), ..document() }]);
    let [_, compared, _] = &found[..] else { panic!("a result, a table, a setting: {found:?}") };
    assert_eq!(
        compared.title,
        "Whole file or selected records: a/orders.csv, level 5, the link as it is"
    );
    assert_eq!(compared.picture, "seconds a/orders.csv level 5 as it is");
    // one condition selects nothing, so there are no lines
    let Some(chart @ Chart::Pairs(_)) = &compared.chart else { panic!("no chart: {compared:?}") };
    assert!(chart.to_svg().contains("price &gt; 490: bytes encrypted"), "{}", chart.to_svg());
    let header = [
        "question",
        "whole file",
        "selected records",
        "times faster",
        "encrypted, whole",
        "encrypted, selected",
    ];
    assert_eq!(compared.table[0], header);
    assert!(compared.table.iter().all(|row| row.len() == header.len()), "{compared:?}");
}

#[test]
fn a_chart_is_shown_once() {
    let cells = vec![own("price > 490", 0.018, [1.0, 0.5])];
    let found = sections(&[Document { cells, ..document() }]);
    let charts = found.iter().filter(|section| matches!(section.chart, Some(Chart::Pairs(_))));
    assert_eq!(charts.count(), 1);
}

#[test]
fn commands_can_be_pasted() {
    let mut document = document();
    document.setting.command =
        ["sift-bench", "--where", "a = 'x ``` y' & b"].map(String::from).into();
    let found = sections(&[document]);
    let command = r"sift-bench --where 'a = '\''x ``` y'\'' & b'";
    assert_eq!(found.last().unwrap().command, command);
    let text = markdown::render(&found);
    assert!(text.ends_with(&format!("\n````sh\n{command}\n````\n")), "{text}");
    let page = html::render(&found);
    assert!(
        page.contains("<code>sift-bench --where 'a = '\\''x ``` y'\\'' &amp; b'</code>"),
        "{page}"
    );
}

/// Returns the section about bytes of cells with these levels, links and factors of the bytes.
fn bytes_of(ways: &[(&str, &str, u64)]) -> Section {
    let mut cells = Vec::new();
    for (level, link, factor) in ways {
        for (share, sent) in [(0.01, 10_000_000), (1.0, 900_000_000)] {
            let mut cell = cell("1%", share, [1.0, 0.5]);
            cell.channel = Some(Channel { level: (*level).to_owned(), ..Channel::default() });
            cell.link = (*link).to_owned();
            cell.series[1].runs[0].bytes_sent = Some(sent / 100 * factor);
            cells.push(cell);
        }
    }
    let found = sections(&[Document { cells, ..document() }]);
    found.into_iter().find(|section| section.title.starts_with("Bytes encrypted")).unwrap()
}

fn names(section: &Section) -> Vec<&str> {
    let Some(Chart::Lines(Lines { lines, .. })) = &section.chart else { panic!("{section:?}") };
    lines.iter().map(|line| &line.name[..]).collect()
}

#[test]
fn levels_with_the_same_bytes_share_a_line() {
    let same = bytes_of(&[("3", "loopback", 100), ("5", "loopback", 101)]);
    assert_eq!(same.title, "Bytes encrypted: lineitem.dat (fixed), 1.00 GB");
    assert_eq!(names(&same), ["whole file", "selected records"]);
    let expected = "Measured at levels 3 and 5 over loopback. The levels differ by less than the width of \
                    a line, so each line stands for all of them.";
    assert_eq!(same.paragraphs, [expected]);
    let picture = same.chart.unwrap().to_picture();
    assert!(
        picture.contains("100 MB") && picture.contains("stroke-dasharray=\"8 5\""),
        "{picture}"
    );

    let links = bytes_of(&[
        ("3", "loopback", 100),
        ("5", "loopback", 100),
        ("3", "1gbit", 30),
        ("5", "1gbit", 30),
    ]);
    let expected = ["whole file", "selected records, loopback", "selected records, 1 Gbit/s"];
    assert_eq!(names(&links), expected);
    assert!(
        links.paragraphs[0]
            .starts_with("Measured at levels 3 and 5 over loopback and 1 Gbit/s. The levels")
    );
}

#[test]
fn levels_with_other_bytes_have_lines_of_their_own() {
    let other =
        bytes_of(&[("plain", "loopback", 1), ("3", "loopback", 100), ("5", "loopback", 50)]);
    let expected = [
        "whole file",
        "selected records, level 3 over loopback",
        "selected records, level 5 over loopback",
    ];
    assert_eq!(names(&other), expected);
    let said = "Measured at levels 3 and 5 over loopback. What differs by less than the width of a line \
                shares one line.";
    assert_eq!(other.paragraphs, [said]);
    let one = bytes_of(&[("3", "loopback", 100)]);
    assert_eq!(one.paragraphs, ["Measured at level 3 over loopback."]);
}

#[test]
fn percents_have_two_digits_at_most() {
    for (share, text) in [
        (1.0, "100 %"),
        (0.4978, "50 %"),
        (0.0996, "10 %"),
        (0.0104, "1 %"),
        (0.018, "1.8 %"),
        (0.00999, "1 %"),
        (0.000_103, "0.01 %"),
        (0.000_001, "less than 0.001 %"),
        (0.0, "0 %"),
    ] {
        assert_eq!(words::percent(share), text, "{share}");
    }
}
