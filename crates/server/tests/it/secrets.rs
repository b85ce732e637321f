//! No secret leaves: not in an answer, not in the request log, not in our log lines. First form: every route of this
//! version, and every way it fails.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use model::Role;
use reqwest::Method;
use serde_json::json;
use simulator::{AccountPlan, Config, Effect, Fault, FaultBody, Seed};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Answer, COMPANY, Setup, TestApp};

const TOKEN: &str = "dbtc_MARKED_b1946ac92492d2347c6235b4d2611184";

/// Collects log lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&lines).into_owned()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Every operation once, well formed, and every kind of refusal of ours.
async fn drive(app: &TestApp, plan: &AccountPlan) -> Vec<Answer> {
    let (project, job) = (plan.project_id(0), plan.job_id(0, 0));
    let trigger = format!("/jobs/{job}/runs");
    let body = json!({"cause": "looking for secrets"});
    let mut answers = vec![
        app.operator().post(&trigger, &body).await,
        app.viewer().post(&trigger, &body).await,
        app.operator().post(&trigger, &json!({"cause": ""})).await,
        app.operator().post_text(&trigger, "text/plain", "x").await,
        app.viewer().send(app.viewer().request(Method::PATCH, &trigger)).await,
        app.with_key(TOKEN).get("/projects").await,
        app.with_key(&format!("{}0", app.key(Role::Admin)))
            .get("/projects")
            .await,
    ];
    for path in [
        "/projects".to_owned(),
        "/projects?name=x".to_owned(),
        format!("/projects/{project}"),
        "/projects/1".to_owned(),
        format!("/runs/{}", plan.run_id(0)),
        "/projects?account_id=4711".to_owned(),
        "/projects?page=0".to_owned(),
        "/runs/x".to_owned(),
        "/nothing".to_owned(),
        "/".to_owned(),
        "/healthz".to_owned(),
        "/readyz".to_owned(),
        "/openapi.json".to_owned(),
        "/docs/".to_owned(),
        "/docs/swagger-initializer.js".to_owned(),
    ] {
        answers.push(app.viewer().get(&path).await);
    }
    answers
}

#[tokio::test]
async fn no_token_and_no_key_is_in_any_answer_row_or_log_line() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(lines.clone())
        .finish();
    // Everything of this test runs on this thread.
    let _here = tracing::subscriber::set_default(subscriber);

    let plan = AccountPlan::new(70_403_200_000_000, "Marked")
        .token(TOKEN)
        .runs_per_job(1);
    let app = Setup {
        accounts: vec![(COMPANY, plan.id(), TOKEN.to_owned())],
        simulator: Config::frozen().with_seed(Seed::account(plan.clone())),
        ..Setup::default()
    }
    .start()
    .await;

    let mut answers = drive(&app, &plan).await;
    let mut faults: Vec<Fault> = [302, 400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504]
        .into_iter()
        .map(|status| Fault::everywhere().status(status))
        .collect();
    faults.push(Fault::everywhere().reset_before());
    faults.push(Fault::everywhere().reset_after());
    faults.push(Fault::everywhere().effect(Effect::MalformedJson));
    faults.push(Fault::everywhere().answer(200, FaultBody::Html));
    for fault in faults {
        let on = app.dbt.add_fault(fault);
        answers.extend(drive(&app, &plan).await);
        app.dbt.remove_fault(on);
    }

    let sent = app.dbt.requests();
    let marked =
        |request: &&simulator::RecordedRequest| request.header("authorization").is_some_and(|it| it.contains(TOKEN));
    assert_eq!(
        sent.iter().filter(marked).count(),
        sent.len(),
        "the token did go to dbt Cloud"
    );
    let stored: Vec<String> = sqlx::query_scalar("SELECT to_jsonb(request_log)::text FROM request_log")
        .fetch_all(app.database.pool())
        .await
        .unwrap();
    assert!(
        answers.len() > 300 && stored.len() > 100,
        "{} {}",
        answers.len(),
        stored.len()
    );
    let keys: Vec<String> = sqlx::query_scalar("SELECT to_jsonb(api_key)::text FROM api_key")
        .fetch_all(app.database.pool())
        .await
        .unwrap();
    let log = lines.text();
    assert!(
        log.contains("ERROR") && log.contains("answered"),
        "log lines were collected"
    );

    let mut secrets = vec![TOKEN.to_owned()];
    // The part before the last underscore is the key's public prefix.
    secrets.extend(Role::ALL.map(|role| app.key(role).rsplit('_').next().unwrap().to_owned()));
    for secret in &secrets {
        assert!(secret.len() >= 32);
        for answer in &answers {
            assert!(!format!("{answer:?}").contains(secret), "{answer:#?}");
        }
        for row in stored.iter().chain(&keys) {
            assert!(!row.contains(secret), "{row}");
        }
        for line in log.lines() {
            assert!(!line.contains(secret), "{line}");
        }
    }
}
