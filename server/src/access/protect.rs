//! What keeps a file or a column off a channel: the demands of descriptors and of the
//! configuration, and whether a transport meets them.
//!
//! What a file has encrypted by the means of its format demands an encrypted channel too, which is known
//! only when the file is opened. Of all the demands that apply to a file the strictest holds, so a descriptor cannot weaken what
//! the configuration says.

use std::collections::BTreeSet;
use std::fmt;

use glob::{MatchOptions, Pattern, PatternError};
use sift_select::{Descriptor, Plan, Requirement, Select, Source, are_related};

use super::grant::Grant;
use super::transport::Transport;

/// What the configuration protects, with or without descriptors.
#[derive(Clone, Debug, Default)]
pub struct Protection {
    /// Demanded of every file.
    pub defaults: Requirement,
    /// Demanded of some, whatever their order.
    pub rules: Vec<ProtectRule>,
}

/// What files of some names, or columns of theirs, demand.
#[derive(Clone, Debug)]
pub struct ProtectRule {
    files: Vec<Pattern>,
    columns: Vec<String>,
    requirement: Requirement,
}

impl ProtectRule {
    /// Demands `requirement` of the files that match one of the globs; of `columns` alone, unless
    /// there are none. `*` stays within its folder, `**` does not. Case makes no difference, neither
    /// of files nor of columns. A file without the column has nothing to protect; as that is not
    /// known before it is opened, fetching it whole needs the channel all the same.
    ///
    /// # Errors
    /// What is wrong with a glob.
    pub fn new(
        files: &[String],
        columns: Vec<String>,
        requirement: Requirement,
    ) -> Result<Self, PatternError> {
        let files = files.iter().map(|glob| Pattern::new(glob)).collect::<Result<_, _>>()?;
        Ok(Self { files, columns, requirement })
    }

    /// Who hides a file or writes its name in capitals does not free it.
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
    /// What the file of this name demands.
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

    /// The rules that apply to a file, counted from 1.
    pub(crate) fn rules_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = usize> + 'a {
        let numbered = self.rules.iter().zip(1..);
        numbered.filter(move |(rule, _)| rule.applies_to(name)).map(|(_, number)| number)
    }
}

/// What one file demands, and its columns beyond that.
#[derive(Clone, Debug)]
pub(crate) struct Protected {
    name: String,
    pub(crate) file: Requirement,
    /// A column may come several times.
    columns: Vec<(String, Requirement)>,
}

impl Protected {
    /// Demands also what `other`, another name of the same file, does.
    pub(crate) fn join(&mut self, other: Self) {
        self.file = self.file.max(other.file);
        self.columns.extend(other.columns);
    }

    /// Demands also that what is encrypted where it lies does not leave in the clear.
    pub(crate) fn require_encryption_of(&mut self, source: &Source, transport: Transport) {
        // over a mount it has come as it lies
        if let Transport::Mount { .. } = transport {
            return;
        }
        if source.is_encrypted() {
            self.file = self.file.max(Requirement::Encryption);
        }
        let columns = source.encrypted_columns();
        self.columns.extend(columns.map(|name| (name.to_owned(), Requirement::Encryption)));
    }

    /// What a column demands on top of what the file does; what is in it, or what it is in, by
    /// dotted names, demands the same.
    pub(crate) fn column(&self, name: &str) -> Requirement {
        if self.columns.is_empty() {
            return Requirement::None;
        }
        let lower = name.to_lowercase();
        let requirements =
            self.columns.iter().filter(|(column, _)| are_related(&column.to_lowercase(), &lower));
        requirements.map(|(_, requirement)| *requirement).max().unwrap_or_default()
    }

    /// The columns that demand something beyond what the file does, in order.
    pub(crate) fn columns(&self) -> Vec<(String, Requirement)> {
        let names: BTreeSet<&String> = self.columns.iter().map(|(name, _)| name).collect();
        let columns = names.into_iter().map(|name| (name.clone(), self.column(name)));
        columns.filter(|(_, requirement)| *requirement > self.file).collect()
    }

    /// Whether anything of the file may leave.
    pub(crate) fn check_file(&self, transport: Transport) -> Result<(), Refusal> {
        self.check(None, self.file, transport)
    }

    /// Whether all of it may leave.
    pub(crate) fn check_all(&self, transport: Transport) -> Result<(), Refusal> {
        self.check_where(transport, |_| true)
    }

    /// Whether `select` may be asked by what its text mentions, before the file is opened.
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

    /// Whether all that a plan touches may leave.
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

    /// Whether the file has a column that demands more than the transport has.
    pub(crate) fn withholds(&self, transport: Transport) -> bool {
        self.check_all(transport).is_err()
    }

    /// Returns the columns that demand more than the transport has.
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
    /// `None`: the whole file.
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
            // what the channel is goes without saying
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
