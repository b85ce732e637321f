//! Which bodies of a 2xx are accepted.

use dbt_api::{ApiError, ApiRequest, HttpSettings};
use http::StatusCode;
use model::{Listed, Project, ProjectFilter, ProjectId, RunId, RunStatus, Slice};
use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{api, api_with, at, settings};

const SLICE: Slice = Slice { offset: 0, limit: 100 };

async fn server(template: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(template).expect(1).mount(&server).await;
    server
}

async fn ok(body: &str) -> MockServer {
    server(ResponseTemplate::new(200).set_body_raw(body, "application/json")).await
}

async fn projects(body: &str) -> Result<Listed<Project>, ApiError> {
    let server = ok(body).await;
    let answer = api()
        .list_projects(&at(&server), &ProjectFilter::default(), SLICE)
        .await?;
    Ok(answer.data)
}

#[rstest]
#[case::classic(
    r#"{"status":{"is_success":true},"data":[{"id":1},{"id":2}],"extra":{"pagination":{"count":2,"total_count":250}}}"#,
    2,
    Some(250)
)]
#[case::with_error_code(r#"{"error_code":0,"data":[{"id":1}],"extra":null}"#, 1, None)]
#[case::untyped_extra(r#"{"data":[],"extra":["pagination"]}"#, 0, None)]
#[case::odd_count(r#"{"data":[],"extra":{"pagination":{"total_count":"12"}}}"#, 0, None)]
#[case::of_another_time(r#"{"status":20,"error_code":"none","data":[{"id":1}]}"#, 1, None)]
#[tokio::test]
async fn a_list_is_read_from_every_envelope(#[case] body: &str, #[case] items: usize, #[case] total: Option<u64>) {
    let listed = projects(body).await.unwrap();
    assert_eq!((listed.items.len(), listed.total_count), (items, total));
}

#[rstest]
#[case::html("<html><title>Log in</title></html>")]
#[case::empty("")]
#[case::malformed(r#"{"data":[}"#)]
#[case::truncated(r#"{"data":[{"id":1},{"id""#)]
#[case::no_data(r#"{"status":{"code":200}}"#)]
#[case::bare(r#"[{"id":1}]"#)]
#[case::data_of_another_shape(r#"{"data":{"id":1}}"#)]
#[case::an_entry_without_id(r#"{"data":[{"id":1},{"name":"x"}]}"#)]
#[case::an_entry_whose_id_is_null(r#"{"data":[{"id":null}]}"#)]
#[case::an_entry_that_is_nothing(r#"{"data":[null]}"#)]
#[case::null(r#"{"data":null}"#)]
#[case::null_of_success(
    r#"{"status":{"code":200,"is_success":true},"data":null,"extra":{"pagination":{"total_count":0}}}"#
)]
#[tokio::test]
async fn a_list_with_an_invalid_entry_is_an_error(#[case] body: &str) {
    let error = projects(body).await.unwrap_err();
    assert!(matches!(error, ApiError::Decode { .. }), "{error:?}");
    assert_eq!(error.status(), Some(StatusCode::OK));
    assert!(!error.is_transient());
}

#[rstest]
#[case::unauthorized(
    r#"{"status":{"code":401,"is_success":false,"user_message":"Invalid token."},"data":null}"#,
    "credentials",
    401
)]
#[case::with_a_list(
    r#"{"status":{"code":404,"is_success":false,"user_message":"Gone."},"data":[]}"#,
    "not_found",
    404
)]
#[case::with_fields(
    r#"{"status":{"code":400,"user_message":"Bad."},"data":{"limit":["Too large."]}}"#,
    "invalid_request",
    400
)]
#[case::by_error_code(r#"{"error_code":429,"data":null}"#, "too_many_requests", 429)]
#[case::refused(r#"{"status":{"code":405,"is_success":false},"data":null}"#, "rejected", 405)]
#[case::of_a_server(
    r#"{"status":{"code":503,"is_success":false},"data":null}"#,
    "unexpected_status",
    503
)]
#[case::without_a_status(
    r#"{"status":{"is_success":false,"user_message":"No."},"data":[]}"#,
    "says_failed",
    200
)]
#[tokio::test]
async fn an_envelope_that_says_that_the_request_failed_is_its_error(
    #[case] body: &str,
    #[case] name: &str,
    #[case] status: u16,
) {
    let error = projects(body).await.unwrap_err();
    assert_eq!(
        (error.name(), error.status().unwrap().as_u16()),
        (name, status),
        "{error}"
    );
    assert_eq!(error.is_transient(), status == 503);
    let server = ok(body).await;
    let deleted = api().delete_job(&at(&server), model::JobId(1)).await;
    assert_eq!(deleted.unwrap_err().name(), name);
    let server = ok(body).await;
    let one = api().get_project(&at(&server), ProjectId(1)).await;
    assert_eq!(one.unwrap_err().name(), name);
}

#[tokio::test]
async fn a_page_without_entries_before_the_end_of_the_list_is_incomplete() {
    let empty = |total| format!(r#"{{"data":[],"extra":{{"pagination":{{"total_count":{total}}}}}}}"#);
    assert!(projects(&empty(0)).await.is_ok());
    assert_eq!(projects(&empty(1)).await.unwrap_err().name(), "incomplete");
}

#[tokio::test]
async fn the_paths_of_artifacts_may_be_null_in_an_envelope_that_says_success() {
    let list = async |body: &str| {
        let server = ok(body).await;
        let listed = api().list_run_artifacts(&at(&server), RunId(1), None).await;
        listed.map(|answer| answer.data.len()).map_err(|error| error.name())
    };
    let success = r#""status":{"code":200,"is_success":true}"#;
    let total = r#""extra":{"pagination":{"total_count":2}}"#;
    assert_eq!(list(&format!(r#"{{{success},"data":null}}"#)).await, Ok(0));
    assert_eq!(list(&format!(r#"{{{success},"data":["a"]}}"#)).await, Ok(1));
    for (body, name) in [
        (r#"{"data":null}"#.to_owned(), "decode"),
        (r#"{"status":{"code":200},"data":null}"#.to_owned(), "decode"),
        (r#"{"status":{"code":404},"data":null}"#.to_owned(), "not_found"),
        (r"{}".to_owned(), "decode"),
        (format!(r#"{{{success},{total},"data":["a"]}}"#), "incomplete"),
        (format!(r#"{{{success},{total},"data":null}}"#), "incomplete"),
    ] {
        assert_eq!(list(&body).await, Err(name), "{body}");
    }
}

#[rstest]
#[case::null(200, r#"{"data":null}"#)]
#[case::no_data(200, r#"{"id":1}"#)]
#[case::no_id(201, r#"{"data":{"name":"x"}}"#)]
#[case::no_content(204, "")]
#[tokio::test]
async fn an_object_without_an_id_is_a_decode_error(#[case] status: u16, #[case] body: &str) {
    let server = server(ResponseTemplate::new(status).set_body_raw(body, "application/json")).await;
    let error = api().get_project(&at(&server), ProjectId(1)).await.unwrap_err();
    assert!(matches!(error, ApiError::Decode { .. }), "{error:?}");
    assert_eq!(error.status().unwrap().as_u16(), status);
}

#[tokio::test]
async fn unknown_fields_and_wrong_types_of_optional_fields_are_ignored() {
    let body = json!({"data": {"id": 5, "status": 77, "job": "soon", "created_at": 1, "of_tomorrow": [{}]}, "new": 1});
    let server = server(ResponseTemplate::new(202).set_body_json(body)).await;
    let answer = api().get_run(&at(&server), RunId(5), &[]).await.unwrap();
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.data.status, Some(RunStatus::Unknown(77)));
    assert_eq!(answer.data.created_at, None);
}

/// `{"data":{"id":7,"name":"packed"}}`, compressed.
const PACKED: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x4a\x49\x2c\x49\x54\xb2\xaa\x56\xca\x4c\x51\xb2\x32\xd7\x51\xca\x4b\xcc\x4d\x55\xb2\x52\x2a\x48\x4c\xce\x4e\x4d\x51\xaa\xad\x05\x00\xdb\x94\xe0\xe2\x21\x00\x00\x00";
/// `{"data":{"id":7}}` and 20,000 spaces, compressed to 74 bytes.
const BOMB: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\xb1\x09\x00\x20\x0c\x00\xb0\x57\xa4\x4f\x08\xfd\x46\x70\x71\x77\x2b\xfd\xdd\x37\x1c\x92\x54\xec\x75\x57\x64\xc5\xd9\x91\xb3\x7b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xf0\x85\x07\xac\x1c\x69\x72\x31\x4e\x00\x00";

fn gzip(body: &[u8]) -> ResponseTemplate {
    ResponseTemplate::new(200)
        .insert_header("content-encoding", "gzip")
        .set_body_raw(body, "application/json")
}

#[tokio::test]
async fn a_compressed_answer_is_read() {
    let server = server(gzip(PACKED)).await;
    let answer = api().get_project(&at(&server), ProjectId(7)).await.unwrap();
    assert_eq!(answer.data.name.as_deref(), Some("packed"));
}

#[tokio::test]
async fn the_size_limit_applies_after_decompression() {
    let server = server(gzip(BOMB)).await;
    let api = api_with(HttpSettings {
        max_body_bytes: 20_000,
        ..settings()
    });
    let error = api.get_project(&at(&server), ProjectId(7)).await.unwrap_err();
    assert!(
        matches!(
            error,
            ApiError::TooLarge {
                limit_bytes: 20_000,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(error.status(), Some(StatusCode::OK));
}

#[tokio::test]
async fn an_invalid_gzip_body_keeps_the_status() {
    let server = server(gzip(b"this is no gzip at all")).await;
    let error = api().get_project(&at(&server), ProjectId(7)).await.unwrap_err();
    assert_eq!(
        (error.name(), error.status()),
        ("disconnected", Some(StatusCode::OK)),
        "{error:?}"
    );
    assert!(error.is_transient(), "a read may be sent again");
}

#[tokio::test]
async fn a_body_as_long_as_the_limit_is_accepted_and_a_longer_one_is_not() {
    let body = format!("{{\"data\": {}}}", json!("x".repeat(1000)));
    for (limit, fits) in [(body.len(), true), (body.len() - 1, false)] {
        let server = ok(&body).await;
        let api = api_with(HttpSettings {
            max_body_bytes: limit,
            ..settings()
        });
        let answer = api
            .fetch::<Value>(&at(&server), ApiRequest::get("/v2/x/".to_owned()))
            .await;
        match answer {
            Ok(_) => assert!(fits),
            Err(error) => assert!(!fits && error.name() == "too_large", "{error:?}"),
        }
    }
}
