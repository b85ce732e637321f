//! What a handler answers, and the envelopes that dbt Cloud puts around it.

use axum::body::Body;
use axum::response::Response;
use futures::future::BoxFuture;
use http::StatusCode;
use serde_json::{Value, json};

use crate::listing::Page;
use crate::refusal::{Refusal, usual_refusal};
use crate::response::{json_response, typed, with_body};

pub(crate) type Answer = Result<Reply, Refusal>;

pub(crate) enum Reply {
    /// The classic envelope around one thing.
    One(Value),
    /// The classic envelope around a list, with `extra`.
    List(Page),
    /// A body without an envelope.
    Bare(StatusCode, Value),
    /// No body.
    Empty(StatusCode),
    Text(&'static str, String),
    /// A finished response.
    Response(Response),
    /// A reply that takes time; the world is not locked meanwhile.
    Later(BoxFuture<'static, Reply>),
}

/// `{"code":200,"is_success":true,…}` as dbt writes it.
pub(crate) fn success_status() -> Value {
    json!({ "code": 200, "is_success": true, "user_message": "Success!", "developer_message": "" })
}

/// The envelope of the newer v3 resources, with `extra` and `error_code` beside the data.
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

/// The HTTP response. `Later` must have been awaited before.
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
        Reply::Empty(status) => with_body(status, Body::empty()),
        Reply::Text(kind, text) => typed(StatusCode::OK, kind, text),
        Reply::Response(response) => response,
        Reply::Later(_) => usual_refusal(500).into_response(),
    }
}
