//! Ambiguous paths are refused first, the path that was checked is the one that is sent, and methods.

use model::Role;
use simulator::{acme, globex};

use super::raw_http;
use crate::support::{COMPANY, Setup, TestApp};

/// Two accounts, each with its token, and a key for Acme's only.
async fn two_accounts() -> (TestApp, String) {
    let app = Setup {
        accounts: vec![
            (COMPANY, acme::ACCOUNT_ID, acme::TOKEN.to_owned()),
            (COMPANY, globex::ACCOUNT_ID, globex::TOKEN.to_owned()),
        ],
        ..Setup::default()
    }
    .start()
    .await;
    let key = app.create_key(COMPANY, Role::Admin).await;
    app.update_key(
        &key,
        "accounts = '{70403103900001}', default_account_id = 70403103900001",
    )
    .await;
    (app, key)
}

#[tokio::test]
async fn an_ambiguous_path_is_refused_before_authentication() {
    let (app, key) = two_accounts().await;
    let own = format!("/api/v2/accounts/{}", acme::ACCOUNT_ID);
    let other = globex::ACCOUNT_ID;
    let paths = [
        format!("{own}/../{other}/jobs/"),
        format!("{own}/%2e%2e/{other}/jobs/"),
        format!("{own}/%2E%2e/{other}/jobs/"),
        format!("{own}/.%2e/{other}/jobs/"),
        format!("{own}/%2e./{other}/jobs/"),
        format!("{own}/%252e%252e/{other}/jobs/"),
        format!("{own}/./jobs/"),
        format!("{own}/%2e/jobs/"),
        format!("{own}/jobs/.."),
        format!("{own}/jobs/%2e%2e"),
        format!("{own}//jobs/"),
        format!("{own}/jobs//"),
        format!("//api/v2/accounts/{other}/jobs/"),
        format!("/api//v2/accounts/{other}/jobs/"),
        "/api/".to_owned() + "/",
        format!("{own}\\..\\{other}\\jobs\\"),
        format!("{own}/..\\{other}/jobs/"),
        format!("{own}%5c..%5C{other}/jobs/"),
        format!("{own}%2f..%2F{other}/jobs/"),
        format!("{own}%2f..%2f{other}%2fjobs/"),
        format!("{own}/jobs%00/"),
        format!("{own}/jobs/%0d%0aX-Injected:%201/"),
        format!("{own}/jobs/%7f/"),
        format!("{own}/jobs/%zz/"),
        format!("{own}/jobs/%"),
        format!("/api/v2/accounts/0{other}/jobs/"),
        format!("/api/v2/accounts/+{other}/jobs/"),
        format!("/api/v2/accounts/{other}.0/jobs/"),
        "/api/v2/accounts/..".to_owned(),
        "/api/../api/v2/accounts/".to_owned(),
    ];
    for path in &paths {
        for (with_key, method) in [(true, "GET"), (true, "POST"), (false, "GET")] {
            let authorization = format!("Token {key}");
            let headers: &[_] = if with_key {
                &[("Authorization", authorization.as_str())]
            } else {
                &[]
            };
            let answers = raw_http::exchange(app.address(), &raw_http::request(method, path, headers, None)).await;
            assert_eq!(answers.len(), 1, "{path}");
            let answer = &answers[0];
            // Outside `/api/` it is an unknown route of the REST API.
            let expected = if path.starts_with("//api") { 404 } else { 400 };
            assert_eq!(answer.status, expected, "{method} {path}");
            let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            if expected == 400 {
                let message = body["status"]["user_message"].as_str().unwrap();
                assert!(
                    message.starts_with("In the path: ") && message.ends_with("dbt Cloud was not contacted."),
                    "{message}"
                );
                assert_eq!(body["status"]["is_success"], false);
            }
        }
    }
    assert!(app.dbt.requests().is_empty());
    assert!(app.rows().await.is_empty(), "the caller was not authenticated");
}

#[tokio::test]
async fn dbt_receives_the_path_that_was_checked() {
    let (app, key) = two_accounts().await;
    let own = acme::ACCOUNT_ID;
    let cases = [
        (
            "GET",
            format!("/api/v2/accounts/{own}/jobs/"),
            format!("/api/v2/accounts/{own}/jobs/"),
            "list_jobs",
        ),
        (
            "GET",
            format!("/api/v2/%61ccounts/{own}/%6aobs"),
            format!("/api/v2/%61ccounts/{own}/%6aobs/"),
            "list_jobs",
        ),
        (
            "GET",
            format!("/api/v2/accounts/{own}/runs/1/artifacts/a%3Fb%23c/%25x;y=1.sql"),
            format!("/api/v2/accounts/{own}/runs/1/artifacts/a%3Fb%23c/%25x;y=1.sql"),
            "get_run_artifact",
        ),
        (
            "GET",
            format!("/api/v2/accounts/{own}/runs/1/artifacts/{{a}}|\"b\"^.sql"),
            format!("/api/v2/accounts/{own}/runs/1/artifacts/%7Ba%7D%7C%22b%22%5E.sql"),
            "get_run_artifact",
        ),
        (
            "GET",
            format!("/api/v2/accounts/{own}/..."),
            format!("/api/v2/accounts/{own}/..."),
            "forward",
        ),
        (
            "GET",
            format!("http://elsewhere.example/api/v2/accounts/{own}/jobs/"),
            format!("/api/v2/accounts/{own}/jobs/"),
            "list_jobs",
        ),
    ];
    for (method, path, expected, name) in cases {
        let authorization = format!("Token {key}");
        let sent = raw_http::request(method, &path, &[("Authorization", &authorization)], None);
        let answer = raw_http::only(app.address(), &sent).await;
        let received = app.dbt.requests().pop().unwrap();
        assert_eq!(received.target, expected, "{path}");
        assert_eq!(
            received.header("authorization"),
            Some(&*format!("Token {}", acme::TOKEN))
        );
        let row = app.row(answer.header("x-request-id").unwrap()).await;
        assert_eq!(row["request_type"], name);
        assert_eq!(row["account_id"], own);
    }
    // The key may not use the other account, in any spelling.
    let before = app.dbt.requests().len();
    for path in [
        format!("/api/v2/accounts/{}/jobs/", globex::ACCOUNT_ID),
        format!("/api/v2/%61%63counts/{}/jobs/", globex::ACCOUNT_ID),
        format!("/api/v2/accounts/%37{}/jobs/", &globex::ACCOUNT_ID.to_string()[1..]),
        format!("/api/v2/Accounts/{}/jobs/", globex::ACCOUNT_ID),
        format!("/api/v3/odd/accounts/{}/", globex::ACCOUNT_ID),
    ] {
        let answer = app.with_key(&key).get(&path).await;
        super::refusal(&answer, 404);
        assert_eq!(app.row_of(&answer).await["outcome"], "refused", "{path}");
    }
    assert_eq!(app.dbt.requests().len(), before);
}

#[tokio::test]
async fn only_methods_that_dbt_cloud_serves_are_relayed() {
    let app = TestApp::start().await;
    let authorization = format!("Token {}", app.key(Role::Admin));
    for method in ["TRACE", "TRACK", "DEBUG", "PROPFIND", "get"] {
        let sent = raw_http::request(method, &super::v2("/jobs/"), &[("Authorization", &authorization)], None);
        let answers = raw_http::exchange(app.address(), &sent).await;
        assert_eq!(answers[0].status, 405, "{method}");
    }
    for method in ["PUT", "PATCH", "DELETE"] {
        let sent = raw_http::request(method, "/graphql", &[("Authorization", &authorization)], None);
        assert_eq!(
            raw_http::exchange(app.address(), &sent).await[0].status,
            405,
            "{method}"
        );
    }
    assert!(app.dbt.requests().is_empty());
    for method in ["OPTIONS", "PUT", "PATCH", "DELETE", "HEAD"] {
        let sent = raw_http::request(method, "/api/v2/odd/", &[("Authorization", &authorization)], None);
        raw_http::exchange(app.address(), &sent).await;
        assert_eq!(app.dbt.requests().pop().unwrap().method, method);
    }
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let app = TestApp::start().await;
    let effect = simulator::Effect::Answer {
        status: 200,
        body: simulator::FaultBody::Empty,
        headers: vec![
            ("etag".to_owned(), "\"x\"".to_owned()),
            ("content-length".to_owned(), "4711".to_owned()),
        ],
        work_done: false,
    };
    app.dbt.add_fault(simulator::Fault {
        method: Some("HEAD".to_owned()),
        effect,
        ..simulator::Fault::default()
    });
    let authorization = format!("Token {}", app.key(Role::Viewer));
    let path = super::v2(&format!("/runs/{}/artifacts/manifest.json", acme::SUCCEEDED_RUN_ID));
    let sent = raw_http::request("HEAD", &path, &[("Authorization", &authorization)], None);
    let answers = raw_http::exchange(app.address(), &sent).await;
    assert_eq!(answers.len(), 1);
    assert_eq!((answers[0].status, answers[0].body.len()), (200, 0));
    assert_eq!(
        (answers[0].header("etag"), answers[0].header("content-length")),
        (Some("\"x\""), Some("4711"))
    );
    let row = app.rows().await.pop().unwrap();
    assert_eq!(
        (&row["request_type"], &row["args"]["method"]),
        (&"get_run_artifact".into(), &"HEAD".into())
    );
}
