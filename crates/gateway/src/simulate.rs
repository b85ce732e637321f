//! `dbt-gateway simulator`: the double of dbt Cloud, alone.

use std::io::Write as _;

use simulator::Config;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::SimulatorOptions;

/// Runs it until SIGTERM or SIGINT, with its banner on standard output.
pub(crate) fn run(options: &SimulatorOptions) -> anyhow::Result<()> {
    let config = Config {
        listen: options.listen,
        control_listen: options.control,
        time_scale: options.time_scale,
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        simulator::run(config, stop, |banner| {
            // Nobody may be reading.
            let _ = writeln!(std::io::stdout(), "{banner}");
        })
        .await?;
        Ok(())
    })
}
