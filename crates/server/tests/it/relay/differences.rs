//! The numbered list of differences to a direct call, with one test each.

use model::Role;
use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_LENGTH};
use serde_json::json;
use simulator::{Effect, Fault, FaultBody, WrongSlash, acme};

use super::raw_http;
use super::{refusal, v2, v3};
use crate::support::{Setup, TestApp};

/// Difference 1.
#[tokio::test]
async fn the_key_is_replaced_by_the_token_of_the_account() {
    let app = TestApp::start().await;
    for scheme in ["Token", "Bearer", "token", "BEARER"] {
        let caller = app.without_key();
        let key = format!("{scheme} {}", app.key(Role::Viewer));
        let request = caller.request(Method::GET, &v2("/jobs/")).header("authorization", key);
        assert_eq!(caller.send(request).await.status, 200, "{scheme}");
        let sent = app.dbt.requests().pop().unwrap();
        let sent: Vec<_> = sent
            .headers
            .iter()
            .filter(|(name, _)| name == "authorization")
            .collect();
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].1, format!("Token {}", acme::TOKEN));
    }
    let dbt_token = app.with_key(acme::TOKEN).get(&v2("/jobs/")).await;
    assert!(refusal(&dbt_token, 401).contains("A dbt token is not a gateway key"));
    assert_eq!(app.dbt.requests().len(), 4);
}

/// Difference 2.
#[tokio::test]
async fn only_listed_headers_are_passed_in_both_directions() {
    let app = TestApp::start().await;
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let listed = [
        ("content-disposition", "attachment; filename=x"),
        ("content-range", "bytes 0-1/2"),
        ("accept-ranges", "bytes"),
        ("etag", "\"abc\""),
        ("last-modified", "Thu, 15 Jan 2026 09:00:00 GMT"),
        ("cache-control", "private, max-age=5"),
        ("retry-after", "7"),
        ("x-rate-limit-remaining", "42"),
        ("x-rate-limit-retry-after-seconds", "300"),
    ];
    let unlisted = [
        ("set-cookie", "session=1"),
        ("location", "/elsewhere"),
        ("server", "nginx"),
        ("x-internal", "1"),
        ("www-authenticate", "Token"),
        ("access-control-allow-origin", "*"),
        ("strict-transport-security", "max-age=1"),
        ("connection", "x-rate-limit-hop"),
        ("x-rate-limit-hop", "for this connection"),
        ("x-request-id", "of dbt"),
    ];
    let headers = listed
        .iter()
        .chain(&unlisted)
        .map(|(name, value)| header(name, value))
        .collect();
    let effect = Effect::Answer {
        status: 200,
        body: FaultBody::Envelope,
        headers,
        work_done: false,
    };
    app.dbt.add_fault(Fault {
        effect,
        ..Fault::default()
    });

    let key = format!("Token {}", app.key(Role::Viewer));
    let sent = [
        ("Authorization", key.as_str()),
        ("Cookie", "a=b"),
        ("X-Forwarded-For", "1.2.3.4"),
        ("X-Api-Key", "1"),
        ("DNT", "1"),
        ("If-None-Match", "\"x\""),
    ];
    let answer = raw_http::only(app.address(), &raw_http::request("GET", &v2("/jobs/"), &sent, None)).await;
    assert_eq!(answer.status, 200);
    for (name, value) in listed {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    for (name, value) in unlisted {
        assert!(!answer.headers.contains(&header(name, value)), "{name}");
    }
    let sent = app.dbt.requests().pop().unwrap();
    let mut names: Vec<_> = sent.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["accept", "authorization", "host", "if-none-match", "user-agent"]
    );
    assert_eq!(sent.header("host"), Some(app.dbt.address().to_string().as_str()));
}

/// Difference 3, the path that is sent.
#[tokio::test]
async fn known_operations_are_sent_with_the_slash_of_the_specification_and_unknown_ones_unchanged() {
    let app = TestApp::start().await;
    let admin = app.caller(Role::Admin);
    let webhooks = v3("/webhooks/subscriptions");
    let artifact = v2(&format!("/runs/{}/artifacts/manifest.json", acme::SUCCEEDED_RUN_ID));
    for (path, expected) in [
        (v2("/jobs"), v2("/jobs/")),
        (v2("/jobs/"), v2("/jobs/")),
        (webhooks.clone(), webhooks.clone()),
        (format!("{webhooks}/"), webhooks),
        (artifact.clone(), artifact.clone()),
        (format!("{artifact}/"), artifact),
        ("/api/v2/whoami".to_owned(), "/api/v2/whoami".to_owned()),
        ("/api/v2/whoami/".to_owned(), "/api/v2/whoami/".to_owned()),
    ] {
        let answer = admin.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert_eq!(app.dbt.requests().pop().unwrap().target, expected);
    }
}

/// Difference 3, redirects that are followed.
#[tokio::test]
async fn a_redirect_to_the_other_slash_is_followed_once() {
    let app = TestApp::start().await;
    app.dbt
        .change_switches(|switches| switches.wrong_slash = WrongSlash::Redirect);
    let admin = app.caller(Role::Admin);
    let answer = admin.get("/api/v2/whoami?a=%5B1%5D&a=2").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let targets: Vec<_> = app.dbt.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(
        targets,
        ["/api/v2/whoami?a=%5B1%5D&a=2", "/api/v2/whoami/?a=%5B1%5D&a=2"]
    );
    let row = app.row_of(&answer).await;
    assert_eq!((&row["attempts"], &row["outcome"]), (&json!(2), &json!("succeeded")));
    assert_eq!(row["exchanges"][1]["why"], "other_slash");

    for status in [301, 307, 308] {
        app.dbt.clear_requests();
        let effect = Effect::Answer {
            status,
            body: FaultBody::Empty,
            headers: vec![("location".to_owned(), format!("{}{}", app.dbt.base_url(), v2("/jobs")))],
            work_done: false,
        };
        app.dbt.add_fault(Fault {
            times: Some(1),
            effect,
            ..Fault::default()
        });
        let body = json!({"name": "sent to both forms of the path"});
        let answer = admin.post(&v2("/jobs/"), &body).await;
        let sent = app.dbt.requests();
        assert_eq!(sent.len(), 2, "{status}: {}", answer.text);
        assert_eq!(
            (sent[0].target.as_str(), sent[1].target.as_str()),
            (v2("/jobs/").as_str(), v2("/jobs").as_str())
        );
        assert!(sent.iter().all(|each| each.method == "POST" && each.json() == body));
    }
}

/// Difference 3, redirects that are not followed.
#[tokio::test]
async fn any_other_redirect_is_a_502_and_not_followed() {
    let app = TestApp::start().await;
    let jobs = v2("/jobs");
    for (status, location) in [
        (301, "https://elsewhere.example/api/v2/accounts/"),
        (308, "//elsewhere.example/"),
        (308, "/api/v2/accounts/2/jobs"),
        (307, &*format!("{jobs}?limit=1")),
        (307, &*format!("{jobs}/")),
        (302, &*jobs),
        (303, &*jobs),
        (300, &*jobs),
        (308, ""),
    ] {
        app.dbt.clear_requests();
        let headers = vec![("location".to_owned(), location.to_owned())];
        let effect = Effect::Answer {
            status,
            body: FaultBody::Html,
            headers,
            work_done: false,
        };
        app.dbt.add_fault(Fault {
            times: Some(1),
            effect,
            ..Fault::default()
        });
        let answer = app.viewer().get(&format!("{jobs}/")).await;
        let message = refusal(&answer, 502);
        assert!(
            message.contains("a redirect to another address"),
            "{status} {location}: {message}"
        );
        assert!(answer.headers.get("location").is_none());
        assert_eq!(app.dbt.requests().len(), 1, "{status} {location}");
        let row = app.row_of(&answer).await;
        assert_eq!(
            (&row["status_code"], &row["outcome"]),
            (&json!(status), &json!("unexpected_status"))
        );
    }
    // Redirects back and forth.
    app.dbt.clear_requests();
    for (skip, location) in [(0, jobs.clone()), (1, format!("{jobs}/"))] {
        let headers = vec![("location".to_owned(), location)];
        let effect = Effect::Answer {
            status: 308,
            body: FaultBody::Empty,
            headers,
            work_done: false,
        };
        app.dbt.add_fault(Fault {
            skip,
            times: Some(1),
            effect,
            ..Fault::default()
        });
    }
    refusal(&app.viewer().get(&jobs).await, 502);
    assert_eq!(app.dbt.requests().len(), 2);
}

#[tokio::test]
async fn not_modified_is_an_answer_and_no_redirect() {
    let app = TestApp::start().await;
    let headers = vec![("etag".to_owned(), "\"x\"".to_owned())];
    let effect = Effect::Answer {
        status: 304,
        body: FaultBody::Empty,
        headers,
        work_done: false,
    };
    app.dbt.add_fault(Fault {
        effect,
        ..Fault::default()
    });
    let answer = app.viewer().get(&v2("/jobs/")).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (304, ""));
    assert_eq!(answer.headers.get("etag").unwrap(), "\"x\"");
    assert_eq!(app.row_of(&answer).await["outcome"], "succeeded");
}

/// Difference 5.
#[tokio::test]
async fn an_account_has_no_static_subdomain_unless_the_settings_keep_it() {
    for keep in [false, true] {
        let mut setup = Setup::default();
        setup.relay.keep_static_subdomain = keep;
        let app = setup.start().await;
        let admin = app.caller(Role::Admin);
        let body = json!({"name": "Acme"});
        let request = admin
            .request(Method::GET, &v2("/"))
            .header(ACCEPT_ENCODING, "gzip")
            .header("range", "bytes=0-9");
        let read = admin.send(request).await;
        let sent = app.dbt.requests().pop().unwrap();
        let changed = admin.patch(&v2("/"), &body).await;
        for answer in [&read, &changed] {
            let account = answer.expect(200);
            let expected = if keep { json!("ac123") } else { json!(null) };
            assert_eq!(account["data"]["static_subdomain"], expected);
            assert_eq!(account["data"]["id"], acme::ACCOUNT_ID);
            assert_eq!(answer.header(CONTENT_LENGTH).unwrap(), answer.text.len().to_string());
        }
        let encoding = sent.header("accept-encoding");
        assert_eq!(encoding, Some(if keep { "gzip" } else { "identity" }));
        assert_eq!(sent.header("range").is_some(), keep);
    }
}

/// Difference 5, on every path that serves an account.
#[tokio::test]
async fn no_path_shows_the_static_subdomain_of_an_account() {
    let app = TestApp::start().await;
    let viewer = app.viewer();
    for path in [
        v2("/"),
        v2(""),
        v3("/"),
        v3(""),
        "/api/v2/accounts/".to_owned(),
        "/api/v3/accounts/".to_owned(),
        v2(&format!("/jobs/{}/?include_related=account", acme::NIGHTLY_JOB_ID)),
        v2("/jobs/?limit=3&include_related=%5B%22environment%22%2C%22account%22%5D"),
        v2("/jobs/?limit=3&include_related=environment&include_related=account"),
    ] {
        let answer = viewer.get(&path).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text);
        assert!(
            answer.text.contains(r#""static_subdomain":null"#),
            "{path}: {}",
            answer.text
        );
        assert!(!answer.text.contains("ac123"), "{path}");
    }
    let answer = viewer.get(&v2("/jobs/?limit=3")).await;
    assert_eq!(answer.status.as_u16(), 200);
}

/// Difference 6.
#[tokio::test]
async fn a_query_keeps_its_order_its_repetitions_and_its_values() {
    let app = TestApp::start().await;
    let key = format!("Bearer {}", app.key(Role::Viewer));
    for query in [
        "limit=5&status__in=[1,2,3]&limit=5&a=b+c&a=b%20c&A=%2b",
        "include_related=['job','trigger']",
        "name__icontains=%C3%A9%27&=&&x==&y=%",
        "z=1&y=2&x=3&z=0",
        "",
    ] {
        let target = format!("{}?{query}", v2("/jobs/"));
        let sent = raw_http::request("GET", &target, &[("Authorization", &key)], None);
        raw_http::exchange(app.address(), &sent).await;
        let received = app.dbt.requests().pop().unwrap();
        let received = received.query().unwrap_or_default();
        assert_eq!(received.replace("%27", "'"), query.replace("%27", "'"));
        let pairs = |text: &str| {
            url::form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect::<Vec<_>>()
        };
        assert_eq!(pairs(received), pairs(query));
    }
}

#[tokio::test]
async fn bodies_are_neither_compressed_nor_decompressed() {
    let app = TestApp::start().await;
    // The body need not be valid gzip.
    let effect = Effect::Answer {
        status: 200,
        body: FaultBody::Custom {
            content_type: "application/json".to_owned(),
            body: "\u{1f}not really gzip".to_owned(),
        },
        headers: vec![("content-encoding".to_owned(), "gzip".to_owned())],
        work_done: false,
    };
    app.dbt.add_fault(Fault {
        effect,
        times: Some(1),
        ..Fault::default()
    });
    let key = format!("Token {}", app.key(Role::Viewer));
    let headers = [("Authorization", key.as_str()), ("Accept-Encoding", "gzip, br")];
    let get =
        async |headers| raw_http::only(app.address(), &raw_http::request("GET", &v2("/jobs/"), headers, None)).await;
    let answer = get(&headers[..]).await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(answer.body, "\u{1f}not really gzip".as_bytes());
    assert_eq!(
        app.dbt.requests().pop().unwrap().header("accept-encoding"),
        Some("gzip, br")
    );

    let plain = get(&headers[..1]).await;
    assert_eq!((plain.status, plain.header("content-encoding")), (200, None));
    let sent = app.dbt.requests().pop().unwrap();
    assert_eq!(
        sent.header("accept-encoding"),
        None,
        "the gateway adds no accept-encoding"
    );
}
