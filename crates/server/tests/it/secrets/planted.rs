//! Secrets that callers put where none belong: in texts of a trigger, commands, GraphQL, paths, queries and headers, on both
//! surfaces. None is in a row, a log line, an error's answer or a metric; dbt Cloud receives them unchanged.

use std::collections::BTreeMap;

use axum::http::Method;
use model::Role;
use serde_json::{Value, json};
use simulator::acme;
use tracing_subscriber::filter::LevelFilter;

use super::every_row;
use super::search::{LogLines, SecretSearch};
use crate::support::{Answer, Caller, Setup, TestApp};

/// Secrets and the texts in which a caller writes them.
struct Planted {
    secrets: Vec<String>,
}

impl Planted {
    /// A new secret, recognisable by nothing but what is around it.
    fn secret(&mut self) -> String {
        let secret = format!("pl4nted{:04}x", self.secrets.len());
        self.secrets.push(secret.clone());
        secret
    }

    fn token(&mut self) -> String {
        format!("dbtc_{}", self.secret())
    }

    /// A command with a secret in each form that dbt's users write.
    fn commands(&mut self) -> Vec<String> {
        vec![
            format!(
                "dbt run --vars '{{\"password\": \"{}, {}\"}}'",
                self.secret(),
                self.secret()
            ),
            format!(
                "dbt run --vars \"{{\\\"api_token\\\": \\\"{}\\\", \\\"day\\\": 1}}\"",
                self.secret()
            ),
            format!("dbt run --vars '{{db_password: {}, day: 2026-01-01}}'", self.secret()),
            format!("dbt run --vars 'secret: {}'", self.secret()),
            format!("dbt deps --token {}", self.secret()),
            format!("dbt source freshness --select x --password={}", self.secret()),
            format!("dbt run --vars '{{url: postgres://u:{}@h/db}}'", self.secret()),
            format!("dbt run --vars '{{x: {}}}'", self.token()),
            format!(
                "dbt run --vars '{{secrets: {{a: {}, b: [{}]}}}}'",
                self.secret(),
                self.secret()
            ),
        ]
    }

    fn variables(&mut self) -> Value {
        json!({
            "password": self.secret(), "nested": [{"apiKey": {"x": self.secret()}}], "text": self.token(),
            "pairs": [["Authorization", self.secret()]], "url": format!("https://u:{}@h/", self.secret()),
            "variable": {"name": "DB_SECRET", "value": self.secret()},
        })
    }

    fn document(&mut self) -> String {
        format!(
            "query {{ f(token: \"{}\") {{ x }} g(at: \"{}\") }}",
            self.secret(),
            self.token()
        )
    }

    /// A path segment and a query with a secret in each form.
    fn path_and_query(&mut self) -> (String, String) {
        let path = format!("{}/%64btc_{}", self.token(), self.secret());
        let query = format!(
            "access_token={}&q={}&coded=dbtu%255F{}&see=https%3A%2F%2Fu%3A{}%40h",
            self.secret(),
            self.token(),
            self.secret(),
            self.secret()
        );
        (path, query)
    }
}

async fn send(
    caller: &Caller<'_>,
    method: Method,
    address: &str,
    body: Option<&Value>,
    headers: &[(&str, String)],
) -> Answer {
    let mut request = caller.request(method, address);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    caller.send(request).await
}

/// Runs are started with the texts as they were sent.
async fn triggers(app: &TestApp, planted: &mut Planted) {
    let admin = app.caller(Role::Admin);
    let (job, account) = (acme::NIGHTLY_JOB_ID, acme::ACCOUNT_ID);
    for (address, surface) in [
        (format!("/jobs/{job}/runs"), "rest"),
        (format!("/api/v2/accounts/{account}/jobs/{job}/run/"), "relay"),
    ] {
        let cause = format!("for {} and password: {}", planted.token(), planted.secret());
        let body = json!({"cause": cause, "steps_override": planted.commands()});
        let answer = send(&admin, Method::POST, &address, Some(&body), &[]).await;
        assert!(
            [200, 201].contains(&answer.status.as_u16()),
            "{surface}: {}",
            answer.text
        );
        let received = app.dbt.requests().pop().unwrap().json();
        assert_eq!(
            (&received["cause"], &received["steps_override"]),
            (&body["cause"], &body["steps_override"])
        );
    }
}

/// Documents, variables, and a table.
async fn graphql(app: &TestApp, planted: &mut Planted) -> Vec<Answer> {
    let admin = app.caller(Role::Admin);
    let mut answers = Vec::new();
    for address in ["/metadata/query", "/semantic-layer/query", "/graphql", "/api/graphql"] {
        let body = json!({"query": planted.document(), "variables": planted.variables()});
        answers.push(send(&admin, Method::POST, address, Some(&body), &[]).await);
        let received = app.dbt.requests().pop().unwrap().json();
        assert_eq!(received["variables"], body["variables"], "{address}");
    }
    let table = json!({"environment_id": 1, "metrics": [planted.token()], "where": [format!("token = '{}'", planted.secret())]});
    answers.push(send(&admin, Method::POST, "/semantic-layer/query", Some(&table), &[]).await);
    answers
}

/// Paths, queries and headers.
async fn paths(app: &TestApp, planted: &mut Planted) -> Vec<Answer> {
    let admin = app.caller(Role::Admin);
    let mut answers = Vec::new();
    for base in [
        "/runs/1/artifacts",
        "/jobs/1/artifacts",
        "/credentials",
        "/nowhere",
        "/api/v2/odd",
        "/api/v3/accounts/1/odd",
    ] {
        for method in [Method::GET, Method::POST] {
            let (path, query) = planted.path_and_query();
            let headers = [
                ("x-request-id", planted.token()),
                ("x-dbt-credential", planted.token()),
                ("x-dbt-account-id", planted.token()),
            ];
            for headers in [&headers[..1], &headers[1..2], &headers[2..]] {
                let body = json!({"password": planted.secret()});
                let body = (method == Method::POST).then_some(&body);
                for address in [format!("{base}/{path}?{query}"), format!("{base}/{path}")] {
                    answers.push(send(&admin, method.clone(), &address, body, headers).await);
                }
            }
        }
    }
    answers
}

/// Filters of lists.
async fn filters(app: &TestApp, planted: &mut Planted) -> Vec<Answer> {
    let admin = app.caller(Role::Admin);
    let mut answers = Vec::new();
    for address in ["/projects", "/runs", "/jobs", "/request-logs", "/environments"] {
        for name in ["name", "name_contains", "order_by", "cursor", "odd"] {
            let (_, query) = planted.path_and_query();
            answers.push(
                send(
                    &admin,
                    Method::GET,
                    &format!("{address}?{name}={}&{query}", planted.token()),
                    None,
                    &[],
                )
                .await,
            );
            let address = format!("{address}?{name}={}", planted.token());
            answers.push(send(&admin, Method::GET, &address, None, &[]).await);
        }
    }
    answers
}

/// Bodies that are refused, whose errors may quote them.
async fn bodies(app: &TestApp, planted: &mut Planted) -> Vec<Answer> {
    let admin = app.caller(Role::Admin);
    let mut answers = Vec::new();
    let job = acme::NIGHTLY_JOB_ID;
    for address in [
        format!("/jobs/{job}/runs"),
        "/jobs".to_owned(),
        "/metadata/query".to_owned(),
        "/api-keys".to_owned(),
        "/credentials".to_owned(),
    ] {
        for body in [
            json!(planted.token()),
            json!({"cause": [planted.token()]}),
            json!({planted.token(): 1}),
            json!({"role": planted.token(), "name": "x"}),
        ] {
            answers.push(send(&admin, Method::POST, &address, Some(&body), &[]).await);
        }
    }
    answers
}

#[tokio::test]
async fn planted_secrets_are_in_no_row_log_line_error_or_metric() {
    let lines = LogLines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::DEBUG)
        .with_writer(lines.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // dbt Cloud is to get the texts as they came.
    let mut setup = Setup::default();
    setup.trigger.marks = false;
    let app = setup.start().await;
    let mut planted = Planted { secrets: Vec::new() };
    triggers(&app, &mut planted).await;
    let mut answers = graphql(&app, &mut planted).await;
    answers.extend(paths(&app, &mut planted).await);
    answers.extend(filters(&app, &mut planted).await);
    answers.extend(bodies(&app, &mut planted).await);

    let mut places = BTreeMap::new();
    let errors = answers
        .iter()
        .filter(|answer| answer.status.is_client_error() || answer.status.is_server_error());
    places.insert(
        "errors",
        errors
            .map(|answer| format!("{:?} {}", answer.headers, answer.text))
            .collect(),
    );
    places.insert("rows", every_row(&app).await);
    places.insert("log lines", lines.text().lines().map(str::to_owned).collect::<Vec<_>>());
    places.insert("metrics", app.metrics().lines().map(str::to_owned).collect());
    let rows = app.rows().await;
    for operation in [
        "trigger_job",
        "query_metadata",
        "query_semantic_layer",
        "get_run_artifact",
        "forward",
        "list_projects",
    ] {
        let redacted = |row: &&Value| row["request_type"] == operation && row.to_string().contains("[redacted]");
        assert!(
            rows.iter().any(|row| redacted(&row)),
            "no secret reached a row of {operation}"
        );
    }

    let search = SecretSearch::new(&planted.secrets);
    let mut found = Vec::new();
    for (place, texts) in &places {
        assert!(texts.len() > 50, "{place}: {} texts", texts.len());
        for text in texts {
            if let Some(secret) = search.find(text) {
                found.push(format!("{place}: {secret} in {text}"));
            }
        }
    }
    let searched: Vec<_> = places
        .iter()
        .map(|(place, texts)| format!("{} {place}", texts.len()))
        .collect();
    println!(
        "{} planted secrets, searched {}: found {}",
        planted.secrets.len(),
        searched.join(", "),
        found.len()
    );
    assert!(found.is_empty(), "{}", found.join("\n"));
}
