//! Artifacts that dbt wrote when it ran the project in `artifacts/` (see the README there).

use std::sync::LazyLock;

use serde_json::Value;

pub(crate) const MANIFEST: &str = include_str!("../../artifacts/manifest.json");
pub(crate) const CATALOG: &str = include_str!("../../artifacts/catalog.json");
pub(crate) const SOURCES: &str = include_str!("../../artifacts/sources.json");
pub(super) const RESULTS_OF_BUILD: &str = include_str!("../../artifacts/run_results.build.json");
pub(super) const RESULTS_OF_FAILED_BUILD: &str = include_str!("../../artifacts/run_results.failed.json");
pub(super) const RESULTS_OF_DOCS: &str = include_str!("../../artifacts/run_results.docs.json");
pub(super) const COMPILED: &str = include_str!("../../artifacts/customers.sql");

/// One line of `run_results.json`.
#[derive(Clone, Debug)]
pub(crate) struct NodeResult {
    /// `success`, `error`, `fail`, `pass`, `skipped`, …
    pub(crate) status: String,
    pub(crate) unique_id: String,
    pub(crate) message: Option<String>,
    pub(crate) seconds: f64,
}

/// The results of the build that succeeded.
pub(crate) fn build_results() -> &'static [NodeResult] {
    static RESULTS: LazyLock<Vec<NodeResult>> = LazyLock::new(|| read(RESULTS_OF_BUILD));
    &RESULTS
}

/// The results of the build in which a test failed.
pub(crate) fn failed_results() -> &'static [NodeResult] {
    static RESULTS: LazyLock<Vec<NodeResult>> = LazyLock::new(|| read(RESULTS_OF_FAILED_BUILD));
    &RESULTS
}

fn read(text: &str) -> Vec<NodeResult> {
    let whole: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    let rows = whole
        .get("results")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let text = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    rows.iter()
        .map(|row| NodeResult {
            status: text(row, "status").unwrap_or_default(),
            unique_id: text(row, "unique_id").unwrap_or_default(),
            message: text(row, "message"),
            seconds: row.get("execution_time").and_then(Value::as_f64).unwrap_or_default(),
        })
        .collect()
}

impl NodeResult {
    /// `model`, `seed`, `test`, …
    pub(crate) fn kind(&self) -> &str {
        self.unique_id.split('.').next().unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &str {
        self.unique_id.split('.').nth(2).unwrap_or(&self.unique_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_recorded_run_succeeded_and_one_failed() {
        assert!(
            build_results()
                .iter()
                .all(|row| matches!(row.status.as_str(), "success" | "pass" | "no-op"))
        );
        let failed: Vec<&str> = failed_results()
            .iter()
            .filter(|row| row.status == "fail")
            .map(NodeResult::name)
            .collect();
        assert_eq!(failed, ["not_null_stg_customers_email"]);
        assert!(
            failed_results()
                .iter()
                .any(|row| row.status == "skipped" && row.kind() == "model")
        );
    }
}
