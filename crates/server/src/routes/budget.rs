//! The budget of an account's requests to dbt Cloud.

use std::time::Duration;

use client::{BudgetReport, OpenCircuit, PriorityClass};
use model::{ClientType, NoFilter};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Dbt, ScopedQuery};
use crate::json::Json;
use crate::problem::Problem;
use crate::state::Shared;
use crate::words::{CircuitState, CooldownState};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(get_budget))
}

/// The budgets of an account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"account_id": 70_403_100_000_001_i64, "apis": [{
    "api": "dbt_cloud_administrative", "limit_per_minute": 4800, "free_now": {"changes": 194, "reads": 154},
    "sent_last_minute": 855, "last_minute": {"changes": 3, "reads": 812, "background": 40},
    "keys": [{"api_key_id": 7, "sent": 815}], "other_companies": 0, "cooldown": null}], "circuits": []}))]
struct Budget {
    /// The account.
    #[schema(minimum = 1, example = 70_403_100_000_001_i64)]
    account_id: i64,
    /// One for each API of dbt Cloud, which counts them apart.
    apis: Vec<ApiBudget>,
    /// The company's credentials that send nothing for now, or one request alone, after many errors. As this process sees it.
    circuits: Vec<Circuit>,
}

/// A credential that pauses.
#[derive(Debug, Serialize, ToSchema)]
struct Circuit {
    /// The credential's name.
    #[schema(example = "production")]
    credential: String,
    /// `dbt_cloud_administrative`, `dbt_cloud_metadata` (Discovery) or `dbt_cloud_semantic_layer`.
    #[schema(value_type = ClientType, example = "dbt_cloud_administrative")]
    api: &'static str,
    /// `open`: nothing is sent. `half_open`: one request is.
    #[schema(value_type = CircuitState, example = "open")]
    state: &'static str,
    /// How long nothing is sent, in milliseconds.
    #[schema(example = 1800)]
    millis_left: u64,
}

impl From<OpenCircuit> for Circuit {
    fn from(circuit: OpenCircuit) -> Self {
        Self {
            credential: circuit.credential,
            api: circuit.api.as_str(),
            state: circuit.state.as_str(),
            millis_left: u64::try_from(circuit.left.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// The budget of one API.
#[derive(Debug, Serialize, ToSchema)]
struct ApiBudget {
    /// `dbt_cloud_administrative`, `dbt_cloud_metadata` (Discovery) or `dbt_cloud_semantic_layer`.
    #[schema(value_type = ClientType, example = "dbt_cloud_administrative")]
    api: &'static str,
    /// Requests that all replicas and companies together send in any 60 seconds; null if there is no limit.
    #[schema(example = 4800)]
    limit_per_minute: Option<i64>,
    /// Requests that could be sent at once; more become free continuously. Null if there is no limit.
    free_now: Option<Free>,
    /// Requests sent in the last minute, by all replicas and companies: those of requests that have ended.
    sent_last_minute: i64,
    /// The same by class.
    last_minute: ByClass,
    /// The same by the company's own keys.
    keys: Vec<KeyUse>,
    /// The same of all other companies together.
    other_companies: i64,
    /// After a 429 of dbt Cloud; else null.
    cooldown: Option<Cooldown>,
}

/// What is free, by who asks.
#[derive(Debug, Serialize, ToSchema)]
struct Free {
    /// For requests that change something.
    #[schema(example = 194)]
    changes: i64,
    /// For reads of callers.
    #[schema(example = 154)]
    reads: i64,
}

/// Requests by class.
#[derive(Debug, Serialize, ToSchema)]
struct ByClass {
    /// Requests that change something, with the reads that belong to them.
    #[schema(example = 3)]
    changes: i64,
    /// Reads of callers.
    #[schema(example = 812)]
    reads: i64,
    /// The gateway's own reads.
    #[schema(example = 40)]
    background: i64,
}

/// Requests of one key.
#[derive(Debug, Serialize, ToSchema)]
struct KeyUse {
    /// The key.
    #[schema(minimum = 1, example = 7)]
    api_key_id: i64,
    /// Requests sent in the last minute.
    #[schema(example = 812)]
    sent: i64,
}

/// A pause after a 429 of dbt Cloud.
#[derive(Debug, Serialize, ToSchema)]
struct Cooldown {
    /// `cooling_down`: nothing is sent. `probing`: the pause is over, and one request at a time is sent until dbt Cloud answers.
    #[schema(value_type = CooldownState, example = "cooling_down")]
    state: &'static str,
    /// The rest of the pause, in seconds.
    #[schema(example = 214)]
    seconds_left: u64,
}

/// Read the budget of an account's requests
///
/// How many requests to dbt Cloud the account has left, and who used them in the last minute. dbt Cloud is not contacted.
#[utoipa::path(get, path = "/budget", tag = "budget", params(ScopedQuery), responses((status = 200, body = Budget)))]
async fn get_budget(Dbt(client): Dbt, query: ScopedQuery<NoFilter>) -> Result<Json<Budget>, Problem> {
    let budget = client.get_budget(query.scope).await?;
    Ok(Json(Budget {
        account_id: budget.account_id.0,
        apis: budget.apis.into_iter().map(ApiBudget::from).collect(),
        circuits: budget.circuits.into_iter().map(Circuit::from).collect(),
    }))
}

impl From<BudgetReport> for ApiBudget {
    fn from(report: BudgetReport) -> Self {
        let used = report.last_minute;
        let of = |class: PriorityClass| {
            let index = PriorityClass::ALL.into_iter().position(|each| each == class);
            index.map_or(0, |index| used.classes[index])
        };
        let cooldown = report.now.and_then(|now| match now.cooldown {
            Some(left) => Some(Cooldown {
                state: "cooling_down",
                seconds_left: seconds(left),
            }),
            None => now.is_probing.then_some(Cooldown {
                state: "probing",
                seconds_left: 0,
            }),
        });
        Self {
            api: report.api.as_str(),
            limit_per_minute: report.per_minute,
            free_now: report.now.map(|now| Free {
                changes: now.free_for_changes,
                reads: now.free_for_reads,
            }),
            sent_last_minute: used.sent,
            last_minute: ByClass {
                changes: of(PriorityClass::Changes),
                reads: of(PriorityClass::Reads),
                background: of(PriorityClass::Background),
            },
            keys: used
                .keys
                .iter()
                .map(|(key, sent)| KeyUse {
                    api_key_id: key.0,
                    sent: *sent,
                })
                .collect(),
            other_companies: used.other_companies,
            cooldown,
        }
    }
}

/// Rounded up.
fn seconds(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}
