//! Tests of patterns with single texts, and with texts that are hard for them.

use arrow::array::{Array, StringArray};

use regex::Regex;

use super::automaton::Automaton;
use super::mixed::Run;
use super::{AT_ONCE_BYTES, Like};
use sift_files::cancel::{Cancel, Stopped};

fn check(text: &str, pattern: &str, expected: bool) {
    let like = Like::new(pattern, Some('\\'), |c| c).unwrap();
    assert_eq!(like.matches(text), Ok(expected), "{text:?} LIKE {pattern:?}");
    let texts = ["", text, text.trim_start_matches('a'), text, text, "x"];
    let texts = StringArray::from(texts.to_vec());
    let mask = like.mask(&texts.slice(1, 4)).unwrap();
    for (row, matched) in mask.iter().enumerate() {
        let text = texts.value(row + 1);
        assert_eq!(Ok(matched), like.matches(text), "{text:?} LIKE {pattern:?} in a column");
    }
}

#[test]
fn patterns() {
    check("", "", true);
    check("a", "", false);
    check("", "%", true);
    check("", "_", false);
    check("é", "_", true);
    check("aé", "_%é", true);
    check("abc", "abc", true);
    check("abc", "ab", false);
    check("abc", "ab%", true);
    check("abc", "%bc", true);
    check("abc", "%b%", true);
    check("abc", "a%c", true);
    check("ab", "a%b", true);
    check("a", "a%a", false);
    check("aba", "ab%ba", false);
    check("abba", "ab%ba", true);
    check("a special and requests b", "%special%requests%", true);
    check("a requests and special b", "%special%requests%", false);
    check("xaxbx", "%a_b%", true);
    check("xabx", "%a_b%", false);
    check("axbxc", "a_b_c", true);
    check("abcabd", "%ab_", true);
    check("ab", "___", false);
    check("日本語", "日__", true);
    check("日本語", "%本%", true);
    check("100%", "100\\%", true);
    check("1000", "100\\%", false);
    check("a_b", "a\\_b", true);
    check("axb", "a\\_b", false);
    check("a\\b", "a\\\\b", true);
    check("aXbX", "%X", true);
    check("a ré_ué b", "%ré_ué%", true);
    check("日本ré", "%__ré", true);
    check("é本ré", "%_é_é%", false);
    check("xx本abé", "%_本a_é%", true);
    check("aab", "%_ab%", true);
    check("ab", "%_ab%", false);
    check("ab", "%__%", true);
    check("本", "%__%", false);
    check("%%", "%\\%%", true);
    check("abab", "%ab", true);
    check("abcb", "a%_b", true);
    check("ab", "a%_b", false);
}

#[test]
fn escapes() {
    assert!(Like::new("a\\", Some('\\'), |c| c).is_none());
    assert!(Like::new("a\\", None, |c| c).unwrap().matches("a\\").unwrap());
    assert!(Like::new("a!%", Some('!'), |c| c).unwrap().matches("a%").unwrap());
    assert!(!Like::new("a!%", Some('!'), |c| c).unwrap().matches("ab").unwrap());
}

const CHARS: &[char] = &['a', 'a', 'a', 'b', 'é'];

fn random_text(random: &mut fastrand::Rng, length: usize) -> String {
    (0..length).map(|_| *random.choice(CHARS).unwrap()).collect()
}

/// Translates a pattern into a regular expression, which serves as an independent oracle.
fn regex_of(pattern: &str) -> Regex {
    let mut regex = "(?s)\\A".to_owned();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            '\\' => regex.push_str(&regex::escape(&chars.next().unwrap().to_string())),
            c => regex.push_str(&regex::escape(&c.to_string())),
        }
    }
    Regex::new(&(regex + "\\z")).unwrap()
}

#[test]
fn random_patterns_match_as_regular_expressions_do() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut matched = 0;
    for _ in 0..20_000 {
        let mut pattern = String::new();
        for _ in 0..random.usize(0..9) {
            pattern.push_str(random.choice(["a", "b", "é", "_", "_", "%", "%", "\\%"]).unwrap());
        }
        let length = random.usize(0..12);
        let text = random_text(&mut random, length);
        let expected = regex_of(&pattern).is_match(&text);
        check(&text, &pattern, expected);
        matched += usize::from(expected);
    }
    assert!((2000..18_000).contains(&matched), "{matched} of 20000 match");
}

#[test]
fn the_automaton_finds_the_first_place() {
    let mut random = fastrand::Rng::with_seed(4);
    let mut found = 0;
    for _ in 0..3000 {
        let mut runs = Vec::new();
        let mut regex = "(?s)".to_owned();
        for _ in 0..random.usize(1..4) {
            let length = random.usize(1..60);
            let literal = random_text(&mut random, length);
            let any = random.usize(1..80);
            regex.push_str(&format!("{literal}.{{{any}}}"));
            runs.extend([Run::Literal(literal.into()), Run::Any(any)]);
        }
        let regex = Regex::new(&regex).unwrap();
        let length = random.usize(0..400);
        let mut text = random_text(&mut random, length);
        if random.bool() {
            for run in &runs {
                match run {
                    Run::Literal(literal) => text.push_str(literal),
                    Run::Any(count) => text.push_str(&random_text(&mut random, *count)),
                }
            }
        }
        let expected = regex.find(&text).map(|place| place.end());
        assert_eq!(Automaton::new(&runs).find(&text), Ok(expected), "{regex}");
        found += usize::from(expected.is_some());
    }
    assert!((1000..2900).contains(&found), "{found} of 3000 found");
}

#[test]
fn comparing_gives_way_to_the_automaton() {
    let text = "a".repeat(50_000);
    let long = "a".repeat(300);
    for (segment, expected, expected_of_both) in [
        (format!("{long}_{long}"), true, true),
        (format!("{long}_{long}b"), false, false),
        (format!("a_{long}_b"), false, true),
        (format!("b_{long}"), false, true),
    ] {
        check(&text, &format!("%{segment}%"), expected);
        check(&format!("{text}xb_{text}"), &format!("%{segment}%"), expected_of_both);
    }
}

#[test]
fn columns_of_many_bytes_are_matched_in_runs() {
    let mut random = fastrand::Rng::with_seed(5);
    for length in [1, 1000, AT_ONCE_BYTES + 1] {
        let mut texts = Vec::new();
        for _ in 0..(3 * AT_ONCE_BYTES / length).clamp(3, 2000) {
            let length = random.usize(0..=length);
            texts.push(random_text(&mut random, length.min(2)) + &"c".repeat(length));
        }
        let texts = StringArray::from(texts);
        for pattern in ["a%", "%b%", "%a_c%", "_%_b%c", "é_", "%"] {
            let like = Like::new(pattern, None, |c| c).unwrap();
            for texts in [texts.clone(), texts.slice(1, texts.len() - 2), texts.slice(0, 0)] {
                let mask = like.mask(&texts).unwrap();
                assert_eq!(mask.len(), texts.len());
                for (row, matched) in mask.iter().enumerate() {
                    assert_eq!(Ok(matched), like.matches(texts.value(row)), "{pattern} {row}");
                }
            }
        }
    }
}

#[test]
fn matching_is_given_up() {
    let texts = StringArray::from(vec!["a".repeat(2 * AT_ONCE_BYTES); 2]);
    let cancel = Cancel::default();
    cancel.raise();
    for pattern in ["a%".to_owned(), "%b%".to_owned(), format!("%{}_b%", "a".repeat(1000))] {
        let like = Like::new(&pattern, None, |c| c).unwrap();
        assert_eq!(cancel.during(|| like.mask(&texts)).unwrap_err(), Stopped, "{pattern:.10}");
    }
}
