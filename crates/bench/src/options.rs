//! Options of `bench run`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// Gateway binary
    #[arg(long, value_name = "FILE")]
    pub(crate) gateway: PathBuf,
    /// Another gateway binary, measured in the same turns; prints the ratios gateway / baseline
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Output file of the figures
    #[arg(long, value_name = "FILE", default_value = "target/bench.json")]
    pub(crate) json: PathBuf,
    /// Fewer and shorter rounds; not for published figures
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only the scenarios whose name contains this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Option<String>,
    /// Environment variable for the gateways, except those with fixed telemetry (`DBT_GATEWAY__LOG__FILTER=warn`)
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub(crate) set: Vec<(String, String)>,
    /// What the gateways speak with the upstream; the direct load and nginx use HTTP/1.1 always
    #[arg(long, value_enum, default_value = "http1")]
    pub(crate) upstream: Protocol,
    /// Number of rounds, 1 to 99
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..100))]
    pub(crate) rounds: Option<u32>,
}

/// How the gateways reach the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Protocol {
    /// HTTP/1.1 without TLS
    Http1,
    /// HTTP/2 over TLS, as with dbt Cloud
    H2,
}

fn setting(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
