//! Counts and durations by request type.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use model::CompanyId;

use super::filter::{LogFilter, LogVisibility, OutcomeFilter, Search};
use super::reader::RequestLogs;
use crate::error::StorageError;

/// The requests of one type.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeSummary {
    /// The operation.
    pub request_type: String,
    /// Number of requests.
    pub count: u64,
    /// Number of requests by outcome; unfinished ones as [`OutcomeFilter::OPEN`].
    pub outcomes: BTreeMap<String, u64>,
    /// Durations of the ended ones; `None` if none ended.
    pub durations: Option<Percentiles>,
}

/// Percentiles of the duration, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the name says it")]
pub struct Percentiles {
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
}

/// The requests of one type, or of one type and outcome.
#[derive(sqlx::FromRow)]
struct GroupRow {
    request_type: String,
    outcome: Option<String>,
    is_whole_type: bool,
    rows: i64,
    percentiles: Option<Vec<f64>>,
}

impl RequestLogs {
    /// Summarises the company's rows within `visibility` and `filter`, most frequent request type first. Reads all
    /// these rows, so `filter` should select a short time.
    ///
    /// # Errors
    /// [`StorageError::TooSlow`], [`StorageError::Query`].
    pub async fn summary(
        &self,
        company: CompanyId,
        visibility: &LogVisibility,
        filter: &LogFilter,
    ) -> Result<Vec<TypeSummary>, StorageError> {
        let mut search = Search::new(
            "request_type, outcome, GROUPING(outcome) = 1 AS is_whole_type, count(*) AS rows,
             percentile_disc(ARRAY[0.5, 0.9, 0.95, 0.99]) WITHIN GROUP (ORDER BY duration_ms) AS percentiles",
            company,
            visibility,
        );
        search.matching(filter);
        let mut query = search.into_query();
        query.push(" GROUP BY GROUPING SETS ((request_type, outcome), (request_type))");
        let groups = query.build_query_as::<GroupRow>().persistent(false);
        let groups = groups.fetch_all(self.pool()).await.map_err(StorageError::slow_or)?;
        let mut types: BTreeMap<String, TypeSummary> = BTreeMap::new();
        for group in groups {
            let of_type = types
                .entry(group.request_type)
                .or_insert_with_key(|request_type| TypeSummary::new(request_type));
            let rows = group.rows.cast_unsigned();
            if group.is_whole_type {
                of_type.count = rows;
                of_type.durations = group.percentiles.as_deref().and_then(Percentiles::from_sorted);
            } else {
                let outcome = group.outcome.unwrap_or_else(|| OutcomeFilter::OPEN.to_owned());
                of_type.outcomes.insert(outcome, rows);
            }
        }
        let mut types: Vec<_> = types.into_values().collect();
        types.sort_by_key(|of_type| Reverse(of_type.count));
        Ok(types)
    }
}

impl TypeSummary {
    fn new(request_type: &str) -> Self {
        Self {
            request_type: request_type.to_owned(),
            count: 0,
            outcomes: BTreeMap::new(),
            durations: None,
        }
    }
}

impl Percentiles {
    fn from_sorted(sorted: &[f64]) -> Option<Self> {
        match *sorted {
            [p50, p90, p95, p99] => Some(Self { p50, p90, p95, p99 }),
            _ => None,
        }
    }
}
