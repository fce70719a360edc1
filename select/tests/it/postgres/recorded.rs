//! Texts of each type with the answers that PostgreSQL 15 gave.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::types::Type;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/postgres_texts.txt");

/// The texts of a type.
pub(super) fn texts(of: Type) -> &'static [String] {
    static TEXTS: LazyLock<BTreeMap<Type, Vec<String>>> = LazyLock::new(|| {
        let mut texts: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (of, text) in read() {
            texts.entry(of).or_default().push(text);
        }
        texts
    });
    &TEXTS[&of]
}

/// Reads the file.
fn read() -> Vec<(Type, String)> {
    let text = std::fs::read_to_string(FILE).expect(FILE);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let recorded = lines.map(|line| {
        let parts: Vec<_> = line.split('\t').collect();
        let [of, text, _] = parts[..] else { panic!("three fields: {line}") };
        (Type::parse(of).expect(line), serde_json::from_str(text).expect(line))
    });
    recorded.collect()
}
