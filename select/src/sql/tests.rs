use super::Select;
use super::tokens::{OPERATORS_MAX, TEXT_BYTES_MAX};
use crate::ErrorKind;

fn refused(text: &str, kind: ErrorKind, message: &str) {
    let error = Select::parse(text).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.kind()), (message, kind), "{text}");
}

#[test]
fn accepts_the_grammar() {
    for text in [
        "SELECT * FROM 'sales/orders.dat'",
        "select a, b + 1 as c, -d from orders where a = 1 and not (b < 2 or c is not null) limit 10 offset 5;",
        "SELECT ALL a FROM 'f' AS t WHERE t.a BETWEEN 1 AND 2 AND b NOT IN (1, 2, $1)",
        "SELECT count(*), sum(a * (1 - b)) FROM 'f' WHERE c LIKE '%x%' ESCAPE '!' OR d NOT LIKE 'y'",
        "SELECT a FROM 'f' WHERE d >= DATE '1995-01-01' AND t < TIMESTAMP '1995-01-01 10:00:00.5'",
    ] {
        Select::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
    assert_eq!(Select::parse("SELECT a FROM 'it''s/x.csv'").unwrap().from(), Some("it's/x.csv"));
}

#[test]
fn refuses_by_name_with_line_and_column() {
    use ErrorKind::{Syntax, TypeMismatch, Unsupported};
    refused("SELECT", Syntax, "line 1, column 7: expected: an expression, found: EOF");
    refused("", Syntax, "line 1, column 1: the text is empty; expected SELECT");
    refused("DELETE FROM 'f'", Unsupported, "line 1, column 1: `DELETE`: only SELECT is supported");
    refused(
        "SELECT a FROM 'f' GROUP BY ROLLUP (a)",
        Unsupported,
        "line 1, column 36: this expression is not supported",
    );
    refused(
        "SELECT a FROM 'f'\nORDER BY a FETCH FIRST 3 ROWS WITH TIES",
        Unsupported,
        "line 2, column 24: WITH TIES is not supported",
    );
    refused(
        "SELECT a FROM 'f', 'g'",
        Unsupported,
        "line 1, column 15: a second file (a join) is not supported",
    );
    refused(
        "SELECT a FROM 'f' JOIN 'g' ON true",
        Unsupported,
        "line 1, column 15: a join is not supported",
    );
    refused(
        "SELECT a FROM (SELECT 1)",
        Unsupported,
        "line 1, column 15: a subquery or table function in FROM is not supported",
    );
    refused("SELECT 1, *", Syntax, "line 1, column 11: * without FROM; expected FROM 'file'");
    refused(
        "SELECT CAST(a AS json) FROM 'f'",
        Unsupported,
        "line 1, column 13: CAST to JSON is not supported",
    );
    refused(
        "SELECT a # b FROM 'f'",
        Unsupported,
        "line 1, column 12: the operator # before this is not supported",
    );
    refused(
        "SELECT sum(a) OVER () FROM 'f'",
        Unsupported,
        "line 1, column 8: OVER (a window) is not supported",
    );
    refused(
        "SELECT a FROM 'f' WHERE d = DATE '1995-02-30'",
        TypeMismatch,
        "line 1, column 34: '1995-02-30' is not a DATE; expected YYYY-MM-DD",
    );
    refused(
        "SELECT a FROM orders.csv",
        Unsupported,
        "line 1, column 15: orders.csv is not a file name; write the path in quotes: FROM 'folder/file'",
    );
    refused(
        "SELECT a FROM 'f' UNION SELECT a FROM 'g'",
        Unsupported,
        "line 1, column 25: UNION is not supported",
    );
    refused(
        "WITH x AS (SELECT 1) SELECT a FROM 'f'",
        Unsupported,
        "line 1, column 1: WITH is not supported",
    );
    refused(
        "SELECT a FROM 'f'; SELECT b FROM 'f'",
        Syntax,
        "line 1, column 20: `SELECT` after the end of the SELECT",
    );
}

#[test]
fn bounds_the_text() {
    let long = format!("SELECT a FROM 'f' WHERE a = '{}'", "x".repeat(TEXT_BYTES_MAX));
    assert_eq!(Select::parse(&long).unwrap_err().kind(), ErrorKind::LimitExceeded);
}

#[test]
fn bounds_regular_expressions() {
    let of =
        |count: usize| format!("SELECT a FROM 'f' WHERE {}", vec!["a ~ 'x'"; count].join(" OR "));
    Select::parse(&of(64)).unwrap();
    assert_eq!(Select::parse(&of(65)).unwrap_err().kind(), ErrorKind::LimitExceeded);
}

/// Runs on a stack of 2 MiB, like a thread of the server.
#[test]
fn chains_do_not_overflow_the_stack() {
    let run = || {
        for (operator, kind) in [
            (" OR ", None),
            (" AND ", None),
            ("+", Some(ErrorKind::LimitExceeded)),
            ("||", Some(ErrorKind::LimitExceeded)),
            (" IS DISTINCT FROM ", Some(ErrorKind::LimitExceeded)),
            ("^", Some(ErrorKind::LimitExceeded)),
            ("~", Some(ErrorKind::LimitExceeded)),
            ("=", Some(ErrorKind::Syntax)),
        ] {
            let chain = |terms: usize| vec!["a"; terms].join(operator);
            let text = format!("SELECT * FROM 'f' WHERE {}", chain(OPERATORS_MAX - 3));
            assert_eq!(Select::parse(&text).err().map(|error| error.kind()), kind, "{operator}");
            let text = format!("SELECT * FROM 'f' ORDER BY {}", chain(OPERATORS_MAX - 5));
            assert_eq!(Select::parse(&text).err().map(|error| error.kind()), kind, "{operator}");
            let text = format!("SELECT * FROM 'f' WHERE {}", chain(OPERATORS_MAX + 1));
            assert_eq!(Select::parse(&text).unwrap_err().kind(), ErrorKind::LimitExceeded);
        }
        for (open, close) in
            [("(", ")"), ("NOT ", ""), ("- ", ""), ("a + (", ")"), ("CASE WHEN a THEN ", " END")]
        {
            let text =
                format!("SELECT * FROM 'f' WHERE {}a{}", open.repeat(1000), close.repeat(1000));
            let kind = Select::parse(&text).unwrap_err().kind();
            assert!(
                matches!(kind, ErrorKind::LimitExceeded | ErrorKind::Syntax),
                "{open}: {kind:?}"
            );
        }
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}
/// A text with the deepest nesting of the parser takes no longer than a flat text of its length.
#[test]
fn nesting_is_parsed_in_linear_time() {
    for (open, close) in [
        ("(", ")"),
        ("NOT ", ""),
        ("- ", ""),
        ("a + (", ")"),
        ("CASE WHEN a THEN ", " END"),
        ("CASE ", " WHEN a THEN b END"),
        ("f(", ")"),
        ("CAST(", " AS int)"),
        ("(a, ", ")"),
        ("a IN (", ")"),
        ("EXTRACT(YEAR FROM ", ")"),
        ("[", "]"),
        ("ARRAY[", "]"),
        ("{'a': ", "}"),
        ("interval ", ""),
        ("substring(", " from 1)"),
        ("trim(", ")"),
        ("EXISTS (", ")"),
        ("x[", "]"),
        ("CASE a WHEN ", " THEN b END"),
        ("CASE WHEN a THEN b ELSE ", " END"),
        ("coalesce(a, ", ")"),
        ("trim(both from ", ")"),
        ("position(a in ", ")"),
        ("ceil(", ")"),
        ("a IS DISTINCT FROM ", ""),
        ("a ^ - ", ""),
        ("date_part('year', ", ")"),
        ("(a || ", ")"),
        ("interval '1' day + (", ")"),
        ("(", ")::int"),
        ("", "::int"),
        ("a ~ (", ")"),
        ("a LIKE ", " ESCAPE '!'"),
    ] {
        // Exponential time would never end.
        for depth in [8, 24, 45, 100] {
            let (open, close) = (open.repeat(depth), close.repeat(depth));
            let _ = Select::parse(&format!("SELECT * FROM 'f' WHERE {open}a{close}"));
        }
    }
}
