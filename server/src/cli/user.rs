//! `siftd user`: its command line, and the passwords that it asks for.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use sift_server::{Account, CertificateName, PasswordHash, Users, UsersFault};
use zeroize::Zeroizing;

use super::error::Error;
use super::output::print;
use super::settings;

/// The maximal size of a password file: more than the longest password with its line end.
const PASSWORD_FILE_BYTES_MAX: u64 = 4096;

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user; the password is asked for twice
    ///
    /// A running server knows the user from the next log-in on. The `[[grant]]` sections of
    /// siftd.toml say what the user may read: without one, nothing.
    Add(AddArgs),
    /// List the users with their groups and how they log in
    List(FileArgs),
    /// Remove a user, who is disconnected at the next request
    Remove {
        /// The user
        name: String,
        #[command(flatten)]
        file: FileArgs,
    },
    /// Change a user's password; it is asked for twice
    Password {
        /// The user
        name: String,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        file: FileArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The user's name: letters, digits and . _ @ + -
    name: String,

    /// A group that the user is in; may be given several times
    #[arg(long = "group", value_name = "NAME")]
    groups: Vec<String>,

    /// A name in a client certificate that logs the user in without a password; may be given
    /// several times
    ///
    /// The names are those that `siftd cert show` shows. A kind may come first:
    /// dns:files.example.com, mail:ann@example.com, uri:urn:ann, cn:Ann, ip:10.0.0.7. Without a
    /// kind, a name is of any kind except ip:. The common name (cn:) counts only in a certificate
    /// without alternative names. Names are compared as a whole, without patterns. The case of DNS
    /// names and mail domains makes no difference. The listener needs `client_ca`.
    #[arg(long = "certificate", value_name = "[KIND:]NAME")]
    certificates: Vec<CertificateName>,

    /// Without a password the user logs in by certificate only
    #[arg(long, requires = "certificates", conflicts_with = "password_file")]
    no_password: bool,

    #[command(flatten)]
    password: PasswordArgs,

    #[command(flatten)]
    file: FileArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PasswordArgs {
    /// Read the password from the first line of a file; - is standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    /// The users file [default: that of siftd.toml, else users.toml in the configuration directory]
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,

    /// The configuration file that names the users file
    #[arg(long, value_name = "FILE", conflicts_with = "users")]
    config: Option<PathBuf>,
}

pub(super) fn run(command: UserCommand) -> Result<(), Error> {
    match command {
        UserCommand::Add(args) => {
            let AddArgs { name, groups, certificates, no_password, password, file } = args;
            let mut account = Account { groups, password: None, certificate: certificates };
            let path = file.path()?;
            // faults of the names are reported before a password is asked for
            let tried = read(&path)?.add(name.clone(), account.clone());
            tried.map_err(|fault| Error::Users { path, fault })?;
            if !no_password {
                account.password = Some(password.hash(&name)?);
            }
            change(&file, |users| users.add(name, account))
        }
        UserCommand::List(file) => {
            let path = file.path()?;
            let users = read(&path)?;
            Ok(print(list(&users).as_bytes())?)
        }
        UserCommand::Remove { name, file } => change(&file, |users| users.remove(&name)),
        UserCommand::Password { name, password, file } => {
            let path = file.path()?;
            if !read(&path)?.contains(&name) {
                return Err(Error::Users { path, fault: UsersFault::Unknown(name) });
            }
            let hash = password.hash(&name)?;
            change(&file, |users| users.set_password(&name, hash))
        }
    }
}

/// Returns name, groups and ways to log in, one line for each user.
fn list(users: &Users) -> String {
    let mut text = String::new();
    for (name, account) in users.iter() {
        let groups = account.groups.join(", ");
        let mut ways = Vec::new();
        if account.password.is_some() {
            ways.push("password".to_owned());
        }
        ways.extend(account.certificate.iter().map(|name| format!("certificate {name}")));
        let _infallible = writeln!(text, "{name:<20}  {groups:<20}  {}", ways.join(", "));
    }
    text
}

fn change(
    file: &FileArgs,
    change: impl FnOnce(&mut Users) -> Result<(), UsersFault>,
) -> Result<(), Error> {
    let path = file.path()?;
    let mut users = read(&path)?;
    change(&mut users)
        .and_then(|()| users.write(&path))
        .map_err(|fault| Error::Users { path, fault })
}

/// Reads the users; there are none without a file.
fn read(path: &Path) -> Result<Users, Error> {
    match Users::read(path) {
        Err(UsersFault::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
            Ok(Users::default())
        }
        Err(fault) => Err(Error::Users { path: path.to_owned(), fault }),
        Ok(users) => Ok(users),
    }
}

impl FileArgs {
    fn path(&self) -> Result<PathBuf, Error> {
        match &self.users {
            Some(path) => Ok(path.clone()),
            None => Ok(settings::users_file(self.config.as_deref())?),
        }
    }
}

impl PasswordArgs {
    /// Reads a new password and returns its hash.
    fn hash(&self, user: &str) -> Result<PasswordHash, Error> {
        let password = match &self.password_file {
            Some(path) if path.as_os_str() == "-" => first_line(io::stdin())?,
            Some(path) => first_line(File::open(path)?)?,
            None if !io::stdin().is_terminal() => first_line(io::stdin())?,
            None => {
                let ask = |prompt: String| rpassword::prompt_password(prompt).map(Zeroizing::new);
                let first = ask(format!("password of {user}: "))?;
                if first != ask("once more: ".to_owned())? {
                    return Err(Error::PasswordsDiffer);
                }
                first
            }
        };
        Ok(PasswordHash::new(&password)?)
    }
}

fn first_line(from: impl Read) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    from.take(PASSWORD_FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}
