//! Two hundred random requests, each sent directly to a simulator and through the gateway to an equal one: the received
//! requests and the answers are compared.

use std::collections::{BTreeMap, BTreeSet};

use dbt_routes::RelayRequest;
use model::Role;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use simulator::{Config, RecordedRequest, Simulator, acme};

use super::raw_http;
use crate::support::TestApp;

const SEED: u64 = 20_261_120;
const REQUESTS: usize = 200;

/// Headers of callers that are sent to dbt Cloud.
const REQUEST_HEADERS: [&str; 10] = [
    "accept",
    "accept-encoding",
    "content-type",
    "range",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "user-agent",
];

/// Headers of dbt Cloud that are sent to the caller; lengths are compared with the bodies.
const ANSWER_HEADERS: [&str; 8] = [
    "content-type",
    "content-encoding",
    "content-disposition",
    "content-range",
    "accept-ranges",
    "etag",
    "last-modified",
    "retry-after",
];

struct Generated {
    method: String,
    path: String,
    query: String,
    headers: Vec<(&'static str, &'static str)>,
    body: Option<Vec<u8>>,
}

impl Generated {
    fn bytes(&self, token: &str) -> Vec<u8> {
        let authorization = format!("Token {token}");
        let mut headers = vec![("Authorization", authorization.as_str())];
        headers.extend(&self.headers);
        let target = format!("{}{}", self.path, self.query);
        raw_http::request(&self.method, &target, &headers, self.body.as_deref())
    }
}

/// A value for a parameter of a path template, mostly an existing id.
fn id(rng: &mut StdRng, template: &str, name: &str) -> String {
    let known = match name {
        "account_id" => acme::ACCOUNT_ID,
        "project_id" => acme::PROJECT_ID,
        "job_id" => acme::NIGHTLY_JOB_ID,
        "run_id" => acme::FAILED_RUN_ID,
        "id" if template.ends_with("/jobs/{id}/") => acme::HOURLY_JOB_ID,
        "id" if template.ends_with("/runs/{id}/") => acme::SUCCEEDED_RUN_ID,
        "id" if template.ends_with("/projects/{id}/") => acme::FINANCE_PROJECT_ID,
        "id" if template.ends_with("/environments/{id}/") => acme::STAGING_ENVIRONMENT_ID,
        "remainder" => {
            let files = [
                "run_results.json",
                "manifest.json",
                "compiled/a%20b/x.sql",
                "no/such/file",
                "gr%C3%B6%C3%9Fe.sql",
            ];
            return (*files.choose(rng).unwrap()).to_owned();
        }
        _ => rng.random_range(1..5),
    };
    known.to_string()
}

fn path(rng: &mut StdRng) -> (String, String) {
    let all: Vec<_> = dbt_routes::operations()
        // The gateway composes account lists itself and refuses to create tokens.
        .filter(|each| !each.as_str().starts_with("list_accounts") && !each.mints_token())
        // What starts a run is marked, and its answer is read.
        .filter(|each| !["trigger_job", "rerun_job", "retry_run"].contains(&each.as_str()))
        // Most of the others are not served by the simulator.
        .filter(|each| each.used_by().is_none())
        .collect();
    let unknown = [
        ("GET", "/api/v2/whoami"),
        ("GET", "/api/v2/whoami/"),
        ("GET", "/api/v3/constants"),
        ("GET", "/api/v3/accounts/70403103900001/feature-switch"),
        ("DELETE", "/api/v3/accounts/70403103900001/environments/7"),
        ("PUT", "/api/v2/accounts/70403103900001/jobs/1/"),
        ("GET", "/api/v2/a!$&'()*+,;=:@-._~/%7Bx%7D"),
    ];
    if rng.random_ratio(1, 10) {
        let (method, path) = unknown.choose(rng).unwrap();
        return ((*method).to_owned(), (*path).to_owned());
    }
    let operation = all.choose(rng).unwrap();
    let template = operation.template();
    let segments: Vec<_> = template
        .split('/')
        .map(|segment| match segment.strip_prefix('{') {
            Some(name) => id(rng, template, name.trim_end_matches('}')),
            None => segment.to_owned(),
        })
        .collect();
    let method = match operation.method().as_str() {
        "GET" if rng.random_ratio(1, 8) => "HEAD",
        method => method,
    };
    let path = segments.join("/");
    let path = match rng.random_range(0..3) {
        0 => path.trim_end_matches('/').to_owned(),
        1 if !path.ends_with('/') => format!("{path}/"),
        _ => path,
    };
    (method.to_owned(), path)
}

fn generate(rng: &mut StdRng) -> Generated {
    let (method, path) = path(rng);
    let queries = [
        "",
        "?",
        "?limit=2&offset=1",
        "?limit=2&limit=3&order_by=-id",
        "?status__in=[10,20]",
        "?status__in=%5B10%2C%2020%5D&include_related=%5B%22job%22%5D",
        "?include_related=job&include_related=run_steps",
        "?name__icontains=it's%20%C3%A9%2B1+2&empty=&alone",
        "?a=%26%3D%23%25&b=1;2&c=/?:@!$'()*,~",
        "?finished_at__range=[%222026-01-01T00:00:00Z%22,%222026-02-01%22]",
    ];
    let mut headers: Vec<(&str, &str)> = vec![
        (
            "User-Agent",
            *["dbtc/0.11", "python-requests/2.32", "a b (c)"].choose(rng).unwrap(),
        ),
        (
            "Accept",
            *["*/*", "application/json", "text/html;q=0.5, */*;q=0.1"]
                .choose(rng)
                .unwrap(),
        ),
    ];
    let more = [
        ("Accept-Encoding", "gzip, deflate"),
        ("Accept-Encoding", "identity"),
        ("Range", "bytes=0-99"),
        ("If-None-Match", "\"x\""),
        ("If-Modified-Since", "Thu, 15 Jan 2026 09:00:00 GMT"),
        ("Cookie", "session=1"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("Forwarded", "for=1.2.3.4"),
        ("X-Odd", "1"),
        ("X-Request-Id", "mine"),
    ];
    for _ in 0..rng.random_range(0..4) {
        headers.push(*more.choose(rng).unwrap());
    }
    headers.sort_unstable();
    headers.dedup_by_key(|(name, _)| *name);
    let bodies: [&[u8]; 6] = [
        b"{}",
        b"",
        b"{\"cause\": \"compared\", \"steps_override\": null}",
        b"{\"name\": \"x\", \"state\":1, \"odd\": \"\xc3\xa9\\u0000\"}",
        b"[1, 2",
        b"\x00\xff raw",
    ];
    let body = (!["GET", "HEAD"].contains(&method.as_str())).then(|| bodies.choose(rng).unwrap().to_vec());
    if body.is_some() {
        headers.push((
            "Content-Type",
            *["application/json", "application/json; charset=utf-8"]
                .choose(rng)
                .unwrap(),
        ));
    }
    let query = (*queries.choose(rng).unwrap()).to_owned();
    Generated {
        method,
        path,
        query,
        headers,
        body,
    }
}

fn pairs(request: &RecordedRequest) -> Vec<(String, String)> {
    let query = request.query().unwrap_or_default().as_bytes().to_vec();
    url::form_urlencoded::parse(&query).into_owned().collect()
}

fn headers(request: &RecordedRequest) -> BTreeMap<&str, &str> {
    request
        .headers
        .iter()
        .filter(|(name, _)| REQUEST_HEADERS.contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// The path sent to dbt Cloud: as in the specification if it has the operation.
fn as_specified(generated: &Generated) -> String {
    let request = RelayRequest::new(generated.method.parse().unwrap(), &generated.path)
        .unwrap()
        .unwrap();
    let bare = generated.path.trim_end_matches('/');
    match request.operation() {
        Some(operation) if operation.used_by().is_some() => generated.path.clone(),
        Some(operation) if operation.template().ends_with('/') => format!("{bare}/"),
        Some(_) => bare.to_owned(),
        None => generated.path.clone(),
    }
}

#[tokio::test]
async fn two_hundred_requests_have_the_same_answers_directly_and_through_the_gateway() {
    let app = TestApp::start().await;
    let direct = Simulator::start(Config::frozen()).await.unwrap();
    let gateway = app.address();
    let key = app.key(Role::Admin);
    let mut rng = StdRng::seed_from_u64(SEED);
    let (mut successes, mut names) = (0, BTreeSet::new());
    for number in 0..REQUESTS {
        let generated = generate(&mut rng);
        let context = format!(
            "{number}: {} {}{} {:?}",
            generated.method, generated.path, generated.query, generated.headers
        );
        // Directly with the path of the specification, through the gateway with the path of the client.
        let mut specified = generated.bytes(acme::TOKEN);
        let specified_path = as_specified(&generated);
        specified.splice(
            generated.method.len() + 1..generated.method.len() + 1 + generated.path.len(),
            specified_path.bytes(),
        );
        let expected = raw_http::only(direct.address(), &specified).await;
        let answer = raw_http::only(gateway, &generated.bytes(key)).await;

        let at_direct = direct.requests().pop().unwrap();
        let at_dbt = app.dbt.requests().pop().unwrap();
        assert_eq!(at_dbt.method, at_direct.method, "{context}");
        assert_eq!(at_dbt.path(), specified_path, "{context}");
        assert_eq!(pairs(&at_dbt), pairs(&at_direct), "{context}");
        assert_eq!(at_dbt.body, at_direct.body, "{context}");
        let account = acme::ACCOUNT_ID;
        let is_account = ["v2", "v3"]
            .iter()
            .any(|version| specified_path.trim_end_matches('/') == format!("/api/{version}/accounts/{account}"));
        let (mut sent, mut direct_headers) = (headers(&at_dbt), headers(&at_direct));
        if is_account {
            // The gateway changes this answer, so it requests all of it, uncompressed.
            assert_eq!(sent.remove("accept-encoding"), Some("identity"), "{context}");
            direct_headers.retain(|name, _| !["accept-encoding", "range", "if-range"].contains(name));
        }
        assert_eq!(sent, direct_headers, "{context}");
        let others = ["authorization", "host", "content-length"];
        for (name, _) in &at_dbt.headers {
            assert!(
                REQUEST_HEADERS.contains(&name.as_str()) || others.contains(&name.as_str()),
                "{context}: {name}"
            );
        }
        assert_eq!(
            at_dbt.header("authorization"),
            Some(&*format!("Token {}", acme::TOKEN)),
            "{context}"
        );

        assert_eq!(answer.status, expected.status, "{context}");
        let without_host = |body: &[u8]| {
            // dbt Cloud builds links with the host of the request.
            String::from_utf8_lossy(body)
                .replace("http://gateway.test", "HOST")
                .replace(&app.dbt.base_url(), "HOST")
        };
        let mut expected_body = without_host(&expected.body);
        if is_account {
            expected_body = expected_body.replace("\"static_subdomain\":\"ac123\"", "\"static_subdomain\":null");
        }
        assert_eq!(without_host(&answer.body), expected_body, "{context}");
        for name in ANSWER_HEADERS {
            assert_eq!(answer.header(name), expected.header(name), "{context}: {name}");
        }
        successes += usize::from(answer.status < 300);
        names.insert(at_dbt.operation);
    }
    println!(
        "{successes} of {REQUESTS} succeeded, {} operations of the simulator",
        names.len()
    );
    assert!(successes > 30 && names.len() > 40, "{successes} {}", names.len());
    assert_eq!(app.rows().await.len(), REQUESTS);
    assert_eq!(app.dbt.requests().len(), REQUESTS);
}
