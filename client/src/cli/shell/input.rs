//! The input of the shell: Selects that end with `;`, and commands that begin with `\`. It
//! does no I/O.

use clap::ValueEnum as _;
use sift_client::nearest;

use crate::cli::args::Format;

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entry {
    Select(String),
    Explain {
        sql: String,
        analyze: bool,
    },
    Command(Command),
    /// Text that is not understood, and why.
    Wrong(String),
}

/// A command of the shell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    Help,
    Quit,
    Channel,
    /// The files that match a pattern; the empty one matches all.
    Files(String),
    Describe(String),
    /// Records one below the other; `None` changes it.
    Expanded(Option<bool>),
    Timing(Option<bool>),
    /// `None`: a table on the terminal, CSV in a file.
    Format(Option<Format>),
    /// The file of the next answer.
    Output(Option<String>),
    Watch(f64),
}

/// The commands with what they take and do, for help and completion.
pub(super) const COMMANDS: [(&str, &str, &str); 10] = [
    ("\\d", "[NAME|GLOB]", "list files, or describe one"),
    ("\\x", "[on|off]", "show each record as lines of a name and a value"),
    ("\\format", "[NAME]", "set the format of answers: table, csv, jsonl, json, markdown, …"),
    ("\\o", "[FILE]", "write the next answer to a file"),
    ("\\watch", "[SECONDS]", "repeat the last Select until Ctrl-C"),
    ("\\timing", "[on|off]", "tell how long each answer takes"),
    ("\\channel", "", "tell what the channel to the server is"),
    ("\\?", "", "show this help"),
    ("\\h", "", "show this help"),
    ("\\q", "", "leave, as Ctrl-D does"),
];

/// The longest time between two runs of `\watch`: a day.
const WATCH_SECONDS_MAX: f64 = 86400.0;

/// The time between two runs of `\watch`, if none is given.
const WATCH_SECONDS: f64 = 2.0;

/// Divides a text into entries; `None` if its last Select does not end yet.
pub(super) fn parse(text: &str) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if rest.starts_with('\\') {
            let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
            entries.push(command(line.trim()).map_or_else(Entry::Wrong, Entry::Command));
            rest = after.trim_start();
            continue;
        }
        let words = [("exit", Command::Quit), ("quit", Command::Quit), ("help", Command::Help)];
        let alone = rest.trim_end().trim_end_matches(';');
        if let Some((_, word)) = words.iter().find(|(word, _)| alone.eq_ignore_ascii_case(word)) {
            entries.push(Entry::Command(word.clone()));
            break;
        }
        match statement_end(rest) {
            Ending::At(end) => {
                let (statement, after) = rest.split_at(end);
                if !statement.trim().is_empty() {
                    entries.push(entry(statement.trim()));
                }
                rest = after.strip_prefix(';').unwrap_or_default().trim_start();
            }
            Ending::Blank => break,
            Ending::Open => return None,
        }
    }
    Some(entries)
}

/// Tells an EXPLAIN from a Select.
fn entry(statement: &str) -> Entry {
    let Some(explained) = after_word(statement, "explain") else {
        return Entry::Select(statement.to_owned());
    };
    let (sql, analyze) = match after_word(explained, "analyze") {
        Some(sql) => (sql, true),
        None => (explained, false),
    };
    Entry::Explain { sql: sql.to_owned(), analyze }
}

/// Returns what follows a word and blanks.
fn after_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let (first, rest) = text.split_once(char::is_whitespace)?;
    first.eq_ignore_ascii_case(word).then(|| rest.trim_start())
}

/// The end of a statement.
enum Ending {
    /// The position of its `;`.
    At(usize),
    /// There are only blanks and comments.
    Blank,
    /// It goes on.
    Open,
}

/// Looks for the `;` that is not in quotes and not in a comment, as PostgreSQL's lexer does.
fn statement_end(text: &str) -> Ending {
    let mut is_blank = true;
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let before = text.get(..at).unwrap_or_default();
        let length = match c {
            ';' => return Ending::At(at),
            '-' if rest.starts_with("--") => rest.find('\n'),
            '/' if rest.starts_with("/*") => comment(rest),
            c if c.is_whitespace() => Some(c.len_utf8()),
            '\'' => {
                let mut last = before.chars().rev();
                let escapes =
                    matches!(last.next(), Some('e' | 'E')) && !last.next().is_some_and(is_word);
                is_blank = false;
                quoted(rest, '\'', escapes)
            }
            '"' => {
                is_blank = false;
                quoted(rest, '"', false)
            }
            '$' if !before.ends_with(is_word) => {
                is_blank = false;
                dollar_quoted(rest)
            }
            c => {
                is_blank = false;
                Some(c.len_utf8())
            }
        };
        match length {
            Some(length) => at += length,
            // a comment to the end of the text
            None if is_blank && c == '-' => return Ending::Blank,
            None => return Ending::Open,
        }
    }
    if is_blank { Ending::Blank } else { Ending::Open }
}

/// Returns the length of a text in quotation marks. Two of them in it are one of its characters.
fn quoted(text: &str, quote: char, escapes: bool) -> Option<usize> {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && escapes {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + c.len_utf8());
        }
    }
    None
}

/// Returns the length of a text such as `$$…$$` or `$tag$…$tag$`, or of a `$` that begins none.
fn dollar_quoted(text: &str) -> Option<usize> {
    let is_tag = |c: char| c.is_alphanumeric() || c == '_';
    let name = text.get(1..)?.split(|c| !is_tag(c)).next()?;
    let tag = text.get(..name.len() + 2).filter(|tag| tag.ends_with('$'));
    match tag.filter(|_| !name.starts_with(|c: char| c.is_ascii_digit())) {
        None => Some(1),
        Some(tag) => {
            let inside = text.get(tag.len()..)?;
            Some(inside.find(tag)? + 2 * tag.len())
        }
    }
}

/// Returns the length of a comment, which may have others in it.
fn comment(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth = depth.saturating_sub(1);
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    None
}

/// Reads a command.
///
/// # Errors
/// A mistake in the input.
fn command(line: &str) -> Result<Command, String> {
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let argument = unquoted(argument.trim());
    let switch = || match argument {
        "" => Ok(None),
        "on" => Ok(Some(true)),
        "off" => Ok(Some(false)),
        other => Err(format!("{name} {other}: give on, off or nothing")),
    };
    Ok(match name {
        "\\?" | "\\h" => Command::Help,
        "\\q" => Command::Quit,
        "\\channel" => Command::Channel,
        "\\d" if argument.is_empty() || argument.contains(['*', '?', '[']) => {
            Command::Files(argument.to_owned())
        }
        "\\d" => Command::Describe(argument.to_owned()),
        "\\x" => Command::Expanded(switch()?),
        "\\timing" => Command::Timing(switch()?),
        "\\o" => Command::Output(Some(argument.to_owned()).filter(|file| !file.is_empty())),
        "\\format" if argument.is_empty() => Command::Format(None),
        "\\format" => {
            Command::Format(Some(Format::from_str(argument, true).map_err(|_unknown| {
                format!(
                    "\\format {argument}: the formats are {}",
                    formats().collect::<Vec<_>>().join(", ")
                )
            })?))
        }
        "\\watch" if argument.is_empty() => Command::Watch(WATCH_SECONDS),
        "\\watch" => {
            let seconds = argument.parse().ok().filter(|s| *s > 0.0 && *s <= WATCH_SECONDS_MAX);
            Command::Watch(seconds.ok_or_else(|| {
                format!("\\watch {argument}: give a number of seconds above 0, a day at most")
            })?)
        }
        unknown => {
            let near = nearest(unknown, COMMANDS.map(|(name, ..)| name));
            let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            return Err(format!("{unknown}: there is no such command{hint} (\\? lists all)"));
        }
    })
}

/// Returns the names of the formats.
pub(super) fn formats() -> impl Iterator<Item = String> {
    let values = Format::value_variants().iter().filter_map(Format::to_possible_value);
    values.map(|value| value.get_name().to_owned())
}

/// Returns a text without the apostrophes around it.
fn unquoted(text: &str) -> &str {
    text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(text: &str) -> Entry {
        Entry::Select(text.to_owned())
    }

    #[test]
    fn a_select_ends_with_a_semicolon() {
        assert_eq!(parse(""), Some(vec![]));
        assert_eq!(parse(" \n-- nothing"), Some(vec![]));
        assert_eq!(parse(" ; ;"), Some(vec![]));
        assert_eq!(parse("SELECT 1"), None);
        assert_eq!(parse("SELECT 1\n;"), Some(vec![select("SELECT 1")]));
        assert_eq!(
            parse("SELECT 1; SELECT\n2;\n"),
            Some(vec![select("SELECT 1"), select("SELECT\n2")])
        );
        assert_eq!(parse("SELECT 1; SELECT 2"), None);
        assert_eq!(parse("SELECT 1; -- done"), Some(vec![select("SELECT 1")]));
        assert_eq!(parse("-- why\nSELECT 1;"), Some(vec![select("-- why\nSELECT 1")]));
    }

    #[test]
    fn quotes_and_comments_hide_semicolons() {
        for whole in [
            "SELECT ';'",
            "SELECT 'it''s;'",
            "SELECT E'\\';'",
            "SELECT e'''\\';'",
            "SELECT \"a;\"\";\"",
            "SELECT 1 -- ;\n",
            "SELECT /* ; /* ; */ ; */ 1",
            "SELECT $$;$$",
            "SELECT $t$;$$;$t$",
            "SELECT $1",
            "SELECT 'ü;' FROM 'ä'",
        ] {
            assert_eq!(parse(whole), None, "{whole}");
            assert_eq!(parse(&format!("{whole};")), Some(vec![select(whole.trim())]), "{whole}");
        }
        // a backslash is an escape in E'' alone, and a word may end with e
        assert_eq!(parse("SELECT '\\';"), Some(vec![select("SELECT '\\'")]));
        assert_eq!(parse("SELECT date'\\';"), Some(vec![select("SELECT date'\\'")]));
        for open in ["SELECT ';", "SELECT \";", "SELECT /*;", "SELECT $$;", "SELECT 1 -- ;", "/* ;"]
        {
            assert_eq!(parse(open), None, "{open}");
        }
    }

    #[test]
    fn explain_is_a_request_of_its_own() {
        let explain = |sql: &str, analyze| Entry::Explain { sql: sql.to_owned(), analyze };
        assert_eq!(parse("explain SELECT 1;"), Some(vec![explain("SELECT 1", false)]));
        assert_eq!(parse("EXPLAIN\nANALYZE SELECT 1;"), Some(vec![explain("SELECT 1", true)]));
        assert_eq!(parse("explained;"), Some(vec![select("explained")]));
    }

    #[test]
    fn commands() {
        let one = |text| match parse(text).unwrap().remove(0) {
            Entry::Command(command) => command,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(one("\\d"), Command::Files(String::new()));
        assert_eq!(one("\\d *.csv"), Command::Files("*.csv".to_owned()));
        assert_eq!(one("\\d 'a b.csv' "), Command::Describe("a b.csv".to_owned()));
        assert_eq!(one("\\x"), Command::Expanded(None));
        assert_eq!(one("\\timing off"), Command::Timing(Some(false)));
        assert_eq!(one("\\format JSONL"), Command::Format(Some(Format::Jsonl)));
        assert_eq!(one("\\o x.csv"), Command::Output(Some("x.csv".to_owned())));
        assert_eq!(one("\\watch 0.5"), Command::Watch(0.5));
        assert_eq!(one("Quit;"), Command::Quit);
        assert_eq!(one("help"), Command::Help);
        for (wrong, why) in [
            ("\\watch 0", "a number of seconds"),
            ("\\watch nan", "a number of seconds"),
            ("\\format xml", "the formats are table, csv, jsonl"),
            ("\\x perhaps", "give on, off or nothing"),
            ("\\timng", "did you mean \\timing?"),
        ] {
            let entries = parse(wrong).unwrap();
            assert!(
                matches!(&entries[..], [Entry::Wrong(text)] if text.contains(why)),
                "{entries:?}"
            );
        }
        assert_eq!(
            parse("SELECT 1;\n\\x\nSELECT 2;"),
            Some(vec![
                select("SELECT 1"),
                Entry::Command(Command::Expanded(None)),
                select("SELECT 2")
            ])
        );
    }
}
