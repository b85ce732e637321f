//! The binary `dbt-gateway`: the command line, settings, telemetry, and the wiring of the layers.

mod cli;
mod commands;
mod database;
mod key_ring;
mod settings;
mod signals;
mod telemetry;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command, CompaniesCommand, ConfigCommand, KeysCommand, SecretsCommand};
use crate::commands::{companies, config, healthcheck, keys, migrate, secrets, serve, simulator};
use crate::settings::Settings;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telemetry::print_error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    // Before any TLS: with a second provider in the process, rustls would panic.
    drop(rustls::crypto::ring::default_provider().install_default());
    match cli.command {
        Command::Simulator(options) => simulator::run(&options),
        Command::Serve(options) => {
            let file = options.config.as_deref();
            with_telemetry(file, |settings| serve::run(settings, file, !options.no_migrate))
        }
        Command::Healthcheck(options) => healthcheck::run(&Settings::load(options.config.as_deref())?),
        Command::Migrate(options) => with_telemetry(options.config.as_deref(), migrate::run),
        Command::Config(ConfigCommand::Check(options)) => config::check(options.config.as_deref()),
        Command::Config(ConfigCommand::Show(options)) => config::show(options.config.as_deref()),
        Command::Keys(KeysCommand::Create(options)) => {
            with_telemetry(options.config.as_deref(), |settings| keys::create(settings, &options))
        }
        Command::Keys(KeysCommand::List(options)) => {
            with_telemetry(options.config.as_deref(), |settings| keys::list(settings, &options))
        }
        Command::Keys(KeysCommand::Revoke(options)) => {
            with_telemetry(options.config.as_deref(), |settings| keys::revoke(settings, &options))
        }
        Command::Companies(CompaniesCommand::List(options)) => {
            with_telemetry(options.config.as_deref(), companies::list)
        }
        Command::Companies(CompaniesCommand::Suspend(options)) => {
            with_telemetry(options.config.as_deref(), |settings| {
                companies::set_suspended(settings, options.company, true)
            })
        }
        Command::Companies(CompaniesCommand::Resume(options)) => {
            with_telemetry(options.config.as_deref(), |settings| {
                companies::set_suspended(settings, options.company, false)
            })
        }
        Command::Companies(CompaniesCommand::Create(options)) => {
            with_telemetry(options.config.as_deref(), |settings| {
                companies::create(settings, &options.name)
            })
        }
        Command::Secrets(SecretsCommand::Rotate(options)) => with_telemetry(options.config.as_deref(), secrets::rotate),
    }
}

/// Loads the settings and runs a command with log lines, spans and reports.
fn with_telemetry(config: Option<&Path>, command: impl FnOnce(&Settings) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let settings = Settings::load(config)?;
    let _telemetry = telemetry::start(&settings)?;
    command(&settings)
}
