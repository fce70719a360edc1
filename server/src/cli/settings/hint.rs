//! What an unknown key was probably meant to be.

/// Less alike is not meant.
const SIMILARITY_MIN: f64 = 0.5;

/// The message of a TOML error; of an unknown key the long list of known ones is left out where one
/// of them is near.
pub(super) fn with_nearest(message: &str) -> String {
    let Some((before, rest)) = message.split_once(", expected ") else {
        return message.to_owned();
    };
    let Some((_, unknown)) = before.rsplit_once("unknown field `") else {
        return message.to_owned();
    };
    let (list, after) = rest.split_once('\n').unwrap_or((rest, ""));
    // one known key stands alone, two with `or`, more behind `one of` with commas
    let known = list.split('`').skip(1).step_by(2);
    let unknown = unknown.trim_end_matches('`');
    let near = known
        .map(|known| (strsim::normalized_damerau_levenshtein(unknown, known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((similarity, near)) if similarity >= SIMILARITY_MIN => {
            let text = format!("{before}; did you mean `{near}`?\n{after}");
            text.trim_end().to_owned()
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unknown_fields_get_a_hint() {
        for (message, expected) in [
            (
                "TOML parse error\n1 | porrt = 1\nunknown field `porrt`, expected one of `listen`, `port`",
                "TOML parse error\n1 | porrt = 1\nunknown field `porrt`; did you mean `port`?",
            ),
            ("unknown field `b`, expected `aaaa`", "unknown field `b`, expected `aaaa`"),
            (
                "unknown variant `xml`, expected `text` or `json`",
                "unknown variant `xml`, expected `text` or `json`",
            ),
            (
                "invalid type: integer, expected a string",
                "invalid type: integer, expected a string",
            ),
        ] {
            assert_eq!(with_nearest(message), expected);
        }
    }
}
