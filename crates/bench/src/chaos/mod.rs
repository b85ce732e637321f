//! `bench chaos`: hostile and slow callers beside honest ones. Measures what the honest callers get before, during and after
//! each attack.
//!
//! Fails only where an honest request fails or a row is missing; speed is printed as ratios, since machines are noisy.

mod attack;
mod attacks;
mod overload;
mod report;
mod stage;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use self::attacks::ATTACKS;
use self::report::Row;
use self::stage::Stage;
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
    /// What the gateway speaks with the upstream
    #[arg(long, value_enum, default_value = "http1")]
    upstream: Protocol,
}

/// How long each part of an attack is measured.
#[derive(Debug, Clone, Copy)]
struct Windows {
    before: Duration,
    /// From the start of the attack to its measurement.
    settle: Duration,
    during: Duration,
    after: Duration,
}

impl Windows {
    fn new(short: bool) -> Self {
        let seconds = |long, short_ms| {
            if short {
                Duration::from_millis(short_ms)
            } else {
                Duration::from_secs(long)
            }
        };
        Self {
            before: seconds(4, 1500),
            settle: seconds(3, 500),
            during: seconds(8, 2500),
            after: seconds(4, 1500),
        }
    }
}

/// Runs every attack and prints the table.
pub(crate) async fn run(options: &ChaosOptions) -> anyhow::Result<()> {
    let windows = Windows::new(options.short);
    let wanted = |name: &str| options.only.as_ref().is_none_or(|text| name.contains(text.as_str()));
    let mut rows: Vec<Row> = Vec::new();
    for attack in ATTACKS.iter().filter(|attack| wanted(attack.name)) {
        progress::print(attack.name);
        let stage = Stage::start(&options.gateway, options.upstream, attack.settings).await?;
        let row = stage.measure(attack, windows).await?;
        progress::print(&format!("  {}", row.summary()));
        rows.push(row);
        stage.stop().await?;
    }
    let mut failed: Vec<String> = rows.iter().filter_map(Row::failure).collect();
    let mut text = report::table(&rows);
    if wanted(overload::NAME) {
        progress::print(overload::NAME);
        let overload = overload::measure(&options.gateway, options.upstream, windows).await?;
        text.push_str(&overload.text());
        failed.extend(overload.failure());
    }
    writeln!(std::io::stdout(), "{text}")?;
    anyhow::ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}
