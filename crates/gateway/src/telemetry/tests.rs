//! A panic in a request, from the real server and provider to a fake Sentry.

#[path = "../../tests/it/fake_sentry.rs"]
mod fake_sentry;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use client::{ClientParts, ClientShares, Clients, HealthSignals, KeySource, KeySourceError, Records};
use dbt_api::{ApiAnswer, ApiError, ApiRequest, WrappedApi};
use model::{ApiKeyId, Caller, Clock, CompanyId, InstanceId, Role, SystemClock, Upstream};
use provider::{DbtProvider, ProviderShares};
use secrecy::ExposeSecret as _;
use server::{AddressLimits, Limits, ServerState, Shutdown};
use storage::{
    ApiKeys, Credentials, Database, DatabaseSettings, KeyHash, KeyRecord, LogQueue, LogRow, MemoryTriggerLedger,
    PgStartedRuns, RequestLog, RequestLogs, RunEvents, RunWatches, WriteError,
};
use tokio::net::TcpListener;

use self::fake_sentry::FakeSentry;
use crate::commands::serve::{layer_settings, upstreams};
use crate::settings::Settings;

const TOKEN: &str = "dbtc_in_the_text_of_a_panic";

/// An API client with a bug.
struct Panics;

#[async_trait]
impl WrappedApi for Panics {
    async fn send(&self, to: &Upstream, request: ApiRequest) -> Result<ApiAnswer, ApiError> {
        panic!("{request:?} with {}", to.token.expose_secret())
    }
}

struct OneKey;

impl OneKey {
    fn text() -> String {
        format!("dgw_{}_{}", "1".repeat(8), "2".repeat(64))
    }
}

#[async_trait]
impl KeySource for OneKey {
    async fn find(&self, _: &KeyHash) -> Result<Option<KeyRecord>, KeySourceError> {
        let caller = Caller {
            api_key_id: ApiKeyId(1),
            company_id: CompanyId(1),
            role: Role::Operator,
            accounts: None,
            default_account: None,
            credentials: None,
        };
        Ok(Some(KeyRecord {
            caller,
            expires_at: None,
            revoked_at: None,
            suspended_at: None,
        }))
    }
}

struct AcceptsAll;

#[async_trait]
impl RequestLog for AcceptsAll {
    async fn write(&self, _: &[LogRow]) -> Result<(), WriteError> {
        Ok(())
    }
}

/// The layers as in `serve`, without a database.
fn state(settings: &Settings) -> ServerState {
    let database = Database::new(&DatabaseSettings {
        url: "postgres://nobody@127.0.0.1:1/nothing".into(),
        max_connections: 1,
        acquire_timeout: Duration::from_millis(10),
        direct_url: None,
        statement_timeout: Duration::from_secs(10),
        migrations: storage::MigrationSettings::default(),
    });
    let database = database.unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (log, _writer) = LogQueue::start(Arc::new(AcceptsAll), layer_settings::queue(settings), Arc::default());
    let provider = DbtProvider::new(
        Arc::new(Panics),
        log.clone(),
        ProviderShares::default(),
        Arc::new(PgStartedRuns::new(&database)),
        Arc::new(MemoryTriggerLedger::default()),
        Arc::clone(&clock),
        layer_settings::provider(settings, InstanceId(1)),
        Arc::default(),
    );
    let client_settings = layer_settings::client(settings);
    let clients = Clients::new(
        ClientParts {
            keys: Arc::new(OneKey),
            upstreams: upstreams(settings).unwrap(),
            provider,
            database: database.clone(),
            log,
            signals: HealthSignals::default(),
            records: Records {
                credentials: Credentials::new(&database, None),
                api_keys: ApiKeys::new(&database),
                request_logs: RequestLogs::new(&database, &layer_settings::log_read(settings)),
                run_watches: RunWatches::new(&database, None),
                run_events: RunEvents::new(&database),
                triggers: Arc::new(MemoryTriggerLedger::default()),
            },
            shares: ClientShares::new(&client_settings),
            clock: Arc::clone(&clock),
            metrics: Arc::default(),
        },
        client_settings,
    );
    ServerState {
        clients,
        clock,
        limits: Arc::new(Limits::new(layer_settings::limits(settings))),
        addresses: Arc::new(AddressLimits::new(layer_settings::addresses(settings))),
        metrics: Arc::default(),
        spans: None,
        settings: Arc::new(layer_settings::server(settings).unwrap()),
        shutdown: Shutdown::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_one_event_with_its_location_and_request_but_without_its_text() {
    let sentry = FakeSentry::default();
    let environment = [
        ("SENTRY_DSN", sentry.start().await),
        ("DBT_TOKEN", TOKEN.to_owned()),
        ("DBT_ACCOUNT_ID", "7".to_owned()),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value));
    let settings = Settings::of(None, &HashMap::from(environment)).unwrap();
    drop(rustls::crypto::ring::default_provider().install_default());
    let telemetry = super::start(&settings).unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, server::router(state(&settings))).into_future());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let read = http.get(format!("{origin}/projects"));
    let change = http
        .post(format!("{origin}/jobs/1/runs"))
        .json(&serde_json::json!({"cause": "a body"}));

    let mut requests = Vec::new();
    for (request, request_type) in [(read, "list_projects"), (change, "trigger_job")] {
        let answer = request.bearer_auth(OneKey::text()).send().await.unwrap();
        assert_eq!(answer.status(), 500);
        let uuid = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        requests.push((request_type, uuid));
    }
    // Sends the queued events.
    tokio::task::spawn_blocking(|| drop(telemetry)).await.unwrap();

    let events = sentry.events();
    assert_eq!(events.len(), requests.len(), "{events:#?}");
    for (event, (request_type, request_uuid)) in events.iter().zip(requests) {
        let tags = &event["tags"];
        assert_eq!(tags["request.uuid"], request_uuid);
        assert_eq!(tags["request.type"], request_type);
        assert_eq!(tags["company.id"], "1");
        let panic = &event["exception"]["values"][0];
        assert!(
            panic["value"].as_str().unwrap().contains("telemetry/tests.rs:"),
            "{panic}"
        );
        let frames = panic["stacktrace"]["frames"].as_array().unwrap();
        assert!(frames.len() > 10, "the stack trace: {panic}");
    }
    let mut everything = sentry.received().join("\n");
    for text in [TOKEN, "a body", &OneKey::text()] {
        assert!(!everything.contains(text), "{text} is in {everything}");
    }
    everything.truncate(4000);
    println!("panics:\n{everything} …");
}
