//! `Dbt`: the authenticated caller's `DbtClient`. A handler without it has nothing to call.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use client::{ClientError, DbtClient};
use model::{RequestStamp, Surface};

use crate::addresses::AddressGroup;
use crate::extract::idempotency::check_route;
use crate::extract::request_timeout;
use crate::forwarded::CallerAddress;
use crate::problem::{Kind, Problem};
use crate::state::Shared;

/// The client of this request. The first of a handler's extractors, so that a caller without a key gets only 401.
pub(crate) struct Dbt(pub(crate) DbtClient);

impl FromRequestParts<Shared> for Dbt {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Problem> {
        let early = parts.extensions.remove::<Authenticated>();
        let early =
            early.and_then(|Authenticated(result)| result.lock().unwrap_or_else(PoisonError::into_inner).take());
        match early {
            Some(result) => result.map(Self),
            None => authenticate(parts, state).await.map(Self),
        }
    }
}

/// The result of an authentication before the handler's, which takes it, so that a request is counted once.
#[derive(Clone)]
struct Authenticated(Arc<Mutex<Option<Result<DbtClient, Problem>>>>);

impl Dbt {
    /// Authenticates the caller before a handler does. Returns whether the key is valid; the handler gets the result.
    pub(crate) async fn authenticate_early(parts: &mut Parts, state: &Shared) -> bool {
        let result = authenticate(parts, state).await;
        let is_valid = result.is_ok();
        parts
            .extensions
            .insert(Authenticated(Arc::new(Mutex::new(Some(result)))));
        is_valid
    }

    /// Checks the key again after the body has arrived: it may have been revoked meanwhile. Counts no request.
    pub(crate) async fn authenticate_again(parts: &mut Parts, state: &Shared) {
        let stamp = parts.extensions.get::<RequestStamp>().cloned();
        let (Some(stamp), Some(key)) = (stamp, presented_key(parts)) else {
            return;
        };
        if let Err(error) = state.clients.authenticate(stamp, key).await {
            let refused = Arc::new(Mutex::new(Some(Err(error.into()))));
            parts.extensions.insert(Authenticated(refused));
        }
    }
}

async fn authenticate(parts: &Parts, state: &Shared) -> Result<DbtClient, Problem> {
    let stamp = parts
        .extensions
        .get::<RequestStamp>()
        .cloned()
        .ok_or_else(|| Problem::internal("a route outside the edge layer".to_owned()))?;
    let stamp_surface = stamp.surface;
    let key = presented_key(parts).ok_or(ClientError::Unauthenticated)?;
    let address = CallerAddress::of(&parts.extensions, &parts.headers, &state.settings.trusted_proxies);
    let address = address.map(|address| AddressGroup::of(address.ip()));
    let attempt = state.addresses.attempt(address, key)?;
    let client = match state.clients.authenticate(stamp, key).await {
        Ok(client) => {
            attempt.was_valid();
            client
        }
        Err(error) => {
            // Any other failure says nothing about the key.
            if matches!(error, ClientError::Unauthenticated) {
                attempt.was_unknown();
            }
            return Err(error.into());
        }
    };
    state.limits.check(client.caller().api_key_id)?;
    request_timeout(&parts.headers)?;
    if stamp_surface == Surface::Rest {
        check_route(parts)?;
    }
    Ok(client.by_credential(named_credential(parts)?))
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
