//! `TestApp`: a complete gateway in this process with a simulated dbt Cloud and its own database.
//!
//! Every layer is the real one, wired as in `gateway`; callers use real HTTP.

mod answer;
mod caller;
mod operations;
mod setup;
mod wiring;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use chrono::DateTime;
use client::{AccessRules, Clients, HealthSignals, WatchSettings};
use dbt_api::HttpSettings;
use metric_families::exposition;
use model::{CompanyId, FixedClock, InstanceId, RequestStamp, Role, Surface};
use prometheus_client::registry::Registry;
use provider::{
    BreakerSettings, BudgetSettings, CacheSettings, FailureSettings, GatherSettings, GraphqlSettings, NewRunSettings,
    RelaySettings, ShareSettings, StreamSettings, TriggerSettings,
};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use server::{AddressLimitSettings, GraphqlLimits, LimitSettings, ServerSettings, ServerState, Shutdown};
use simulator::{Config, Running, Simulator, acme};
use storage::{ApiKeys, CreateKey, CurrentKeys, Database, KeyRing, LogReadSettings};
use testkit::{SwitchableProxy, TestDatabase};
use tokio::net::TcpListener;
use url::Url;

pub(crate) use answer::Answer;
pub(crate) use caller::Caller;
pub(crate) use operations::{
    Names, Operation, SERVICE, document, example_of, invented_ids, operations, other_ids, resolved,
    running_and_failed_run, with_parameter,
};
pub(crate) use setup::Setup;

/// The company that the migrations create.
pub(crate) const COMPANY: CompanyId = CompanyId(1);
/// Longer than any test: a timeout of this length never expires.
pub(crate) const FOREVER: Duration = Duration::from_mins(10);

/// Serves on a free port, and returns the address.
async fn serve(state: ServerState) -> String {
    let router = server::router(state).into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    url
}

/// Whether all tests of this run have an upstream over TLS and HTTP/2: `TEST_UPSTREAM=h2`.
#[expect(clippy::disallowed_methods, reason = "it is no setting of the gateway")]
fn upstream_is_http2() -> bool {
    std::env::var("TEST_UPSTREAM").is_ok_and(|kind| kind == "h2")
}

/// A running gateway and everything around it. Stops with the test.
pub(crate) struct TestApp {
    /// The simulated dbt Cloud.
    pub(crate) dbt: Running,
    /// Shows the start time of the simulator and does not advance by itself.
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) database: TestDatabase,
    /// Between the gateway and Postgres, if [`Setup::proxied`].
    pub(crate) proxy: SwitchableProxy,
    /// The address of the gateway: `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    /// Authenticates callers.
    pub(crate) clients: Clients,
    registry: Arc<Registry>,
    keys: ApiKeys,
    /// One key for each role, weakest first.
    role_keys: [String; 3],
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    async fn with(mut setup: Setup) -> Self {
        let http = wiring::http_client();
        if upstream_is_http2() {
            setup.simulator = setup.simulator.with_tls();
        }
        let dbt = Simulator::start(setup.simulator.clone()).await.unwrap();
        setup.http.extra_roots = dbt.ca_pem().map(str::to_owned);
        let clock = Arc::new(FixedClock::at(DateTime::from_timestamp(1_768_467_600, 0).unwrap()));
        let database = wiring::migrated_database().await;
        let keys = ApiKeys::new(&Database::from(database.pool().clone()));
        let options = database.url().parse().unwrap();
        let proxy = SwitchableProxy::start(&options).await;
        if setup.proxied.is_some() {
            setup.database_url = Some(proxy.url(&options));
        }
        let (state, registry, _) = wiring::state(&setup, &dbt, &database, &clock);
        let clients = state.clients.clone();
        let url = serve(state).await;
        let mut app = Self {
            dbt,
            clock,
            database,
            proxy,
            url,
            http,
            clients,
            registry,
            keys,
            role_keys: Default::default(),
        };
        for (index, role) in Role::ALL.into_iter().enumerate() {
            app.role_keys[index] = app.create_key(COMPANY, role).await;
        }
        app
    }

    /// The address and the encryption keys of another gateway with the same database and the same dbt Cloud.
    pub(crate) async fn replica(&self, setup: &Setup) -> (String, CurrentKeys) {
        let (state, _, encryption_keys) = wiring::state(setup, &self.dbt, &self.database, &self.clock);
        (serve(state).await, encryption_keys)
    }

    /// A caller with a key of that role in company 1.
    pub(crate) fn caller(&self, role: Role) -> Caller<'_> {
        self.with_key(self.key(role))
    }

    pub(crate) fn viewer(&self) -> Caller<'_> {
        self.caller(Role::Viewer)
    }

    pub(crate) fn operator(&self) -> Caller<'_> {
        self.caller(Role::Operator)
    }

    /// A caller with that key.
    pub(crate) fn with_key(&self, key: &str) -> Caller<'_> {
        Caller::new(self, Some(format!("Bearer {key}")))
    }

    /// A caller without a key.
    pub(crate) fn without_key(&self) -> Caller<'_> {
        Caller::new(self, None)
    }

    /// The key of that role in company 1.
    pub(crate) fn key(&self, role: Role) -> &str {
        &self.role_keys[Role::ALL.into_iter().position(|each| each == role).unwrap()]
    }

    /// The socket address of the gateway.
    pub(crate) fn address(&self) -> SocketAddr {
        self.url.strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// The text of `/metrics`, without a request that would be counted.
    pub(crate) fn metrics(&self) -> String {
        exposition(&self.registry)
    }

    /// Creates a key.
    pub(crate) async fn create_key(&self, company_id: CompanyId, role: Role) -> String {
        let stamp = RequestStamp::now(&*self.clock, Surface::Internal, None);
        let input = CreateKey::new(company_id, format!("a test's {role}"), role);
        let created = self.keys.create(&stamp, &input).await.unwrap();
        created.key.expose_secret().to_owned()
    }

    /// Creates a company.
    pub(crate) async fn create_company(&self, name: &str) -> CompanyId {
        let id = sqlx::query_scalar("INSERT INTO company (name) VALUES ($1) RETURNING id")
            .bind(name)
            .fetch_one(self.database.pool())
            .await
            .unwrap();
        CompanyId(id)
    }

    /// Updates the row of a key; `set` is the SET clause.
    pub(crate) async fn update_key(&self, key: &str, set: &str) {
        let prefix = key.split('_').nth(1).unwrap();
        let updated = sqlx::query(sqlx::AssertSqlSafe(format!(
            "UPDATE api_key SET {set} WHERE prefix = $1"
        )))
        .bind(prefix)
        .execute(self.database.pool())
        .await
        .unwrap();
        assert_eq!(updated.rows_affected(), 1);
    }

    /// The rows of the request log, except of internal requests, as JSON objects by column.
    pub(crate) async fn rows(&self) -> Vec<Value> {
        sqlx::query_scalar(
            "SELECT to_jsonb(request_log) FROM request_log WHERE surface <> 'internal' ORDER BY started_at, request_uuid",
        )
        .fetch_all(self.database.pool())
        .await
        .unwrap()
    }

    /// Waits until the newest row matches.
    pub(crate) async fn row_when(&self, matches: impl Fn(&Value) -> bool) -> Value {
        eventually(async || self.rows().await.pop().filter(&matches)).await
    }

    async fn find_rows(&self, request_uuid: &str) -> Vec<Value> {
        sqlx::query_scalar(
            "SELECT to_jsonb(request_log) FROM request_log WHERE surface <> 'internal' AND request_uuid = $1::uuid",
        )
        .bind(request_uuid)
        .fetch_all(self.database.pool())
        .await
        .unwrap()
    }

    /// Whether that answer has a row.
    pub(crate) async fn has_row(&self, answer: &Answer) -> bool {
        !self.find_rows(&answer.request_uuid()).await.is_empty()
    }

    /// The only row of that answer.
    pub(crate) async fn row_of(&self, answer: &Answer) -> Value {
        self.row(&answer.request_uuid()).await
    }

    /// The only row of the request with that id.
    pub(crate) async fn row(&self, request_uuid: &str) -> Value {
        let mut rows = self.find_rows(request_uuid).await;
        assert_eq!(rows.len(), 1, "rows of {request_uuid}: {rows:#?}");
        rows.remove(0)
    }

    /// The closed row of the request with that id: the row of a streamed answer is closed after its last byte.
    pub(crate) async fn closed_row(&self, request_uuid: &str) -> Value {
        eventually(async || {
            let rows = self.find_rows(request_uuid).await;
            rows.into_iter().find(|row| !row["outcome"].is_null())
        })
        .await
    }

    /// Waits until dbt Cloud has received `count` requests with that method.
    pub(crate) async fn dbt_received(&self, count: usize, method: &str) {
        eventually(async || (self.dbt.requests_to(method, "/").len() >= count).then_some(())).await;
    }
}

/// Polls until there is a value; the test fails after a minute.
pub(crate) async fn eventually<T>(poll: impl AsyncFn() -> Option<T>) -> T {
    let value = async {
        loop {
            if let Some(value) = poll().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let value = tokio::time::timeout(Duration::from_mins(1), value).await;
    value.expect("no value within a minute")
}
