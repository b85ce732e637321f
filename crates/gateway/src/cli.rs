//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use model::Role;

/// A proxy between a company's applications and dbt Cloud
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway
    Serve(ServeOptions),
    /// Check the health of the gateway on this machine, for containers without an HTTP client
    Healthcheck(SettingsOptions),
    /// Migrate the database and exit
    Migrate(SettingsOptions),
    /// Check or print the settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Manage API keys of callers
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Manage companies (tenants)
    #[command(subcommand)]
    Companies(CompaniesCommand),
    /// Manage the encryption of stored dbt tokens
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Run a simulator of dbt Cloud
    Simulator(SimulatorOptions),
}

#[derive(Debug, Args)]
pub(crate) struct SettingsOptions {
    /// Settings file that overrides the defaults
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    /// Settings file that overrides the defaults
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Change no tables: fail if `migrate` has not been run
    #[arg(long)]
    pub(crate) no_migrate: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the settings without starting the gateway
    Check(SettingsOptions),
    /// Print every setting and its origin as TOML, secrets masked
    Show(SettingsOptions),
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Create a key and print only the key on standard output
    Create(CreateKeyOptions),
    /// List the keys, without their texts
    List(ListKeysOptions),
    /// Revoke a key permanently; every gateway refuses it within 5 seconds
    Revoke(RevokeKeyOptions),
}

#[derive(Debug, Args)]
pub(crate) struct ListKeysOptions {
    /// Only those of the company with this id
    #[arg(long, value_name = "ID")]
    pub(crate) company: Option<i64>,
    /// Settings file that overrides the defaults
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeKeyOptions {
    /// Id of the key, or how its text begins, such as `dgw_1f774fae`
    pub(crate) key: String,
    /// Settings file that overrides the defaults
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CreateKeyOptions {
    /// Name of the key
    #[arg(long)]
    pub(crate) name: String,
    /// Id of the company that the key belongs to; company 1 always exists
    #[arg(long, value_name = "ID")]
    pub(crate) company: i64,
    /// Role of the key: viewer, operator or admin
    #[arg(long)]
    pub(crate) role: Role,
    /// Ids of the accounts that it may use, comma separated; all accounts of the company without this
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub(crate) accounts: Option<Vec<i64>>,
    /// Names of the credentials that it may use, comma separated; without this every credential, for a key with accounts the
    /// default of each
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) credentials: Option<Vec<String>>,
    /// Settings file that overrides the defaults
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CompaniesCommand {
    /// Create a company and print only its id on standard output
    Create(CreateCompanyOptions),
    /// List the companies
    List(SettingsOptions),
    /// Refuse all keys of a company, in every gateway within 5 seconds
    Suspend(CompanyOptions),
    /// Accept the keys of a suspended company again
    Resume(CompanyOptions),
}

#[derive(Debug, Args)]
pub(crate) struct CompanyOptions {
    /// Id of the company
    pub(crate) company: i64,
    /// Settings file that overrides the defaults
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CreateCompanyOptions {
    /// Name of the company
    #[arg(long)]
    pub(crate) name: String,
    /// Settings file that overrides the defaults
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretsCommand {
    /// Re-encrypt every stored token with the first encryption key
    Rotate(SettingsOptions),
}

#[derive(Debug, Args)]
pub(crate) struct SimulatorOptions {
    /// Address of the simulated dbt Cloud API
    #[arg(long, default_value = "127.0.0.1:8581")]
    pub(crate) listen: SocketAddr,
    /// Address of the same API over TLS, with HTTP/2 and HTTP/1.1
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) tls: Option<SocketAddr>,
    /// File for the certificate of `--tls`, made at each start; clients have to trust it
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Address of the control endpoint
    #[arg(long, default_value = "127.0.0.1:8582")]
    pub(crate) control: SocketAddr,
    /// Simulated seconds per real second
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    pub(crate) time_scale: f64,
}
