//! Suggestions for a misspelled name: the known names that are similar to it.

/// The minimal similarity of a suggestion; 1 means equal.
const ALIKE_MIN: f64 = 0.8;

/// The maximal length of a compared name, in bytes. The time is proportional to the product of both
/// lengths.
const NAME_BYTES_MAX: usize = 64;

/// The minimal length of a name in which one wrong, missing or exchanged letter counts as a typing
/// error.
const SLIP_BYTES_MIN: usize = 3;

/// The maximal number of known names that are compared.
const KNOWN_MAX: usize = 256;

/// The maximal number of suggestions.
const NAMES_MAX: usize = 3;

/// Returns the known names that are most similar to `name` as `` `a` or `b` ``, ignoring case;
/// `None` if no name is similar.
pub(crate) fn alike<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let name = name.to_lowercase();
    let mut alike: Vec<(f64, &str)> = known
        .take(KNOWN_MAX)
        .filter(|known| known.len() <= NAME_BYTES_MAX)
        .map(|known| (likeness(&name, &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness >= ALIKE_MIN)
        .collect();
    alike.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    alike.dedup_by_key(|(_, known)| *known);
    let names = alike.iter().take(NAMES_MAX).map(|(_, known)| format!("`{known}`"));
    Some(names.collect::<Vec<_>>().join(" or ")).filter(|names| !names.is_empty())
}

/// Returns the similarity of two names; 1 means equal. A single typing error always counts as
/// similar.
fn likeness(name: &str, known: &str) -> f64 {
    let is_slip = name.len() >= SLIP_BYTES_MIN && strsim::osa_distance(name, known) <= 1;
    let likeness = strsim::jaro_winkler(name, known);
    if is_slip { likeness.max(ALIKE_MIN) } else { likeness }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_alike() {
        let known = || ["city", "price", "Name", "sum", "id"].into_iter();
        for (name, expected) in [
            ("citty", Some("`city`")),
            ("prcie", Some("`price`")),
            ("nme", Some("`Name`")),
            ("smu", Some("`sum`")),
            ("ix", None),
            ("card", None),
        ] {
            assert_eq!(alike(name, known()).as_deref(), expected, "{name}");
        }
        assert_eq!(alike(&"x".repeat(100_000), known()), None);
    }
}
