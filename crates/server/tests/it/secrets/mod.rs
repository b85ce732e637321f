//! No secret leaves the gateway: every operation is sent under every fault of dbt Cloud, then all answers, tables and log
//! lines are searched for the secrets of the test, in every encoding.

mod planted;
mod refusals;
mod search;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Role;
use rstest::rstest;
use serde_json::{Value, json};
use simulator::{AccountPlan, Config, Effect, Fault, FaultBody, Seed};
use storage::KeyRing;

use self::refusals::refusals;
use self::search::{LogLines, SecretSearch};
use crate::support::{Answer, COMPANY, Names, Setup, TestApp, operations, other_ids, with_parameter};

const TOKEN: &str = "dbtc_MARKED_b1946ac92492d2347c6235b4d2611184";
const STORED: &str = "dbtc_STORED_591785b794601e212b260e25925636fd";
const CHANGED: &str = "dbtc_CHANGED_6f1ed002ab5595859014ebf0951522d9";
const WRONG: &str = "dbtc_WRONG_d3b07384d113edec49eaa6238ad5ff00";
const URL_PASSWORD: &str = "PASSWORD_c157a79031e1c40f85931829bc5fc552";
/// The 32 bytes of the encryption key.
const ENCRYPTION_KEY: &str = "MARKED-encryption-key-9cdfb439c7";

/// A gateway that stores the secrets above, and the answers it gave.
struct Fixture {
    app: TestApp,
    plan: AccountPlan,
    /// The id of a logged request of the admin.
    request_uuid: String,
    /// Keys created by the API.
    created_keys: Vec<String>,
    answers: Vec<String>,
    rounds: usize,
    other_ids: BTreeMap<String, i64>,
}

impl Fixture {
    async fn start() -> Self {
        let plan = AccountPlan::new(70_403_200_000_000, "Marked")
            .token(TOKEN)
            .token(STORED)
            .runs_per_job(1);
        let ring = KeyRing::parse(&format!("marked:{}", STANDARD.encode(ENCRYPTION_KEY))).unwrap();
        let app = Setup {
            accounts: vec![(COMPANY, plan.id(), TOKEN.to_owned())],
            simulator: Config::frozen().with_seed(Seed::account(plan.clone())),
            key_ring: Some(Arc::new(ring)),
            ..Setup::default()
        }
        .start()
        .await;
        let request_uuid = app.caller(Role::Admin).get("/projects").await.request_uuid();
        let other_ids = other_ids(&app, plan.id()).await;
        let fixture = Self {
            app,
            plan,
            request_uuid,
            created_keys: Vec::new(),
            answers: Vec::new(),
            rounds: 0,
            other_ids,
        };
        fixture.store("kept", STORED).await;
        fixture
    }

    async fn store(&self, name: &str, token: &str) {
        let credential = json!({
            "name": name, "account_id": self.plan.id(), "token": token, "access_url": self.app.dbt.base_url(),
        });
        let admin = self.app.caller(Role::Admin);
        admin.post("/credentials", &credential).await.expect(201);
    }

    /// Keeps an answer, without the text of a key that it created.
    fn keep(&mut self, answer: &Answer) {
        let mut text = format!("{} {:?} {}", answer.status, answer.headers, answer.text);
        let body: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        if let Some(key) = body["key"].as_str() {
            assert_eq!(text.matches(key).count(), 1);
            text = text.replace(key, "");
            self.created_keys.push(key.to_owned());
        }
        self.answers.push(text);
    }

    /// Sends every operation for each caller with each credential, and every request that the gateway itself refuses.
    async fn send_all(&mut self, callers: &[Option<Role>]) {
        let (round, operations) = (self.rounds, operations());
        let before = self.answers.len();
        for (index, operation) in operations.iter().enumerate() {
            let credential = format!("round-{round}-{index}");
            if operation.path.contains("{name}") {
                self.store(&credential, STORED).await;
            }
            for header in [None, Some("kept")] {
                for &role in callers {
                    let names = Names {
                        account: self.plan.id(),
                        project: self.plan.project_id(0),
                        job: self.plan.job_id(0, 0),
                        run: self.plan.run_id(0),
                        running_run: self.plan.run_id(0),
                        failed_run: self.plan.run_id(0),
                        credential: credential.clone(),
                        // Does not exist: keys in use must not be revoked.
                        api_key: 4711,
                        request_uuid: self.request_uuid.clone(),
                        unused_name: format!("free-{round}-{index}-{}", header.is_some()),
                        other_ids: self.other_ids.clone(),
                    };
                    let caller = role.map_or_else(|| self.app.without_key(), |role| self.app.caller(role));
                    let mut address = operation.address(&names);
                    if operation.id == "export_request_logs" {
                        // All rows are searched later; here each export would repeat them.
                        address = with_parameter(&address, "status_code=404");
                    }
                    let mut request = caller.request(operation.method.clone(), &address);
                    if let Some(name) = header {
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
        let sent = self.answers.len() - before;
        assert_eq!(sent, 2 * callers.len() * operations.len());
        for answer in refusals(&self.app, &self.plan).await {
            self.keep(&answer);
        }
        self.rounds += 1;
    }

    /// Searches every answer, row and log line for every secret.
    async fn assert_no_secret(self, log: &str) {
        let sent = self.app.dbt.requests();
        for token in [TOKEN, STORED, CHANGED] {
            let used = |request: &simulator::RecordedRequest| {
                request.header("authorization").is_some_and(|it| it.ends_with(token))
            };
            assert!(sent.iter().any(used), "{token} was not sent to dbt Cloud");
        }
        let rows = every_row(&self.app).await;
        assert!(
            self.answers.len() > 100 * self.rounds && rows.len() > 30 * self.rounds,
            "{} answers, {} rows in {} rounds",
            self.answers.len(),
            rows.len(),
            self.rounds
        );
        assert!(log.contains("TRACE") && log.contains("answered"), "no log lines");
        assert!(!self.created_keys.is_empty());

        let mut secrets: Vec<String> = [TOKEN, STORED, CHANGED, WRONG, URL_PASSWORD, ENCRYPTION_KEY]
            .map(str::to_owned)
            .into();
        let keys = Role::ALL.map(|role| self.app.key(role).to_owned());
        // The part before the last underscore is the public prefix of a key.
        let secret_parts = keys
            .iter()
            .chain(&self.created_keys)
            .map(|key| key.rsplit('_').next().unwrap().to_owned());
        secrets.extend(secret_parts);
        assert!(secrets.iter().all(|secret| secret.len() >= 32));
        let search = SecretSearch::new(&secrets);

        let debug = format!("{:?}", self.app.clients);
        let texts = self.answers.iter().chain(&rows).map(String::as_str);
        for text in texts.chain([debug.as_str()]).chain(log.lines()) {
            if let Some(secret) = search.find(text) {
                panic!("{secret} in {text:?}");
            }
        }
    }
}

/// Each status with a JSON and an HTML body.
fn statuses(statuses: &[u16]) -> Vec<Fault> {
    let faults = statuses.iter().flat_map(|status| {
        [
            Fault::everywhere().status(*status),
            Fault::everywhere().answer(*status, FaultBody::Html),
        ]
    });
    faults.collect()
}

fn effects(effects: impl IntoIterator<Item = Effect>) -> Vec<Fault> {
    let faults = effects.into_iter().map(|effect| Fault::everywhere().effect(effect));
    faults.collect()
}

fn success_with(bodies: impl IntoIterator<Item = FaultBody>) -> Vec<Fault> {
    let faults = bodies.into_iter().map(|body| Fault::everywhere().answer(200, body));
    faults.collect()
}

/// Every row of every table as text, binary columns in hex.
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

/// Collects every log line of this thread, on which the whole test runs.
fn collect_logs() -> (LogLines, tracing::subscriber::DefaultGuard) {
    let lines = LogLines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(lines.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    (lines, guard)
}

#[tokio::test]
async fn no_secret_is_in_any_answer_row_or_log_line() {
    let (lines, _guard) = collect_logs();
    let mut fixture = Fixture::start().await;
    fixture.send_all(&[Some(Role::Admin), Some(Role::Viewer), None]).await;
    fixture.assert_no_secret(&lines.text()).await;
}

/// As above, while dbt Cloud fails. Only the admin sends requests: the gate refuses the others before a fault matters.
#[rstest]
#[case::statuses_302_to_401(statuses(&[302, 400, 401]))]
#[case::statuses_403_to_422(statuses(&[403, 404, 408, 422]))]
#[case::statuses_409_to_502(statuses(&[409, 429, 500, 502]))]
#[case::statuses_503_and_504(statuses(&[503, 504]))]
#[case::interrupted_answers(effects([Effect::ResetBefore, Effect::ResetAfter, Effect::Truncate { keep_bytes: None }]))]
#[case::unusual_answers(effects([
    Effect::MalformedJson,
    Effect::HideRun { seconds: 60 },
    Effect::RunStatus { status: 42, humanized: "Hibernating".to_owned() },
    Effect::UnknownFields,
]))]
#[case::unreadable_successes(success_with([FaultBody::Html, FaultBody::Empty, FaultBody::Malformed]))]
#[tokio::test]
async fn no_secret_is_in_any_answer_row_or_log_line_when_dbt_fails(#[case] faults: Vec<Fault>) {
    let (lines, _guard) = collect_logs();
    let mut fixture = Fixture::start().await;
    for fault in faults {
        let fault = fixture.app.dbt.add_fault(fault);
        fixture.send_all(&[Some(Role::Admin)]).await;
        fixture.app.dbt.remove_fault(fault);
    }
    let log = lines.text();
    assert!(log.contains("ERROR"), "no error was logged");
    fixture.assert_no_secret(&log).await;
}

/// Proxies and firewalls in front of dbt Cloud may echo the request that they refuse.
#[tokio::test]
async fn a_token_echoed_by_dbt_is_removed_from_answers_rows_and_log_lines() {
    let lines = LogLines::default();
    let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let Fixture { app, plan, .. } = Fixture::start().await;
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
    let mut answers = String::new();
    for status in [400, 401, 403, 404, 422, 429, 500] {
        for body in &bodies {
            app.dbt.add_fault(Fault::everywhere().answer(status, body.clone()));
            for answer in [
                app.viewer().get("/projects").await,
                app.operator().post(&trigger, &json!({"cause": "x"})).await,
                app.caller(Role::Admin).post(&verify, &json!(null)).await,
            ] {
                answers.push_str(&answer.text);
            }
            app.dbt.clear_faults();
        }
    }
    assert!(
        answers.contains("You sent [token], and [token] is not known."),
        "{answers}"
    );
    assert!(!answers.contains(TOKEN), "{answers}");
    let rows = every_row(&app).await.join("\n");
    assert!(rows.contains("[token]") && !rows.contains(TOKEN));
    let log = lines.text();
    assert!(log.contains("ERROR") && !log.contains(TOKEN));
}
