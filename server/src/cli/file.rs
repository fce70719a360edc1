//! `siftd file`: its command line and its output.

mod copybook;

use std::fmt::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand, value_parser};
use sift_select::{Descriptor, Requirement, Source};

use super::settings;
use crate::descriptor::create::Hints;
use crate::descriptor::edit::Change;
use crate::descriptor::{Described, Error, copybook as layout, create, edit};
use copybook::CopybookArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum FileCommand {
    /// Protect files, or columns of them: they leave this machine on good channels only
    ///
    /// The descriptor FILE.toml gets `network_encrypt = true`, or `scl_min` with --scl-min. It is
    /// made if it does not exist; otherwise everything else in it stays as it is. It applies from
    /// the next request to a server on.
    Protect(ProtectArgs),
    /// Remove the protection of files, or of columns, from their descriptors
    ///
    /// The protection in siftd.toml still applies.
    Unprotect(UnprotectArgs),
    /// Show the protection in the descriptors of files
    Show {
        /// Data files
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    /// Write a descriptor for files of CSV or JSON Lines, or for fixed-length records by a COBOL
    /// copybook
    ///
    /// The descriptor of a text file has its columns, with the types of the first records. The
    /// descriptor of a copybook has its items. It is a draft: correct the types, and the server
    /// will require them of all records. An existing descriptor is never overwritten.
    CreateDescriptor(CreateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ProtectArgs {
    /// Data files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Protect this column only; may be given several times
    ///
    /// Selecting, filtering, ordering and grouping by the column need the channel. The other
    /// columns stay as they are.
    #[arg(long = "column", value_name = "NAME")]
    columns: Vec<String>,

    /// The lowest security level of a channel, 2 to 5 [default: any encrypted channel]
    #[arg(long, value_name = "LEVEL", value_parser = value_parser!(u8).range(2..=5))]
    scl_min: Option<u8>,
}

#[derive(Debug, Args)]
pub(crate) struct UnprotectArgs {
    /// Data files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Unprotect this column only, and not the file; may be given several times
    #[arg(long = "column", value_name = "NAME")]
    columns: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Data files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// The character between the fields of CSV [default: a comma, or a tab if the name ends in
    /// .tsv]
    #[arg(long, value_name = "CHAR")]
    delimiter: Option<char>,

    /// A text of CSV that means NULL, in addition to the empty field
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,

    #[command(flatten)]
    copybook: CopybookArgs,
}

pub(crate) fn run(command: FileCommand) -> Result<(), super::error::Error> {
    match command {
        FileCommand::Protect(ProtectArgs { files, columns, scl_min }) => {
            let change = scl_min.map_or(Change::Encrypt, Change::Level);
            each(&files, |described| edit::change(described, &columns, change).map(Some))
        }
        FileCommand::Unprotect(UnprotectArgs { files, columns }) => {
            each(&files, |described| edit::change(described, &columns, Change::Free).map(Some))
        }
        FileCommand::Show { files } => each(&files, Described::parsed),
        FileCommand::CreateDescriptor(args) => create_descriptor(args),
    }
}

fn create_descriptor(args: CreateArgs) -> Result<(), super::error::Error> {
    let CreateArgs { files, delimiter, null, copybook: args } = args;
    let Some(path) = &args.copybook else {
        let hints = Hints { delimiter, null };
        return each(&files, |described| create::create(described, &hints).map(Some));
    };
    let copybook = layout::read(path, &args.options())?;
    for note in copybook.notes() {
        super::output::print(format!("{}: {note}\n", path.display()).as_bytes())?;
    }
    each(&files, |described| layout::create(described, &copybook, args.terminator).map(Some))
}

/// Changes the descriptor of each file and prints its protection. It stops at the first error;
/// earlier files stay changed.
fn each(
    files: &[PathBuf],
    act: impl Fn(&Described) -> Result<Option<Descriptor>, Error>,
) -> Result<(), super::error::Error> {
    // without a readable configuration there are no keys, but most files need none
    let keys = settings::local_keys(None).unwrap_or_default();
    for file in files {
        let described = Described::read(file, keys.of(file))?;
        let descriptor = act(&described)?;
        super::output::print(sheet(&described, descriptor.as_ref()).as_bytes())?;
    }
    Ok(())
}

fn sheet(described: &Described, descriptor: Option<&Descriptor>) -> String {
    let name = described.name();
    let format = Source::format_of(&name, descriptor).unwrap_or("unknown format");
    let Some(descriptor) = descriptor else {
        return format!("{name}: {format}, no descriptor, protected by siftd.toml at most\n");
    };
    let mut text = format!("{name}: {format}, file {}\n", demand(descriptor.requirement()));
    for (column, requirement) in descriptor.fields_protected() {
        // writing to a String does not fail
        let _ = writeln!(text, "    column `{column}` {}", demand(requirement));
    }
    text
}

fn demand(requirement: Requirement) -> String {
    match requirement {
        Requirement::None => "on any channel".to_owned(),
        requirement => format!("requires {requirement}"),
    }
}
