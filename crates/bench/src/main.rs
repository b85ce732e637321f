//! `./dev bench`: how fast the gateway is beside nginx, beside itself with two commits a request, and beside nothing.
//!
//! Starts everything itself on loopback, measures in rounds in which the contestants take turns, prints one Markdown
//! table of the targets and writes every figure as JSON. Shares no code with what it measures.

mod contestants;
mod exercise;
mod latencies;
mod load;
mod machine;
mod marks;
mod pgbench;
mod process;
mod programs;
mod report;
mod scenes;
mod statistics;
mod targets;
mod upstream;
mod watcher;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// How fast the gateway is.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure, print the table, write the figures
    Run(RunOptions),
    /// Let a gateway do once what it does all day: for a build that counts how often each part of the code runs
    Exercise {
        /// The gateway's binary
        #[arg(long, value_name = "FILE")]
        gateway: PathBuf,
        /// How often each of 32 callers asks for everything
        #[arg(long, value_name = "NUMBER", default_value_t = 25)]
        times: u32,
    },
    /// The double of dbt Cloud that is never the limit; ends when its standard input does
    Upstream,
}

#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// The gateway's binary
    #[arg(long, value_name = "FILE")]
    gateway: PathBuf,
    /// Where the figures go
    #[arg(long, value_name = "FILE", default_value = "target/bench.json")]
    json: PathBuf,
    /// Fewer and shorter rounds: for a look, not for publishing
    #[arg(long)]
    quick: bool,
    /// Only the scenes whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// A setting of both gateways, as the environment names it (`DBT_GATEWAY__LOG__FILTER=warn`)
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    /// How many rounds, 1 to 99
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..100))]
    rounds: Option<u32>,
}

fn setting(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is meant")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// One thread for the load: what it costs is the same for every contestant, and as little as it can be.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(options) => run(&options).await,
        Command::Exercise { gateway, times } => exercise::run(&gateway, times).await,
        Command::Upstream => upstream::run().await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &RunOptions) -> anyhow::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let report = tokio::select! {
        report = report::measure(options) => report?,
        // Whatever was started ends as its handle is dropped.
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        _ = terminated.recv() => anyhow::bail!("terminated"),
    };
    if let Some(folder) = options.json.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&options.json, serde_json::to_vec_pretty(&report)?)?;
    writeln!(std::io::stdout(), "{}", report.table())?;
    say(&format!("The figures: {}", options.json.display()));
    Ok(())
}

/// What is going on, for whoever waits.
fn say(line: &str) {
    // Nobody may be reading.
    let _ = writeln!(std::io::stderr(), "{line}");
}
