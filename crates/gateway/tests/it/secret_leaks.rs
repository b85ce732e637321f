//! No secret appears in log lines at debug level, rows, reports to Sentry, spans or answers.

use serde_json::json;
use simulator::{Fault, FaultBody, acme};

use crate::fake_sentry::FakeSentry;
use crate::spans::Collector;
use crate::support::{Caller, Gateway, Site, eventually};

const DATABASE_PASSWORD: &str = "planted-database-password";
const OTLP_KEY: &str = "planted-collector-key";
const STORED_TOKEN: &str = "dbtc_planted_stored_token";
// 43 characters and one `=` are 32 bytes.
const ENCRYPTION_KEY: &str = "PlantedSealingKeyPlantedSealingKeyPlantedSc=";

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one search of all output")]
async fn no_planted_secret_is_found_in_lines_rows_reports_spans_or_answers() {
    let site = Site::new().await;
    let key = site.key("admin");
    let caller = Caller::new(&key);
    let sentry = FakeSentry::default();
    let dsn = sentry.start().await;
    let collector = Collector::default();
    let endpoint = collector.start().await;
    // The private Postgres trusts its socket, so any password in the address is accepted.
    let first = site.serve();
    let mut serve = site.command(&["serve"]);
    let database = format!(
        "postgres://postgres:{DATABASE_PASSWORD}@localhost/dbt_gateway?host={}/run",
        site.data_dir().display()
    );
    serve
        .env("DATABASE_URL", database)
        .env("SENTRY_DSN", &dsn)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("OTEL_EXPORTER_OTLP_HEADERS", format!("x-api-key={OTLP_KEY}"))
        .env("DBT_GATEWAY_SECRET_KEYS", format!("planted:{ENCRYPTION_KEY}"))
        .env("DBT_GATEWAY__UPSTREAM__ALLOW_PRIVATE_ADDRESSES", "true")
        .env("DBT_GATEWAY__UPSTREAM__ALLOW_PLAIN_HTTP", "true")
        .env(
            "DBT_GATEWAY__LOG__FILTER",
            "debug,client=trace,dbt_api=trace,provider=trace,server=trace,storage=trace",
        );
    let gateway = Gateway::start(serve);

    let credential = json!({
        "name": "planted", "account_id": acme::ACCOUNT_ID, "token": STORED_TOKEN, "access_url": site.dbt.base_url(),
    });
    let mut answers = vec![
        caller.post(&gateway, "/credentials", &credential).await.unwrap(),
        caller.post(&gateway, "/credentials", &credential).await.unwrap(),
        caller
            .post(&gateway, "/credentials/planted/verify", &json!({}))
            .await
            .unwrap(),
        caller
            .post(
                &gateway,
                "/api-keys",
                &json!({"name": "second", "role": "viewer", "role_": 1}),
            )
            .await
            .unwrap(),
    ];
    let reads = [
        "/projects",
        "/projects?credential=planted",
        "/projects/1",
        "/runs/1",
        "/credentials",
        "/api-keys",
        "/nothing",
        "/metrics",
    ];
    let faults = [
        None,
        Some(Fault::everywhere().status(401)),
        Some(Fault::everywhere().status(403)),
        Some(Fault::everywhere().status(500)),
        Some(Fault::everywhere().answer(200, FaultBody::Html)),
        Some(Fault::everywhere().reset_before()),
    ];
    for fault in faults {
        let fault = fault.map(|fault| site.dbt.add_fault(fault));
        for path in reads {
            answers.push(caller.get(&gateway, path).await.unwrap());
        }
        answers.push(caller.trigger(&gateway, acme::HOURLY_JOB_ID).await.unwrap());
        fault.map(|id| site.dbt.remove_fault(id));
    }
    assert!(
        answers.iter().any(|answer| answer.status == 502),
        "the faults had an effect"
    );
    eventually("a report", async || sentry.events().pop()).await;

    let rows: Vec<String> = ["request_log", "api_key", "credential", "company", "instance"]
        .iter()
        .flat_map(|table| site.rows(&format!("SELECT * FROM {table}")))
        .map(|row| row.to_string())
        .collect();
    let lines = gateway.log();
    gateway.stop();
    first.stop();
    let answers: Vec<String> = answers.iter().map(|answer| format!("{answer:?}")).collect();
    let reports = sentry.received();
    let spans = collector.text();
    assert!(spans.contains("dbt.list_projects"), "{spans}");
    let places = rows.len() + lines.lines().count() + reports.len() + answers.len() + spans.matches("span_id").count();
    let everything = [rows.join("\n"), lines, reports.join("\n"), spans, answers.join("\n")].join("\n");
    assert!(
        everything.contains("planted"),
        "the search finds values that are present"
    );
    for secret in [
        key.as_str(),
        acme::TOKEN,
        STORED_TOKEN,
        DATABASE_PASSWORD,
        ENCRYPTION_KEY,
        OTLP_KEY,
        &dsn,
        "dsn_s3cret",
    ] {
        let found = everything
            .find(secret)
            .map(|at| &everything[at.saturating_sub(200)..at]);
        assert_eq!(found, None, "{secret} was found after this");
    }
    println!("searched {places} places: rows, log lines, reports, spans and answers");
}
