//! Seeded random rows, and random expressions over them in two dialects: Sift's and SQLite's.
//!
//! SQLite has no decimals, dates or booleans. So a decimal is there an integer in units of its last
//! digit, a date is its ISO text and a boolean is 0 or 1. Nothing is generated on which the
//! dialects differ: division by zero (NULL there), overflow (a float there), division of decimals
//! (its digits depend on their scale).

use fastrand::Rng;
use sift_select::Value;

use crate::table::{Column, Format, Storage, Table, decimal, integer, iso_date, text};

/// An expression in both dialects.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) ours: String,
    pub(crate) theirs: String,
}

/// The kind of values of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    /// Integers and decimals, with the number of digits after the point.
    Exact(u8),
    Float,
    Date,
    Text,
}

/// An exact number, with a bound that keeps both sides away from overflow.
#[derive(Clone, Debug)]
struct Exact {
    expr: Expr,
    scale: u8,
    /// Largest magnitude of the digits.
    digits_max: u64,
}

const DIGITS_MAX: u64 = 1_000_000_000_000;
const SCALE_MAX: u8 = 8;

const FIRST_DAY: i32 = -3_000;
const LAST_DAY: i32 = 15_000;

const WORDS: &[&str] =
    &["", "a", "b", "ab", "A", "aab", "b%", "a_b", "é", "日本", "it's", "x,y", "\"q\"", "a\nb"];

/// Makes a table: `id` counts from 1; the other columns have NULL, zero, edge cases and a few
/// repeated values.
pub(crate) fn table(seed: u64, records: i64) -> Table {
    let column = |name, storage, word| Column { name, storage, word };
    let columns = vec![
        column("id", Storage::LittleInteger { bytes: 8 }, "int64"),
        column("i", Storage::Zoned { digits: 4, scale: 0 }, "int64"),
        column("j", Storage::Packed { bytes: 4, scale: 0 }, "int64"),
        column("d", Storage::Zoned { digits: 9, scale: 2 }, "decimal(9,2)"),
        column("e", Storage::Packed { bytes: 4, scale: 3 }, "decimal(7,3)"),
        column("f", Storage::Float { bytes: 8 }, "float64"),
        column("t", Storage::Date, "date"),
        column("s", Storage::Text { bytes: 8 }, "text"),
        column("u", Storage::Text { bytes: 8 }, "text"),
    ];
    let mut random = Rng::with_seed(seed);
    let mut row = |id| {
        let random = &mut random;
        vec![
            integer(id),
            or_null(random, |random| {
                integer(random.i64(-9..=9) * random.choice([1, 1, 100]).unwrap_or(1))
            }),
            or_null(random, |random| integer(random.i64(-5..=5))),
            or_null(random, |random| {
                decimal(random.i128(-30..=30) * random.choice([1, 50, 9_999]).unwrap_or(1), 2)
            }),
            or_null(random, |random| {
                decimal(random.i128(-20..=20) * random.choice([1, 500]).unwrap_or(1), 3)
            }),
            or_null(random, |random| {
                Value::Float(
                    f64::from(random.i32(-20..=20))
                        / random.choice([1.0, 2.0, 10.0]).unwrap_or(1.0),
                )
            }),
            or_null(random, |random| Value::Date(random.i32(FIRST_DAY..=LAST_DAY) / 500 * 500)),
            or_null(random, |random| text(random.choice(WORDS).unwrap_or(&""))),
            or_null(random, |random| text(random.choice(WORDS).unwrap_or(&""))),
        ]
    };
    let rows = (1..=records).map(&mut row).collect();
    Table { name: "rows", columns, rows, formats: Format::ALL }
}

fn or_null(random: &mut Rng, value: impl Fn(&mut Rng) -> Value) -> Value {
    if random.u8(0..6) == 0 { Value::Null } else { value(random) }
}

/// Makes expressions.
#[derive(Debug)]
pub(crate) struct Generator {
    pub(crate) random: Rng,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Rng::with_seed(seed) }
    }

    /// Makes a boolean expression, at most `depth` operators deep.
    pub(crate) fn predicate(&mut self, depth: u8) -> Expr {
        if depth == 0 {
            return self.comparison(0);
        }
        match self.random.u8(0..19) {
            16 => self.is_distinct(depth),
            17 => {
                let word = self.pick(&["IS TRUE", "IS NOT TRUE", "IS FALSE", "IS NOT FALSE"]);
                self.predicate(depth - 1).map(|operand| format!("({operand}) {word}"))
            }
            18 => {
                let (left, right) = (self.predicate(depth - 1), self.predicate(depth - 1));
                self.choice(depth, &left, &right)
            }
            0..=2 => self.connective("AND", depth),
            3..=5 => self.connective("OR", depth),
            6 | 7 => {
                let operand = self.predicate(depth - 1);
                operand.map(|operand| format!("NOT ({operand})"))
            }
            8 => self.is_null(depth),
            9 | 10 => self.in_list(depth),
            11 => self.between(depth),
            12 => self.like(),
            13 => {
                let (left, right) = (self.predicate(depth - 1), self.predicate(depth - 1));
                let op = self.pick(&["=", "<>", "<", ">="]);
                join(&left, &right, |left, right| format!("({left}) {op} ({right})"))
            }
            _ => self.comparison(depth),
        }
    }

    /// Makes an expression of any kind, at most `depth` operators deep.
    pub(crate) fn value(&mut self, depth: u8) -> (Expr, Kind) {
        match self.random.u8(0..6) {
            0 => (self.predicate(depth), Kind::Boolean),
            1 | 2 => {
                let exact = self.exact(depth);
                (exact.expr, Kind::Exact(exact.scale))
            }
            3 => (self.float(depth), Kind::Float),
            4 => (self.date(depth), Kind::Date),
            _ => (self.text_of(depth), Kind::Text),
        }
    }

    /// Makes a number that can be added up.
    pub(crate) fn summand(&mut self, depth: u8) -> (Expr, u8) {
        let exact = self.exact(depth);
        (exact.expr, exact.scale)
    }

    fn connective(&mut self, word: &str, depth: u8) -> Expr {
        let first = self.predicate(depth - 1);
        (0..self.random.u8(1..3)).fold(first, |left, _| {
            let right = self.predicate(depth - 1);
            join(&left, &right, |left, right| format!("({left}) {word} ({right})"))
        })
    }

    fn comparison(&mut self, depth: u8) -> Expr {
        let depth = depth.saturating_sub(1);
        let op = self.pick(&["=", "<>", "!=", "<", "<=", ">", ">="]);
        let (left, right) = self.two_alike(depth);
        join(&left, &right, |left, right| format!("{left} {op} {right}"))
    }

    /// Makes a comparison that is never NULL; the other dialect has IS for it.
    fn is_distinct(&mut self, depth: u8) -> Expr {
        let (left, right) = self.two_alike(depth - 1);
        let (ours, theirs) = match self.random.bool() {
            true => ("IS DISTINCT FROM", "IS NOT"),
            false => ("IS NOT DISTINCT FROM", "IS"),
        };
        Expr {
            ours: format!("{} {ours} {}", left.ours, right.ours),
            theirs: format!("({}) {theirs} ({})", left.theirs, right.theirs),
        }
    }

    /// Makes a choice between two values of one kind, by a condition or by NULL.
    fn choice(&mut self, depth: u8, left: &Expr, right: &Expr) -> Expr {
        match self.random.u8(0..4) {
            0 => join(left, right, |left, right| format!("coalesce({left}, {right})")),
            1 => join(left, right, |left, right| format!("nullif({left}, {right})")),
            2 => {
                let condition = self.predicate(depth - 1);
                let results =
                    join(left, right, |left, right| format!("THEN {left} ELSE {right} END"));
                join(&condition, &results, |condition, results| {
                    format!("(CASE WHEN {condition} {results})")
                })
            }
            _ => {
                let (operand, other) = self.two_alike(depth - 1);
                let results =
                    join(left, right, |left, right| format!("THEN {left} ELSE {right} END"));
                let whens = join(&other, &results, |other, results| format!("({other}) {results}"));
                join(&operand, &whens, |operand, whens| format!("(CASE ({operand}) WHEN {whens})"))
            }
        }
    }

    fn is_null(&mut self, depth: u8) -> Expr {
        let (operand, _) = self.value(depth - 1);
        let word = self.pick(&["IS NULL", "IS NOT NULL"]);
        operand.map(|operand| format!("({operand}) {word}"))
    }

    fn between(&mut self, depth: u8) -> Expr {
        let (operand, low) = self.two_alike_of(depth - 1, 5);
        let high = self.literal_like(&low);
        let word = self.pick(&["BETWEEN", "NOT BETWEEN"]);
        let both = join(&operand.0, &low.0, |operand, low| format!("{operand} {word} {low}"));
        join(&both, &high.0, |both, high| format!("{both} AND {high}"))
    }

    /// Makes a condition with a short list or one that is long enough for a set.
    fn in_list(&mut self, depth: u8) -> Expr {
        let (operand, first) = self.two_alike_of(depth - 1, 5);
        let mut list = first.0.clone();
        for _ in 0..self.random.choice([0, 2, 9, 20]).unwrap_or(0) {
            let item = if self.random.u8(0..12) == 0 {
                Expr { ours: "NULL".into(), theirs: "NULL".into() }
            } else {
                self.literal_like(&first).0
            };
            list = join(&list, &item, |list, item| format!("{list}, {item}"));
        }
        let word = self.pick(&["IN", "NOT IN"]);
        join(&operand.0, &list, |operand, list| format!("{operand} {word} ({list})"))
    }

    fn like(&mut self) -> Expr {
        let operand = self.text();
        let pieces =
            ["%", "%", "_", "a", "b", "A", "é", "本", "\\%", "\\_", "\\\\", "''", ",", "\n"];
        let length = self.random.usize(0..5);
        let pattern: String = (0..length).map(|_| self.pick(&pieces)).collect();
        let word = self.pick(&["LIKE", "NOT LIKE"]);
        Expr {
            ours: format!("{} {word} '{pattern}'", operand.ours),
            theirs: format!("{} {word} '{pattern}' ESCAPE '\\'", operand.theirs),
        }
    }

    fn two_alike(&mut self, depth: u8) -> (Expr, Expr) {
        let (left, right) = self.two_alike_of(depth, 6);
        (left.0, right.0)
    }

    /// Makes two operands that compare with each other, and their kinds for a literal beside them.
    fn two_alike_of(&mut self, depth: u8, kinds: u8) -> ((Expr, Kind), (Expr, Kind)) {
        match self.random.u8(0..kinds) {
            0 | 1 => {
                let (left, right) = (self.exact(depth), self.exact(depth));
                let scale = left.scale.max(right.scale);
                let (left, right) = (left.theirs_at(scale), right.theirs_at(scale));
                ((left, Kind::Exact(scale)), (right, Kind::Exact(scale)))
            }
            2 => ((self.date(depth), Kind::Date), (self.date(depth), Kind::Date)),
            3 => ((self.text_of(depth), Kind::Text), (self.text_of(depth), Kind::Text)),
            4 => {
                let literal = self.random.bool();
                let right = if literal { self.float_literal() } else { self.float(depth) };
                ((self.float(depth), Kind::Float), (right, Kind::Float))
            }
            _ => {
                let (left, right) = (self.exact(depth).into_float(), self.float(depth));
                ((left, Kind::Float), (right, Kind::Float))
            }
        }
    }

    fn literal_like(&mut self, (_, kind): &(Expr, Kind)) -> (Expr, Kind) {
        let literal = match kind {
            Kind::Exact(scale) => {
                let literal = self.exact_literal();
                if literal.scale > *scale { zero() } else { literal.theirs_at(*scale) }
            }
            Kind::Date => self.date_literal(),
            Kind::Text => self.text_literal(),
            Kind::Float | Kind::Boolean => self.float_literal(),
        };
        (literal, *kind)
    }

    fn exact(&mut self, depth: u8) -> Exact {
        if depth == 0 {
            return match self.random.u8(0..3) {
                0 => self.exact_literal(),
                _ => self.exact_column(),
            };
        }
        match self.random.u8(0..11) {
            8 => {
                let Exact { expr, scale, digits_max } = self.exact(depth - 1);
                Exact { expr: expr.map(|operand| format!("abs({operand})")), scale, digits_max }
            }
            9 => {
                let expr = self.text_of(depth - 1).map(|operand| format!("length({operand})"));
                Exact { expr, scale: 0, digits_max: 1_000 }
            }
            10 => {
                let (left, right) = (self.exact(depth - 1), self.exact(depth - 1));
                let scale = left.scale.max(right.scale);
                let digits =
                    |side: &Exact| side.digits_max.saturating_mul(power(scale - side.scale));
                let digits_max = digits(&left).max(digits(&right));
                if digits_max > DIGITS_MAX {
                    return self.exact(0);
                }
                let expr = self.choice(depth, &left.theirs_at(scale), &right.theirs_at(scale));
                Exact { expr, scale, digits_max }
            }
            0 | 1 => self.sum(depth),
            2 => self.product(depth),
            3 => self.quotient(depth),
            4 => {
                let Exact { expr, scale, digits_max } = self.exact(depth - 1);
                Exact { expr: expr.map(|operand| format!("(- {operand})")), scale, digits_max }
            }
            5 => self.days_between(depth),
            _ => self.exact(0),
        }
    }

    fn sum(&mut self, depth: u8) -> Exact {
        let (left, right) = (self.exact(depth - 1), self.exact(depth - 1));
        let scale = left.scale.max(right.scale);
        let digits = |side: &Exact| side.digits_max.saturating_mul(power(scale - side.scale));
        let digits_max = digits(&left).saturating_add(digits(&right));
        if digits_max > DIGITS_MAX {
            return self.exact(0);
        }
        let op = self.pick(&["+", "-"]);
        let (left, right) = (left.theirs_at(scale), right.theirs_at(scale));
        let expr = join(&left, &right, |left, right| format!("({left} {op} {right})"));
        Exact { expr, scale, digits_max }
    }

    fn product(&mut self, depth: u8) -> Exact {
        let (left, right) = (self.exact(depth - 1), self.exact(depth - 1));
        let digits_max = left.digits_max.saturating_mul(right.digits_max);
        let scale = left.scale + right.scale;
        if digits_max > DIGITS_MAX || scale > SCALE_MAX {
            return self.exact(0);
        }
        let expr = join(&left.expr, &right.expr, |left, right| format!("({left} * {right})"));
        Exact { expr, scale, digits_max }
    }

    /// Makes a quotient of integers, whose divisor is not zero.
    fn quotient(&mut self, depth: u8) -> Exact {
        let dividend = self.exact(depth - 1);
        let divisor = self.random.i64(1..=7) * self.random.choice([1, -1]).unwrap_or(1);
        let op = self.pick(&["/", "%"]);
        if dividend.scale > 0 {
            return dividend;
        }
        let expr = dividend.expr.map(|operand| format!("({operand} {op} {divisor})"));
        Exact { expr, ..dividend }
    }

    fn days_between(&mut self, depth: u8) -> Exact {
        let (left, right) = (self.date(depth - 1), self.date(depth - 1));
        let expr = Expr {
            ours: format!("({} - {})", left.ours, right.ours),
            theirs: format!(
                "CAST(julianday({}) - julianday({}) AS INTEGER)",
                left.theirs, right.theirs
            ),
        };
        Exact { expr, scale: 0, digits_max: 100_000 }
    }

    fn exact_column(&mut self) -> Exact {
        let columns =
            [("id", 0, 10_000), ("i", 0, 900), ("j", 0, 5), ("d", 2, 299_970), ("e", 3, 10_000)];
        let (name, scale, digits_max) = self.random.choice(columns).unwrap_or(columns[0]);
        Exact { expr: same(name), scale, digits_max }
    }

    fn exact_literal(&mut self) -> Exact {
        let scale = self.random.choice([0, 0, 1, 2, 3]).unwrap_or(0);
        let digits = self.random.i64(-30..=30) * self.random.choice([1, 10, 500]).unwrap_or(1);
        let ours = crate::table::plain(&decimal(digits.into(), scale));
        let expr = Expr { ours, theirs: digits.to_string() };
        // in parentheses, because a sign before a literal is an operator
        let expr = if digits < 0 { expr.map(|literal| format!("({literal})")) } else { expr };
        Exact { expr, scale, digits_max: digits.unsigned_abs() }
    }

    fn float(&mut self, depth: u8) -> Expr {
        if depth == 0 {
            return same("f");
        }
        match self.random.u8(0..6) {
            0 => {
                let op = self.pick(&["+", "-", "*"]);
                let (left, right) = (self.float(depth - 1), self.float(depth - 1));
                join(&left, &right, |left, right| format!("({left} {op} {right})"))
            }
            1 => {
                let op = self.pick(&["+", "-", "*"]);
                let (left, right) = (self.float(depth - 1), self.exact(depth - 1).into_float());
                join(&left, &right, |left, right| format!("({left} {op} {right})"))
            }
            2 => self.float(depth - 1).map(|operand| format!("(- {operand})")),
            3 => {
                let (left, right) = (self.float(depth - 1), self.float_literal());
                join(&left, &right, |left, right| format!("({left} + {right})"))
            }
            4 => self.float(depth - 1).map(|operand| format!("({operand} / 4)")),
            _ => self.float(0),
        }
    }

    /// Makes a decimal in Sift's dialect, so it needs a float beside it.
    fn float_literal(&mut self) -> Expr {
        let value = f64::from(self.random.i32(-40..=40)) / 4.0;
        same(&format!("({value:?})"))
    }

    fn date(&mut self, depth: u8) -> Expr {
        if depth == 0 {
            return if self.random.u8(0..3) == 0 { self.date_literal() } else { same("t") };
        }
        let days = self.random.i32(0..=400);
        match self.random.u8(0..4) {
            0 => self.date(depth - 1).both(
                |date| format!("({date} + {days})"),
                |date| format!("date({date}, '+{days} days')"),
            ),
            1 => self.date(depth - 1).both(
                |date| format!("({date} - {days})"),
                |date| format!("date({date}, '-{days} days')"),
            ),
            _ => self.date(0),
        }
    }

    fn date_literal(&mut self) -> Expr {
        let date = iso_date(self.random.i32(FIRST_DAY..=LAST_DAY) / 500 * 500);
        Expr { ours: format!("DATE '{date}'"), theirs: format!("'{date}'") }
    }

    fn text(&mut self) -> Expr {
        match self.random.u8(0..3) {
            0 => same("s"),
            1 => same("u"),
            _ => self.text_literal(),
        }
    }

    /// Makes a text with functions, in upper case only with characters that both dialects map
    /// alike.
    fn text_of(&mut self, depth: u8) -> Expr {
        if depth == 0 {
            return self.text();
        }
        let operand = self.text_of(depth - 1);
        let start = self.random.u8(1..4);
        match self.random.u8(0..8) {
            0 => {
                let other = self.text_of(depth - 1);
                join(&operand, &other, |left, right| format!("({left} || {right})"))
            }
            1 => operand.map(|operand| format!("lower({operand})")),
            2 => operand.map(|operand| format!("trim({operand})")),
            3 => {
                let (sought, new) = (self.text_literal(), self.text_literal());
                let (sought, new) = (sought.ours, new.ours);
                operand.map(|operand| format!("replace({operand}, {sought}, {new})"))
            }
            4 => {
                let length = self.random.u8(0..4);
                operand.map(|operand| format!("substr({operand}, {start}, {length})"))
            }
            5 => {
                let other = self.text_of(depth - 1);
                self.choice(depth, &operand, &other)
            }
            _ => self.text(),
        }
    }

    fn text_literal(&mut self) -> Expr {
        let word = self.random.choice(WORDS).unwrap_or(&"").replace('\'', "''");
        same(&format!("'{word}'"))
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        self.random.choice(of).copied().unwrap_or_default()
    }
}

impl Exact {
    /// Returns the expression as an integer of that scale in the other dialect.
    fn theirs_at(&self, scale: u8) -> Expr {
        let theirs = match power(scale - self.scale) {
            1 => self.expr.theirs.clone(),
            factor => format!("({} * {factor})", self.expr.theirs),
        };
        Expr { ours: self.expr.ours.clone(), theirs }
    }

    /// Returns the expression beside a float: both are exact, so one division rounds once.
    fn into_float(self) -> Expr {
        let factor = power(self.scale);
        let theirs = format!("(CAST({} AS REAL) / {factor}.0)", self.expr.theirs);
        Expr { ours: self.expr.ours, theirs }
    }
}

impl Expr {
    fn map(self, form: impl Fn(&str) -> String) -> Self {
        Self { ours: form(&self.ours), theirs: form(&self.theirs) }
    }

    fn both(self, ours: impl Fn(&str) -> String, theirs: impl Fn(&str) -> String) -> Self {
        Self { ours: ours(&self.ours), theirs: theirs(&self.theirs) }
    }
}

fn join(left: &Expr, right: &Expr, form: impl Fn(&str, &str) -> String) -> Expr {
    Expr { ours: form(&left.ours, &right.ours), theirs: form(&left.theirs, &right.theirs) }
}

fn same(text: &str) -> Expr {
    Expr { ours: text.to_owned(), theirs: text.to_owned() }
}

fn zero() -> Expr {
    same("0")
}

fn power(digits: u8) -> u64 {
    10_u64.pow(digits.into())
}
