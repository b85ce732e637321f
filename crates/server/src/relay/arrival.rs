//! Classifies a request to dbt Cloud's own paths, once, at the edge.

use axum::http::request::Parts;
use axum::http::{HeaderName, Method};
use dbt_routes::{DbtApi, RefusedPath, RelayRequest};
use model::{AccountId, Target};
use url::form_urlencoded;

use crate::problem::{Kind, Problem};

/// The header that names the account if the path does not.
const ACCOUNT_ID: HeaderName = HeaderName::from_static("x-dbt-account-id");

/// A request to the dbt-compatible surface.
#[derive(Debug, Clone)]
pub(crate) enum Arrival {
    /// Can be relayed.
    Relayed(Box<RelayRequest>),
    /// The path is ambiguous.
    Refused(RefusedPath),
    /// dbt Cloud serves nothing there.
    Unknown,
}

impl Arrival {
    /// `None` for a request to the REST surface.
    pub(crate) fn of(method: &Method, path: &str) -> Option<Self> {
        let below_api = path
            .strip_prefix("/api")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if !below_api && DbtApi::of(path).is_none() {
            return None;
        }
        Some(match RelayRequest::new(method.clone(), path) {
            Ok(Some(request)) => Self::Relayed(Box::new(request)),
            Ok(None) => Self::Unknown,
            Err(refused) => Self::Refused(refused),
        })
    }

    /// The path without ids.
    pub(crate) fn template(&self) -> Option<&'static str> {
        match self {
            Self::Relayed(request) => Some(request.template()),
            Self::Refused(_) | Self::Unknown => None,
        }
    }

    /// The request to relay, or the problem.
    pub(super) fn relayed(self) -> Result<RelayRequest, Problem> {
        match self {
            Self::Relayed(request) => Ok(*request),
            Self::Refused(refused) => {
                let detail = format!("In the path: {refused}. dbt Cloud was not contacted.");
                Err(Problem::new(Kind::INVALID_REQUEST, detail))
            }
            Self::Unknown => {
                let detail = "Nothing is relayed at this path: /api/v2/…, /api/v3/…, /graphql, /beta/graphql and /api/graphql are.";
                Err(Problem::new(Kind::NOT_FOUND, detail))
            }
        }
    }
}

/// The account for a path that names none: for GraphQL `account_id` in the query, else the header `X-Dbt-Account-Id`.
pub(super) fn target(parts: &Parts, request: &RelayRequest) -> Result<Target, Problem> {
    let mut named = Vec::new();
    for value in parts.headers.get_all(ACCOUNT_ID) {
        named.push(value.to_str().unwrap_or_default().to_owned());
    }
    if request.api().is_graphql() {
        let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        named.extend(
            query
                .filter(|(name, _)| name == "account_id")
                .map(|(_, value)| value.into_owned()),
        );
    }
    let mut account = None;
    for text in named {
        let id = text.parse().ok().filter(|id: &i64| *id > 0).map(AccountId);
        if id.is_none() || (account.is_some() && account != id) {
            let detail = "`account_id` and `X-Dbt-Account-Id` name one account, by its id.";
            return Err(Problem::new(Kind::INVALID_REQUEST, detail));
        }
        account = id;
    }
    Ok(account.into())
}
