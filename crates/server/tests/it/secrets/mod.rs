//! No secret leaves: marked ones are planted, every route and every way it fails is driven, and then answers, tables and
//! log lines are searched for each of them in every spelling.

mod search;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Role;
use reqwest::Method;
use serde_json::{Value, json};
use simulator::{AccountPlan, Config, Effect, Fault, FaultBody, Seed};
use storage::KeyRing;

use self::search::{Lines, finds, spellings};
use crate::support::{Answer, COMPANY, Caller, Names, Setup, TestApp, operations};

const TOKEN: &str = "dbtc_MARKED_b1946ac92492d2347c6235b4d2611184";
const STORED: &str = "dbtc_STORED_591785b794601e212b260e25925636fd";
const CHANGED: &str = "dbtc_CHANGED_6f1ed002ab5595859014ebf0951522d9";
const WRONG: &str = "dbtc_WRONG_d3b07384d113edec49eaa6238ad5ff00";
const URL_PASSWORD: &str = "PASSWORD_c157a79031e1c40f85931829bc5fc552";
/// The 32 bytes of the encryption key.
const SEALS: &str = "MARKED-encryption-key-9cdfb439c7";

/// The accounts, tokens and things of this test.
struct Stage {
    app: TestApp,
    plan: AccountPlan,
    /// A request of the admin on record.
    request_uuid: String,
    /// The texts of the keys that were made by API.
    made_keys: Vec<String>,
    answers: Vec<String>,
}

impl Stage {
    async fn set() -> Self {
        let plan = AccountPlan::new(70_403_200_000_000, "Marked")
            .token(TOKEN)
            .token(STORED)
            .runs_per_job(1);
        let ring = KeyRing::parse(&format!("marked:{}", STANDARD.encode(SEALS))).unwrap();
        let app = Setup {
            accounts: vec![(COMPANY, plan.id(), TOKEN.to_owned())],
            simulator: Config::frozen().with_seed(Seed::account(plan.clone())),
            key_ring: Some(Arc::new(ring)),
            ..Setup::default()
        }
        .start()
        .await;
        let request_uuid = app.caller(Role::Admin).get("/projects").await.request_uuid();
        let stage = Self {
            app,
            plan,
            request_uuid,
            made_keys: Vec::new(),
            answers: Vec::new(),
        };
        stage.store("kept", STORED).await;
        stage
    }

    async fn store(&self, name: &str, token: &str) {
        let order = json!({
            "name": name, "account_id": self.plan.id(), "token": token, "access_url": self.app.dbt.base_url(),
        });
        let admin = self.app.caller(Role::Admin);
        admin.post("/credentials", &order).await.expect(201);
    }

    /// Keeps an answer. The text of a key just made stands in it once, and is taken out.
    fn keep(&mut self, answer: &Answer) {
        let mut told = format!("{} {:?} {}", answer.status, answer.headers, answer.text);
        let body: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        if let Some(key) = body["key"].as_str() {
            assert_eq!(told.matches(key).count(), 1);
            told = told.replace(key, "");
            self.made_keys.push(key.to_owned());
        }
        self.answers.push(told);
    }

    /// Every operation for each of those, well formed, by both credentials; and every kind of refusal of ours.
    async fn drive(&mut self, round: usize, callers: &[Option<Role>]) {
        for (place, operation) in operations().iter().enumerate() {
            let credential = format!("round-{round}-{place}");
            self.store(&credential, STORED).await;
            for by in [None, Some("kept")] {
                for &role in callers {
                    let names = Names {
                        account: self.plan.id(),
                        project: self.plan.project_id(0),
                        job: self.plan.job_id(0, 0),
                        run: self.plan.run_id(0),
                        going_run: self.plan.run_id(0),
                        failed_run: self.plan.run_id(0),
                        credential: credential.clone(),
                        // There is none: those in use are not to be revoked.
                        api_key: 4711,
                        request_uuid: self.request_uuid.clone(),
                        free_name: format!("free-{round}-{place}-{}", by.is_some()),
                    };
                    let caller = role.map_or_else(|| self.app.stranger(), |role| self.app.caller(role));
                    let mut address = operation.address(&names);
                    if operation.id == "export_request_logs" {
                        // All rows are searched below; here they would be there once more for each answer.
                        address.push_str("?status_code=404");
                    }
                    let mut request = caller.request(operation.method.clone(), &address);
                    if let Some(name) = by {
                        request = request.header("x-dbt-credential", name);
                    }
                    if let Some(body) = operation.body(&names) {
                        request = request.json(&body);
                    }
                    let answer = caller.send(request).await;
                    self.keep(&answer);
                }
            }
        }
        for answer in refusals(&self.app, &self.plan).await {
            self.keep(&answer);
        }
    }
}

/// What is refused whatever dbt Cloud says, with secrets in what is sent.
async fn refusals(app: &TestApp, plan: &AccountPlan) -> Vec<Answer> {
    let (admin, operator) = (app.caller(Role::Admin), app.operator());
    let trigger = format!("/jobs/{}/runs", plan.job_id(0, 0));
    let credential =
        |name: &str, token: Value, url: &str| json!({"name": name, "account_id": 1, "token": token, "access_url": url});
    let with_password = format!("https://user:{URL_PASSWORD}@dbt.acme.example");
    let almost = format!("{}0", app.key(Role::Admin));
    let mut answers = vec![
        operator.post(&trigger, &json!({"cause": ""})).await,
        operator.post_text(&trigger, "text/plain", "x").await,
        operator.send(operator.request(Method::PATCH, &trigger)).await,
        app.with_key(TOKEN).get("/projects").await,
        app.with_key(&almost).get("/projects").await,
        admin
            .post("/credentials", &credential("kept", json!(WRONG), "dbt.acme.example"))
            .await,
        admin
            .post(
                "/credentials",
                &credential("x", json!(format!("{WRONG} ")), "dbt.acme.example"),
            )
            .await,
        admin
            .post(
                "/credentials",
                &credential("x", json!({"is": WRONG}), "dbt.acme.example"),
            )
            .await,
        admin
            .post("/credentials", &credential("x", json!([WRONG]), "dbt.acme.example"))
            .await,
        admin
            .post(
                "/credentials",
                &credential("two words", json!(WRONG), "dbt.acme.example"),
            )
            .await,
        admin
            .post("/credentials", &credential("x", json!(WRONG), &with_password))
            .await,
        admin.patch("/credentials/nobody", &json!({"token": WRONG})).await,
        admin
            .patch(
                "/credentials/kept",
                &json!({"access_url": with_password, "token": WRONG}),
            )
            .await,
        admin.patch("/credentials/kept", &json!({"token": CHANGED})).await,
        admin.post("/credentials/kept/verify", &json!(null)).await,
        admin.patch("/credentials/kept", &json!({"token": STORED})).await,
    ];
    assert!(answers.last().unwrap().status.is_success());
    for path in [
        "/projects?name=x",
        "/projects/1",
        "/projects?account_id=4711",
        "/projects?credential=nobody",
        "/projects?page=0",
        "/runs/x",
        "/nothing",
        "/openapi.json",
        "/docs/",
        "/docs/swagger-initializer.js",
    ] {
        answers.push(Caller::get(&app.viewer(), path).await);
    }
    answers
}

/// Every way in which dbt Cloud can fail.
fn faults() -> Vec<Fault> {
    let mut faults = Vec::new();
    for status in [302, 400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504] {
        faults.push(Fault::everywhere().status(status));
        faults.push(Fault::everywhere().answer(status, FaultBody::Html));
    }
    let effects = [
        Effect::ResetBefore,
        Effect::ResetAfter,
        Effect::Truncate { keep_bytes: None },
        Effect::MalformedJson,
        Effect::HideRun { seconds: 60 },
        Effect::RunStatus {
            status: 42,
            humanized: "Hibernating".to_owned(),
        },
        Effect::UnknownFields,
    ];
    faults.extend(effects.map(|effect| Fault::everywhere().effect(effect)));
    for body in [FaultBody::Html, FaultBody::Empty, FaultBody::Malformed] {
        faults.push(Fault::everywhere().answer(200, body));
    }
    faults
}

/// Every row of every table, as text; binary columns are hex.
async fn every_row(app: &TestApp) -> Vec<String> {
    let pool = app.database.pool();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut rows = Vec::new();
    for table in &tables {
        let query = format!("SELECT to_jsonb(t)::text FROM \"{table}\" t");
        let found: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
            .fetch_all(pool)
            .await
            .unwrap();
        rows.extend(found);
    }
    for table in ["api_key", "company", "credential", "request_log"] {
        assert!(tables.iter().any(|each| each == table), "{tables:?}");
    }
    rows
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

    let mut stage = Stage::set().await;
    stage.drive(0, &[Some(Role::Admin), Some(Role::Viewer), None]).await;
    for (round, fault) in faults().into_iter().enumerate() {
        let on = stage.app.dbt.add_fault(fault);
        // Whom the gate refuses, no fault of dbt Cloud reaches.
        stage.drive(round + 1, &[Some(Role::Admin)]).await;
        stage.app.dbt.remove_fault(on);
    }

    let Stage {
        app,
        made_keys,
        answers,
        ..
    } = stage;
    for token in [TOKEN, STORED, CHANGED] {
        let sent = app.dbt.requests();
        let used = |request: &&simulator::RecordedRequest| {
            request.header("authorization").is_some_and(|it| it.ends_with(token))
        };
        assert!(sent.iter().any(|each| used(&each)), "{token} did go to dbt Cloud");
    }
    let rows = every_row(&app).await;
    let log = lines.text();
    assert!(
        log.contains("ERROR") && log.contains("answered"),
        "log lines were collected"
    );
    assert!(!made_keys.is_empty());

    let mut planted: Vec<String> = [TOKEN, STORED, CHANGED, WRONG, URL_PASSWORD, SEALS]
        .map(str::to_owned)
        .into();
    // The part before the last underscore is a key's public prefix.
    let keys = Role::ALL.map(|role| app.key(role).to_owned());
    planted.extend(
        keys.iter()
            .chain(&made_keys)
            .map(|key| key.rsplit('_').next().unwrap().to_owned()),
    );
    assert!(planted.iter().all(|secret| secret.len() >= 32));
    let secrets: Vec<String> = planted.iter().flat_map(|secret| spellings(secret)).collect();

    let debug = [format!("{:?}", app.clients)];
    let places = || {
        answers
            .iter()
            .chain(&rows)
            .chain(&debug)
            .map(String::as_str)
            .chain(log.lines())
    };
    println!(
        "{} places searched for {} secrets in {} spellings: {} answers, {} rows, {} log lines",
        places().count(),
        planted.len(),
        secrets.len(),
        answers.len(),
        rows.len(),
        log.lines().count()
    );
    assert!(
        answers.len() > 1500 && rows.len() > 1000,
        "{} {}",
        answers.len(),
        rows.len()
    );
    // All at once first: only where something is found it matters which place it is.
    let everything = places().collect::<Vec<_>>().join("\n");
    if let Some(secret) = finds(&secrets, &everything) {
        let place = places().find(|place| place.contains(&secret));
        panic!("{secret} in {place:?}");
    }
}

/// Proxies and firewalls between us and dbt Cloud like to show the request that they refuse.
#[tokio::test]
async fn a_token_that_is_echoed_is_taken_out_of_the_words_that_we_pass_on() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let Stage { app, plan, .. } = Stage::set().await;
    let custom = |content_type: &str, body: String| FaultBody::Custom {
        content_type: content_type.to_owned(),
        body,
    };
    let fields = json!({"status": {"user_message": "No."}, "data": {"header": format!("Token {TOKEN}")}});
    let bodies = [
        FaultBody::Message {
            user_message: format!("You sent {TOKEN}, and {TOKEN} is not known."),
        },
        custom("application/json", fields.to_string()),
        custom(
            "text/html",
            format!("<html><title>Blocked: Token {TOKEN}</title></html>"),
        ),
        custom("text/plain", format!("Authorization: Token {TOKEN}")),
    ];
    let trigger = format!("/jobs/{}/runs", plan.job_id(0, 0));
    let verify = format!("/credentials/account%20{}/verify", plan.id());
    let mut told = String::new();
    for status in [400, 401, 403, 404, 422, 429, 500] {
        for body in &bodies {
            app.dbt.add_fault(Fault::everywhere().answer(status, body.clone()));
            for answer in [
                app.viewer().get("/projects").await,
                app.operator().post(&trigger, &json!({"cause": "x"})).await,
                app.caller(Role::Admin).post(&verify, &json!(null)).await,
            ] {
                told.push_str(&answer.text);
            }
            app.dbt.clear_faults();
        }
    }
    assert!(told.contains("You sent [token], and [token] is not known."), "{told}");
    assert!(!told.contains(TOKEN), "{told}");
    let rows = every_row(&app).await.join("\n");
    assert!(rows.contains("[token]") && !rows.contains(TOKEN));
    let log = lines.text();
    assert!(log.contains("ERROR") && !log.contains(TOKEN));
}
