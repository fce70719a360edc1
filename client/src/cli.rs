//! Runs the command that the command line asks for.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory as _, FromArgMatches as _};

mod args;
mod config;
pub(crate) mod fault;
mod fetch;
mod hint;
mod interrupt;
mod output;
mod pager;
mod password;
mod progress;
mod select;
mod servers;
mod shell;
mod show;
mod sizes;
mod target;
mod terminal;

use args::{Args, Command, ServerCommand, Target};
use fault::{Fault, Outcome, Result};

pub(crate) fn run() -> Result<Outcome> {
    let matches = Args::command().get_matches();
    let mut args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match &args.command {
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "sift", &mut script);
            output::stdout(&script)?;
            return Ok(Outcome::Found);
        }
        Some(Command::Man { folder }) => {
            let written = clap_mangen::generate_to(Args::command(), folder);
            let failed =
                |source| Fault::File { action: "write manual pages", path: folder.clone(), source };
            return written.map(|()| Outcome::Found).map_err(failed);
        }
        Some(Command::Server { command }) => {
            // the environment is not written to the configuration
            if matches.value_source("user") == Some(ValueSource::EnvVariable) {
                args.target.user = None;
            }
            return server(command, &args.target);
        }
        None if !shell::has_terminal() => {
            let message = "the shell needs a terminal; give a command, or try --help";
            Args::command().error(ErrorKind::MissingSubcommand, message).exit()
        }
        _ => {}
    }
    // one task has one connection, so more threads would not help
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Fault::Runtime)?.block_on(Box::pin(execute(args)))
}

fn server(command: &ServerCommand, target: &Target) -> Result<Outcome> {
    match command {
        ServerCommand::Add { name, address, default } => {
            servers::add(name, address, *default, target)
        }
        ServerCommand::List { output } => servers::list(output, target),
        ServerCommand::Remove { name } => servers::remove(name, target),
    }
}

async fn execute(args: Args) -> Result<Outcome> {
    let target::Chosen { options, names } = target::choose(&args.target)?;
    let connector = || target::connector(options.clone());
    let Some(command) = args.command else {
        return shell::run(connector()?, names).await;
    };
    let connect = async || target::connect(&connector()?, &names).await;
    match command {
        Command::Select(select) => {
            let query = select.query.query()?;
            let output = output::Output::check(&select.output)?;
            let mut connection = connect().await?;
            let selected = select::run(&mut connection, query, output, &select).await;
            hint::of_file(selected, &mut connection).await
        }
        Command::Fetch(fetch) => fetch::run(connector()?, &names, &fetch).await,
        Command::Files { pattern, human, output } => {
            let output = output::Output::check(&output)?;
            let pattern = pattern.as_deref().unwrap_or_default();
            show::files(&mut connect().await?, pattern, human, output).await
        }
        Command::Describe { file } => {
            let mut connection = connect().await?;
            let described = show::describe(&mut connection, &file).await;
            hint::of_file(described, &mut connection).await
        }
        Command::Explain { query, analyze } => {
            let query = query.query()?;
            let mut connection = connect().await?;
            let explained = show::explain(&mut connection, query, analyze).await;
            hint::of_file(explained, &mut connection).await
        }
        Command::Channel => show::channel(&mut connect().await?).await,
        Command::Completions { .. } | Command::Man { .. } | Command::Server { .. } => {
            Ok(Outcome::Found)
        }
    }
}
