//! Benchmark of the gateway (`./dev bench`) and its PGO training workload (`./dev train`).
//!
//! Starts every process on loopback, measures the subjects in turns, prints the targets as a Markdown table and writes
//! every figure as JSON. Shares no code with the gateway.

mod chaos;
mod comparisons;
mod figures;
mod gateway;
mod http;
mod json_client;
mod latencies;
mod load;
mod machine;
mod measurement;
mod nginx;
mod options;
mod pgbench;
mod process;
mod programs;
mod progress;
mod report;
mod scenarios;
mod scratch;
mod statistics;
mod subjects;
mod targets;
mod telemetry;
mod training;
mod upstream;
mod upstream_tls;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::options::RunOptions;

/// Measures the performance of the gateway
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure, print the targets, write every figure as JSON
    Run(RunOptions),
    /// Run the PGO training workload: a typical mix of requests
    Train {
        /// Gateway binary
        #[arg(long, value_name = "FILE")]
        gateway: PathBuf,
        /// Repetitions of the mix by each of 32 clients
        #[arg(long, value_name = "NUMBER", default_value_t = 25)]
        times: u32,
    },
    /// Attack a gateway, and measure its honest callers meanwhile
    Chaos(chaos::ChaosOptions),
    /// Serve the simulated dbt Cloud of `run`, until standard input closes
    Upstream {
        /// Also serve HTTP/2 over TLS, and write the certificate to this file
        #[arg(long, value_name = "FILE")]
        certificate: Option<PathBuf>,
    },
}

/// Single-threaded, so that the load costs the same for every subject.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(options) => run(&options).await,
        Command::Train { gateway, times } => training::run(&gateway, times).await,
        Command::Chaos(options) => chaos::run(&options).await,
        Command::Upstream { certificate } => upstream::serve(certificate.as_deref()).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::print(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &RunOptions) -> anyhow::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let report = tokio::select! {
        report = measurement::measure(options) => report?,
        // Dropping their handles ends the started processes.
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        _ = terminated.recv() => anyhow::bail!("terminated"),
    };
    if let Some(folder) = options.json.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&options.json, serde_json::to_vec_pretty(&report)?)?;
    writeln!(std::io::stdout(), "{}", report.tables())?;
    progress::print(&format!("All figures: {}", options.json.display()));
    Ok(())
}
