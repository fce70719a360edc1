//! `siftd cert`: its command line and its output.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, value_parser};
use sift_proto::identity::IdentityError;

use super::settings;
use crate::cert::authority::{Authority, Files};
use crate::cert::file::{Existing, Readers};
use crate::cert::revoke::Revocation;
use crate::cert::subject::Subject;
use crate::cert::{DAYS_MAX, Error, authority, file, request, revoke, show};

#[derive(Debug, Subcommand)]
pub(crate) enum CertCommand {
    /// Make an authority of your own: authority.pem and authority.key
    ///
    /// Give authority.pem to every client (`sift --ca authority.pem`); it is not secret. Whoever
    /// has authority.key can pass for your servers. Only you can read it, and it need not be on the
    /// server's machine. An existing authority is never overwritten.
    Authority(AuthorityArgs),
    /// Issue a certificate for a server, or for a user with --client
    ///
    /// The certificate and a new key go to one file that only you can read. `siftd serve` finds it
    /// in the default folder; it has to run as you, or needs the file as --cert.
    Issue(IssueArgs),
    /// Revoke certificates of clients: adds them to authority.crl, which servers take as
    /// `client_crl`
    ///
    /// Certificates that were revoked before stay revoked. Without a certificate, the list is only
    /// signed again, or made if there is none. Servers read the list when they start and at SIGHUP.
    /// From then on they refuse the certificates that it names; a connection that is open stays
    /// open. The list can be given to servers that do not have the authority's key.
    Revoke(RevokeArgs),
    /// Make a key and a signing request for an authority that others run: siftd.key and siftd.csr
    Request(RequestArgs),
    /// Show the contents of a PEM file
    ///
    /// It shows subject, names, issuer, serial number, validity, key and SHA-256 fingerprint of
    /// each certificate. The exit code is 2 if a certificate is outside its validity or if the key
    /// in the file does not belong to the certificate.
    Show {
        /// A certificate, a chain, or a chain and its key
        #[arg(value_name = "FILE")]
        file: PathBuf,

        /// The first line of this file is the passphrase of its key
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AuthorityArgs {
    /// The folder for both files [default: $XDG_CONFIG_HOME/sift or ~/.config/sift]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// The name of the authority in certificates [default: Sift authority, and a number]
    #[arg(long, value_name = "CN")]
    name: Option<String>,

    /// The validity in days [default: 3653, ten years]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=i64::from(DAYS_MAX)))]
    days: Option<u32>,

    /// Put the new key under the passphrase that is the first line of this file
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct IssueArgs {
    /// DNS names (`*` may be the first label) and IP addresses by which clients reach the server;
    /// with --client the name of the user
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,

    /// Issue a certificate for a user, to show to servers with `client_ca` (sift --client-cert)
    #[arg(long)]
    client: bool,

    /// The folder with the authority [default: $XDG_CONFIG_HOME/sift or ~/.config/sift]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// The validity in days [default: 398, or until the authority ends]
    ///
    /// Its end limits the harm of a stolen key; a client's certificate can also be revoked earlier
    /// (siftd cert revoke). Apple's platforms accept no more than 825.
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=i64::from(DAYS_MAX)))]
    days: Option<u32>,

    /// The file to write [default: the siftd.pem that `siftd serve` looks for; client.pem in the
    /// current folder with --client]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Replace the file if it is there, as a renewal does
    #[arg(long)]
    replace: bool,

    /// The first line of this file is the passphrase of the authority's key; else you are asked
    #[arg(long, value_name = "FILE")]
    authority_passphrase_file: Option<PathBuf>,

    /// Put the new key under the passphrase that is the first line of this file
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The certificates, a PEM file each; a key in the file is not needed
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Revoke the certificate with this serial number, as `siftd cert show` and the server's log
    /// show it; may be given several times
    #[arg(long = "serial", value_name = "HEX", value_parser = revoke::parse_serial)]
    serials: Vec<Serial>,

    /// The folder with the authority [default: $XDG_CONFIG_HOME/sift or ~/.config/sift]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// The validity of the list in days [default: until the authority ends]
    ///
    /// After that, servers refuse all clients of the authority until they have a newer list. So a
    /// server that gets no new lists does not continue with an old one.
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=i64::from(DAYS_MAX)))]
    days: Option<u32>,

    /// The list [default: authority.crl in the folder of the authority]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The first line of this file is the passphrase of the authority's key; else you are asked
    #[arg(long, value_name = "FILE")]
    authority_passphrase_file: Option<PathBuf>,
}

/// A serial number; clap would take a `Vec` for several values.
type Serial = std::sync::Arc<[u8]>;

#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    /// DNS names (`*` may be the first label) and IP addresses by which clients reach the server
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,

    /// The folder for both files [default: $XDG_CONFIG_HOME/sift or ~/.config/sift]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Put the new key under the passphrase that is the first line of this file
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

pub(crate) fn run(command: CertCommand) -> Result<(), super::error::Error> {
    match command {
        CertCommand::Authority(args) => make_authority(args),
        CertCommand::Issue(args) => issue(args),
        CertCommand::Revoke(args) => revoke(args),
        CertCommand::Request(args) => make_request(args),
        CertCommand::Show { file, passphrase_file } => show_file(&file, passphrase_file.as_deref()),
    }
}

fn make_authority(args: AuthorityArgs) -> Result<(), super::error::Error> {
    let folder = args.dir.unwrap_or_else(settings::own_folder);
    let passphrase = passphrase(args.passphrase_file.as_deref())?;
    let files = authority::create(&folder, args.name.as_deref(), args.days, passphrase.as_deref())?;
    let (certificate, key) = (files.certificate.display(), files.key.display());
    say(&format!(
        "{certificate}: for clients (sift --ca); no secret\n\
         {key}: signs certificates; yours alone\n\
         next: siftd cert issue NAME..., with the names by which clients reach the server\n"
    ))
}

fn issue(args: IssueArgs) -> Result<(), super::error::Error> {
    let folder = args.dir.unwrap_or_else(settings::own_folder);
    let (subject, default) = match (args.client, &args.names[..]) {
        (true, [name]) => (Subject::client(name)?, PathBuf::from("client.pem")),
        (true, names) => return Err(super::error::Error::OneUser { got: names.len() }),
        (false, names) => (Subject::server(names)?, settings::own_folder().join("siftd.pem")),
    };
    let output = args.output.unwrap_or(default);
    let hint = "--replace puts the new one in its place, -o elsewhere";
    let existing = if args.replace { Existing::Replace } else { Existing::Keep { hint } };
    match existing {
        Existing::Keep { .. } => file::must_not_exist(&output, hint)?,
        Existing::Replace => file::must_be_writable(&output)?,
    }
    let key = Files::new(&folder).key;
    let authority = open_authority(&folder, &key, args.authority_passphrase_file.as_deref())?;
    if let Some(mode) = file::open_mode(&key)? {
        warn(&format!(
            "{}: open to others (mode {mode:04o}): whoever reads it can pass for your servers; \
             chmod 600",
            key.display()
        ));
    }
    let passphrase = passphrase(args.passphrase_file.as_deref())?;
    let pem = authority.issue(&subject, args.days, passphrase.as_deref())?;
    file::write(&output, &pem, Readers::Owner, existing)?;
    say(&format!("{}: certificate and key; siftd cert show tells what it says\n", output.display()))
}

fn revoke(args: RevokeArgs) -> Result<(), super::error::Error> {
    let folder = args.dir.unwrap_or_else(settings::own_folder);
    let Files { key, list, .. } = Files::new(&folder);
    let output = args.output.unwrap_or_else(|| list.clone());
    let authority = open_authority(&folder, &key, args.authority_passphrase_file.as_deref())?;
    let mut serials: Vec<Vec<u8>> = args.serials.iter().map(|serial| serial.to_vec()).collect();
    for file in &args.files {
        serials.push(authority.serial_of(file)?);
    }
    let Revocation { added, is_new, revoked, end } =
        authority.revoke(&output, &list, &serials, args.days)?;
    let certificates = super::error::counted(revoked, "certificate");
    let note = match is_new {
        true => "it is a new list, without what any other list revokes\n",
        false => "",
    };
    say(&format!(
        "{}: revokes {certificates}, {added} of them new; valid until {end}\n\
         {note}next, where it is new: `client_crl` in the [[listener]] of siftd.toml; then SIGHUP to siftd\n",
        output.display()
    ))
}

fn make_request(args: RequestArgs) -> Result<(), super::error::Error> {
    let folder = args.dir.unwrap_or_else(settings::own_folder);
    let passphrase = passphrase(args.passphrase_file.as_deref())?;
    let subject = Subject::server(&args.names)?;
    let files = request::create(&folder, &subject, passphrase.as_deref())?;
    let (request, key) = (files.request.display(), files.key.display());
    say(&format!(
        "{request}: for the authority\n\
         {key}: the key; yours alone\n\
         next, with the chain that the authority sends, the server's own certificate first:\n    \
         (umask 077; cat CHAIN.pem {key} > {})\n",
        folder.join("siftd.pem").display()
    ))
}

fn show_file(path: &Path, passphrase_file: Option<&Path>) -> Result<(), super::error::Error> {
    let sheet = show::show(path, passphrase(passphrase_file)?.as_deref())?;
    say(&sheet.text)?;
    for warning in &sheet.warnings {
        warn(warning);
    }
    sheet.fault.map_or(Ok(()), |fault| Err(fault.into()))
}

fn passphrase(file: Option<&Path>) -> Result<Option<String>, super::error::Error> {
    Ok(file.map(file::passphrase).transpose()?)
}

fn open_authority(
    folder: &Path,
    key: &Path,
    passphrase_file: Option<&Path>,
) -> Result<Authority, super::error::Error> {
    match Authority::open(folder, passphrase(passphrase_file)?.as_deref()) {
        Err(Error::Identity { error: IdentityError::NoPassphrase, path }) => {
            let asked = super::passphrase::ask(&format!("passphrase of {}: ", key.display()));
            let passphrase = asked.ok_or(super::error::Error::NoAuthorityPassphrase { path })?;
            Ok(Authority::open(folder, Some(&passphrase))?)
        }
        opened => Ok(opened?),
    }
}

fn say(text: &str) -> Result<(), super::error::Error> {
    Ok(super::output::print(text.as_bytes())?)
}

fn warn(text: &str) {
    // if standard error is closed, nobody can read the warning
    let _ = writeln!(io::stderr(), "siftd: warning: {text}");
}
