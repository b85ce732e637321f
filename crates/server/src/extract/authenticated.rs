//! `Dbt`: the authenticated caller's `DbtClient`. A handler without it has nothing to call.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use client::{ClientError, DbtClient};
use model::RequestStamp;

use crate::problem::{Kind, Problem};
use crate::state::Shared;

/// The client of this request. The first of a handler's extractors, so that a caller without a key gets only 401.
pub(crate) struct Dbt(pub(crate) DbtClient);

impl FromRequestParts<Shared> for Dbt {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Problem> {
        let stamp = parts
            .extensions
            .get::<RequestStamp>()
            .cloned()
            .ok_or_else(|| Problem::internal("a route outside the edge layer".to_owned()))?;
        let key = presented_key(parts).ok_or(ClientError::Unauthenticated)?;
        let client = state.clients.authenticate(stamp, key).await?;
        state.limits.check(client.caller().api_key_id)?;
        Ok(Self(client.by_credential(named_credential(parts)?)))
    }
}

/// The credential named in the header `X-Dbt-Credential`.
fn named_credential(parts: &Parts) -> Result<Option<String>, Problem> {
    let Some(name) = parts.headers.get("x-dbt-credential") else {
        return Ok(None);
    };
    match name.to_str() {
        Ok(name) => Ok(Some(name.to_owned())),
        Err(_) => Err(Problem::new(
            Kind::INVALID_REQUEST,
            "The header X-Dbt-Credential is not a credential's name.",
        )),
    }
}

/// The key from `Bearer <key>` or `Token <key>`, which mean the same; the scheme in any case (RFC 9110).
fn presented_key(parts: &Parts) -> Option<&str> {
    let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
    let (scheme, key) = values.next()?.to_str().ok()?.trim().split_once(' ')?;
    let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
    (known && values.next().is_none()).then(|| key.trim())
}
