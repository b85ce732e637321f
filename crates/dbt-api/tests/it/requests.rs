//! The exact request that every method sends.

use dbt_api::{ApiError, ApiRequest};
use http::{HeaderMap, Method};
use model::{JobId, ProjectFilter, ProjectId, RunId, Slice, StateFilter, TriggerJob};
use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::{ACCOUNT, TOKEN, api, at, chain, only_request, upstream};

pub(crate) async fn answering(data: Value) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": data})))
        .expect(1)
        .mount(&server)
        .await;
    server
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

pub(crate) fn assert_is_a_read(request: &Request, path: &str) {
    assert_eq!((&request.method, request.url.path()), (&Method::GET, path));
    assert!(request.body.is_empty());
    for absent in [
        "content-type",
        "content-length",
        "transfer-encoding",
        "cookie",
        "referer",
    ] {
        assert_eq!(header(&request.headers, absent), None, "{absent}");
    }
    assert_common_headers(request);
}

fn assert_common_headers(request: &Request) {
    let expected = [
        ("authorization", format!("Token {TOKEN}")),
        ("accept", "application/json".to_owned()),
        ("user-agent", format!("dbt-gateway/{}", env!("CARGO_PKG_VERSION"))),
    ];
    for (name, value) in expected {
        let values: Vec<_> = request.headers.get_all(name).iter().collect();
        assert_eq!(values, [&value], "{name}");
    }
}

pub(crate) fn query(request: &Request) -> Vec<(String, String)> {
    request.url.query_pairs().into_owned().collect()
}

pub(crate) fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    expected.iter().map(owned).collect()
}

#[tokio::test]
async fn list_projects_requests_one_page_from_v3() {
    let server = answering(json!([])).await;
    let slice = Slice {
        offset: 4_294_967_296,
        limit: 100,
    };
    api()
        .list_projects(&at(&server), &ProjectFilter::default(), slice)
        .await
        .unwrap();

    let request = only_request(&server).await;
    assert_is_a_read(&request, "/api/v3/accounts/70403103932111/projects/");
    assert_eq!(query(&request), pairs(&[("limit", "100"), ("offset", "4294967296")]));
}

#[rstest]
#[case::the_name(Some("Jaffle & Söhne+50%/'"), None, "Jaffle & Söhne+50%/'")]
#[case::part_of_the_name(None, Some("jaff"), "jaff")]
#[case::the_part_of_the_name_if_both_are_given(Some("Jaffle"), Some("aff"), "aff")]
#[tokio::test]
async fn list_projects_passes_every_filter(
    #[case] name: Option<&str>,
    #[case] name_contains: Option<&str>,
    #[case] icontains: &str,
) {
    let server = answering(json!([])).await;
    let filter = ProjectFilter {
        name: name.map(str::to_owned),
        name_contains: name_contains.map(str::to_owned),
        state: Some(StateFilter::All),
        order_by: Some("-id".to_owned()),
    };
    api()
        .list_projects(&at(&server), &filter, Slice { offset: 0, limit: 7 })
        .await
        .unwrap();

    let expected = [
        ("limit", "7"),
        ("offset", "0"),
        ("name__icontains", icontains),
        ("state", "all"),
        ("order_by", "-id"),
    ];
    assert_eq!(query(&only_request(&server).await), pairs(&expected));
}

#[rstest]
#[case(StateFilter::Active, "active")]
#[case(StateFilter::Deleted, "deleted")]
#[case(StateFilter::All, "all")]
#[tokio::test]
async fn a_state_is_sent_as_dbt_spells_it(#[case] state: StateFilter, #[case] spelling: &str) {
    let server = answering(json!([])).await;
    let filter = ProjectFilter {
        state: Some(state),
        ..ProjectFilter::default()
    };
    api()
        .list_projects(&at(&server), &filter, Slice { offset: 0, limit: 1 })
        .await
        .unwrap();
    assert_eq!(
        query(&only_request(&server).await)[2],
        ("state".to_owned(), spelling.to_owned())
    );
}

#[tokio::test]
async fn get_project_uses_v3() {
    let server = answering(json!({"id": 7})).await;
    let answer = api().get_project(&at(&server), ProjectId(7)).await.unwrap();
    assert_eq!(answer.data.id, ProjectId(7));

    let request = only_request(&server).await;
    assert_is_a_read(&request, "/api/v3/accounts/70403103932111/projects/7/");
    assert_eq!(request.url.query(), None);
}

#[tokio::test]
async fn get_account_requests_the_upstreams_account_from_v2() {
    let server = answering(json!({"id": 70_403_103_932_111_i64, "plan": 7, "name": "Jaffle Shop"})).await;
    let account = api().get_account(&at(&server)).await.unwrap().data;
    assert_eq!((account.id, account.name.as_deref()), (ACCOUNT, Some("Jaffle Shop")));
    assert_eq!(account.plan, None, "a field of another type reads as absent");

    let request = only_request(&server).await;
    assert_is_a_read(&request, "/api/v2/accounts/70403103932111/");
    assert_eq!(request.url.query(), None);
}

async fn assert_is_a_change_without_a_body(server: &MockServer, path: &str) {
    let request = only_request(server).await;
    assert_eq!((&request.method, request.url.path()), (&Method::POST, path));
    assert_eq!((request.url.query(), request.body.len()), (None, 0));
    assert_common_headers(&request);
}

#[tokio::test]
async fn the_changes_of_a_run_are_sent_without_a_body() {
    let account = "/api/v2/accounts/70403103932111";
    let server = answering(json!({"id": 7})).await;
    api().cancel_run(&at(&server), RunId(7)).await.unwrap();
    assert_is_a_change_without_a_body(&server, &format!("{account}/runs/7/cancel/")).await;

    let server = answering(json!({"id": 8})).await;
    assert_eq!(api().retry_run(&at(&server), RunId(7)).await.unwrap().data.id, RunId(8));
    assert_is_a_change_without_a_body(&server, &format!("{account}/runs/7/retry/")).await;

    let server = answering(json!({"id": 9})).await;
    assert_eq!(
        api().rerun_job(&at(&server), JobId(42)).await.unwrap().data.id,
        RunId(9)
    );
    assert_is_a_change_without_a_body(&server, &format!("{account}/jobs/42/rerun/")).await;
}

#[tokio::test]
async fn a_retry_preview_is_read_with_and_without_its_optional_fields() {
    for (data, failed, skipped) in [
        (json!({"failed_step": "a", "skipped_steps": ["b"]}), Some("a"), Some(1)),
        (json!({"failed_step": null, "skipped_steps": {"0": "b"}}), None, None),
        (json!(null), None, None),
    ] {
        let server = answering(data).await;
        let plan = api().get_retry_preview(&at(&server), RunId(7)).await.unwrap().data;
        assert_eq!(plan.as_ref().and_then(|plan| plan.failed_step.as_deref()), failed);
        assert_eq!(
            plan.and_then(|plan| plan.skipped_steps).map(|steps| steps.len()),
            skipped
        );
        assert_is_a_read(
            &only_request(&server).await,
            "/api/v2/accounts/70403103932111/runs/7/retry/",
        );
    }
}

async fn body_of_trigger(order: &TriggerJob) -> Value {
    let server = answering(json!({"id": 1})).await;
    api().trigger_job(&at(&server), JobId(42), order).await.unwrap();

    let request = only_request(&server).await;
    assert_eq!(request.method, Method::POST);
    assert_eq!(request.url.path(), "/api/v2/accounts/70403103932111/jobs/42/run/");
    assert_eq!(request.url.query(), None);
    assert_eq!(header(&request.headers, "content-type"), Some("application/json"));
    assert_eq!(
        header(&request.headers, "content-length"),
        Some(request.body.len().to_string().as_str())
    );
    assert_common_headers(&request);
    serde_json::from_slice(&request.body).unwrap()
}

#[tokio::test]
async fn a_trigger_with_only_a_cause_sends_only_a_cause() {
    let order = TriggerJob {
        cause: "Kicked off by \"nightly\" – ok".to_owned(),
        ..TriggerJob::default()
    };
    assert_eq!(
        body_of_trigger(&order).await,
        json!({"cause": "Kicked off by \"nightly\" – ok"})
    );
}

#[tokio::test]
async fn a_trigger_sends_all_fourteen_fields() {
    let order = json!({
        "cause": "full",
        "git_sha": "981c5cf1ba299e942c6c277c38c8dec9b0738dd0",
        "git_branch": "feature/x",
        "azure_pull_request_id": 1,
        "github_pull_request_id": 2,
        "gitlab_merge_request_id": 3,
        "non_native_pull_request_id": 4,
        "schema_override": "dbt_pr_4",
        "dbt_version_override": "1.10.0-latest",
        "threads_override": 8,
        "target_name_override": "ci",
        "generate_docs_override": false,
        "timeout_seconds_override": 0,
        "steps_override": ["dbt deps", "dbt build -s state:modified+"],
    });
    assert_eq!(order.as_object().unwrap().len(), 14);
    let typed: TriggerJob = serde_json::from_value(order.clone()).unwrap();
    assert_eq!(body_of_trigger(&typed).await, order);
}

#[rstest]
#[case::of_dbt_cloud("/api", "/api/v2/x/1/")]
#[case::with_a_slash("/api/", "/api/v2/x/1/")]
#[case::at_the_root("", "/v2/x/1/")]
#[case::behind_a_proxy("/a%20b/dbt/api", "/a%20b/dbt/api/v2/x/1/")]
#[case::with_query_and_fragment("/api?token=1#top", "/api/v2/x/1/")]
#[tokio::test]
async fn of_the_base_url_only_host_and_path_are_kept(#[case] base: &str, #[case] path: &str) {
    let server = answering(json!(1)).await;
    let base = format!("{}{base}", server.uri()).replace("http://", "http://user:pass@");
    let request = ApiRequest::get("/v2/x/1/".to_owned());
    api().fetch::<i64>(&upstream(&base), request).await.unwrap();

    let request = only_request(&server).await;
    assert_is_a_read(&request, path);
    assert_eq!(request.url.query(), None);
}

#[rstest]
#[case::folded("/v2/accounts/1/../2/")]
#[case::encoded("/v2/accounts/1/a b/")]
#[case::a_query("/v2/accounts/1/?state=2")]
#[case::a_fragment("/v2/accounts/1/#x")]
#[tokio::test]
async fn a_path_that_url_parsing_would_change_is_not_sent(#[case] path: &str) {
    let server = MockServer::start().await;
    let error = api()
        .fetch::<Value>(&at(&server), ApiRequest::get(path.to_owned()))
        .await
        .unwrap_err();
    assert!(matches!(error, ApiError::Unsendable(_)), "{error:?}");
    assert!(chain(&error).contains(path), "{error:?}");
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_address_that_is_not_http_is_unsendable() {
    for base in ["ftp://example.com/api", "data:text"] {
        let request = ApiRequest::get("/v2/x/".to_owned());
        let error = api().fetch::<Value>(&upstream(base), request).await.unwrap_err();
        assert!(matches!(error, ApiError::Unsendable(_)), "{base}: {error:?}");
        assert!(!error.is_transient() && error.status().is_none());
    }
}
