//! `dbt-gateway serve`: wires the layers, serves callers, and shuts down without losing a row.

mod background;
mod connections;
mod deadline;
mod health;
mod heartbeat;
pub(crate) mod layer_settings;
mod metrics;
mod open_files;
mod reload;
mod run;
mod shutdown;
pub(crate) mod startup;
mod workers;

pub(crate) use run::run;
#[cfg(test)]
pub(crate) use startup::upstreams;
