//! Two hundred requests, each sent to dbt Cloud and through the gateway to another dbt Cloud that is the same: what
//! arrives there and what comes back is compared.

use std::collections::{BTreeMap, BTreeSet};

use dbt_routes::RelayRequest;
use model::Role;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use simulator::{Config, RecordedRequest, Simulator, acme};

use super::raw;
use crate::support::TestApp;

const SEED: u64 = 20_261_120;
const REQUESTS: usize = 200;

/// What of a caller's headers reaches dbt Cloud.
const SENT_ON: [&str; 10] = [
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

/// What of dbt Cloud's headers reaches the caller; lengths are compared as bodies.
const PASSED_BACK: [&str; 8] = [
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
        raw::request(&self.method, &target, &headers, self.body.as_deref())
    }
}

/// The id that stands in a template's braces, mostly of something that there is.
fn id(dice: &mut StdRng, template: &str, name: &str) -> String {
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
            return (*files.choose(dice).unwrap()).to_owned();
        }
        _ => dice.random_range(1..5),
    };
    known.to_string()
}

fn path(dice: &mut StdRng) -> (String, String) {
    let all: Vec<_> = dbt_routes::operations()
        // Composed here, and so not the same; tokens are not made.
        .filter(|each| !each.as_str().starts_with("list_accounts") && !each.mints_token())
        .collect();
    let unknown = [
        ("GET", "/api/v2/whoami"),
        ("GET", "/api/v2/whoami/"),
        ("GET", "/api/v3/constants"),
        ("GET", "/api/v3/accounts/70403103900001/feature-flag"),
        ("DELETE", "/api/v3/accounts/70403103900001/environments/7"),
        ("PUT", "/api/v2/accounts/70403103900001/jobs/1/"),
        ("GET", "/api/v2/a!$&'()*+,;=:@-._~/%7Bx%7D"),
    ];
    if dice.random_ratio(1, 10) {
        let (method, path) = unknown.choose(dice).unwrap();
        return ((*method).to_owned(), (*path).to_owned());
    }
    let operation = all.choose(dice).unwrap();
    let template = operation.template();
    let segments: Vec<_> = template
        .split('/')
        .map(|segment| match segment.strip_prefix('{') {
            Some(name) => id(dice, template, name.trim_end_matches('}')),
            None => segment.to_owned(),
        })
        .collect();
    let method = match operation.method().as_str() {
        "GET" if dice.random_ratio(1, 8) => "HEAD",
        method => method,
    };
    let path = segments.join("/");
    let path = match dice.random_range(0..3) {
        0 => path.trim_end_matches('/').to_owned(),
        1 if !path.ends_with('/') => format!("{path}/"),
        _ => path,
    };
    (method.to_owned(), path)
}

fn generate(dice: &mut StdRng) -> Generated {
    let (method, path) = path(dice);
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
            *["dbtc/0.11", "python-requests/2.32", "a b (c)"].choose(dice).unwrap(),
        ),
        (
            "Accept",
            *["*/*", "application/json", "text/html;q=0.5, */*;q=0.1"]
                .choose(dice)
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
    for _ in 0..dice.random_range(0..4) {
        headers.push(*more.choose(dice).unwrap());
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
    let body = (!["GET", "HEAD"].contains(&method.as_str())).then(|| bodies.choose(dice).unwrap().to_vec());
    if body.is_some() {
        headers.push((
            "Content-Type",
            *["application/json", "application/json; charset=utf-8"]
                .choose(dice)
                .unwrap(),
        ));
    }
    let query = (*queries.choose(dice).unwrap()).to_owned();
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
        .filter(|(name, _)| SENT_ON.contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// The path that dbt Cloud is asked for: that of the specification where it is one of its operations.
fn as_specified(generated: &Generated) -> String {
    let request = RelayRequest::new(generated.method.parse().unwrap(), &generated.path)
        .unwrap()
        .unwrap();
    let bare = generated.path.trim_end_matches('/');
    match request.operation() {
        Some(operation) if operation.template().ends_with('/') => format!("{bare}/"),
        Some(_) => bare.to_owned(),
        None => generated.path.clone(),
    }
}

#[tokio::test]
async fn two_hundred_requests_are_the_same_directly_and_through_the_gateway() {
    let app = TestApp::start().await;
    let direct = Simulator::start(Config::frozen()).await.unwrap();
    let gateway = app.address();
    let key = app.key(Role::Admin);
    let mut dice = StdRng::seed_from_u64(SEED);
    let (mut successes, mut names) = (0, BTreeSet::new());
    for number in 0..REQUESTS {
        let generated = generate(&mut dice);
        let told = format!(
            "{number}: {} {}{} {:?}",
            generated.method, generated.path, generated.query, generated.headers
        );
        // One spells the path as dbt Cloud wants it; the other as the client does.
        let mut specified = generated.bytes(acme::TOKEN);
        let wanted = as_specified(&generated);
        specified.splice(
            generated.method.len() + 1..generated.method.len() + 1 + generated.path.len(),
            wanted.bytes(),
        );
        let expected = raw::only(direct.address(), &specified).await;
        let came = raw::only(gateway, &generated.bytes(key)).await;

        let at_direct = direct.requests().pop().unwrap();
        let at_dbt = app.dbt.requests().pop().unwrap();
        assert_eq!(at_dbt.method, at_direct.method, "{told}");
        assert_eq!(at_dbt.path(), wanted, "{told}");
        assert_eq!(pairs(&at_dbt), pairs(&at_direct), "{told}");
        assert_eq!(at_dbt.body, at_direct.body, "{told}");
        let account = wanted == format!("/api/v2/accounts/{}/", acme::ACCOUNT_ID);
        let (mut sent, mut meant) = (headers(&at_dbt), headers(&at_direct));
        if account {
            // Its answer is read, so it is asked for whole and uncompressed.
            assert_eq!(sent.remove("accept-encoding"), Some("identity"), "{told}");
            meant.retain(|name, _| !["accept-encoding", "range", "if-range"].contains(name));
        }
        assert_eq!(sent, meant, "{told}");
        let others = ["authorization", "host", "content-length"];
        for (name, _) in &at_dbt.headers {
            assert!(
                SENT_ON.contains(&name.as_str()) || others.contains(&name.as_str()),
                "{told}: {name}"
            );
        }
        assert_eq!(
            at_dbt.header("authorization"),
            Some(&*format!("Token {}", acme::TOKEN)),
            "{told}"
        );

        assert_eq!(came.status, expected.status, "{told}");
        let in_place = |body: &[u8]| {
            // dbt Cloud builds links of the host that it was asked by.
            String::from_utf8_lossy(body)
                .replace("http://gateway.test", "HOST")
                .replace(&app.dbt.base_url(), "HOST")
        };
        let mut expected_body = in_place(&expected.body);
        if account {
            expected_body = expected_body.replace("\"static_subdomain\":\"ac123\"", "\"static_subdomain\":null");
        }
        assert_eq!(in_place(&came.body), expected_body, "{told}");
        for name in PASSED_BACK {
            assert_eq!(came.header(name), expected.header(name), "{told}: {name}");
        }
        successes += usize::from(came.status < 300);
        names.insert(at_dbt.operation);
    }
    println!(
        "{successes} of {REQUESTS} succeeded, {} operations of the double",
        names.len()
    );
    assert!(successes > 40 && names.len() > 40, "{successes} {}", names.len());
    assert_eq!(app.rows().await.len(), REQUESTS);
    assert_eq!(app.dbt.requests().len(), REQUESTS);
}
