//! Refusals in dbt Cloud's envelope.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use crate::response::json_response;

#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) user_message: String,
    pub(crate) developer_message: Value,
    pub(crate) data: Value,
}

const NOT_FOUND: &str = "The requested resource was not found. Please check that you have the proper permissions. If \
                         you are seeing this in error, please contact support!";
const INVALID: &str = "The request was invalid. Please double check the provided data and try again.";

impl Refusal {
    pub(crate) fn new(status: StatusCode, user_message: impl Into<String>) -> Self {
        Self {
            status,
            user_message: user_message.into(),
            developer_message: json!(""),
            data: Value::Null,
        }
    }

    /// Missing, or not accessible with this token; dbt answers both alike.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, NOT_FOUND)
    }

    /// Field errors, keyed by field.
    pub(crate) fn invalid(fields: Value) -> Self {
        Self {
            data: fields,
            ..Self::new(StatusCode::BAD_REQUEST, INVALID)
        }
    }

    /// One field error.
    pub(crate) fn field(name: &str, problem: impl Into<String>) -> Self {
        Self::invalid(json!({ name: problem.into() }))
    }

    pub(crate) fn unauthorized() -> Self {
        Self {
            developer_message: Value::Null,
            ..Self::new(StatusCode::UNAUTHORIZED, "Invalid token.")
        }
    }

    pub(crate) fn forbidden(data: Value) -> Self {
        Self {
            developer_message: Value::Null,
            data,
            ..Self::new(StatusCode::FORBIDDEN, "Forbidden: Access denied")
        }
    }

    pub(crate) fn wrong_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed.")
    }

    pub(crate) fn into_response(self) -> Response {
        let body = json!({
            "status": {
                "code": self.status.as_u16(),
                "is_success": false,
                "user_message": self.user_message,
                "developer_message": self.developer_message,
            },
            "data": self.data,
        });
        json_response(self.status, &body)
    }
}

/// The texts dbt uses for a status when nothing more is known.
pub(crate) fn usual_refusal(status: u16) -> Refusal {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match status {
        400 => Refusal::invalid(Value::Null),
        401 => Refusal::unauthorized(),
        403 => Refusal::forbidden(json!({ "account_access_denied": true })),
        404 => Refusal::not_found(),
        429 => Refusal::new(code, "Too many requests. Please try again later."),
        500.. => Refusal::new(
            code,
            "An internal server error occurred. Please try again or contact support.",
        ),
        _ => Refusal::new(code, code.canonical_reason().unwrap_or("Error")),
    }
}
