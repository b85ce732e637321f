//! Secrets in the places where callers put them.

use std::borrow::Cow;

use serde_json::json;

use super::*;

fn redacted(source: &str) -> String {
    text(source).into_owned()
}

#[test]
fn tokens_are_found_by_their_beginning_anywhere() {
    for (source, clean) in [
        ("dbtc_abc", "[redacted]"),
        ("xdbtu_A-b=9 and more", "x[redacted] and more"),
        ("key dgw_0123abcd_ff.", "key [redacted]."),
        ("/v2/odd/dbtc_sesame/", "/v2/odd/[redacted]/"),
        ("rotate the dbtc_ tokens", "rotate the dbtc_ tokens"),
        (
            "Authorization Bearer abcdef0123456789",
            "Authorization Bearer [redacted]",
        ),
        ("a Token of appreciation", "a Token of appreciation"),
        ("ghp_0123456789abcdefghij0123", "[redacted]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.x", "[redacted]"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- x",
            "[redacted] x",
        ),
        ("eyJ_dbtc_abc", "eyJ_[redacted]"),
        ("-----BEGIN CERTIFICATE-----\nMII", "-----BEGIN CERTIFICATE-----\nMII"),
    ] {
        assert_eq!(redacted(source), clean, "{source}");
    }
}

#[test]
fn users_and_passwords_of_urls_are_found() {
    for (source, clean) in [
        ("postgres://u:p@h/db?x=1", "postgres://[redacted]@h/db?x=1"),
        ("see https://me@host/a@b", "see https://[redacted]@host/a@b"),
        ("https://u:p@ss@h", "https://[redacted]@h"),
        ("https://u:pa/ss@h/", "https://[redacted]@h/"),
        ("http://h:8080/x@y", "http://h:8080/x@y"),
        (
            "https://cloud.getdbt.com/next?mail=a@b",
            "https://cloud.getdbt.com/next?mail=a@b",
        ),
    ] {
        assert_eq!(redacted(source), clean, "{source}");
    }
}

#[test]
fn values_after_the_name_of_a_secret_are_found() {
    for (source, clean) in [
        (
            r#"dbt run --vars '{"password": "a b, c"}'"#,
            r#"dbt run --vars '{"password": "[redacted]"}'"#,
        ),
        (
            r#"dbt run --vars "{\"api_token\": \"x\", \"day\": 1}""#,
            r#"dbt run --vars "{\"api_token\": \"[redacted]\", \"day\": 1}""#,
        ),
        (
            "dbt run --vars '{db_password: hunter2, day: 2026-01-01}'",
            "dbt run --vars '{db_password: [redacted], day: 2026-01-01}'",
        ),
        (
            "dbt run --vars 'db_password: hunter2, too'",
            "dbt run --vars 'db_password: [redacted]'",
        ),
        (
            "dbt run --vars {secrets:{a:1,b:[2]},day:1}",
            "dbt run --vars {secrets:[redacted],day:1}",
        ),
        (
            "dbt deps --token abc --select x",
            "dbt deps --token [redacted] --select x",
        ),
        ("dbt deps --password='it''s' -q", "dbt deps --password='[redacted]' -q"),
        ("PGPASSWORD=abc dbt run", "PGPASSWORD=[redacted] dbt run"),
        (
            "?limit=1&access_token=x&page=2",
            "?limit=1&access_token=[redacted]&page=2",
        ),
        ("password: |\n  first\n  second", "password: [redacted]"),
        (
            "mutation { f(token: \"x\", id: 1) { ok } }",
            "mutation { f(token: \"[redacted]\", id: 1) { ok } }",
        ),
        (
            "mutation { f(secret: \"\"\"x \"y\" \"\"\") }",
            "mutation { f(secret: \"\"\"[redacted]\"\"\") }",
        ),
        (
            r#"{"password":12345,"max_tokens":5}"#,
            r#"{"password":"[redacted]","max_tokens":5}"#,
        ),
        (
            r#"{"error":"password: x","b":1}"#,
            r#"{"error":"password: [redacted]","b":1}"#,
        ),
        ("Authorization: Token abc", "Authorization: [redacted]"),
        ("password = 'unclosed", "password = '[redacted]"),
        ("api_key_id=7 token::text", "api_key_id=7 token::text"),
        ("--token --select x", "--token --select x"),
        ("pageToken is not a secret", "pageToken is not a secret"),
    ] {
        assert_eq!(redacted(source), clean, "{source}");
    }
}

#[test]
fn percent_coded_secrets_are_found() {
    for (source, clean) in [
        ("/v2/%64btc%5Fsesame/x", "/v2/[redacted]/x"),
        ("/v2/%2564btc%255Fsesame/x", "/v2/[redacted]/x"),
        ("https%3A%2F%2Fu%3Ap%40h", "[redacted]"),
        ("?pass%77ord=x", "[redacted]"),
        ("/a%20b/100%/c", "/a%20b/100%/c"),
    ] {
        assert_eq!(redacted(source), clean, "{source}");
    }
}

#[test]
fn a_harmless_text_is_borrowed() {
    for source in [
        "",
        "Nightly run",
        "dbt build --select state:modified+ --vars '{day: 2026-01-01}'",
    ] {
        assert!(matches!(text(source), Cow::Borrowed(_)), "{source}");
        assert!(!is_suspicious(source));
    }
}

#[test]
fn json_is_cleaned_by_the_names_of_its_fields_and_within_texts() {
    let mut value = json!({
        "order": {"cause": "for dbtc_x", "steps_override": ["dbt run --vars '{token: x}'"], "threads": 4},
        "query": {"variables": {"password": "x", "nested": [{"apiKey": {"a": 1}}, {"name": "DB_PASSWORD", "value": "x"}]}},
        "pairs": [["limit", "2"], ["Access_Token", "x"]],
        "words": ["dbt", "--password", "x", "run"],
        "metrics": ["token_usage", "revenue"],
        "api_key_id": 7, "token": null, "token_replaced": true, "max_tokens": 5, "dbtc_key": 1,
    });
    json(&mut value);
    assert_eq!(
        value,
        json!({
            "order": {"cause": "for [redacted]", "steps_override": ["dbt run --vars '{token: [redacted]}'"], "threads": 4},
            "query": {"variables": {
                "password": "[redacted]",
                "nested": [{"apiKey": "[redacted]"}, {"name": "DB_PASSWORD", "value": "[redacted]"}],
            }},
            "pairs": [["limit", "2"], ["Access_Token", "[redacted]"]],
            "words": ["dbt", "--password", "[redacted]", "run"],
            "metrics": ["token_usage", "revenue"],
            "api_key_id": 7, "token": null, "token_replaced": true, "max_tokens": 5, "[redacted]": 1,
        })
    );
}

#[test]
fn redacting_twice_changes_nothing() {
    for source in [
        "token=abc",
        r#"{"password": "x"}"#,
        "postgres://u:p@h",
        "dbtc_abc",
        "--token x",
    ] {
        let once = redacted(source);
        assert_eq!(redacted(&once), once, "{source}");
    }
}

#[test]
fn hostile_texts_end_on_character_boundaries_and_take_time_in_proportion() {
    for part in [
        "token:",
        "ü:password=",
        "://:x",
        "dbtc_",
        "\\\"secret\\\":",
        "{token:[",
        "%64%62",
        "eyJ",
        "-----BEGIN",
        "Bearer a1",
        "'pwd''",
    ] {
        let long = part.repeat(20_000);
        let clean = text(&long);
        assert!(clean.len() <= 20 * long.len(), "{part}");
    }
    assert_eq!(redacted("пароль password=ключ, ü"), "пароль password=[redacted] ü");
}
