//! Random Selects over the columns of [`world`](super::world).

use fastrand::Rng;

pub(super) struct Questions {
    random: Rng,
    hides_columns: bool,
}

impl Questions {
    pub(super) fn new(seed: u64, hides_columns: bool) -> Self {
        Self { random: Rng::with_seed(seed), hides_columns }
    }

    /// Returns a random Select over a file. Some of them cannot be answered.
    pub(super) fn next(&mut self, file: &str) -> String {
        let filter = match self.random.u8(0..3) {
            0 => String::new(),
            _ => format!(" WHERE {}", self.predicate()),
        };
        let end = match self.random.u8(0..4) {
            0 => format!(" LIMIT {}", self.random.u16(0..1500)),
            1 => format!(" LIMIT {} OFFSET {}", self.random.u16(0..900), self.random.u16(0..2500)),
            _ => String::new(),
        };
        match self.random.u8(0..8) {
            0 => format!("SELECT * FROM '{file}'{filter}{end}"),
            1 | 2 => {
                let (a, b) = (self.value(), self.value());
                format!("SELECT {a} AS a, {b} AS b FROM '{file}'{filter}{end}")
            }
            3 => {
                let (key, value) = (self.column(), self.value());
                format!("SELECT id, {value} AS v FROM '{file}'{filter} ORDER BY {key}, id{end}")
            }
            4 => {
                let (key, value) = (self.column(), self.number());
                format!(
                    "SELECT {key}, count(*), sum({value}), min(note) FROM '{file}'{filter} GROUP BY {key}{end}"
                )
            }
            5 => {
                let value = self.number();
                format!(
                    "SELECT count(*), count(city), max({value}), avg(amount) FROM '{file}'{filter}"
                )
            }
            6 => format!("SELECT DISTINCT city, length(note) FROM '{file}'{filter}{end}"),
            _ => format!("SELECT id, note FROM '{file}'{filter} ORDER BY amount DESC, id{end}"),
        }
    }

    fn predicate(&mut self) -> String {
        let number = self.random.i16(-50..1000);
        match self.random.u8(0..9) {
            0 => format!("amount > {number}"),
            1 => "city IS NULL".to_owned(),
            2 => format!("id < {}", number.unsigned_abs() * 3),
            3 => "note LIKE '%ababab%'".to_owned(),
            4 => format!("amount BETWEEN {number} AND {}", i32::from(number) + 200),
            // fails if the divisor is zero
            5 => format!("100 / (id - {number}) < 3"),
            6 => format!("{} AND {}", self.predicate(), self.predicate()),
            7 => format!("({} OR {})", self.predicate(), self.predicate()),
            _ => format!("city IN ('Oslo', 'Hidden') AND id <> {number}"),
        }
    }

    fn column(&mut self) -> String {
        let columns = ["id", "owner", "city", "amount", "note"];
        match self.random.u8(0..20) {
            // a hidden column, or a column that does not exist
            0 if self.hides_columns => "salary".to_owned(),
            1 => "nowhere".to_owned(),
            _ => columns[self.random.usize(0..columns.len())].to_owned(),
        }
    }

    fn number(&mut self) -> String {
        let number = self.random.i16(1..400);
        match self.random.u8(0..8) {
            0 => format!("amount * {number}"),
            1 => format!("amount / (amount - {number})"),
            2 => "length(note)".to_owned(),
            3 => format!("CASE WHEN amount > {number} THEN id ELSE amount END"),
            4 => "CAST(city AS int)".to_owned(),
            5 => "coalesce(amount, id)".to_owned(),
            _ => "amount".to_owned(),
        }
    }

    fn value(&mut self) -> String {
        match self.random.u8(0..6) {
            0 | 1 => self.column(),
            2 => "upper(city) || note".to_owned(),
            3 => "nullif(note, 'ab')".to_owned(),
            _ => self.number(),
        }
    }
}
