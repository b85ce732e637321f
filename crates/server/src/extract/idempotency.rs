//! The header `Idempotency-Key`.

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use axum::http::{HeaderName, Method};
use model::IdempotencyKey;

use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, Required, Type};

use crate::problem::{Kind, Problem};
use crate::state::Shared;

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The routes that take a key, all by POST.
const TAKES_KEY: [&str; 7] = [
    "/jobs/{job_id}/runs",
    "/jobs/{job_id}/rerun",
    "/runs/{run_id}/retry",
    "/runs/{run_id}/cancel",
    "/jobs",
    "/credentials",
    "/api-keys",
];

/// The caller's name for the request, if it has one.
pub(crate) struct Idempotency(pub(crate) Option<IdempotencyKey>);

impl IntoParams for Idempotency {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        // As `IdempotencyKey::parse` reads it.
        let pattern = r#"^([!#-~][ -~]{0,254}|"([ !#-\[\]-~]|\\["\\]){1,255}")$"#;
        let parameter = ParameterBuilder::new()
            .name(IDEMPOTENCY_KEY.as_str())
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "The caller's name for this request: 1 to 255 printable characters, bare or in quotation marks. A repeat \
                 with it gets the first answer, and changes nothing.",
            ))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).build()));
        vec![parameter.build()]
    }
}

impl FromRequestParts<Shared> for Idempotency {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else {
            return Ok(Self(None));
        };
        if values.next().is_some() {
            return Err(malformed("is sent twice"));
        }
        let key = value.to_str().ok().and_then(IdempotencyKey::parse);
        key.map(|key| Self(Some(key)))
            .ok_or_else(|| malformed("is not 1 to 255 printable characters, bare or in quotation marks"))
    }
}

/// Refuses a key where it would have no effect.
pub(crate) fn check_route(parts: &Parts) -> Result<(), Problem> {
    if !parts.headers.contains_key(IDEMPOTENCY_KEY) {
        return Ok(());
    }
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if parts.method == Method::POST && TAKES_KEY.contains(&route) {
        return Ok(());
    }
    Err(Problem::new(
        Kind::INVALID_REQUEST,
        format!(
            "The header Idempotency-Key has no effect on {} {route}: leave it out.",
            parts.method
        ),
    ))
}

fn malformed(what: &str) -> Problem {
    Problem::new(Kind::INVALID_REQUEST, format!("The header Idempotency-Key {what}."))
}
