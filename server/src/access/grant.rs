//! Grants: the files that a user may read, their columns and their records.
//!
//! The first grant that names the user and matches the file decides alone, so a narrow rule has to
//! be before a wide one. Without a grant the file does not exist for the user. This is decided by
//! the name, before the file system is asked, and reported like a missing file.

use std::sync::Arc;
use std::time::Duration;

use glob::{MatchOptions, Pattern};
use sift_select::{Predicate, Source, View};

use super::transport::Transport;
use super::user::User;

/// The rules of globs: `*` does not match a `/`, `**` does, and a hidden file is matched by its
/// name only.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The files, columns and records that some users and groups may read.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    users: Vec<String>,
    groups: Vec<String>,
    files: Vec<Glob>,
    columns: Option<Vec<String>>,
    filter: Option<Predicate>,
    /// The time for the server's work on one Select; `None`: that of all users.
    query_time: Option<Duration>,
    /// The two grants that this grant joins, if it is a joined one.
    parts: Option<[Arc<Self>; 2]>,
}

/// The reason why a grant is invalid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrantFault {
    /// It has no files, or neither users nor groups.
    #[error("it grants nothing; expected `files` and `users` or `groups`")]
    Nothing,
    /// Its list of columns is empty.
    #[error("`columns` is empty; name some, or leave it out for all")]
    NoColumns,
    /// A glob is invalid.
    #[error("`{glob}`: {error}")]
    Glob {
        /// The text of the glob.
        glob: String,
        /// The error of the glob, or of the row filter.
        error: glob::PatternError,
    },
    /// The row filter is invalid.
    #[error("filter: {0}")]
    Filter(sift_select::Error),
}

/// A pattern of paths: as a whole, and for each folder.
#[derive(Clone, Debug)]
struct Glob {
    whole: Pattern,
    parts: Vec<Pattern>,
}

impl Grant {
    /// Lets `users` and the members of `groups` read files that match one of the globs: the columns
    /// `columns` (`None`: all), and the records for which `filter` is true (`None`: all).
    ///
    /// # Errors
    /// The error of the glob, or of the row filter.
    pub fn new(
        users: Vec<String>,
        groups: Vec<String>,
        files: &[String],
        columns: Option<Vec<String>>,
        filter: Option<&str>,
    ) -> Result<Self, GrantFault> {
        if files.is_empty() || (users.is_empty() && groups.is_empty()) {
            return Err(GrantFault::Nothing);
        }
        if columns.as_ref().is_some_and(Vec::is_empty) {
            return Err(GrantFault::NoColumns);
        }
        let files = files.iter().map(|glob| Glob::new(glob)).collect::<Result<_, _>>()?;
        let filter = filter.map(Predicate::parse).transpose().map_err(GrantFault::Filter)?;
        Ok(Self { users, groups, files, columns, filter, query_time: None, parts: None })
    }

    /// Bounds the time for the server's work on one Select, if that of all users is not shorter.
    #[must_use]
    pub fn with_query_time(mut self, query_time: Option<Duration>) -> Self {
        self.query_time = query_time;
        self
    }

    /// Joins the grants for the two names of a file. The result covers the columns that both list,
    /// and the records that both filters keep; the shorter time of both counts. Returns `None` if
    /// there is no such column.
    pub fn join(a: &Arc<Self>, b: &Arc<Self>) -> Option<Arc<Self>> {
        if b.is_unrestricted() || Arc::ptr_eq(a, b) {
            return Some(Arc::clone(a));
        }
        if a.is_unrestricted() {
            return Some(Arc::clone(b));
        }
        let columns = match (&a.columns, &b.columns) {
            (Some(a), Some(b)) => Some(a.iter().filter(|name| b.contains(name)).cloned().collect()),
            (Some(columns), None) | (None, Some(columns)) => Some(columns.clone()),
            (None, None) => None,
        };
        if columns.as_ref().is_some_and(Vec::is_empty) {
            return None;
        }
        let filter = match (&a.filter, &b.filter) {
            (Some(a), Some(b)) => Some(a.and(b)),
            (Some(filter), None) | (None, Some(filter)) => Some(filter.clone()),
            (None, None) => None,
        };
        let parts = Some([Arc::clone(a), Arc::clone(b)]);
        let query_time = a.query_time.into_iter().chain(b.query_time).min();
        Some(Arc::new(Self { columns, filter, query_time, parts, ..Self::default() }))
    }

    /// Returns whether it is this grant, or joins the same two grants.
    pub(crate) fn is_same(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        match (&self.parts, &other.parts) {
            (Some(a), Some(b)) => a.iter().zip(b).all(|(a, b)| Arc::ptr_eq(a, b)),
            _ => Arc::ptr_eq(self, other),
        }
    }

    /// Returns the users of the grant.
    pub fn users(&self) -> &[String] {
        &self.users
    }

    /// Returns the groups of the grant.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// Returns whether the grant is for this user.
    pub fn is_for(&self, user: &User) -> bool {
        self.users.contains(&user.name)
            || user.groups.iter().any(|group| self.groups.contains(group))
    }

    /// Returns whether a glob of the grant matches the file of this name.
    pub fn covers(&self, file: &str) -> bool {
        self.files.iter().any(|glob| glob.whole.matches_with(file, OPTIONS))
    }

    /// Returns the columns that may be read; `None` means all columns.
    pub fn columns(&self) -> Option<&[String]> {
        self.columns.as_deref()
    }

    /// Returns whether every column may be read.
    pub fn has_all_columns(&self) -> bool {
        self.columns.is_none()
    }

    /// Returns whether every record may be read.
    pub fn has_all_records(&self) -> bool {
        self.filter.is_none()
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.has_all_columns() && self.has_all_records()
    }

    fn is_unrestricted(&self) -> bool {
        self.is_whole() && self.query_time.is_none()
    }

    /// Returns the time for the server's work on one Select, if the grant bounds it.
    pub(crate) fn query_time(&self) -> Option<Duration> {
        self.query_time
    }

    /// Returns whether the user may name a column. Case makes no difference.
    pub(crate) fn shows(&self, column: &str) -> bool {
        let is_it = |name: &String| name.to_lowercase() == column.to_lowercase();
        self.columns.as_ref().is_none_or(|columns| columns.iter().any(is_it))
    }

    /// Returns whether the row filter reads a column. Case makes no difference.
    pub(crate) fn filters_by(&self, column: &str) -> bool {
        self.filter.as_ref().is_some_and(|filter| filter.mentions().column(column))
    }

    /// Returns the columns of the grant that the file does not have.
    pub(crate) fn columns_missing<'a>(
        &'a self,
        source: &'a Source,
    ) -> impl Iterator<Item = &'a str> {
        let names = self.columns.iter().flatten().map(String::as_str);
        names.filter(|name| source.schema().field_with_name(name).is_err())
    }

    /// Returns the part of a file that the grant allows to see.
    ///
    /// # Errors
    /// The grant does not fit the file. The error is for the administrator, not for the user.
    pub(crate) fn view(&self, source: Arc<Source>) -> sift_select::Result<View> {
        View::new(source, self.columns.as_deref(), self.filter.as_ref())
    }

    /// Returns whether a glob of the grant can match a file below `folder`.
    fn reaches_into(&self, folder: &str) -> bool {
        self.files.iter().any(|glob| glob.reaches_into(folder))
    }

    /// Returns whether this grant is for all users and groups of `other`.
    fn is_for_all_of(&self, other: &Self) -> bool {
        other.users.iter().all(|user| self.users.contains(user))
            && other.groups.iter().all(|group| self.groups.contains(group))
    }
}

impl Glob {
    fn new(text: &str) -> Result<Self, GrantFault> {
        let pattern = |text: &str| {
            Pattern::new(text).map_err(|error| GrantFault::Glob { glob: text.to_owned(), error })
        };
        let parts = text.split('/').map(pattern).collect::<Result<_, _>>()?;
        Ok(Self { whole: pattern(text)?, parts })
    }

    fn reaches_into(&self, folder: &str) -> bool {
        let mut parts = self.parts.iter();
        for name in folder.split('/') {
            match parts.next() {
                Some(part) if part.as_str() == "**" => return true,
                Some(part) if part.matches_with(name, OPTIONS) => {}
                _ => return false,
            }
        }
        parts.next().is_some()
    }
}

/// The grants of a server in their order.
#[derive(Debug)]
pub(crate) enum Grants {
    /// Everybody may read everything. The grant has no restriction.
    Everything(Arc<Grant>),
    These(Vec<Arc<Grant>>),
}

impl Grants {
    pub(crate) fn new(grants: Option<Vec<Grant>>) -> Self {
        match grants {
            // a grant without restrictions, which names no user
            None => Self::Everything(Arc::default()),
            Some(grants) => Self::These(grants.into_iter().map(Arc::new).collect()),
        }
    }

    /// Returns the grant that decides about a file for a user.
    fn find(&self, user: &User, file: &str) -> Option<&Arc<Grant>> {
        match self {
            Self::Everything(grant) => Some(grant),
            Self::These(grants) => {
                grants.iter().find(|grant| grant.is_for(user) && grant.covers(file))
            }
        }
    }

    fn reach_into(&self, user: &User, folder: &str) -> bool {
        match self {
            Self::Everything(_) => true,
            Self::These(grants) => {
                grants.iter().any(|grant| grant.is_for(user) && grant.reaches_into(folder))
            }
        }
    }

    pub(crate) fn all(&self) -> std::slice::Iter<'_, Arc<Grant>> {
        match self {
            Self::Everything(_) => [].iter(),
            Self::These(grants) => grants.iter(),
        }
    }

    /// Returns the grants that can decide about a file, with their numbers from 1.
    pub(crate) fn about<'a>(
        &'a self,
        file: &'a str,
    ) -> impl Iterator<Item = (usize, &'a Arc<Grant>)> {
        let covering = (1..).zip(self.all()).filter(move |(_, grant)| grant.covers(file));
        let earlier = covering.clone();
        covering.filter(move |(number, grant)| {
            let mut before = earlier.clone().take_while(|(other, _)| other < number);
            !before.any(|(_, other)| other.is_for_all_of(grant))
        })
    }
}

/// The user of a request, the grants, and the transport of the answer.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) user: Arc<User>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) transport: Transport,
}

impl Caller {
    /// Makes a caller who may read everything.
    pub(crate) fn unrestricted(transport: Transport) -> Self {
        Self { user: Arc::default(), grants: Arc::new(Grants::new(None)), transport }
    }

    /// Returns the grant that decides about a file, if there is one.
    pub(crate) fn grant(&self, file: &str) -> Option<Arc<Grant>> {
        self.grants.find(&self.user, file).cloned()
    }

    /// Returns whether the caller may read every file.
    pub(crate) fn may_read_everything(&self) -> bool {
        matches!(*self.grants, Grants::Everything(_))
    }

    /// Returns whether the caller may read anything below a folder.
    pub(crate) fn reaches_into(&self, folder: &str) -> bool {
        self.grants.reach_into(&self.user, folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(user: &str, group: &str, files: &[&str]) -> Grant {
        let list =
            |text: &str| text.split(' ').filter(|t| !t.is_empty()).map(str::to_owned).collect();
        let files: Vec<String> = files.iter().map(|glob| (*glob).to_owned()).collect();
        Grant::new(list(user), list(group), &files, None, None).unwrap()
    }

    fn user(name: &str, groups: &[&str]) -> User {
        User { name: name.to_owned(), groups: groups.iter().map(|g| (*g).to_owned()).collect() }
    }

    #[test]
    fn a_glob_is_one_of_a_shell() {
        for (glob, yes, no) in [
            ("a.csv", "a.csv", "b.csv"),
            ("*.csv", "b.csv", "x/b.csv"),
            ("**", "x/y/b.csv", "x/.b.csv"),
            ("**", "b.csv", ".b.csv"),
            ("sales/**", "sales/x/b.csv", "sale/b.csv"),
            ("sales/**", "sales/b.csv", "sales"),
            ("*/b.csv", "x/b.csv", "x/y/b.csv"),
            ("a.csv", "a.csv", "A.csv"),
        ] {
            let grant = grant("ann", "", &[glob]);
            assert!(grant.covers(yes) && !grant.covers(no), "{glob}");
        }
    }

    #[test]
    fn folders_that_no_grant_reaches_are_not_entered() {
        for (glob, yes, no) in [
            ("a.csv", None, Some("a")),
            ("sales/*.csv", Some("sales"), Some("hr")),
            ("sales/*.csv", None, Some("sales/2024")),
            ("*/2024/*.csv", Some("hr/2024"), Some("hr/2023")),
            ("sales/**", Some("sales/x/y"), Some("hr")),
            ("**", Some("a/b"), None),
            ("**/b.csv", Some("a"), None),
        ] {
            let grant = grant("ann", "", &[glob]);
            assert!(yes.is_none_or(|folder| grant.reaches_into(folder)), "{glob}");
            assert!(!no.is_some_and(|folder| grant.reaches_into(folder)), "{glob}");
        }
    }

    #[test]
    fn the_first_that_matches_decides() {
        let grants = Grants::new(Some(vec![
            grant("ann", "", &["pay.csv"]),
            grant("", "staff", &["pay.csv"]),
            grant("ann bob", "", &["**"]),
        ]));
        let number = |user: &User, file: &str| {
            let found = grants.find(user, file)?;
            grants
                .about(file)
                .find(|(_, grant)| Arc::ptr_eq(grant, found))
                .map(|(number, _)| number)
        };
        assert_eq!(number(&user("ann", &["staff"]), "pay.csv"), Some(1));
        assert_eq!(number(&user("cat", &["staff"]), "pay.csv"), Some(2));
        assert_eq!(number(&user("cat", &["staff"]), "other.csv"), None);
        assert_eq!(number(&user("bob", &[]), "pay.csv"), Some(3));
        assert_eq!(number(&user("", &[]), "pay.csv"), None);
        // for ann the first stands before the third, for bob it does not
        assert_eq!(grants.about("pay.csv").count(), 3);
        let all = Grants::new(Some(vec![grant("ann", "", &["*"]), grant("ann", "", &["**"])]));
        assert_eq!(all.about("pay.csv").map(|(number, _)| number).collect::<Vec<_>>(), [1]);
        assert!(Grants::new(None).find(&user("", &[]), "x").is_some());
        assert!(Grants::new(Some(Vec::new())).find(&user("ann", &[]), "x").is_none());
    }

    #[test]
    fn a_joined_grant_lets_read_what_both_do() {
        let grant = |columns: &[&str], filter| {
            let columns = (!columns.is_empty())
                .then(|| columns.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
            let files = ["**".to_owned()];
            Arc::new(Grant::new(vec!["ann".to_owned()], vec![], &files, columns, filter).unwrap())
        };
        let (all, ab, bc, c) = (
            grant(&[], None),
            grant(&["a", "b"], None),
            grant(&["b", "c"], None),
            grant(&["c"], None),
        );
        let filtered = grant(&[], Some("a > 1"));
        assert!(Arc::ptr_eq(&Grant::join(&all, &ab).unwrap(), &ab));
        assert!(Arc::ptr_eq(&Grant::join(&ab, &all).unwrap(), &ab));
        let joined = Grant::join(&ab, &bc).unwrap();
        assert_eq!(joined.columns(), Some(&["b".to_owned()][..]));
        assert!(Grant::join(&ab, &c).is_none());
        let both = Grant::join(&ab, &filtered).unwrap();
        assert!(!both.has_all_columns() && !both.has_all_records() && both.filters_by("a"));
        let other = Grant::join(&filtered, &grant(&[], Some("z > 1"))).unwrap();
        assert!(other.filters_by("a") && other.filters_by("z"));
        assert!(joined.is_same(&Grant::join(&ab, &bc).unwrap()));
        assert!(!joined.is_same(&Grant::join(&bc, &ab).unwrap()) && !joined.is_same(&ab));
    }

    #[test]
    fn grants_of_nothing_are_refused() {
        let ann = || vec!["ann".to_owned()];
        let files = ["a".to_owned()];
        let refused = |grant: Result<Grant, GrantFault>| grant.unwrap_err().to_string();
        assert!(refused(Grant::new(ann(), vec![], &[], None, None)).contains("grants nothing"));
        assert!(refused(Grant::new(vec![], vec![], &files, None, None)).contains("grants nothing"));
        assert!(refused(Grant::new(ann(), vec![], &files, Some(vec![]), None)).contains("empty"));
        assert!(
            refused(Grant::new(ann(), vec![], &["a***".to_owned()], None, None)).contains("a***")
        );
        let filter = refused(Grant::new(ann(), vec![], &files, None, Some("a = $1")));
        assert!(filter.starts_with("filter: line 1, column 5"), "{filter}");
    }
}
