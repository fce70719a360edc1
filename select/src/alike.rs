//! The known names that a misspelled one was probably meant to be.

/// Names so much alike are worth a question; of 1 for the same.
const ALIKE_MIN: f64 = 0.8;

/// Longest name that is compared, in bytes; comparing takes the product of both lengths.
const NAME_BYTES_MAX: usize = 64;

/// Shortest name in which one letter that differs, is missing or has changed places is a slip.
const SLIP_BYTES_MIN: usize = 3;

/// Most known names that are compared.
const KNOWN_MAX: usize = 256;

/// Most names that are worth a question.
const NAMES_MAX: usize = 3;

/// Returns `` `a` or `b` ``, the known names that are most like `name`, in capitals or not; `None`
/// where none is.
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

/// How much alike two names are: 1 for the same. One slip of the hand makes no other name.
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
