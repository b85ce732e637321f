//! `Dbt`: the authenticated caller's `DbtClient`. A handler that forgot to authenticate has nothing to call.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use client::{ClientError, DbtClient};
use model::RequestStamp;

use crate::problem::Problem;
use crate::state::ServerState;

/// The client of this request. First among a handler's extractors, so that a stranger learns nothing but 401.
pub(crate) struct Dbt(pub(crate) DbtClient);

impl FromRequestParts<ServerState> for Dbt {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ServerState) -> Result<Self, Problem> {
        let stamp = parts
            .extensions
            .get::<RequestStamp>()
            .cloned()
            .ok_or_else(|| Problem::internal("a route without the edge around it".to_owned()))?;
        let key = presented_key(parts).ok_or(ClientError::Unauthenticated)?;
        Ok(Self(state.clients.authenticate(stamp, key).await?))
    }
}

/// `Bearer <key>` or `Token <key>`, which mean the same; the scheme in any case, as HTTP has it.
fn presented_key(parts: &Parts) -> Option<&str> {
    let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
    let (scheme, key) = values.next()?.to_str().ok()?.trim().split_once(' ')?;
    let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
    (known && values.next().is_none()).then(|| key.trim())
}
