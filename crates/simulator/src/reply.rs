//! What a handler answers, and the shapes dbt Cloud wraps it in. Handlers choose a shape here and never write a status
//! object by hand.

use axum::body::Body;
use axum::response::Response;
use futures::future::BoxFuture;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::artifacts::ArtifactAnswer;

/// A handler's result.
pub(crate) type Answer = Result<Reply, Refusal>;

/// The shapes of success.
pub(crate) enum Reply {
    /// The classic envelope around one thing.
    One(Value),
    /// The classic envelope around a list, with `extra`.
    List(Page),
    /// A body as it stands.
    Bare(StatusCode, Value),
    /// No body.
    Empty(StatusCode),
    /// A text file.
    Text(&'static str, String),
    /// An artifact.
    File(ArtifactAnswer),
    /// An answer that needs something slow first; the world is not locked meanwhile.
    Later(BoxFuture<'static, Reply>),
}

/// One page of a list.
pub(crate) struct Page {
    pub(crate) data: Vec<Value>,
    pub(crate) filters: Value,
    pub(crate) order_by: Value,
    pub(crate) total: usize,
}

/// A refusal in dbt's envelope.
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

    /// Missing, or not for this token: dbt does not tell them apart.
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

/// `{"code":200,"is_success":true,…}` as dbt writes it.
pub(crate) fn success_status() -> Value {
    json!({ "code": 200, "is_success": true, "user_message": "Success!", "developer_message": "" })
}

/// The envelope of the newer v3 resources, whose `extra` and `error_code` stand beside the data.
pub(crate) fn error_code_envelope(data: impl Into<Value>) -> Reply {
    let data = data.into();
    Reply::Bare(
        StatusCode::OK,
        json!({ "status": success_status(), "data": data, "extra": {}, "error_code": null }),
    )
}

/// The same around a page.
pub(crate) fn error_code_page(page: &Page) -> Reply {
    let body = json!({
        "status": success_status(),
        "extra": page.extra(),
        "data": page.data,
        "error_code": null,
    });
    Reply::Bare(StatusCode::OK, body)
}

impl Page {
    pub(crate) fn extra(&self) -> Value {
        json!({
            "filters": self.filters,
            "order_by": self.order_by,
            "pagination": { "count": self.data.len(), "total_count": self.total },
        })
    }

    /// A whole list that knows no paging.
    pub(crate) fn whole(data: Vec<Value>, filters: Value) -> Self {
        let total = data.len();
        Self {
            data,
            filters,
            order_by: Value::Null,
            total,
        }
    }
}

/// Turns a reply into bytes. `Later` must have been awaited before.
pub(crate) fn into_response(reply: Reply) -> Response {
    match reply {
        Reply::One(data) => json_response(StatusCode::OK, &json!({ "status": success_status(), "data": data })),
        Reply::List(page) => {
            let extra = page.extra();
            json_response(
                StatusCode::OK,
                &json!({ "status": success_status(), "data": page.data, "extra": extra }),
            )
        }
        Reply::Bare(status, body) => json_response(status, &body),
        Reply::Empty(status) => with_status(status, Body::empty()),
        Reply::Text(kind, text) => typed(StatusCode::OK, kind, text),
        Reply::File(file) => file.into_response(),
        Reply::Later(_) => usual_refusal(500).into_response(),
    }
}

fn with_status(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response {
    typed(status, "application/json", body.to_string())
}

/// A body with its content type; an impossible content type is left out.
pub(crate) fn typed(status: StatusCode, kind: &str, body: impl Into<Body>) -> Response {
    let mut response = with_status(status, body.into());
    if let Ok(kind) = HeaderValue::from_str(kind) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

/// What a proxy or the web framework answers instead of dbt's API.
pub(crate) fn html_page(status: u16) -> Response {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let reason = code.canonical_reason().unwrap_or("Error");
    let page = format!(
        "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n<center><h1>{status} {reason}</h1></center>\r\n\
         </body>\r\n</html>\r\n"
    );
    typed(code, "text/html; charset=utf-8", page)
}
