//! Runs the command that the command line asks for.

use clap::{CommandFactory, Parser};

mod args;
mod config;
pub(crate) mod fault;
mod fetch;
mod hint;
mod interrupt;
mod output;
mod password;
mod select;
mod show;
mod sizes;
mod target;

use args::{Args, Command};
use fault::{Fault, Outcome, Result};

pub(crate) fn run() -> Result<Outcome> {
    let args = Args::parse();
    if let Command::Completions { shell } = args.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Args::command(), "sift", &mut script);
        output::stdout(&script)?;
        return Ok(Outcome::Found);
    }
    // one task has one connection, so more threads would not help
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Fault::Runtime)?.block_on(Box::pin(execute(args)))
}

async fn execute(args: Args) -> Result<Outcome> {
    let target::Chosen { options, names } = target::choose(&args.target)?;
    let connect = || target::connect(options, &names);
    match args.command {
        Command::Select(select) => {
            let query = select.query.query()?;
            let output = output::Output::check(&select.output)?;
            let mut connection = connect().await?;
            let selected = select::run(&mut connection, query, output, &select).await;
            hint::of_file(selected, &mut connection).await
        }
        Command::Fetch(fetch) => {
            let target = fetch::Target::check(&fetch)?;
            let mut connection = connect().await?;
            let fetched = fetch::run(&mut connection, target, &fetch).await;
            hint::of_fetch(fetched, &fetch.file, &mut connection).await
        }
        Command::Files { pattern, output } => {
            let output = output::Output::check(&output)?;
            show::files(&mut connect().await?, pattern.as_deref().unwrap_or_default(), output).await
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
        Command::Completions { .. } => Ok(Outcome::Found),
    }
}
