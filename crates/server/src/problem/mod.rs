//! Errors as callers see them: RFC 9457 `application/problem+json`. The only place that sets HTTP statuses of errors.

mod causes;
mod kind;
mod starts;

use std::error::Error;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use dbt_routes::RefusedGraphql;
use model::{AccountId, error_chain};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, OneOfBuilder, RefOr, Schema, Type};
use uuid::Uuid;

pub(crate) use kind::{Kind, ProblemType};

/// `Retry-After` of what passes by itself.
const SOON: Option<Duration> = Some(Duration::from_secs(2));

/// What went wrong, for programs (`type`) and people (`title`, `detail`).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "/problems/not-found", "title": "Not found", "status": 404,
    "detail": "dbt Cloud: missing or no permission. The requested resource was not found.",
    "instance": "/runs/70403110000000", "request_uuid": "019e2a3b-5c6d-7e8f-9a0b-1c2d3e4f5a6b"
}))]
pub struct Problem {
    /// A stable path that names the kind of problem.
    #[serde(rename = "type")]
    #[schema(value_type = ProblemType)]
    kind: &'static str,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status, again.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened this time, and what can be done.
    detail: String,
    /// The path of the request.
    instance: String,
    /// The request's UUID, as in the log and in `x-request-id`.
    request_uuid: Uuid,
    /// What is wrong with which field, where that is known; the reasons of dbt Cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = errors_schema)]
    errors: Option<Value>,
    /// What dbt Cloud answered beside its errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    data: Option<Value>,
    /// The accounts to choose from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<i64>>, nullable = false)]
    accounts: Option<Vec<AccountId>>,
    /// Seconds to wait before asking again; in the header `Retry-After`.
    #[serde(skip)]
    pub(crate) retry_after: Option<Duration>,
    /// The chain of causes, for the server's log only.
    #[serde(skip)]
    pub(crate) cause: Option<String>,
    /// Whether it is already in the server's log.
    #[serde(skip)]
    pub(crate) is_logged: bool,
}

/// A list of objects, or one object.
fn errors_schema() -> RefOr<Schema> {
    let object = || ObjectBuilder::new().schema_type(Type::Object);
    let list = ArrayBuilder::new().items(object());
    Schema::OneOf(OneOfBuilder::new().item(list).item(object()).build()).into()
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind: kind.path,
            title: kind.title,
            status: kind.status.as_u16(),
            detail: detail.into(),
            instance: String::new(),
            request_uuid: Uuid::nil(),
            errors: None,
            data: None,
            accounts: None,
            retry_after: None,
            cause: None,
            is_logged: false,
        }
    }

    pub(crate) fn internal(cause: String) -> Self {
        let detail = "The gateway failed. The request's row in the log and its lines in the server's log say more.";
        Self {
            cause: Some(cause),
            ..Self::new(Kind::INTERNAL, detail)
        }
    }

    /// A panic, which the panic hook has logged.
    pub(crate) fn panicked() -> Self {
        Self {
            is_logged: true,
            ..Self::internal("a panic".to_owned())
        }
    }

    pub(crate) fn with_errors(self, errors: Option<Value>) -> Self {
        Self { errors, ..self }
    }

    pub(crate) fn retry_after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }

    /// The same problem, about one account among several.
    fn in_account(self, account: AccountId) -> Self {
        Self {
            detail: format!("Account {account}: {}", self.detail),
            ..self
        }
    }

    fn caused_by(self, error: &dyn Error) -> Self {
        Self {
            cause: Some(error_chain(error)),
            ..self
        }
    }

    pub(crate) fn title(&self) -> &'static str {
        self.title
    }

    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) fn errors(&self) -> Option<&Value> {
        self.errors.as_ref()
    }

    pub(crate) fn accounts(&self) -> &[AccountId] {
        self.accounts.as_deref().unwrap_or_default()
    }

    pub(crate) fn request_uuid(&self) -> Uuid {
        self.request_uuid
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Adds the path and the UUID of the request, and removes the secrets that a caller's input or dbt's text may contain.
    pub(crate) fn of_request(mut self, instance: &str, request_uuid: Uuid) -> Self {
        if let Some(errors) = &mut self.errors {
            redaction::json(errors);
        }
        Self {
            detail: redaction::tokens(&self.detail).into_owned(),
            cause: self.cause.map(|cause| redaction::text(&cause).into_owned()),
            instance: redaction::text(instance).into_owned(),
            request_uuid,
            ..self
        }
    }
}

impl IntoResponse for Problem {
    /// Passes the problem to the layer that writes the body with the request's path and UUID.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The problem of a GraphQL request that cannot be judged.
pub(crate) fn refused_document(refused: &RefusedGraphql) -> Problem {
    let detail = format!("In the body: {refused}. dbt Cloud was not contacted.");
    Problem::new(Kind::INVALID_REQUEST, detail)
}

/// The answer to a path that does not exist.
pub(crate) async fn unknown_route() -> Problem {
    Problem::new(
        Kind::NOT_FOUND,
        "There is no such route. The routes are listed at /docs.",
    )
}

/// The answer to a method that the path does not have.
pub(crate) async fn method_not_allowed() -> Problem {
    Problem::new(
        Kind::METHOD_NOT_ALLOWED,
        "This route has no such method. The routes are listed at /docs.",
    )
}
