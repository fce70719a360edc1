//! Protection: the requirements of descriptors and of the configuration for files and columns, and
//! the check that a transport meets them.
//!
//! The parts of a file that its format encrypts require an encrypted channel, too; they are known
//! when the file is open. The strictest of all requirements applies, so a descriptor cannot weaken
//! the configuration.

use std::collections::BTreeSet;
use std::fmt;

use glob::{MatchOptions, Pattern, PatternError};
use sift_select::{Descriptor, Plan, Requirement, Select, Source, are_related};

use super::grant::Grant;
use super::transport::Transport;

/// The protection in the configuration. It applies with and without descriptors.
#[derive(Clone, Debug, Default)]
pub struct Protection {
    /// The requirement of every file.
    pub defaults: Requirement,
    /// The requirements of some files. The order makes no difference.
    pub rules: Vec<ProtectRule>,
}

/// The requirement of the files that match a glob, or of columns of these files.
#[derive(Clone, Debug)]
pub struct ProtectRule {
    files: Vec<Pattern>,
    columns: Vec<String>,
    requirement: Requirement,
}

impl ProtectRule {
    /// Requires `requirement` for `columns` of the files that match one of the globs, or for the
    /// whole files if `columns` is empty. `*` does not match a `/`, `**` does. Case makes no
    /// difference. A file without the columns has nothing to protect. This is not known before the
    /// file is opened, so fetching it whole needs the channel, too.
    ///
    /// # Errors
    /// The error of an invalid glob.
    pub fn new(
        files: &[String],
        columns: Vec<String>,
        requirement: Requirement,
    ) -> Result<Self, PatternError> {
        let files = files.iter().map(|glob| Pattern::new(glob)).collect::<Result<_, _>>()?;
        Ok(Self { files, columns, requirement })
    }

    /// A file stays protected if it is hidden or if its name is written in another case.
    const OPTIONS: MatchOptions = MatchOptions {
        case_sensitive: false,
        require_literal_separator: true,
        require_literal_leading_dot: false,
    };

    fn applies_to(&self, name: &str) -> bool {
        self.files.iter().any(|glob| glob.matches_with(name, Self::OPTIONS))
    }
}

impl Protection {
    /// Returns the requirements of the file with this name.
    pub(crate) fn of(&self, name: &str, descriptor: Option<&Descriptor>) -> Protected {
        let mut protected =
            Protected { name: name.to_owned(), file: self.defaults, columns: Vec::new() };
        if let Some(descriptor) = descriptor {
            protected.file = protected.file.max(descriptor.requirement());
            let fields = descriptor.fields_protected();
            protected
                .columns
                .extend(fields.map(|(name, requirement)| (name.to_owned(), requirement)));
        }
        for rule in self.rules.iter().filter(|rule| rule.applies_to(name)) {
            if rule.columns.is_empty() {
                protected.file = protected.file.max(rule.requirement);
            }
            let columns = rule.columns.iter().map(|name| (name.clone(), rule.requirement));
            protected.columns.extend(columns);
        }
        protected
    }

    /// Returns the numbers, from 1, of the rules that apply to a file.
    pub(crate) fn rules_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = usize> + 'a {
        let numbered = self.rules.iter().zip(1..);
        numbered.filter(move |(rule, _)| rule.applies_to(name)).map(|(_, number)| number)
    }
}

/// The requirements of one file and of its columns.
#[derive(Clone, Debug)]
pub(crate) struct Protected {
    name: String,
    pub(crate) file: Requirement,
    /// One column may have several requirements.
    columns: Vec<(String, Requirement)>,
}

impl Protected {
    /// Adds the requirements of `other`, which is another name of the same file.
    pub(crate) fn join(&mut self, other: Self) {
        self.file = self.file.max(other.file);
        self.columns.extend(other.columns);
    }

    /// Adds the requirement of an encrypted channel for the parts that the file itself encrypts.
    pub(crate) fn require_encryption_of(&mut self, source: &Source, transport: Transport) {
        // over a mount, these parts came encrypted
        if let Transport::Mount { .. } = transport {
            return;
        }
        if source.is_encrypted() {
            self.file = self.file.max(Requirement::Encryption);
        }
        let columns = source.encrypted_columns();
        self.columns.extend(columns.map(|name| (name.to_owned(), Requirement::Encryption)));
    }

    /// Returns the requirement of a column. By dotted names, it includes the requirements of the
    /// column's members and of the column that contains it.
    pub(crate) fn column(&self, name: &str) -> Requirement {
        if self.columns.is_empty() {
            return Requirement::None;
        }
        let lower = name.to_lowercase();
        let requirements =
            self.columns.iter().filter(|(column, _)| are_related(&column.to_lowercase(), &lower));
        requirements.map(|(_, requirement)| *requirement).max().unwrap_or_default()
    }

    /// Returns the columns with a stricter requirement than the file, in order.
    pub(crate) fn columns(&self) -> Vec<(String, Requirement)> {
        let names: BTreeSet<&String> = self.columns.iter().map(|(name, _)| name).collect();
        let columns = names.into_iter().map(|name| (name.clone(), self.column(name)));
        columns.filter(|(_, requirement)| *requirement > self.file).collect()
    }

    /// Checks that any part of the file may leave.
    pub(crate) fn check_file(&self, transport: Transport) -> Result<(), Refusal> {
        self.check(None, self.file, transport)
    }

    /// Checks that the whole file may leave.
    pub(crate) fn check_all(&self, transport: Transport) -> Result<(), Refusal> {
        self.check_where(transport, |_| true)
    }

    /// Checks the columns that the text of `select` mentions, before the file is opened.
    pub(crate) fn check_mentions(
        &self,
        select: &Select,
        grant: &Grant,
        transport: Transport,
    ) -> Result<(), Refusal> {
        if self.columns.is_empty() {
            return self.check_file(transport);
        }
        let mentions = select.mentions();
        // a column that is not granted does not exist, so it is not named
        self.check_where(transport, |column| mentions.column(column) && grant.shows(column))?;
        match self.columns.iter().find(|(column, requirement)| {
            !transport.meets(*requirement) && grant.filters_by(column)
        }) {
            None => Ok(()),
            Some((_, requirement)) => self.check(None, *requirement, transport),
        }
    }

    /// Checks the columns that a plan reads.
    pub(crate) fn check_plan(&self, plan: &Plan, transport: Transport) -> Result<(), Refusal> {
        self.check_file(transport)?;
        if self.columns.is_empty() {
            return Ok(());
        }
        let schema = plan.source().schema();
        for column in plan.columns() {
            let name = schema.field(column).name();
            let named = plan.view().columns().contains(&column).then_some(name.as_str());
            self.check(named, self.column(name), transport)?;
        }
        Ok(())
    }

    /// Returns whether the file, or a column that a plan reads, has a requirement.
    pub(crate) fn protects(&self, plan: &Plan) -> bool {
        let schema = plan.source().schema();
        let is_protected =
            |column: usize| self.column(schema.field(column).name()) != Requirement::None;
        self.file != Requirement::None || plan.columns().into_iter().any(is_protected)
    }

    /// Returns whether the file or any of its columns has a requirement.
    pub(crate) fn protects_any(&self) -> bool {
        let mut columns = self.columns.iter();
        self.file != Requirement::None
            || columns.any(|(_, requirement)| *requirement != Requirement::None)
    }

    /// Returns whether the file has a column whose requirement the transport does not meet.
    pub(crate) fn withholds(&self, transport: Transport) -> bool {
        self.check_all(transport).is_err()
    }

    /// Returns the columns whose requirements the transport does not meet.
    pub(crate) fn columns_withheld(&self, transport: Transport) -> impl Iterator<Item = &str> {
        let columns =
            self.columns.iter().filter(move |(_, requirement)| !transport.meets(*requirement));
        columns.map(|(name, _)| name.as_str())
    }

    fn check_where(
        &self,
        transport: Transport,
        touched: impl Fn(&str) -> bool,
    ) -> Result<(), Refusal> {
        self.check_file(transport)?;
        for (column, requirement) in &self.columns {
            if !transport.meets(*requirement) && touched(column) {
                self.check(Some(column), *requirement, transport)?;
            }
        }
        Ok(())
    }

    fn check(
        &self,
        column: Option<&str>,
        requirement: Requirement,
        transport: Transport,
    ) -> Result<(), Refusal> {
        if transport.meets(requirement) {
            return Ok(());
        }
        let column = column.map(str::to_owned);
        Err(Refusal { file: self.name.clone(), column, requirement, transport })
    }
}

/// A file or column that may not leave on this transport.
#[derive(Debug)]
pub(crate) struct Refusal {
    file: String,
    /// `None` means the whole file.
    column: Option<String>,
    pub(crate) requirement: Requirement,
    transport: Transport,
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        match &self.column {
            Some(column) => write!(f, "column `{column}` requires {}", self.requirement)?,
            None => write!(f, "file requires {}", self.requirement)?,
        }
        match (self.requirement, self.transport) {
            // a plain channel is the only possible reason
            (Requirement::Encryption, Transport::Plain) => Ok(()),
            _ => write!(f, "; {}", self.transport),
        }
    }
}

#[cfg(test)]
mod tests {
    use sift_proto::level::{Level, Protocol};

    use super::*;

    const TLS12: Transport =
        Transport::Encrypted { protocol: Protocol::Tls12, level: Some(Level::Three) };

    fn protected(text: &str, rules: Vec<ProtectRule>, name: &str) -> Protected {
        let descriptor = Descriptor::parse("t", text).unwrap();
        Protection { defaults: Requirement::None, rules }.of(name, Some(&descriptor))
    }

    fn rule(file: &str, columns: &[&str], requirement: Requirement) -> ProtectRule {
        let columns = columns.iter().map(|&name| name.to_owned()).collect();
        ProtectRule::new(&[file.to_owned()], columns, requirement).unwrap()
    }

    #[test]
    fn a_requirement_holds_for_what_is_in_a_column_and_around_it() {
        let who =
            protected("", vec![rule("**", &["who", "a.b"], Requirement::Level(4))], "o.jsonl");
        for column in ["who", "Who.name", "who.card.number", "a.b", "a.b.c", "a"] {
            assert_eq!(who.column(column), Requirement::Level(4), "{column}");
        }
        for column in ["whose", "w", "a.c", "b"] {
            assert_eq!(who.column(column), Requirement::None, "{column}");
        }
    }

    #[test]
    fn the_strictest_requirement_holds() {
        let text = "network_encrypt = true\n[[field]]\nname = \"card\"\nscl_min = 4\n";
        let rules = vec![
            rule("pay/**", &[], Requirement::Level(3)),
            rule("**/*.csv", &["CARD"], Requirement::Level(5)),
            rule("other/*", &[], Requirement::Level(5)),
        ];
        let protected = protected(text, rules, "pay/2024/a.csv");
        assert_eq!(protected.file, Requirement::Level(3));
        assert_eq!(protected.column("card"), Requirement::Level(5));
        assert_eq!(protected.column("city"), Requirement::None);
    }

    #[test]
    fn globs_protect_hidden_files_and_any_case() {
        for (glob, name) in
            [("pay/*", "pay/.a.csv"), ("pay/*.csv", "PAY/A.CSV"), ("**", "a/b/.c/d.csv")]
        {
            let rule = rule(glob, &[], Requirement::Encryption);
            assert_eq!(protected("", vec![rule], name).file, Requirement::Encryption, "{name}");
        }
        let rule = rule("pay/*", &[], Requirement::Encryption);
        assert_eq!(protected("", vec![rule], "pay/2024/a.csv").file, Requirement::None);
    }

    #[test]
    fn a_refusal_names_subject_requirement_and_channel() {
        let text = "[[field]]\nname = \"card\"\nscl_min = 4\n[[field]]\nname = \"pin\"\nnetwork_encrypt = true\n";
        let protected = protected(text, Vec::new(), "orders.csv");
        let fault = protected.check_all(TLS12).unwrap_err().to_string();
        let expected = "orders.csv: column `card` requires level 4 or higher; this channel is TLSv1.2 at level 3";
        assert_eq!(fault, expected);
        let fault =
            protected.check(Some("pin"), Requirement::Encryption, Transport::Plain).unwrap_err();
        assert_eq!(fault.to_string(), "orders.csv: column `pin` requires network encryption");
        let fault = protected.check(None, Requirement::Level(2), Transport::Plain).unwrap_err();
        let expected = "orders.csv: file requires level 2 or higher; this channel is not encrypted";
        assert_eq!(fault.to_string(), expected);
    }

    #[test]
    fn a_mount_has_the_file_sent_in_the_clear_already() {
        let protected = protected("network_encrypt = true\n", Vec::new(), "a.csv");
        let fault = protected.check_file(Transport::Mount { network: "NFS" }).unwrap_err();
        let expected =
            "a.csv: file requires network encryption; the file is on a network mount, NFS";
        assert_eq!(fault.to_string(), expected);
        protected.check_file(Transport::Local).unwrap();
    }
}
