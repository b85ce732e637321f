//! The gateway's refusals in the form that dbt Cloud's clients show.

use axum::http::{HeaderValue, StatusCode};
use dbt_routes::DbtApi;
use serde_json::{Value, json};

use crate::problem::Problem;

/// The Semantic Layer's message for a refused token.
const NOT_AUTHORIZED: &str = "User is not authorized";

/// The form of an error, by the request's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Envelope {
    /// `application/problem+json`, on the REST surface.
    Problem,
    /// `status.user_message`, the form of the Administrative API.
    Administrative,
    /// `errors`, the form of GraphQL.
    Graphql,
    /// As `Graphql`, with the words by which the clients of the Semantic Layer recognise a key that is refused.
    SemanticLayer,
}

impl Envelope {
    /// The form for a path; `relayed`: on the dbt-compatible surface.
    pub(crate) fn of(path: &str, relayed: bool) -> Self {
        match DbtApi::of(path) {
            Some(DbtApi::SemanticLayer) => Self::SemanticLayer,
            Some(DbtApi::Metadata) => Self::Graphql,
            _ if relayed => Self::Administrative,
            _ => Self::Problem,
        }
    }

    /// The problem's media type and body.
    pub(crate) fn write(self, problem: &Problem) -> (HeaderValue, Vec<u8>) {
        let (media_type, body) = match self {
            Self::Problem => ("application/problem+json", serde_json::to_vec(problem)),
            Self::Administrative => ("application/json", serde_json::to_vec(&administrative(problem))),
            Self::SemanticLayer if problem.status() == StatusCode::UNAUTHORIZED => {
                // dbt's SDK compares the whole message of the first error.
                let errors = json!({"errors": [{"message": NOT_AUTHORIZED}, {"message": message(problem)}]});
                ("application/json", serde_json::to_vec(&errors))
            }
            Self::Graphql | Self::SemanticLayer => {
                let errors = json!({"errors": [{"message": message(problem)}]});
                ("application/json", serde_json::to_vec(&errors))
            }
        };
        // Strings, numbers and JSON values always serialise.
        (HeaderValue::from_static(media_type), body.unwrap_or_default())
    }
}

fn administrative(problem: &Problem) -> Value {
    json!({
        "status": {
            "code": problem.status().as_u16(),
            "is_success": false,
            "user_message": message(problem),
            "developer_message": format!(
                "dbt-gateway, not dbt Cloud: {} ({}), request {}",
                problem.title(),
                problem.kind(),
                problem.request_uuid()
            ),
        },
        "data": problem.errors(),
    })
}

/// The detail, with the accounts to choose from.
fn message(problem: &Problem) -> String {
    match problem.accounts() {
        [] => problem.detail().to_owned(),
        accounts => {
            let accounts: Vec<_> = accounts.iter().map(ToString::to_string).collect();
            format!(
                "Several accounts are possible ({}): name one in the header X-Dbt-Account-Id, or give the key a default account.",
                accounts.join(", ")
            )
        }
    }
}
