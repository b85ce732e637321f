//! The results of a dbt command by node: `run_results.json`, and `sources.json` of `dbt source freshness`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Timestamp, lenient};

/// The artifact with the results of a command's nodes: `sources.json` is that of `dbt source freshness`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub enum ResultsFile {
    /// Of commands that run, test or compile nodes.
    #[serde(rename = "run_results.json")]
    RunResults,
    /// Of `dbt source freshness`.
    #[serde(rename = "sources.json")]
    Sources,
}

impl ResultsFile {
    /// Its path below `target/`.
    pub fn path(self) -> &'static str {
        match self {
            Self::RunResults => "run_results.json",
            Self::Sources => "sources.json",
        }
    }
}

/// The part of such a file that describes failures. Only the list of results is required.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct NodeResults {
    /// Metadata of the file.
    #[serde(default, deserialize_with = "lenient::field")]
    pub metadata: Option<ResultsMetadata>,
    /// One for each node.
    pub results: Vec<NodeResult>,
}

lenient::part! {
    /// Metadata of the file.
    pub struct ResultsMetadata {
        generated_at: Timestamp as DateTime<Utc>,
    }
}

lenient::part! {
    /// The result of one node.
    pub struct NodeResult {
        /// `model.shop.orders`
        unique_id: String,
        /// `success`, `pass`, `warn`, `error`, `fail`, `runtime error`, `partial success`, `skipped`, `no-op`, …
        status: String,
        message: String,
        /// Instead of `message`, for a source whose freshness could not be determined.
        error: String,
        /// How many rows failed a test.
        failures: i64,
        /// The table or view in the warehouse.
        relation_name: String,
        /// In seconds.
        execution_time: f64,
        /// The load time of a source's newest row.
        max_loaded_at: String,
        max_loaded_at_time_ago_in_s: f64,
        criteria: FreshnessCriteria,
    }
}

lenient::part! {
    /// When a source counts as stale.
    pub struct FreshnessCriteria {
        error_after: FreshnessLimit,
    }
}

lenient::part! {
    /// 24 `hour`
    pub struct FreshnessLimit {
        count: i64,
        period: String,
    }
}

impl NodeResult {
    /// Whether the node failed, which fails its command.
    pub fn has_failed(&self) -> bool {
        let status = self.status.as_deref().unwrap_or_default();
        matches!(status, "error" | "fail" | "runtime error" | "partial success")
    }

    /// Whether the node was skipped because another failed.
    pub fn was_skipped(&self) -> bool {
        self.status.as_deref() == Some("skipped")
    }

    /// dbt's message; for a stale source, which has none, a sentence of the gateway's.
    pub fn reason(&self) -> Option<String> {
        let own = self.message.as_ref().or(self.error.as_ref());
        own.cloned().or_else(|| self.staleness())
    }

    fn staleness(&self) -> Option<String> {
        let newest = self.max_loaded_at.as_ref()?;
        let mut text = format!("The newest row was loaded at {newest}");
        if let Some(seconds) = self.max_loaded_at_time_ago_in_s {
            text = format!("{text}, {seconds:.0} seconds before the check");
        }
        let limit = self
            .criteria
            .as_ref()
            .and_then(|criteria| criteria.error_after.as_ref());
        if let Some((count, period)) = limit.and_then(|limit| Some((limit.count?, limit.period.as_ref()?))) {
            text = format!("{text}; more than {count} {period}(s) is an error");
        }
        Some(format!("{text}."))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node(of: &Value) -> NodeResult {
        serde_json::from_str(&of.to_string()).unwrap()
    }

    #[test]
    fn statuses_that_fail_a_command_are_known() {
        for (status, failed) in [
            ("error", true),
            ("fail", true),
            ("runtime error", true),
            ("partial success", true),
            ("success", false),
            ("pass", false),
            ("warn", false),
            ("skipped", false),
            ("no-op", false),
            ("a status of tomorrow", false),
        ] {
            assert_eq!(node(&json!({"status": status})).has_failed(), failed, "{status}");
        }
        assert!(!node(&json!({})).has_failed());
    }

    #[test]
    fn a_stale_source_has_a_message_in_words() {
        let criteria = json!({"error_after": {"count": 24, "period": "hour"}, "warn_after": {}});
        let stale = node(&json!({"status": "error", "max_loaded_at": "2025-03-11T19:55:00+00:00",
            "max_loaded_at_time_ago_in_s": 90000.4, "criteria": criteria}));
        assert_eq!(
            stale.reason().unwrap(),
            "The newest row was loaded at 2025-03-11T19:55:00+00:00, 90000 seconds before the check; more than 24 hour(s) is an error."
        );
        let bare = node(&json!({"max_loaded_at": "yesterday", "criteria": {"error_after": {"count": null}}}));
        assert_eq!(bare.reason().unwrap(), "The newest row was loaded at yesterday.");
        let broken = node(&json!({"status": "runtime error", "error": "no such table"}));
        assert_eq!(broken.reason().as_deref(), Some("no such table"));
        assert_eq!(node(&json!({"status": "fail"})).reason(), None);
    }

    #[test]
    fn a_file_without_results_is_none_and_one_of_another_version_is_read() {
        let read = |text: Value| serde_json::from_str::<NodeResults>(&text.to_string());
        for other in [
            json!({}),
            json!({"results": null}),
            json!({"results": "x"}),
            json!([]),
            json!({"results": [1]}),
        ] {
            assert!(read(other.clone()).is_err(), "{other}");
        }
        let odd =
            read(json!({"metadata": 1, "results": [{"unique_id": 7, "failures": "x", "status": "fail"}]})).unwrap();
        assert_eq!((odd.metadata, odd.results[0].has_failed()), (None, true));
    }
}
