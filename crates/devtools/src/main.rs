//! The program `devtools`, which `./dev` runs: structure of the crates, generated documents, word counts, timings.

mod postgres_timings;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use devtools::structure::{self, Detail};
use devtools::words;

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Tools for the developers of the gateway.
#[derive(Debug, Parser)]
struct Cli {
    /// The workspace to look at
    #[arg(long, global = true, value_name = "FOLDER", default_value = WORKSPACE, hide_default_value = true)]
    root: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the size of each crate, the arrows between its files, and their circles
    Structure(StructureOptions),
    /// Print the OpenAPI document, as `/openapi.json` serves it
    Openapi,
    /// Print `docs/roles.md`: which role every operation needs
    Roles,
    /// Print the table of shared resources in `docs/limits.md`
    Limits,
    /// Measure the private Postgres: first start, next start, attach, recovery after `kill -9`, stop
    PostgresTimings {
        /// The data directory, which stays. Without it: one below `/tmp` that is removed afterwards
        directory: Option<PathBuf>,
    },
    /// Count the words that the repository no longer uses
    AuditWords,
}

#[derive(Debug, Args)]
struct StructureOptions {
    /// One crate instead of all
    #[arg(long = "crate", value_name = "NAME")]
    name: Option<String>,
    /// List every arrow
    #[arg(long)]
    arrows: bool,
    /// Print the table of sizes alone
    #[arg(long, conflicts_with = "arrows")]
    totals: bool,
    /// Print the crate's table for the section "Inside the crates" of `docs/architecture.md`
    #[arg(long, value_name = "CRATE", conflicts_with_all = ["name", "arrows", "totals"])]
    table: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    match cli.command {
        Command::Structure(options) => print(&structure_report(&cli.root, &options)?),
        Command::Openapi => print(&format!("{}\n", server::document_text())),
        Command::Roles => print(&server::roles_table()),
        Command::Limits => print(&devtools::limits::table(&cli.root)?),
        Command::PostgresTimings { directory } => postgres_timings::run(directory.as_deref()),
        Command::AuditWords => print(&words::audit(&cli.root)?),
    }
}

fn structure_report(root: &Path, options: &StructureOptions) -> anyhow::Result<String> {
    let mut crates = structure::read_workspace(root)?;
    if let Some(name) = options.table.as_ref().or(options.name.as_ref()) {
        crates.retain(|one| one.name == *name);
        anyhow::ensure!(!crates.is_empty(), "there is no crate {name}");
    }
    if options.table.is_some() {
        let path = root.join("docs/architecture.md");
        let page = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        return Ok(crates.iter().map(|one| structure::rooms_table(one, &page)).collect());
    }
    let detail = match options {
        StructureOptions { totals: true, .. } => Detail::Totals,
        StructureOptions { arrows: true, .. } => Detail::Arrows,
        _ => Detail::Circles,
    };
    Ok(structure::report(&crates, detail)?)
}

fn print(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
