//! The texts of `tests/slt` with random faults: refused, or answered the same however the scan is
//! divided.

use fastrand::Rng;
use sift_select::property::answers_ignore_morsels;

use crate::slt;
use crate::table::Format;
use crate::tables;

#[test]
fn texts_with_faults_keep_the_property() {
    let texts = slt::texts();
    let scratch = tempfile::tempdir().expect("a folder");
    let sources =
        Format::ALL.iter().flat_map(|format| tables::values().open_each(scratch.path(), *format));
    let sources: Vec<_> = sources.collect();
    let mut random = Rng::with_seed(1843);
    for turn in 0..3_000 {
        let mut words = words(&texts[random.usize(0..texts.len())]);
        let others = self::words(&texts[random.usize(0..texts.len())]);
        for _ in 0..random.usize(1..4) {
            mutate(&mut words, &others, &mut random);
        }
        let text = words.concat();
        // shown only if the test panics
        println!("{text}");
        answers_ignore_morsels(&sources[turn % sources.len()], &text);
    }
}

/// Splits a text into words, numbers, spaces and single characters.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut alike = false;
    for char in text.chars() {
        let is_word = char.is_alphanumeric() || char == '_';
        match words.last_mut() {
            Some(word) if is_word && alike => word.push(char),
            _ => words.push(char.into()),
        }
        alike = is_word;
    }
    words
}

fn mutate(words: &mut Vec<String>, others: &[String], random: &mut Rng) {
    let at = random.usize(0..=words.len());
    let other = others[random.usize(0..others.len())].clone();
    match random.u8(0..6) {
        0 if at < words.len() => drop(words.remove(at)),
        1 if at < words.len() => words[at] = other,
        2 => words.truncate(at),
        3 if at < words.len() => words.insert(at, words[at].clone()),
        4 => {
            let to = random.usize(0..words.len().max(1));
            if at < words.len() && to < words.len() {
                words.swap(at, to);
            }
        }
        _ => words.insert(at, other),
    }
}
