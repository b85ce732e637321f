//! `bench chaos`: hostile and slow callers beside honest ones. Measures what the honest callers get before, during and after
//! each attack. Then triggers whose answers are lost, at gateways that are killed, and what many callers, several replicas and
//! an outage make of the requests to one account.
//!
//! Fails only where an honest request fails or a row is missing; speed is printed as ratios, since machines are noisy.

mod account;
mod attack;
mod attacks;
mod cluster;
mod double;
mod overload;
mod report;
mod stage;
mod triggers;
mod windows;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use self::attacks::ATTACKS;
use self::report::Row;
use self::stage::Stage;
use self::windows::Windows;
use crate::options::Protocol;
use crate::progress;

#[derive(Debug, Args)]
pub(crate) struct ChaosOptions {
    /// Gateway binary
    #[arg(long, value_name = "FILE")]
    gateway: PathBuf,
    /// Shorter measurements, for CI
    #[arg(long)]
    short: bool,
    /// Only the attacks whose name contains this text
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// URL of a Postgres for the scenarios with several gateways, on which databases are created
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// What the gateway speaks with the upstream
    #[arg(long, value_enum, default_value = "http1")]
    upstream: Protocol,
}

impl ChaosOptions {
    fn postgres(&self) -> anyhow::Result<&str> {
        self.postgres.as_deref().context("this needs --postgres URL")
    }
}

/// Runs every attack and prints the table.
pub(crate) async fn run(options: &ChaosOptions) -> anyhow::Result<()> {
    let windows = Windows::new(options.short);
    let wanted = |name: &str| options.only.as_ref().is_none_or(|text| name.contains(text.as_str()));
    let mut rows: Vec<Row> = Vec::new();
    for attack in ATTACKS.iter().filter(|attack| wanted(attack.name)) {
        progress::print(attack.name);
        let stage = Stage::start(&options.gateway, options.upstream, &[]).await?;
        let row = stage.measure(attack, windows).await?;
        progress::print(&format!("  {}", row.summary()));
        rows.push(row);
        stage.stop().await?;
    }
    let mut failed: Vec<String> = rows.iter().filter_map(Row::failure).collect();
    let mut text = if rows.is_empty() {
        String::new()
    } else {
        report::table(&rows)
    };
    if wanted(overload::NAME) {
        progress::print(overload::NAME);
        let overload = overload::measure(&options.gateway, options.upstream, windows).await?;
        text.push_str(&overload.text());
        failed.extend(overload.failure());
    }
    if wanted(triggers::NAME) {
        progress::print(triggers::NAME);
        let triggers = triggers::measure(&options.gateway, options.postgres()?, options.short).await?;
        text.push_str(&triggers.text());
        failed.extend(triggers.failure());
    }
    for scenario in account::SCENARIOS.iter().filter(|scenario| wanted(scenario.name)) {
        progress::print(scenario.name);
        let program = options.gateway.canonicalize()?;
        let shown = (scenario.measure)(&program, options.postgres()?, options.short).await?;
        text.push_str(&shown.text);
        failed.extend(
            shown
                .problems
                .iter()
                .map(|problem| format!("{}: {problem}", scenario.name)),
        );
    }
    writeln!(std::io::stdout(), "{text}")?;
    anyhow::ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}
