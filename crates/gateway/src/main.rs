//! The binary `dbt-gateway`: settings, telemetry, the wiring of the floors, and the commands.

mod cli;
mod companies;
mod connections;
mod database;
mod healthcheck;
mod keys;
mod metrics;
mod open_files;
mod running;
mod secrets;
mod serve;
mod settings;
mod simulate;
mod telemetry;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command, CompaniesCommand, ConfigCommand, KeysCommand, SecretsCommand};
use crate::settings::Settings;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
        Command::Serve(options) => prepared(options.config.as_deref(), serve::run),
        Command::Healthcheck(options) => healthcheck::run(&Settings::load(options.config.as_deref())?),
        Command::Migrate(options) => prepared(options.config.as_deref(), database::migrate),
        Command::Config(ConfigCommand::Check(options)) => {
            let settings = Settings::load(options.config.as_deref())?;
            secrets::given(&settings)?;
            say("the settings are usable\n")
        }
        Command::Config(ConfigCommand::Show(options)) => say(&settings::show(options.config.as_deref())?),
        Command::Keys(KeysCommand::Create(options)) => {
            prepared(options.config.as_deref(), |settings| keys::create(settings, &options))
        }
        Command::Companies(CompaniesCommand::Create(options)) => prepared(options.config.as_deref(), |settings| {
            companies::create(settings, &options.name)
        }),
        Command::Secrets(SecretsCommand::Rotate(options)) => prepared(options.config.as_deref(), secrets::rotate),
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// Runs a command that needs settings, with telemetry around it.
fn prepared(config: Option<&Path>, command: impl FnOnce(&Settings) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let settings = Settings::load(config)?;
    let _telemetry = telemetry::start(&settings)?;
    command(&settings)
}
