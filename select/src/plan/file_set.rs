//! Many files of one schema as one source, and the columns that come from their names.
//!
//! A folder named `key=value` gives its files a column with one value for all their records: an
//! integer or a date if the values of all files are, else a text. Keys and values are
//! [decoded](mod@folders) first. The path of the file, as written, is the column `_file`, which `*`
//! leaves out. A term of WHERE that uses only such columns prunes files before they are opened.

mod folders;

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};

use super::bind::{Binder, Scope};
use super::view::View;
use super::where_terms;
use crate::expr::eval;
use crate::expr::eval::Input;
use crate::source::{Part, Source};
use crate::sql::Select;
use crate::value::{Value, scalar};
use crate::{Error, ErrorKind, Result};
use folders::{Folder, folders};
use sift_files::io::waiting::Waiting;
use sift_files::text::value;
use sift_files::types;

/// The column that has the path of the file.
pub(crate) const PATH_COLUMN: &str = "_file";

/// The files whose names match a pattern; none of them is opened yet.
#[derive(Debug)]
pub struct FileSet {
    pattern: String,
    names: Vec<String>,
    /// The columns of the folders' names, then the path.
    fields: Vec<FieldRef>,
    /// The values of these columns for each file.
    constants: Vec<Arc<[ArrayRef]>>,
}

impl FileSet {
    /// Makes the set of the files with these names, in the order of their records in an answer.
    ///
    /// # Errors
    /// `Unsupported` when the folders of two files have different keys, or two folders of a path
    /// have the same key.
    pub fn new(pattern: &str, names: Vec<String>) -> Result<Self> {
        let all: Vec<Vec<Folder<'_>>> = names.iter().map(|name| folders(name).collect()).collect();
        let first = all.first().map_or(&[][..], Vec::as_slice);
        check_keys(pattern, names.first().map_or("", String::as_str), first)?;
        for (name, others) in names.iter().zip(&all) {
            if !others.iter().map(|other| &other.key).eq(first.iter().map(|first| &first.key)) {
                let message = format!(
                    "{pattern}: {name} has other `key=value` folders than {}; narrow the pattern",
                    names[0]
                );
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        }
        let mut fields: Vec<FieldRef> = Vec::new();
        let mut columns: Vec<Vec<ArrayRef>> = Vec::new();
        for (index, Folder { key, .. }) in first.iter().enumerate() {
            let values: Vec<Option<&str>> =
                all.iter().map(|folders| folders[index].value.as_deref()).collect();
            let (data_type, arrays) = typed(&values);
            fields.push(Arc::new(Field::new(&**key, data_type, values.contains(&None))));
            columns.push(arrays);
        }
        fields.push(Arc::new(Field::new(PATH_COLUMN, DataType::Utf8, false)));
        let constants = names.iter().enumerate().map(|(file, name)| {
            let path: ArrayRef = Arc::new(StringArray::from(vec![name.as_str()]));
            columns.iter().map(|values| Arc::clone(&values[file])).chain([path]).collect()
        });
        let constants = constants.collect();
        Ok(Self { pattern: pattern.to_owned(), fields, constants, names })
    }

    /// Returns the names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the indices of the files that may have records for which WHERE is true.
    pub fn matching(&self, select: &Select, parameters: &[Value]) -> Vec<usize> {
        let syntax = select.syntax();
        let schema = Arc::new(Schema::new(self.fields.clone()));
        let names_alone = Source::of_parts(&self.pattern, schema, Vec::new(), self.names.len());
        let view = View::from(Arc::new(names_alone));
        let mut binder =
            Binder::new(view.bindable(), syntax.qualifiers(), parameters, Waiting::Allowed)
                .at(select.now());
        // a term that does not bind is about the records; binding to them reports its errors
        let terms: Vec<_> = where_terms(syntax)
            .iter()
            .filter_map(|term| binder.boolean(term, "WHERE", Scope::Record("WHERE")).ok())
            .collect();
        let may_match = |file: &usize| {
            let columns: Vec<_> = self.constants[*file].iter().cloned().map(Some).collect();
            let input = Input { columns: &columns, rows: 1 };
            terms.iter().all(|term| match eval::evaluate_boolean(term, input) {
                Ok(value) => eval::is_true(&value).value(0),
                Err(_) => true,
            })
        };
        (0..self.names.len()).filter(may_match).collect()
    }

    /// Returns the opened files, each with its index, as one source. `first` is one of the files.
    /// It determines the columns if none of `opened` has records.
    ///
    /// # Errors
    /// `Unsupported` when they do not have one schema, or have a column that is in the name too.
    ///
    /// # Panics
    /// When an index is not one of [`names`](Self::names).
    pub fn source(&self, first: &Source, opened: Vec<(usize, Arc<Source>)>) -> Result<Source> {
        let first = self.source_of(0, first)?;
        let opened = opened.into_iter().map(|(index, source)| self.source_of(index, &source));
        self.joined(&first, &opened.collect::<Result<Vec<_>>>()?)
    }

    /// Returns one opened file, with its index, as a source that has the columns of its name too.
    ///
    /// # Errors
    /// `Unsupported` when a column is in the name too.
    ///
    /// # Panics
    /// When the index is not one of [`names`](Self::names).
    pub fn source_of(&self, index: usize, source: &Source) -> Result<Source> {
        let fields = source.schema().fields();
        for key in &self.fields[..self.fields.len() - 1] {
            if fields.iter().any(|field| field.name().eq_ignore_ascii_case(key.name())) {
                let (file, key) = (source.name(), key.name());
                let message = format!(
                    "{}: `{key}` is a column of {file} and a folder of its path too; rename the \
                     folder, or select from its files alone",
                    self.pattern
                );
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        }
        let constants = &self.constants[index];
        let parts = source.parts.iter();
        let parts = parts.map(|part| Part { constants: Arc::clone(constants), ..part.clone() });
        let fields = fields.iter().chain(&self.fields).cloned().collect::<Vec<_>>();
        let schema = Arc::new(Schema::new(fields));
        Ok(Source::of_parts(source.name(), schema, parts.collect(), self.names.len()))
    }

    /// Returns sources of [`source_of`](Self::source_of) as one source. `first` is one of them; it
    /// determines the columns if none of `sources` has records.
    ///
    /// # Errors
    /// `Unsupported` when they do not have one schema.
    pub fn joined(&self, first: &Source, sources: &[Source]) -> Result<Source> {
        // the types of a text file without records are not known
        let sources: Vec<&Source> = sources.iter().filter(|source| source.has_records()).collect();
        let mut columns = CommonColumns::default();
        let mut parts = Vec::with_capacity(sources.len());
        for source in &sources {
            columns.add(&self.pattern, source.name(), &self.schema_of_file(source))?;
            parts.extend(source.parts.iter().cloned());
        }
        if sources.is_empty() {
            columns.add(&self.pattern, first.name(), &self.schema_of_file(first))?;
        }
        let schema = columns.schema(self.fields.iter().cloned());
        Ok(Source::of_parts(&self.pattern, schema, parts, self.names.len()))
    }

    /// Returns the columns that a source has without those of its name.
    fn schema_of_file(&self, source: &Source) -> Schema {
        let fields = source.schema().fields();
        let of_file = fields.len().saturating_sub(self.fields.len());
        Schema::new(fields.iter().take(of_file).cloned().collect::<Vec<_>>())
    }
}

/// The common columns of files with one schema.
#[derive(Debug, Default)]
pub(crate) struct CommonColumns {
    /// The name of the file that was added first.
    first: String,
    fields: Vec<Field>,
}

impl CommonColumns {
    /// Adds the columns of a file. Errors use `pattern` as the name of the whole set.
    ///
    /// # Errors
    /// `Unsupported` if they differ from the columns of the earlier files.
    pub(crate) fn add(&mut self, pattern: &str, file: &str, schema: &Schema) -> Result<()> {
        let refuse = |message: String| Err(Error::new(ErrorKind::Unsupported, message));
        if self.first.is_empty() {
            file.clone_into(&mut self.first);
            self.fields = schema.fields().iter().map(|field| field.as_ref().clone()).collect();
        }
        let (first, theirs) = (&self.first, schema.fields());
        if theirs.len() != self.fields.len() {
            return refuse(format!(
                "{pattern}: {file} has {} columns, {first} has {}; the files of a pattern have one \
                 schema",
                theirs.len(),
                self.fields.len()
            ));
        }
        for (ours, theirs) in self.fields.iter_mut().zip(theirs) {
            if ours.name() != theirs.name() || ours.data_type() != theirs.data_type() {
                let column = |field: &Field| {
                    format!("`{}` {}", field.name(), types::type_name(field.data_type()))
                };
                return refuse(format!(
                    "{pattern}: {file} has {} where {first} has {}; the files of a pattern have one \
                     schema, which descriptors can give them",
                    column(theirs),
                    column(ours)
                ));
            }
            if theirs.is_nullable() {
                ours.set_nullable(true);
            }
        }
        Ok(())
    }

    /// Returns the schema of all files. The columns `others`, which are in none of the files, come
    /// last.
    pub(crate) fn schema(self, others: impl Iterator<Item = Arc<Field>>) -> Arc<Schema> {
        let fields = self.fields.into_iter().map(Arc::new).chain(others);
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

/// Checks that every key of a path names one column.
fn check_keys(pattern: &str, name: &str, folders: &[Folder<'_>]) -> Result<()> {
    for (index, Folder { key, .. }) in folders.iter().enumerate() {
        let is_again = folders[..index].iter().any(|other| key.eq_ignore_ascii_case(&other.key));
        let complaint = match key.eq_ignore_ascii_case(PATH_COLUMN) {
            true => "is the column of the path too",
            false if is_again => "is the key of two folders",
            false => continue,
        };
        let message = format!("{pattern}: `{key}` in {name} {complaint}; rename the folder");
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    Ok(())
}

/// Returns the common type of all values, and each value as an array of one.
fn typed(values: &[Option<&str>]) -> (DataType, Vec<ArrayRef>) {
    let parsed = |parse: fn(&str) -> Option<Value>| -> Option<Vec<Value>> {
        let value = |text: &Option<&str>| text.map_or(Some(Value::Null), parse);
        values.iter().map(value).collect()
    };
    let whole = |text: &str| {
        // `007` is not an integer, because it would lose its zeros
        let value: i64 = text.parse().ok()?;
        (value.to_string() == text).then_some(Value::Integer(value))
    };
    let date = |text: &str| value::date(text.as_bytes()).map(Value::Date);
    let text = |text: &str| Some(Value::Text(text.to_owned()));
    let kinds = [
        (DataType::Int64, parsed(whole)),
        (DataType::Date32, parsed(date)),
        (DataType::Utf8, parsed(text)),
    ];
    for (data_type, values) in kinds {
        let arrays = values.and_then(|values| {
            let array = |value| Some(scalar::scalar(value, &data_type)?.into_inner());
            values.iter().map(array).collect::<Option<Vec<ArrayRef>>>()
        });
        if let Some(arrays) = arrays {
            return (data_type, arrays);
        }
    }
    (DataType::Utf8, vec![arrow::array::new_null_array(&DataType::Utf8, 1); values.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> Result<FileSet> {
        FileSet::new("d/*/*.csv", names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn matching(set: &FileSet, filter: &str) -> Vec<usize> {
        let select = Select::parse(&format!("SELECT * FROM 'd/*/*.csv' AS t WHERE {filter}"));
        set.matching(&select.unwrap(), &[Value::Integer(2024)])
    }

    #[test]
    fn names_rule_files_out() {
        let names = ["d/year=2023/a.csv", "d/year=2024/b.csv", "d/year=2024/c.csv"];
        let set = set(&names).unwrap();
        for (filter, expected) in [
            ("year = 2024", &[1, 2][..]),
            ("t.year = $1 AND n > 3", &[1, 2]),
            ("year + 1 = 2024", &[0]),
            ("year BETWEEN 1990 AND 2000", &[]),
            ("_file LIKE '%c.csv'", &[2]),
            ("_file = 'd/year=2023/a.csv' AND year = 2024", &[]),
            ("year = 2024 OR n = 1", &[0, 1, 2]),
            ("1 / (year - 2023) > 0", &[0, 1, 2]),
            ("NULL", &[]),
            ("n = 1", &[0, 1, 2]),
        ] {
            assert_eq!(matching(&set, filter), expected, "{filter}");
        }
    }

    #[test]
    fn values_are_decoded_before_files_are_ruled_out() {
        let names = ["d/r=a%3Db/a.csv", "d/r=50%/b.csv", "d/r=a%2Fb/c.csv", "d/r=/d.csv"];
        let set = set(&names).unwrap();
        for (filter, expected) in [
            ("r = 'a=b'", &[0][..]),
            ("r = 'a%3Db'", &[]),
            ("r LIKE 'a%'", &[0, 2]),
            ("r = '50%'", &[1]),
            ("r = 'a/b'", &[2]),
            ("r = ''", &[3]),
            ("r IS NULL", &[]),
            ("_file = 'd/r=a%3Db/a.csv'", &[0]),
            ("_file = 'd/r=a=b/a.csv'", &[]),
        ] {
            assert_eq!(matching(&set, filter), expected, "{filter}");
        }
    }

    #[test]
    fn values_have_the_type_of_all() {
        let data_type = |values: &[&str]| {
            let names: Vec<_> = values.iter().map(|value| format!("k={value}/f.csv")).collect();
            FileSet::new("*/f.csv", names).unwrap().fields[0].data_type().clone()
        };
        assert_eq!(data_type(&["1", "-20"]), DataType::Int64);
        assert_eq!(data_type(&["1", "__HIVE_DEFAULT_PARTITION__"]), DataType::Int64);
        assert_eq!(data_type(&["%31", "2"]), DataType::Int64);
        assert_eq!(data_type(&["2024%2D02-29", "1999-12-31"]), DataType::Date32);
        assert_eq!(data_type(&["1%00"]), DataType::Utf8);
        assert_eq!(data_type(&["01", "2"]), DataType::Utf8);
        assert_eq!(data_type(&["2024-02-29", "1999-12-31"]), DataType::Date32);
        assert_eq!(data_type(&["2024-02-29", "1"]), DataType::Utf8);
        assert_eq!(data_type(&["x=y"]), DataType::Utf8);
        assert_eq!(data_type(&["99999999999999999999"]), DataType::Utf8);
    }

    #[test]
    fn folders_have_the_same_keys() {
        let error = set(&["d/year=1/a.csv", "d/month=1/b.csv"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "d/*/*.csv: d/month=1/b.csv has other `key=value` folders than d/year=1/a.csv; narrow \
             the pattern"
        );
        assert!(set(&["d/year=1/a.csv", "d/b.csv"]).is_err());
        assert!(set(&["d/=1/a.csv", "d/x/b.csv"]).is_ok());
        assert!(set(&["d/my%20key=1/a.csv", "d/my key=2/b.csv"]).is_ok());
        for (path, complaint) in [
            ("k=1/%4B=2/a.csv", "`K` in k=1/%4B=2/a.csv is the key of two folders"),
            ("%5ffile=1/a.csv", "`_file` in %5ffile=1/a.csv is the column of the path too"),
        ] {
            let error = set(&[path]).unwrap_err().to_string();
            assert_eq!(error, format!("d/*/*.csv: {complaint}; rename the folder"));
        }
    }
}
