//! The explorer works without internet: the gateway serves all of its assets.

use std::collections::BTreeSet;

use reqwest::header::{CONTENT_TYPE, LOCATION};
use url::Url;

use crate::support::TestApp;

/// The texts that follow `before`, up to `end`.
fn following<'a>(text: &'a str, before: &str, end: &[char]) -> Vec<&'a str> {
    let matches = text
        .match_indices(before)
        .map(|(start, _)| &text[start + before.len()..]);
    matches
        .map(|rest| &rest[..rest.find(end).unwrap_or(rest.len())])
        .collect()
}

/// The references in a text that a browser loads.
fn loaded<'a>(content_type: &str, text: &'a str) -> Vec<&'a str> {
    let quotes = ['"', '\''];
    let mut found = Vec::new();
    if content_type.starts_with("text/html") {
        for attribute in ["src=", "href=", "srcset=", "action=", "data="] {
            let values = following(text, attribute, &['>', ' ']);
            found.extend(values.into_iter().map(|value| value.trim_matches(quotes)));
        }
    }
    if content_type.starts_with("text/html") || content_type.starts_with("text/css") {
        found.extend(
            following(text, "url(", &[')'])
                .into_iter()
                .map(|value| value.trim_matches(quotes)),
        );
        found.extend(following(text, "@import", &[';']));
    }
    found
}

#[tokio::test]
async fn every_asset_of_the_explorer_is_served_by_the_gateway() {
    let app = TestApp::start().await;
    let short = app.without_key().get("/docs").await;
    assert_eq!((short.status.as_u16(), short.header(LOCATION)), (303, Some("/docs/")));

    let base = Url::parse(&app.url).unwrap();
    let mut queue = vec![base.join("/docs/").unwrap()];
    let mut seen = BTreeSet::new();
    while let Some(address) = queue.pop() {
        if !seen.insert(address.clone()) {
            continue;
        }
        assert_eq!(address.origin(), base.origin(), "loaded from elsewhere: {address}");
        let answer = app.http.get(address.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{address}");
        let content_type = answer.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        let body = answer.bytes().await.unwrap();
        assert!(!body.is_empty(), "{address}");
        if content_type.starts_with("text/") {
            let text = String::from_utf8(body.into()).unwrap();
            for reference in loaded(&content_type, &text) {
                if !reference.starts_with("data:") && !reference.starts_with('#') {
                    queue.push(address.join(reference).unwrap());
                }
            }
        }
    }
    let paths: BTreeSet<_> = seen.iter().map(Url::path).collect();
    for needed in [
        "/docs/swagger-ui.css",
        "/docs/swagger-ui-bundle.js",
        "/docs/explorer.css",
        "/docs/explorer.js",
    ] {
        assert!(paths.contains(needed), "{needed} is not among {paths:?}");
    }
}

#[tokio::test]
async fn the_explorer_is_ours_and_calls_nobody_else() {
    let app = TestApp::start().await;
    let page = app.without_key().get("/docs/").await;
    for words in [
        "<title>dbt-gateway API</title>",
        "How to get a key",
        "POST /api-keys",
        "keys create",
    ] {
        assert!(page.text.contains(words), "{words}");
    }
    let script = app.without_key().get("/docs/explorer.js").await.text;
    assert!(script.contains(r#"url: "/openapi.json""#), "{script}");
    assert!(!script.contains("http://") && !script.contains("https://"), "{script}");
    // The default is a badge that sends the address of the document to validator.swagger.io unless it is on localhost.
    assert!(script.contains(r#"validatorUrl: "none""#), "{script}");
    // The key lasts as long as the tab.
    assert!(
        script.contains("sessionStorage") && !script.contains("localStorage"),
        "{script}"
    );
    for replaced in [
        "/docs/index.html",
        "/docs/swagger-initializer.js",
        "/docs/oauth2-redirect.html",
        "/docs/nope",
    ] {
        app.without_key().get(replaced).await.problem(404, "not-found");
    }
}
