//! Random expressions of each type over the columns of the table of all types.
//!
//! The grammar is data, `tests/data/postgres_grammar.txt`. Both engines are asked the same text.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use fastrand::Rng;

/// The forms of each section of the file.
static FORMS: LazyLock<BTreeMap<&str, Vec<String>>> = LazyLock::new(|| {
    let mut forms: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut section = "";
    let text = include_str!("../../data/postgres_grammar.txt");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
            continue;
        }
        let new = line.split(';').map(str::trim).filter(|form| !form.is_empty());
        let new = new.map(|form| form.replace("<newline>", "\n"));
        forms.entry(section).or_default().extend(new);
    }
    forms
});

/// Makes expressions.
pub(super) struct Grammar {
    pub(super) random: Rng,
    /// True if forms that fail are among them.
    fallible: bool,
}

impl Grammar {
    pub(super) fn new(seed: u64, fallible: bool) -> Self {
        Self { random: Rng::with_seed(seed), fallible }
    }

    /// Makes an expression of the type, at most `depth` forms deep.
    pub(super) fn expr(&mut self, of: &str, depth: u8) -> String {
        if of == "any" {
            let of = self.pick(&["bool", "int", "dec", "float", "text", "date", "time", "span"]);
            return self.expr(of, depth);
        }
        let kind = match self.random.u8(0..10) {
            _ if depth == 0 => "leaf",
            0 => "leaf",
            1 if !self.fallible => "choice",
            2..=7 if self.fallible => "fallible",
            _ => "total",
        };
        let section =
            if kind == "choice" { "any choice".to_owned() } else { format!("{of} {kind}") };
        // some types have only leaves
        let leaves = || FORMS.get(format!("{of} leaf").as_str());
        let forms = FORMS.get(section.as_str()).or_else(leaves).expect(of);
        let form = self.random.choice(forms).expect("forms");
        self.fill(form, of, depth.saturating_sub(1))
    }

    /// Replaces the braces of a form with expressions; `of` is the type of the form.
    pub(super) fn fill(&mut self, form: &str, of: &str, depth: u8) -> String {
        let mut filled = String::new();
        let mut rest = form;
        while let Some((before, behind)) = rest.split_once('{') {
            filled += before;
            let name = behind.split_once('}');
            // a number in braces is a part of a pattern
            match name.filter(|(name, _)| name.starts_with(char::is_lowercase)) {
                Some((name, after)) => {
                    filled += &self.expr(if name == "x" { of } else { name }, depth);
                    rest = after;
                }
                None => {
                    filled.push('{');
                    rest = behind;
                }
            }
        }
        filled + rest
    }

    pub(super) fn pick(&mut self, of: &[&'static str]) -> &'static str {
        self.random.choice(of).copied().expect("a choice")
    }
}
