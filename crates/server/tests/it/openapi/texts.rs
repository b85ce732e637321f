//! Texts in paths and queries: what their schema allows is taken, and nothing else.

use model::{ArtifactPath, Role};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::names;
use crate::support::{TestApp, operations, with_parameter};

/// Texts at the edges of the rules.
const TEXTS: [&str; 21] = [
    "a",
    "results",
    "0",
    "1",
    "01",
    "+1",
    "9999",
    "10000",
    "run_results.json",
    "compiled/a/ö b?.sql",
    "a//b",
    "/a",
    "a/",
    ".",
    "..",
    "a/../b",
    "...",
    "..a",
    "a\\b",
    "a\u{7f}",
    "a\u{85}b",
];

fn encoded(text: &str) -> String {
    // A space is `%20` in a path.
    form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

fn texts(parameter: &Value) -> Vec<String> {
    let schema = &parameter["schema"];
    let mut texts: Vec<_> = TEXTS.iter().map(|text| (*text).to_owned()).collect();
    let longest = schema["maxLength"].as_u64().map(|most| usize::try_from(most).unwrap());
    texts.extend(
        longest
            .into_iter()
            .flat_map(|most| ["a".repeat(most), "ö".repeat(most), "ö".repeat(most + 1)]),
    );
    texts.extend(["A", "B", "_"].map(|first| format!("{first}{}", "a".repeat(31))));
    texts
}

#[tokio::test]
async fn a_text_is_taken_where_its_pattern_allows_it_and_nowhere_else() {
    let app = TestApp::start().await;
    let names = names(&app, 0).await;
    let (mut taken, mut refused) = (0, 0);
    for operation in operations().iter().filter(|operation| operation.method == "GET") {
        let patterned = |each: &&Value| each["schema"]["pattern"].is_string() && each["in"] != "header";
        for parameter in operation.parameters().filter(patterned) {
            let name = parameter["name"].as_str().unwrap();
            let is_valid = jsonschema::validator_for(&parameter["schema"]).unwrap();
            for text in texts(parameter) {
                if parameter["in"] == "path" && [".", ".."].contains(&text.as_str()) {
                    // The client would take them out of the address.
                    assert!(!is_valid.is_valid(&json!(text)) && ArtifactPath::new(&text).is_err());
                    continue;
                }
                let address = operation.address(&names);
                let address = if parameter["in"] == "path" {
                    address.replace("run_results.json", &encoded(&text))
                } else {
                    with_parameter(&address, &format!("{name}={}", encoded(&text)))
                };
                let answer = app.caller(Role::Admin).get(&address).await;
                let is_refused = answer.status == 400;
                assert_eq!(
                    is_valid.is_valid(&json!(text)),
                    !is_refused,
                    "{} {name}={text:?}: {answer:#?}",
                    operation.id
                );
                *if is_refused { &mut refused } else { &mut taken } += 1;
            }
        }
    }
    assert!(taken > 25 && refused > 25, "{taken} {refused}");
}

#[test]
fn a_file_comes_as_bytes_to_generators_and_as_what_it_is_to_everybody_else() {
    let text = server::document_text();
    let mut files = 0;
    for operation in operations()
        .iter()
        .filter(|operation| operation.id.ends_with("_artifact"))
    {
        let content = &operation.spec["responses"]["200"]["content"];
        assert_eq!(content["application/octet-stream"]["schema"]["format"], "binary");
        assert_eq!(content["*/*"], json!({}), "any type is possible, and any body");
        assert!(content["application/json"]["schema"]["type"].is_null(), "{content:#}");
        files += 1;
    }
    // A generator takes the first media type that it knows.
    let first = text
        .split("\"content\": {")
        .filter(|content| content.contains("octet-stream"));
    let of_files = first
        .filter(|content| content.trim_start().starts_with("\"application/octet-stream\""))
        .count();
    assert_eq!((files, of_files), (2, 4));
}
