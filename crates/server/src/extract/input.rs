//! Path and body parameters, with a problem instead of axum's plain texts.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use garde::Validate;
use model::{ArtifactPath, PathId, excerpt};
use serde::de::DeserializeOwned;
use serde_json::json;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, RefOr, Required, Schema, Type};
use utoipa::{IntoParams, PartialSchema as _};
use uuid::Uuid;

use crate::problem::{Kind, Problem};
use crate::state::Shared;

/// The one name in a route's path.
pub(crate) struct Name(pub(crate) String);

impl FromRequestParts<Shared> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(rejection) => Err(Problem::new(Kind::INVALID_REQUEST, rejection.body_text())),
        }
    }
}

/// The one UUID in a route's path.
pub(crate) struct NamedUuid(pub(crate) Uuid);

impl FromRequestParts<Shared> for NamedUuid {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Problem> {
        let Name(text) = Name::from_request_parts(parts, state).await?;
        Uuid::try_parse(&text).map(Self).map_err(|_| {
            let detail = format!("`{}` in the path is not a UUID.", excerpt(&text));
            Problem::new(Kind::INVALID_REQUEST, detail)
        })
    }
}

/// The one id in a route's path.
pub(crate) struct Id<T>(pub(crate) T);

impl<T: PathId> IntoParams for Id<T> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![path_id::<T>()]
    }
}

fn path_id<T: PathId>() -> Parameter {
    let thing = T::PARAMETER.trim_end_matches("_id").replace('_', " ");
    let description = format!("The {thing}'s id.");
    path_parameter(T::PARAMETER, &description, i64::schema()).build()
}

fn path_parameter(name: &str, description: &str, schema: RefOr<Schema>) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(schema))
}

impl<T: PathId> FromRequestParts<Shared> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Problem> {
        let Name(id) = Name::from_request_parts(parts, state).await?;
        Ok(Self(parse_id(&id)?))
    }
}

/// The id in a route's path, and the artifact's path behind it.
pub(crate) struct IdAndArtifact<T>(pub(crate) T, pub(crate) ArtifactPath);

impl<T: PathId> IntoParams for IdAndArtifact<T> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "The artifact's path below `target/`, slashes included.";
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(ArtifactPath::MAX_CHARS))
            .pattern(Some(ArtifactPath::PATTERN));
        let path = path_parameter("path", description, Schema::from(schema.build()).into());
        vec![path_id::<T>(), path.build()]
    }
}

impl<T: PathId> FromRequestParts<Shared> for IdAndArtifact<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Problem> {
        let invalid = |why: String| Problem::new(Kind::INVALID_REQUEST, why);
        let Path((id, path)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| invalid(rejection.body_text()))?;
        let path = ArtifactPath::new(&path).map_err(|error| invalid(format!("In the path: {error}.")))?;
        Ok(Self(parse_id(&id)?, path))
    }
}

fn parse_id<T: PathId>(id: &str) -> Result<T, Problem> {
    match id.parse::<i64>() {
        Ok(id) if id > 0 => Ok(id.into()),
        _ => {
            let detail = format!(
                "`{}` in the path is not an id: ids are positive whole numbers.",
                excerpt(id)
            );
            Err(Problem::new(Kind::INVALID_REQUEST, detail))
        }
    }
}

/// The body: JSON that fits the struct and passes its checks.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T> FromRequest<Shared> for JsonBody<T>
where
    T: DeserializeOwned + Validate<Context = ()>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, Problem> {
        let Json(body) = Json::<T>::from_request(request, state)
            .await
            .map_err(|rejection| refused(&rejection))?;
        body.validate().map_err(|report| invalid(&report))?;
        Ok(Self(body))
    }
}

fn refused(rejection: &JsonRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(Kind::TOO_LARGE, "The body is larger than server.max_body_bytes.")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::new(
            Kind::MEDIA_TYPE,
            "Send the body as JSON, with `Content-Type: application/json`.",
        ),
        _ => Problem::new(Kind::INVALID_REQUEST, format!("In the body: {}.", reason(rejection))),
    }
}

fn invalid(report: &garde::Report) -> Problem {
    let errors: Vec<_> = report
        .iter()
        .map(|(field, error)| json!({"field": field.to_string(), "message": error.to_string()}))
        .collect();
    let detail = report
        .iter()
        .map(|(field, error)| format!("`{field}`: {error}"))
        .collect::<Vec<_>>()
        .join("; ");
    Problem::new(Kind::INVALID_REQUEST, format!("In the body: {detail}.")).with_errors(Some(errors.into()))
}

/// The innermost cause, which names the field; the outer ones only say that something failed.
fn reason(rejection: &dyn std::error::Error) -> String {
    let mut innermost = rejection;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}
