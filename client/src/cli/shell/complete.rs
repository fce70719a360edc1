//! Completes a text that is being typed, with keywords, functions, columns, files and commands.
//! It does no I/O; it asks [`Names`] for what only the server knows.

use sift_client::{quote_column, quote_file};
use sift_print::printable;

use super::input::{self, COMMANDS};

/// The maximal number of candidates.
const CANDIDATES_MAX: usize = 200;

/// The names that the server knows.
pub(super) trait Names {
    /// The paths of the files.
    fn files(&self) -> Vec<String>;

    /// The columns of a file.
    fn columns(&self, file: &str) -> Vec<String>;
}

/// Words of a Select. Those that most often go together are one candidate.
const KEYWORDS: &[&str] = &[
    "SELECT",
    "DISTINCT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT",
    "OFFSET",
    "AND",
    "OR",
    "NOT",
    "IN",
    "BETWEEN",
    "LIKE",
    "ILIKE",
    "SIMILAR TO",
    "IS NULL",
    "IS NOT NULL",
    "IS DISTINCT FROM",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "CAST",
    "AS",
    "ASC",
    "DESC",
    "NULLS FIRST",
    "NULLS LAST",
    "DATE",
    "TIMESTAMP",
    "INTERVAL",
    "TRUE",
    "FALSE",
    "NULL",
    "FILTER",
    "EXPLAIN",
    "ANALYZE",
];

/// The functions of docs/sql.md.
const FUNCTIONS: &[&str] = &[
    "lower",
    "upper",
    "initcap",
    "length",
    "char_length",
    "character_length",
    "octet_length",
    "substring",
    "substr",
    "position",
    "strpos",
    "starts_with",
    "left",
    "right",
    "trim",
    "btrim",
    "ltrim",
    "rtrim",
    "lpad",
    "rpad",
    "replace",
    "repeat",
    "reverse",
    "split_part",
    "concat",
    "concat_ws",
    "abs",
    "sign",
    "round",
    "trunc",
    "ceil",
    "ceiling",
    "floor",
    "mod",
    "sqrt",
    "exp",
    "ln",
    "log",
    "log10",
    "power",
    "pow",
    "extract",
    "date_part",
    "date_trunc",
    "make_date",
    "count",
    "sum",
    "min",
    "max",
    "avg",
    "coalesce",
    "nullif",
    "greatest",
    "least",
];

/// Returns where the word before the position begins, and the words that it could become.
pub(super) fn candidates(text: &str, position: usize, names: &impl Names) -> (usize, Vec<String>) {
    let Some(before) = text.get(..position) else { return (position, Vec::new()) };
    let (start, mut found) = match before.trim_start().starts_with('\\') {
        true => of_command(before, names),
        false => of_select(before, text, names),
    };
    // a name must not steer the terminal
    found.retain(|name| printable(name, &[]) == name.as_str());
    found.truncate(CANDIDATES_MAX);
    (start, found)
}

fn of_command(before: &str, names: &impl Names) -> (usize, Vec<String>) {
    let start = before.rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
    let word = before.get(start..).unwrap_or_default();
    let command = before.split_whitespace().next().unwrap_or_default();
    let all: Vec<String> = match command {
        command if word == command => {
            COMMANDS.iter().map(|(name, ..)| (*name).to_owned()).collect()
        }
        "\\d" => names.files(),
        "\\format" => input::formats().collect(),
        "\\x" | "\\timing" => vec!["on".to_owned(), "off".to_owned()],
        _ => Vec::new(),
    };
    (start, all.into_iter().filter(|name| name.starts_with(word)).collect())
}

fn of_select(before: &str, text: &str, names: &impl Names) -> (usize, Vec<String>) {
    match open_quote(before) {
        Some((start, '\'')) if follows_from(before.get(..start).unwrap_or_default()) => {
            let prefix = before.get(start..).unwrap_or_default();
            let files = names.files().into_iter().map(|file| quote_file(&file));
            (start, files.filter(|file| file.starts_with(prefix)).collect())
        }
        Some((_, '\'')) => (before.len(), Vec::new()),
        Some((start, _)) => {
            let prefix = before.get(start..).unwrap_or_default();
            let columns = columns(text, names).into_iter().map(|column| quote_column(&column));
            (start, columns.filter(|column| column.starts_with(prefix)).collect())
        }
        None => {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let start = before.len()
                - before
                    .chars()
                    .rev()
                    .take_while(|c| is_word(*c))
                    .map(char::len_utf8)
                    .sum::<usize>();
            let word = before.get(start..).unwrap_or_default();
            if follows_from(before.get(..start).unwrap_or_default()) {
                let files = names.files().into_iter();
                let files = files.filter(|file| file.starts_with(word));
                return (start, files.map(|file| quote_file(&file)).collect());
            }
            (start, words(word, text, names))
        }
    }
}

/// Returns the columns, functions and keywords that begin with a word.
fn words(word: &str, text: &str, names: &impl Names) -> Vec<String> {
    let begins =
        |name: &str| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let is_lower = word.starts_with(|c: char| c.is_lowercase());
    let columns = columns(text, names).into_iter().filter(|column| begins(column));
    let columns =
        columns.map(|column| if is_plain(&column) { column } else { quote_column(&column) });
    if word.is_empty() {
        return columns.collect();
    }
    let functions = FUNCTIONS.iter().filter(|name| begins(name)).map(|name| format!("{name}("));
    let keywords = KEYWORDS.iter().filter(|name| begins(name));
    let keywords =
        keywords.map(|name| if is_lower { name.to_lowercase() } else { (*name).to_owned() });
    let mut found: Vec<String> = columns.chain(functions).chain(keywords).collect();
    found.dedup();
    found
}

/// Returns the columns of the file that the text names in FROM, before or after the cursor.
fn columns(text: &str, names: &impl Names) -> Vec<String> {
    from_file(text).map(|file| names.columns(&file)).unwrap_or_default()
}

/// Returns the last file of a FROM that is complete.
fn from_file(text: &str) -> Option<String> {
    let mut file = None;
    let mut rest = text;
    while let Some(start) = rest.find('\'') {
        let (before, quoted) = rest.split_at(start);
        let inside = quoted.get(1..)?;
        let mut end = 0;
        loop {
            end += inside.get(end..)?.find('\'')?;
            if inside.get(end + 1..)?.starts_with('\'') {
                end += 2;
                continue;
            }
            break;
        }
        if follows_from(before) {
            file = inside.get(..end).map(|name| name.replace("''", "'"));
        }
        rest = inside.get(end + 1..)?;
    }
    file
}

/// Returns whether a text ends with FROM and a blank.
fn follows_from(text: &str) -> bool {
    let trimmed = text.trim_end();
    let word = trimmed.rsplit(|c: char| c.is_whitespace()).next().unwrap_or_default();
    trimmed.len() < text.len() && word.eq_ignore_ascii_case("from")
}

/// Returns the quotation mark that is still open at the end of a text, and its position.
fn open_quote(text: &str) -> Option<(usize, char)> {
    let mut open = None;
    for (at, c) in text.char_indices() {
        open = match (open, c) {
            (None, '\'' | '"') => Some((at, c)),
            (Some((_, quote)), c) if c == quote => None,
            (open, _) => open,
        };
    }
    open
}

/// Returns whether a name needs no quotation marks.
fn is_plain(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let mut keywords = KEYWORDS.iter().flat_map(|words| words.split(' '));
    let is_keyword = keywords.any(|keyword| keyword.eq_ignore_ascii_case(name));
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(is_word)
        && !is_keyword
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Known;

    impl Names for Known {
        fn files(&self) -> Vec<String> {
            ["it's.csv", "orders.csv", "sales/a.csv", "sales/b\x1b.csv"].map(str::to_owned).to_vec()
        }

        fn columns(&self, file: &str) -> Vec<String> {
            match file {
                "orders.csv" => {
                    ["id", "idle time", "price", "Ünï", "select"].map(str::to_owned).to_vec()
                }
                "it's.csv" => vec!["its".to_owned()],
                _ => Vec::new(),
            }
        }
    }

    /// Completes a text at `|`.
    #[track_caller]
    fn check(text: &str, start: usize, expected: &[&str]) {
        let position = text.find('|').unwrap();
        let (at, found) = candidates(&text.replace('|', ""), position, &Known);
        assert_eq!(
            (at, found),
            (start, expected.iter().map(|s| (*s).to_owned()).collect()),
            "{text}"
        );
    }

    #[test]
    fn files_follow_from() {
        check("SELECT * FROM '|", 14, &["'it''s.csv'", "'orders.csv'", "'sales/a.csv'"]);
        check("SELECT * FROM 'sal|", 14, &["'sales/a.csv'"]);
        check("select * from |", 14, &["'it''s.csv'", "'orders.csv'", "'sales/a.csv'"]);
        check("select * from ord|", 14, &["'orders.csv'"]);
        check("SELECT 'or|", 10, &[]);
        check("\\d or|", 3, &["orders.csv"]);
    }

    #[test]
    fn columns_are_those_of_the_file() {
        check(
            "SELECT i| FROM 'orders.csv'",
            7,
            &[
                "id",
                "\"idle time\"",
                "initcap(",
                "in",
                "ilike",
                "is null",
                "is not null",
                "is distinct from",
                "interval",
            ],
        );
        check("SELECT pri| FROM 'orders.csv'", 7, &["price"]);
        check(
            "SELECT id, | FROM 'orders.csv'",
            11,
            &["id", "\"idle time\"", "price", "\"Ünï\"", "\"select\""],
        );
        check("SELECT \"id| FROM x", 7, &[]);
        check("SELECT * FROM 'orders.csv' WHERE \"id|", 33, &["\"id\"", "\"idle time\""]);
        check("SELECT it| FROM 'it''s.csv'", 7, &["its"]);
        check(
            "SELECT i| FROM 'unknown'",
            7,
            &["initcap(", "in", "ilike", "is null", "is not null", "is distinct from", "interval"],
        );
    }

    #[test]
    fn keywords_have_the_case_of_the_word() {
        check("SEL|", 0, &["SELECT"]);
        check("sel|", 0, &["select"]);
        check("SELECT coun|", 7, &["count("]);
        check("|", 0, &[]);
    }

    #[test]
    fn commands_and_their_arguments() {
        check("\\t|", 0, &["\\timing"]);
        check("\\format j|", 8, &["jsonl", "json"]);
        check("\\x o|", 3, &["on", "off"]);
        check("\\o x|", 3, &[]);
    }
}
