//! Random texts in the input grammar of each type, and texts that are nearly valid.
//!
//! Source: sections 8.1, 8.5 and 8.6 of PostgreSQL's documentation.

use fastrand::Rng;

use super::recorded::texts;
use super::types::Type;

const SPACES: &[&str] = &[" ", " ", " ", "  ", "\t", "\n", "\u{a0}", "\u{b}", "\r\n", "\u{3000}"];

const MONTHS: &str = "Jan|January|feb|FEBRUARY|Mar|march|apr|April|may|Jun|June|july|Jul|Aug\
    |august|Sep|sept|September|oct|OCTOBER|Nov|november|Dec|december|Janu|Sepp|Juin";
const WEEKDAYS: &str = "Mon|monday|Tue|tues|Wed|weds|Thu|thur|thurs|Fri|Sat|sunday";
const ZONES: &str = "Z|z|UTC|utc|GMT|+05|+05:30|-08:00|+0530|-8|+15:59:59|+16|PST|EST|CET\
    |America/New_York|Europe/Paris|zulu|+00|-00:00|+5:3|+05:30:15|UTC+3|EDT|Mars/Phobos|DST|BST";
const TIMES: &str = "24:00:00|23:59:60|23:59:59.9999999|24:00:01|12:60|12:30:61|allballs|040506\
    |0405|04|4 PM|12 AM|13:00 PM|23:59:59.9999995|12:30:60.5|T12|t1230|12:30.5|12:30:|12::30\
    |00:00:00.0000005|0:0:0|1:2:3|040506.789";
const MOMENTS: &str = "epoch|infinity|-infinity|+infinity|now|today|tomorrow|yesterday|allballs\
    |Infinity|inf|EPOCH|noon|current|invalid|NaN|null|";
const UNITS: &str = "microsecond|microseconds|us|usec|usecs|microsecon|useconds|usecond|millisecond\
    |milliseconds|ms|msec|msecs|msecond|mseconds|millisecon|second|seconds|sec|secs|s|minute\
    |minutes|min|mins|m|hour|hours|hr|hrs|h|day|days|d|week|weeks|w|month|months|mon|mons\
    |year|years|yr|yrs|y|decade|decades|decs|dec|century|centuries|cent|c|millennium\
    |millennia|mil|mils|quarter|qtr|timezone|weekss|D|DAYS|Year|T|P|ago|fortnight|tz|doy|j";

/// Makes texts.
pub(super) struct Texts {
    random: Rng,
}

impl Texts {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Rng::with_seed(seed) }
    }

    /// Makes a text for values of a type; some are faulty.
    pub(super) fn text(&mut self, of: Type) -> String {
        let text = match of {
            _ if self.chance(6) => self.random.choice(texts(of)).expect("texts").clone(),
            Type::Boolean => self.boolean(),
            Type::Smallint | Type::Integer | Type::Bigint => self.whole(),
            Type::Numeric | Type::Amount | Type::Real | Type::Double => self.number(),
            Type::Date => match self.random.u8(0..10) {
                0 => self.timestamp(),
                _ => self.date(),
            },
            Type::Timestamp => self.timestamp(),
            Type::Interval => self.interval(),
        };
        let text = match self.random.u8(0..5) {
            0 => self.mutated(text),
            _ => text,
        };
        match self.random.u8(0..8) {
            0 => format!("{}{text}", self.pick(SPACES)),
            1 => format!("{text}{}", self.pick(SPACES)),
            _ => text,
        }
    }

    /// Makes a text for a random type.
    pub(super) fn of_any_type(&mut self) -> (Type, String) {
        let of = self.random.choice(Type::ALL.iter().copied()).expect("types");
        (of, self.text(of))
    }

    fn pick(&mut self, of: &[&'static str]) -> &'static str {
        self.random.choice(of).copied().expect("a choice")
    }

    fn word(&mut self, of: &'static str) -> &'static str {
        self.random.choice(of.split('|').collect::<Vec<_>>()).expect("a choice")
    }

    fn chance(&mut self, of: u8) -> bool {
        self.random.u8(0..of) == 0
    }

    fn maybe(&mut self, of: u8, text: impl FnOnce(&mut Self) -> String) -> String {
        if self.chance(of) { text(self) } else { String::new() }
    }

    /// Adds one to three small faults.
    fn mutated(&mut self, text: String) -> String {
        const INSERTED: &[&str] = &[
            " ", "\t", "-", "+", ".", ":", "/", ",", "T", "t", "@", "e", "E", "0", "1", "5", "9",
            "J", "\u{a0}", "_", "P", "ago", "é", "٣", "  ", "x", "'", "--", "00", "%", "(", "1e5",
        ];
        let mut chars: Vec<char> = text.chars().collect();
        for _ in 0..self.random.usize(1..3) {
            let at = self.random.usize(0..=chars.len());
            match self.random.u8(0..6) {
                0 | 1 => {
                    let piece = self.pick(INSERTED);
                    chars.splice(at..at, piece.chars());
                }
                2 if at < chars.len() => drop(chars.remove(at)),
                3 if at < chars.len() => chars.insert(at, chars[at]),
                4 if at + 1 < chars.len() => chars.swap(at, at + 1),
                5 if at < chars.len() => {
                    let char = chars[at];
                    chars[at] = match char.is_lowercase() {
                        true => char.to_ascii_uppercase(),
                        false => char.to_ascii_lowercase(),
                    };
                }
                _ => chars.truncate(at),
            }
        }
        chars.into_iter().collect()
    }

    fn boolean(&mut self) -> String {
        let word =
            self.pick(&["true", "false", "yes", "no", "on", "off", "TRUE", "oN", "truee", "onn"]);
        let end = match self.random.u8(0..3) {
            0 => self.random.usize(0..=word.len()),
            _ => word.len(),
        };
        word[..end].to_owned()
    }

    fn sign(&mut self) -> &'static str {
        self.pick(&["", "", "", "", "-", "-", "+", "--", "- ", "+-"])
    }

    fn digits(&mut self, count: usize) -> String {
        let random = &mut self.random;
        (0..count).map(|_| random.choice(['0', '1', '5', '9', '7']).expect("digits")).collect()
    }

    fn whole(&mut self) -> String {
        let count = self.random.usize(1..8);
        format!("{}{}", self.sign(), self.digits(count))
    }

    /// Makes a number up to one of some bounds.
    fn up_to(&mut self, bounds: &[u16]) -> u16 {
        let bound = self.random.choice(bounds).copied().expect("a bound");
        self.random.u16(0..=bound)
    }

    /// Makes a point and digits, with a chance of one in `of`.
    fn fraction(&mut self, of: u8, counts: &[usize]) -> String {
        self.maybe(of, |texts| {
            let count = texts.random.choice(counts).copied().expect("a count");
            format!(".{}", texts.digits(count))
        })
    }

    fn number(&mut self) -> String {
        let count = self.random.choice([0, 1, 1, 2, 3, 5, 9, 17, 20, 39]).expect("a count");
        let whole = self.digits(count);
        let fraction = self.fraction(2, &[0, 1, 2, 3, 4, 6, 16, 20]);
        let exponent = self.maybe(3, |texts| {
            let (e, sign) = (texts.pick(&["e", "E"]), texts.pick(&["", "-", "+"]));
            format!("{e}{sign}{}", texts.up_to(&[3, 20, 50, 330]))
        });
        format!("{}{whole}{fraction}{exponent}", self.sign())
    }

    fn year(&mut self) -> String {
        const EDGES: &str =
            "294276|294277|5874897|5874898|9999|10000|4713|4714|0000|-0001|0001|69|70";
        match self.random.u8(0..12) {
            0 => format!("{}", self.random.u8(0..100)),
            1 => format!("{:02}", self.random.u8(0..100)),
            2 => format!("{:03}", self.random.u16(0..1000)),
            3 => format!("{:04}", self.random.u16(0..100)),
            4 => format!("{}", self.random.u32(4713..300_000)),
            5 => self.word(EDGES).to_owned(),
            _ => format!("{}", self.random.u16(1900..2100)),
        }
    }

    fn month(&mut self) -> String {
        match self.random.u8(0..6) {
            0 => format!("{}", self.random.u8(0..14)),
            _ => format!("{:02}", self.random.u8(1..13)),
        }
    }

    fn day(&mut self) -> String {
        match self.random.u8(0..6) {
            0 => format!("{}", self.random.u8(0..33)),
            1 => self.pick(&["28", "29", "30", "31", "00"]).to_owned(),
            _ => format!("{:02}", self.random.u8(1..29)),
        }
    }

    fn date(&mut self) -> String {
        let (year, month, day) = (self.year(), self.month(), self.day());
        let name = self.word(MONTHS);
        let separator = self.pick(&["-", "/", ".", " ", "", "-", "-", ", "]);
        let date = match self.random.u8(0..20) {
            0..=5 => format!("{year}-{month}-{day}"),
            6 => format!("{month}/{day}/{year}"),
            7 => format!("{year}{separator}{month}{separator}{day}"),
            8 => format!("{month}{separator}{day}{separator}{year}"),
            9 => format!("{name}{separator}{day}{separator}{year}"),
            10 => format!("{day}{separator}{name}{separator}{year}"),
            11 => format!("{year}{separator}{name}{separator}{day}"),
            12 => format!("{name} {day}, {year}"),
            13 => format!("{year:0>4}{month:0>2}{day:0>2}"),
            14 => format!("{:0>2}{month:0>2}{day:0>2}", &year[year.len().saturating_sub(2)..]),
            15 => {
                let day = self.random.u16(0..368);
                let point = self.pick(&[".", "-", "", "/"]);
                format!("{year}{point}{day:03}")
            }
            16 => {
                let j = self.pick(&["J", "j", "JD", "julian ", "J "]);
                let days = self.word("0|1|2451187|2451545|5373484|2147483647|2147483648");
                let fraction = self.fraction(4, &[0, 1, 2, 4]);
                format!("{j}{days}{fraction}")
            }
            17 => self.word(MOMENTS).to_owned(),
            18 => format!("{} {year}-{month}-{day}", self.word(WEEKDAYS)),
            _ => format!("{year}-{month}"),
        };
        let era = self.maybe(8, |texts| {
            texts.pick(&[" BC", " AD", "BC", " bc", " B.C.", " ad", " BC BC"]).to_owned()
        });
        format!("{date}{era}")
    }

    fn time(&mut self) -> String {
        if self.chance(4) {
            return self.word(TIMES).to_owned();
        }
        let (hour, minute, second) =
            (self.random.u8(0..25), self.random.u8(0..60), self.random.u8(0..61));
        let fraction = self.fraction(3, &[0, 1, 2, 3, 6, 7, 8, 12]);
        let half =
            self.maybe(8, |texts| texts.pick(&[" AM", " PM", "am", "pm", " p.m."]).to_owned());
        match self.random.u8(0..8) {
            0 => format!("{hour}:{minute:02}{half}"),
            1 => format!("{hour:02}:{minute:02}{half}"),
            2 => format!("{hour:02}{minute:02}{second:02}{fraction}"),
            _ => format!("{hour:02}:{minute:02}:{second:02}{fraction}{half}"),
        }
    }

    fn timestamp(&mut self) -> String {
        let date = self.date();
        if self.chance(8) {
            return date;
        }
        let time = self.time();
        let zone = self.maybe(3, |texts| {
            let space = texts.pick(&["", "", " "]);
            format!("{space}{}", texts.word(ZONES))
        });
        let era = self.maybe(20, |texts| texts.pick(&[" BC", " AD"]).to_owned());
        let between = self.pick(&[
            " ", " ", " ", " ", " ", "T", "T", "t", "  ", "\t", ", ", "-", "_", "", " T", "T ", "/",
        ]);
        match self.random.u8(0..12) {
            0 => format!("{time}{zone} {date}"),
            _ => format!("{date}{between}{time}{zone}{era}"),
        }
    }

    fn amount(&mut self) -> String {
        const EDGES: &str = "0|00||2147483647|2147483648|178956970|178956971|106751991|106751992\
            |2562047788|99999999999|9223372036854775807|9223372036854775808";
        let sign = self.pick(&["", "", "", "", "", "-", "-", "+", "- ", "--"]);
        let whole = match self.random.u8(0..10) {
            0 => self.word(EDGES).to_owned(),
            _ => format!("{}", self.up_to(&[3, 30, 400, 3000])),
        };
        let fraction = self.fraction(4, &[0, 1, 1, 2, 3, 6, 7, 10]);
        let exponent = self.maybe(40, |texts| texts.pick(&["e1", "e-2", "E3", "e"]).to_owned());
        format!("{sign}{whole}{fraction}{exponent}")
    }

    fn interval(&mut self) -> String {
        match self.random.u8(0..11) {
            0 | 1 => self.iso_interval(),
            2 => {
                let sign = self.pick(&["", "-", "+"]);
                let months = self.random.u8(0..14);
                let behind = self.maybe(2, |texts| format!(" {} {}", texts.amount(), texts.span()));
                format!("{sign}{}-{months}{behind}", self.random.u8(0..40))
            }
            3 => format!("{} {}", self.amount(), self.span()),
            4 => {
                let sign = self.pick(&["", "-", "+"]);
                format!("{sign}{}", self.span())
            }
            _ => {
                let at = self.maybe(10, |texts| texts.pick(&["@ ", "@"]).to_owned());
                let mut parts = Vec::new();
                for _ in 0..self.random.choice([1, 1, 1, 2, 2, 3, 4]).expect("a count") {
                    let space = self.pick(&[" ", " ", " ", "", "\t"]);
                    let amount = self.amount();
                    let unit = self.word(UNITS);
                    parts.push(format!("{amount}{space}{unit}"));
                }
                if self.chance(4) {
                    let sign = self.pick(&["", "-", "+"]);
                    parts.push(format!("{sign}{}", self.span()));
                }
                let ago = self.maybe(8, |texts| texts.pick(&[" ago", " AGO", "ago"]).to_owned());
                let space = self.pick(&[" ", " ", " ", ", ", ""]);
                format!("{at}{}{ago}", parts.join(space))
            }
        }
    }

    /// Makes hours, minutes and seconds.
    fn span(&mut self) -> String {
        let (hours, minutes, seconds) =
            (self.random.u16(0..30), self.random.u8(0..61), self.random.u8(0..61));
        let fraction = self.fraction(3, &[0, 1, 2, 3, 6, 7, 8]);
        match self.random.u8(0..5) {
            0 => format!("{hours}:{minutes}"),
            1 => format!("{hours}:{minutes:02}{fraction}"),
            2 => format!("{hours}:{minutes}:{seconds}{fraction}"),
            _ => format!("{hours:02}:{minutes:02}:{seconds:02}{fraction}"),
        }
    }

    fn iso_interval(&mut self) -> String {
        let mut text = String::from("P");
        match self.random.u8(0..8) {
            0 => {
                let (years, months, days) =
                    (self.random.u8(0..50), self.random.u8(0..14), self.random.u8(0..33));
                let time = self.maybe(2, |texts| format!("T{}", texts.span()));
                return match self.random.bool() {
                    true => format!("P{years:04}-{months:02}-{days:02}{time}"),
                    false => format!("P{years:04}{months:02}{days:02}{time}"),
                };
            }
            1 => return format!("PT{}", self.span()),
            _ => {}
        }
        for unit in ["Y", "M", "W", "D"] {
            text += &self.maybe(2, |texts| format!("{}{unit}", texts.amount()));
        }
        if self.random.bool() {
            text.push('T');
            for unit in ["H", "M", "S"] {
                text += &self.maybe(2, |texts| format!("{}{unit}", texts.amount()));
            }
        }
        match self.random.u8(0..10) {
            0 => text.to_lowercase(),
            1 => format!("-{text}"),
            _ => text,
        }
    }
}
