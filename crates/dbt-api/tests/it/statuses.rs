//! The error of every status that is not 2xx, with every kind of body.

use dbt_api::{ApiError, ApiRequest};
use http::StatusCode;
use model::ProjectId;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{ACCOUNT, api, at};

const STATUSES: [u16; 19] = [
    301, 302, 307, 308, 400, 401, 403, 404, 405, 408, 409, 410, 418, 422, 429, 500, 502, 503, 504,
];

const JSON: &str = "application/json";

struct Body {
    what: &'static str,
    content_type: &'static str,
    text: &'static str,
    message: &'static str,
    fields: Option<Value>,
}

fn bodies() -> Vec<Body> {
    let body = |what, content_type, text, message, fields| Body {
        what,
        content_type,
        text,
        message,
        fields,
    };
    vec![
        body(
            "vendor JSON",
            JSON,
            r#"{"status":{"code":0,"is_success":false,"user_message":"Invalid token.","developer_message":"x"},"data":null}"#,
            "Invalid token.",
            None,
        ),
        body(
            "vendor JSON for developers",
            JSON,
            r#"{"status":{"user_message":"  ","developer_message":"No\u0000\n such\tscope"},"data":"text"}"#,
            "No such scope",
            None,
        ),
        body(
            "field errors",
            JSON,
            r#"{"status":{"user_message":"The request was invalid."},"data":{"credentials":"{...} is not valid"}}"#,
            "The request was invalid.",
            Some(json!({"credentials": "{...} is not valid"})),
        ),
        body(
            "errors by key",
            JSON,
            r#"{"status":{"user_message":"Some failed.","developer_message":null},"data":[{"key_name":"DBT_X"}]}"#,
            "Some failed.",
            Some(json!([{"key_name": "DBT_X"}])),
        ),
        body(
            "HTML",
            "text/html",
            "\r\n<!DOCTYPE html>\n<HTML><head><Title lang=en>502 Bad\n  Gateway</Title></head><body>…</body></HTML>",
            "HTML page: 502 Bad Gateway",
            None,
        ),
        body(
            "HTML without a title, called JSON",
            JSON,
            "<html><body><h1>Scheduled maintenance</h1></body></html>",
            "HTML page: Scheduled maintenance",
            None,
        ),
        body("nothing", "", "", "the answer has no text", None),
        body(
            "malformed JSON",
            JSON,
            r#"{"status": {"user_message": 'quoted like this'}}"#,
            r#"{"status": {"user_message": 'quoted like this'}}"#,
            None,
        ),
        body(
            "truncated JSON",
            JSON,
            r#"{"status":{"user_message":"The requested res"#,
            r#"{"status":{"user_message":"The requested res"#,
            None,
        ),
        body(
            "another JSON",
            JSON,
            r#"{"detail":"Nope"}"#,
            r#"{"detail":"Nope"}"#,
            None,
        ),
        body("JSON of another shape", JSON, "[1]", "[1]", None),
    ]
}

/// Message and fields of any variant.
fn message_and_fields(error: &ApiError) -> (&str, Option<&Value>) {
    match error {
        ApiError::InvalidRequest { message, fields }
        | ApiError::UnprocessableEntity { message, fields }
        | ApiError::Rejected { message, fields, .. } => (message, fields.as_ref()),
        ApiError::Credentials { message, .. }
        | ApiError::NotFound { message }
        | ApiError::TooManyRequests { message, .. }
        | ApiError::UnexpectedStatus { message, .. } => (message, None),
        other => panic!("a status became {other:?}"),
    }
}

#[tokio::test]
async fn every_status_gives_its_error_whatever_the_body() {
    let server = MockServer::start().await;
    let api = api();
    let upstream = at(&server);
    let cases = STATUSES
        .into_iter()
        .flat_map(|status| bodies().into_iter().map(move |body| (status, body)));
    for ((status, body), id) in cases.zip(1_i64..) {
        Mock::given(method("GET"))
            .and(path(format!("/api/v3/accounts/{ACCOUNT}/projects/{id}/")))
            .respond_with(ResponseTemplate::new(status).set_body_raw(body.text, body.content_type))
            .expect(1)
            .mount(&server)
            .await;

        let error = api.get_project(&upstream, ProjectId(id)).await.unwrap_err();

        let case = format!("{status} with {}: {error:?}", body.what);
        let (name, keeps_fields) = match status {
            400 => ("invalid_request", true),
            401 | 403 => ("credentials", false),
            404 => ("not_found", false),
            422 => ("unprocessable_entity", true),
            429 => ("too_many_requests", false),
            _ if status != 408 && (400..500).contains(&status) => ("rejected", true),
            _ => ("unexpected_status", false),
        };
        assert_eq!(error.name(), name, "{case}");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(status), "{case}");
        assert_eq!(error.is_transient(), matches!(status, 408 | 502..=504), "{case}");
        assert_eq!(error.retry_after(), None, "{case}");
        let (message, fields) = message_and_fields(&error);
        assert_eq!(message, body.message, "{case}");
        assert_eq!(fields, body.fields.as_ref().filter(|_| keeps_fields), "{case}");
        assert!(error.to_string().contains(message), "{case}");
    }
}

async fn error_of(body: impl Into<Vec<u8>>) -> ApiError {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(500).set_body_raw(body, "text/plain"))
        .expect(1)
        .mount(&server)
        .await;
    let request = ApiRequest::get("/v2/anything/".to_owned());
    api().fetch::<Value>(&at(&server), request).await.unwrap_err()
}

#[tokio::test]
async fn an_excerpt_is_cut_on_a_character_boundary() {
    let error = error_of("ü\u{7}\u{1b}[31m🦀".repeat(500)).await;
    let (message, _) = message_and_fields(&error);
    assert_eq!(message.chars().count(), 300);
    assert!(message.ends_with('…') && message.starts_with("ü [31m🦀ü"), "{message}");
    assert!(!message.contains(char::is_control), "{message}");
}

#[tokio::test]
async fn a_text_of_the_maximum_length_is_not_cut() {
    let text = "é".repeat(300);
    assert_eq!(message_and_fields(&error_of(text.clone()).await).0, text);
}

#[tokio::test]
async fn a_binary_body_gives_a_readable_message() {
    assert_eq!(
        message_and_fields(&error_of(b"bad \xff\xfe bytes").await).0,
        "bad \u{fffd}\u{fffd} bytes"
    );
}

#[tokio::test]
async fn the_message_of_dbt_cloud_is_cut_too() {
    let text = json!({"status": {"user_message": "long ".repeat(1000)}}).to_string();
    assert_eq!(message_and_fields(&error_of(text).await).0.chars().count(), 1000);
}

#[tokio::test]
async fn a_huge_error_body_keeps_its_status_and_its_beginning() {
    let error = error_of("megabytes of log ".repeat(500_000)).await;
    assert_eq!(error.status(), Some(StatusCode::INTERNAL_SERVER_ERROR));
    assert!(message_and_fields(&error).0.starts_with("megabytes of log megabytes"));
}

#[tokio::test]
async fn html_without_title_or_heading_is_shown_as_text() {
    let error = error_of("<html><title></title><body>plain</body></html>").await;
    assert_eq!(
        message_and_fields(&error).0,
        "<html><title></title><body>plain</body></html>"
    );
}
