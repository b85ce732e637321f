//! Admission of a request: checks the token and the rate limit of the account.

use std::time::Duration;

use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};

use crate::call::Caller;
use crate::limiter::Budget;
use crate::refusal::{Refusal, usual_refusal};
use crate::reply::{self, Reply};
use crate::response::html_page;
use crate::state::State;
use crate::switches::{RateLimitBody, Switches};
use crate::world::World;

/// The caller of a request, which is counted against its account.
///
/// # Errors
/// The answer to an unknown token or to a request over the limit.
pub(crate) fn admit(
    state: &State,
    world: &mut World,
    parts: &Parts,
    switches: &Switches,
    budget: Budget,
) -> Result<Caller, Box<Response>> {
    let now = state.clock.now();
    world.settle(now, &state.timing, switches);
    if world.has_events() {
        state.changed.notify_one();
    }
    let caller = token(parts).and_then(|token| world.tokens.get(token)).cloned();
    let Some(caller) = caller else {
        return Err(Box::new(Refusal::unauthorized().into_response()));
    };
    let named = account_in(parts.uri.path()).filter(|id| caller.accounts.contains(id));
    let counted = named.or(caller.accounts.first().copied());
    if let Some(account) = counted.and_then(|id| world.accounts.get_mut(&id))
        && let Err(wait) = account.limiter.take(budget, &state.rate_limit(), now)
    {
        return Err(Box::new(too_many(wait, switches)));
    }
    Ok(caller)
}

/// The token of `Authorization: Token …` or `Bearer …`.
fn token(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("token") || scheme.eq_ignore_ascii_case("bearer")).then(|| token.trim())
}

fn account_in(path: &str) -> Option<i64> {
    let mut parts = path.split('/').skip_while(|part| *part != "accounts");
    parts.nth(1)?.parse().ok()
}

fn too_many(wait: Duration, switches: &Switches) -> Response {
    let mut response = match switches.rate_limit_body {
        RateLimitBody::Envelope => usual_refusal(429).into_response(),
        RateLimitBody::Html => html_page(429),
        RateLimitBody::Empty => reply::into_response(Reply::Empty(StatusCode::TOO_MANY_REQUESTS)),
    };
    if switches.rate_limit_retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    response
}
