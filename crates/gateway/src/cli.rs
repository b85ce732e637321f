//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use model::Role;

/// Your company's own front door to dbt Cloud.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve callers
    Serve(SettingsOptions),
    /// Ask the gateway that runs on this machine whether it lives; for containers, which have no other client
    Healthcheck(SettingsOptions),
    /// Bring the database's tables up to date, and exit
    Migrate(SettingsOptions),
    /// The settings: are they usable, and which ones hold
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Callers' keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Companies (tenants)
    #[command(subcommand)]
    Companies(CompaniesCommand),
    /// The keys that encrypt stored dbt tokens
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Run a double of dbt Cloud, to try things out
    Simulator(SimulatorOptions),
}

#[derive(Debug, Args)]
pub(crate) struct SettingsOptions {
    /// A file of settings that override the defaults
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the settings, without starting anything
    Check(SettingsOptions),
    /// Print every setting as TOML, with where it is from; secrets are masked
    Show(SettingsOptions),
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key; prints it, and nothing else, on standard output
    Create(CreateKeyOptions),
}

#[derive(Debug, Args)]
pub(crate) struct CreateKeyOptions {
    /// What people call the key
    #[arg(long)]
    pub(crate) name: String,
    /// The company it belongs to, by id; 1 is the one that is always there
    #[arg(long, value_name = "ID")]
    pub(crate) company: i64,
    /// What it may do: viewer, operator or admin
    #[arg(long)]
    pub(crate) role: Role,
    /// A file of settings that override the defaults
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CompaniesCommand {
    /// Make a company; prints its id, and nothing else, on standard output
    Create(CreateCompanyOptions),
}

#[derive(Debug, Args)]
pub(crate) struct CreateCompanyOptions {
    /// What people call the company
    #[arg(long)]
    pub(crate) name: String,
    /// A file of settings that override the defaults
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretsCommand {
    /// Seal every stored token with the first encryption key
    Rotate(SettingsOptions),
}

#[derive(Debug, Args)]
pub(crate) struct SimulatorOptions {
    /// Where dbt Cloud's surface listens
    #[arg(long, default_value = "127.0.0.1:8581")]
    pub(crate) listen: SocketAddr,
    /// Where the control endpoint listens
    #[arg(long, default_value = "127.0.0.1:8582")]
    pub(crate) control: SocketAddr,
    /// How many of its seconds pass in one of ours
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    pub(crate) time_scale: f64,
}
