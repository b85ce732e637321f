//! The binary `dbt-gateway`: settings, telemetry, the wiring of the floors, and the commands.

mod cli;
mod companies;
mod database;
mod keys;
mod running;
mod secrets;
mod serve;
mod settings;
mod simulate;
mod telemetry;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

use crate::cli::{Cli, Command, CompaniesCommand, KeysCommand, SecretsCommand};
use crate::settings::Settings;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telemetry::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    // Before any TLS: a second provider in the process would make rustls panic.
    drop(rustls::crypto::ring::default_provider().install_default());
    match cli.command {
        Command::Simulator(options) => simulate::run(&options),
        Command::Serve(options) => {
            let settings = Settings::load(options.config.as_deref())?;
            let _telemetry = telemetry::start(&settings)?;
            serve::run(&settings)
        }
        Command::Migrate(options) => {
            let settings = Settings::load(options.config.as_deref())?;
            let _telemetry = telemetry::start(&settings)?;
            database::with_database(&settings, async |database, _| {
                database.migrate().await.context("cannot migrate")
            })
        }
        Command::Keys(KeysCommand::Create(options)) => {
            let settings = Settings::load(options.config.as_deref())?;
            let _telemetry = telemetry::start(&settings)?;
            keys::create(&settings, &options)
        }
        Command::Companies(CompaniesCommand::Create(options)) => {
            let settings = Settings::load(options.config.as_deref())?;
            let _telemetry = telemetry::start(&settings)?;
            companies::create(&settings, &options.name)
        }
        Command::Secrets(SecretsCommand::Rotate(options)) => {
            let settings = Settings::load(options.config.as_deref())?;
            let _telemetry = telemetry::start(&settings)?;
            companies::rotate_secrets(&settings)
        }
    }
}
