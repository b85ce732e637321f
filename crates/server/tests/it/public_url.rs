//! The address in links: the public URL of the settings, else the one forwarded by a trusted proxy, else the request's host.

use reqwest::Method;
use reqwest::header::HOST;

use crate::support::{Setup, TestApp};

const PROTO: &str = "x-forwarded-proto";
const FORWARDED_HOST: &str = "x-forwarded-host";

/// The link to the next page in the answer to a request with those headers.
async fn next_page(app: &TestApp, headers: &[(&str, &str)]) -> String {
    let viewer = app.viewer();
    let mut request = viewer.request(Method::GET, "/projects?page_size=2");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let list = viewer.send(request).await.expect(200);
    list["next"].as_str().unwrap().to_owned()
}

async fn behind(proxies: &[&str]) -> TestApp {
    let mut setup = Setup::default();
    setup.server.trusted_proxies = proxies.iter().map(|each| each.parse().unwrap()).collect();
    setup.start().await
}

const PAGE: &str = "/projects?page_size=2&page=2";

#[tokio::test]
async fn links_use_the_address_forwarded_by_a_trusted_proxy() {
    let app = behind(&["10.0.0.0/8", "127.0.0.0/8"]).await;
    let own = app.url.clone();
    for (headers, base) in [
        (
            &[(PROTO, "https"), (FORWARDED_HOST, "dbt.acme.example")][..],
            "https://dbt.acme.example",
        ),
        (
            &[(PROTO, "HTTPS"), (FORWARDED_HOST, "dbt.acme.example:8443")],
            "https://dbt.acme.example:8443",
        ),
        (
            &[(PROTO, "http"), (FORWARDED_HOST, "dbt.acme.example")],
            "http://dbt.acme.example",
        ),
        (
            &[(PROTO, "https"), (HOST.as_str(), "kept.acme.example")],
            "https://kept.acme.example",
        ),
        // The last proxy appends to the values of its caller.
        (
            &[
                (PROTO, "http, https"),
                (FORWARDED_HOST, "evil.example, dbt.acme.example"),
            ],
            "https://dbt.acme.example",
        ),
        (
            &[
                (PROTO, "http"),
                (FORWARDED_HOST, "evil.example"),
                (PROTO, "https"),
                (FORWARDED_HOST, "dbt.acme.example"),
            ],
            "https://dbt.acme.example",
        ),
        // Invalid values are ignored.
        (&[(PROTO, "gopher"), (FORWARDED_HOST, "dbt.acme.example")], own.as_str()),
        (&[(PROTO, "https"), (FORWARDED_HOST, "two words")], own.as_str()),
        (&[(FORWARDED_HOST, "dbt.acme.example")], own.as_str()),
        (&[], own.as_str()),
    ] {
        assert_eq!(next_page(&app, headers).await, format!("{base}{PAGE}"), "{headers:?}");
    }
}

#[tokio::test]
async fn forwarded_headers_of_untrusted_peers_are_ignored() {
    for proxies in [&[][..], &["10.0.0.0/8"], &["::1/128"]] {
        let app = behind(proxies).await;
        let forwarded = [(PROTO, "https"), (FORWARDED_HOST, "evil.example")];
        assert_eq!(
            next_page(&app, &forwarded).await,
            format!("{}{PAGE}", app.url),
            "{proxies:?}"
        );
    }
}

#[tokio::test]
async fn the_configured_public_url_overrides_forwarded_headers() {
    let mut setup = Setup::default().public_url("https://gateway.acme.example/dbt");
    setup.server.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let app = setup.start().await;
    let forwarded = [(PROTO, "http"), (FORWARDED_HOST, "other.example")];
    assert_eq!(
        next_page(&app, &forwarded).await,
        format!("https://gateway.acme.example/dbt{PAGE}")
    );
}
