//! A suggestion for a misspelled name: the known name that is nearest to it.

/// The minimal similarity of a suggestion: 1 means equal, 0 means nothing in common.
const SIMILARITY_MIN: f64 = 0.6;

/// The maximal length of a compared name, in characters. The time is proportional to the product of
/// both lengths.
const NAME_CHARS_MAX: usize = 128;

/// The maximal number of known names that are compared.
const KNOWN_MAX: usize = 1000;

/// The minimal number of characters that count as the start of a known name.
const START_CHARS_MIN: usize = 3;

/// Returns the known name that `name` was probably meant to be, ignoring case. That is the name
/// with the fewest letters that differ, are missing or are exchanged, or a name that begins with
/// `name`.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let is_short = |name: &str| name.chars().nth(NAME_CHARS_MAX).is_none();
    if !is_short(name) {
        return None;
    }
    let name = name.to_lowercase();
    let similarity = |known: &str| {
        let known = known.to_lowercase();
        let is_start = name.chars().count() >= START_CHARS_MIN && known.starts_with(&name);
        let similarity = strsim::normalized_damerau_levenshtein(&name, &known);
        if is_start { similarity.max(SIMILARITY_MIN) } else { similarity }
    };
    known
        .into_iter()
        .take(KNOWN_MAX)
        .filter(|known| is_short(known))
        .map(|known| (similarity(known), known))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_alike() {
        let known = ["integer", "decimal", "boolean", "text", "Orders.csv"];
        for (name, expected) in [
            ("intger", Some("integer")),
            ("int", Some("integer")),
            ("INTEGER", Some("integer")),
            ("bool", Some("boolean")),
            ("txet", Some("text")),
            ("orders.csv", Some("Orders.csv")),
            ("order.csv", Some("Orders.csv")),
            ("http", None),
            ("de", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
        let long = "a".repeat(100_000);
        assert_eq!(nearest(&long, [long.as_str(), "a"]), None);
        assert_eq!(nearest("a", [long.as_str()]), None);
    }
}
