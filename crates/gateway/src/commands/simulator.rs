//! `dbt-gateway simulator`: the simulator of dbt Cloud alone.

use std::io::Write as _;

use simulator::Config;

use crate::cli::SimulatorOptions;
use crate::signals::Signals;

/// Runs until SIGTERM or SIGINT. Prints a banner on standard output.
pub(crate) fn run(options: &SimulatorOptions) -> anyhow::Result<()> {
    let config = Config {
        listen: options.listen,
        tls_listen: options.tls,
        ca_file: options.ca_file.clone(),
        control_listen: options.control,
        time_scale: options.time_scale,
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let signals = Signals::listen()?;
        simulator::run(config, async move { _ = signals.wait_for(1).await }, |banner| {
            // Standard output may be closed.
            let _ = writeln!(std::io::stdout(), "{banner}");
        })
        .await?;
        Ok(())
    })
}
