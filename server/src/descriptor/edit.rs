//! Changes the protection in the text of a descriptor. Everything else stays: comments, order and
//! spaces.

use sift_select::{Descriptor, Source};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, TableLike, Value, value};

use super::{Described, Error};

const NETWORK_ENCRYPT: &str = "network_encrypt";
const SCL_MIN: &str = "scl_min";

/// The new protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Encrypted channels only.
    Encrypt,
    /// Channels of this level at least.
    Level(u8),
    /// No requirement by the descriptor.
    Free,
}

/// Changes the protection of the columns, or of the whole file if there are no columns. The new
/// text has been checked: it parses, and the file has the columns.
///
/// # Errors
/// After any error the file is unchanged.
pub(crate) fn change(
    described: &Described,
    columns: &[String],
    change: Change,
) -> Result<Descriptor, Error> {
    let before = described.parsed()?;
    if Source::format_of(&described.name(), before.as_ref()).is_none() {
        return Err(Error::UnknownFormat { path: described.file.clone() });
    }
    if change == Change::Free && described.text.is_none() {
        return described.parse("");
    }
    let text = edited(described.text.as_deref().unwrap_or_default(), columns, change)
        .map_err(|complaint| complaint.of(described))?;
    let after = described.parse(&text)?;
    if !columns.is_empty() && change != Change::Free {
        // an unknown column protects nothing, and the file could not be opened
        described.source(Some(after.clone()))?;
    }
    described.replace(&text)?;
    Ok(after)
}

/// A fault of a text.
#[derive(Debug)]
enum Complaint {
    Syntax(String),
    NoField { column: String, known: Vec<String> },
}

impl Complaint {
    fn of(self, described: &Described) -> Error {
        let path = described.path.clone();
        match self {
            Self::Syntax(message) => Error::Syntax { path, message },
            Self::NoField { column, known } => {
                let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                Error::NoField { path, column, known: known.join(", ") }
            }
        }
    }
}

fn edited(text: &str, columns: &[String], change: Change) -> Result<String, Complaint> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| Complaint::Syntax(error.message().to_owned()))?;
    if columns.is_empty() {
        apply(document.as_table_mut(), change);
    }
    for column in columns {
        let fixed = document.get("format").and_then(Item::as_str) == Some("fixed");
        match (field(&mut document, column), change) {
            (Some(field), change) => apply(field, change),
            (None, Change::Encrypt | Change::Level(_)) if !fixed => {
                apply(add_field(&mut document, column)?, change);
            }
            (None, _) => {
                return Err(Complaint::NoField { column: column.clone(), known: names(&document) });
            }
        }
    }
    Ok(document.to_string())
}

/// Sets the keys of a requirement. A level includes encryption.
fn apply(table: &mut dyn TableLike, change: Change) {
    let set = |table: &mut dyn TableLike, key: &str, new: Value| match table.get_mut(key) {
        Some(Item::Value(old)) => {
            let decor = old.decor().clone();
            *old = new;
            *old.decor_mut() = decor;
        }
        _ => drop(table.insert(key, value(new))),
    };
    match change {
        Change::Encrypt => set(table, NETWORK_ENCRYPT, true.into()),
        Change::Level(level) => set(table, SCL_MIN, i64::from(level).into()),
        Change::Free => {
            table.remove(NETWORK_ENCRYPT);
            table.remove(SCL_MIN);
        }
    }
}

/// Returns the `[[field]]` of a column, in both notations of an array of tables.
fn field<'d>(document: &'d mut DocumentMut, column: &str) -> Option<&'d mut dyn TableLike> {
    let named = |table: &dyn TableLike| table.get("name").and_then(Item::as_str) == Some(column);
    match document.get_mut("field")? {
        Item::ArrayOfTables(tables) => {
            let table = tables.iter_mut().find(|table| named(*table))?;
            Some(table as &mut dyn TableLike)
        }
        Item::Value(Value::Array(tables)) => {
            let mut tables = tables.iter_mut().filter_map(Value::as_inline_table_mut);
            let table = tables.find(|table| named(*table))?;
            Some(table as &mut dyn TableLike)
        }
        _ => None,
    }
}

fn add_field<'d>(
    document: &'d mut DocumentMut,
    column: &str,
) -> Result<&'d mut dyn TableLike, Complaint> {
    let tables = document.entry("field").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let Item::ArrayOfTables(tables) = tables else {
        let message = format!("`field` is not written as [[field]]; add `{column}` by hand");
        return Err(Complaint::Syntax(message));
    };
    let mut table = Table::new();
    table.insert("name", value(column));
    tables.push(table);
    match tables.iter_mut().last() {
        Some(table) => Ok(table),
        None => Err(Complaint::Syntax(format!("`{column}` cannot be added"))),
    }
}

fn names(document: &DocumentMut) -> Vec<String> {
    let name = |table: &dyn TableLike| table.get("name").and_then(Item::as_str).map(str::to_owned);
    match document.get("field") {
        Some(Item::ArrayOfTables(tables)) => tables.iter().filter_map(|t| name(t)).collect(),
        Some(Item::Value(Value::Array(tables))) => {
            tables.iter().filter_map(Value::as_inline_table).filter_map(|t| name(t)).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &str, columns: &[&str], change: Change) -> String {
        let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
        edited(text, &columns, change).unwrap()
    }

    #[test]
    fn comments_and_order_stay() {
        let text = "\
# orders of the shop
format = \"csv\"   # really

[csv]
null = \"NA\"

# the customer
[[field]]
name = \"card\"     # of the bank
scl_min = 3        # for now
";
        let expected = "\
# orders of the shop
format = \"csv\"   # really
network_encrypt = true

[csv]
null = \"NA\"

# the customer
[[field]]
name = \"card\"     # of the bank
scl_min = 4        # for now

[[field]]
name = \"iban\"
scl_min = 4
";
        let text = changed(text, &[], Change::Encrypt);
        let text = changed(&text, &["card", "iban"], Change::Level(4));
        assert_eq!(text, expected);
        let text = changed(&text, &["card"], Change::Free);
        assert!(text.contains("name = \"card\"     # of the bank\n\n[[field]]"), "{text}");
        assert!(!changed(&text, &[], Change::Free).contains("network_encrypt"));
    }

    #[test]
    fn fields_in_one_line_are_fields() {
        let text = "format = \"fixed\"\nfield = [{ name = \"a\" }, { name = \"b\" }]\n";
        let expected =
            "format = \"fixed\"\nfield = [{ name = \"a\" }, { name = \"b\" , scl_min = 5 }]\n";
        let got = changed(text, &["b"], Change::Level(5));
        assert_eq!(got.replace(' ', ""), expected.replace(' ', ""));
    }

    #[test]
    fn a_field_that_is_not_there_is_named() {
        let text = "format = \"fixed\"\n[[field]]\nname = \"a\"\n";
        for change in [Change::Encrypt, Change::Free] {
            let complaint = edited(text, &["c".to_owned()], change).unwrap_err();
            assert!(
                matches!(&complaint, Complaint::NoField { column, known } if column == "c" && known == &["a"]),
                "{complaint:?}"
            );
        }
    }
}
