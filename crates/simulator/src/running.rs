//! Starts, controls and stops a simulator.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use chrono::{DateTime, Utc};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::connection::{BreakableListener, ConnectionHandle};
use crate::faults::Fault;
use crate::limiter::{RateCount, RateLimit};
use crate::recorder::RecordedRequest;
use crate::seed::Seed;
use crate::serve::serve;
use crate::state::State;
use crate::switches::Switches;
use crate::tls::Tls;
use crate::webhook_delivery::deliver_forever;
use crate::world::JobScript;
use crate::{acme, api, control, tls_listener};

/// Starts simulators.
#[derive(Clone, Copy, Debug)]
pub struct Simulator;

impl Simulator {
    /// Binds the listeners and serves until [`Running::shutdown`] or until the handle is dropped.
    ///
    /// # Errors
    /// An address could not be bound, or the certificate's file not written.
    pub async fn start(config: Config) -> io::Result<Running> {
        let listener = TcpListener::bind(config.listen).await?;
        let control = TcpListener::bind(config.control_listen).await?;
        let (address, control_address) = (listener.local_addr()?, control.local_addr()?);
        let state = Arc::new(State::new(&config));
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();

        let tls = match config.tls_listen {
            Some(address) => Some(Tls::bind(address, config.ca_file.as_deref()).await?),
            None => None,
        };
        let (tls_address, ca_pem) = tls.as_ref().map(|tls| (tls.address, tls.ca_pem.clone())).unzip();
        if let Some(tls) = tls {
            let serving = tls_listener::serve(tls, Arc::clone(&state), dbt_apis(Arc::clone(&state)));
            let until = stop.clone();
            tasks.spawn(async move {
                until.run_until_cancelled(serving).await;
            });
        }
        let app = dbt_apis(Arc::clone(&state)).into_make_service_with_connect_info::<ConnectionHandle>();
        tasks.spawn(serve_until(
            stop.clone(),
            axum::serve(BreakableListener(listener), app).into_future(),
        ));
        let app = control::router(Arc::clone(&state));
        tasks.spawn(serve_until(stop.clone(), axum::serve(control, app).into_future()));
        let delivering = deliver_forever(Arc::clone(&state));
        let until = stop.clone();
        tasks.spawn(async move {
            until.run_until_cancelled(delivering).await;
        });
        Ok(Running {
            state,
            address,
            tls_address,
            ca_pem,
            control_address,
            stop,
            tasks,
            seeded_with_acme: matches!(config.seed, Seed::Acme),
        })
    }
}

fn dbt_apis(state: Arc<State>) -> Router {
    Router::new().fallback(
        move |ConnectInfo(connection): ConnectInfo<ConnectionHandle>, request: http::Request<Body>| {
            serve(Arc::clone(&state), connection, request)
        },
    )
}

/// Open connections are dropped at the end.
async fn serve_until(stop: CancellationToken, serving: impl Future<Output = io::Result<()>>) {
    if let Some(Err(error)) = stop.run_until_cancelled(serving).await {
        tracing::error!(%error, "the simulator stopped serving");
    }
}

/// Runs a simulator until `stop` resolves; `announce` gets its banner.
///
/// # Errors
/// An address could not be bound.
pub async fn run(config: Config, stop: impl Future<Output = ()>, announce: impl FnOnce(&str)) -> io::Result<()> {
    let running = Simulator::start(config).await?;
    announce(&running.banner());
    stop.await;
    running.shutdown().await;
    Ok(())
}

/// A running simulator. Dropping it stops it.
pub struct Running {
    state: Arc<State>,
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    ca_pem: Option<String>,
    control_address: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    seeded_with_acme: bool,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Running {
    /// The URL of dbt's APIs: `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL of dbt's APIs over TLS: `https://127.0.0.1:PORT`, without a slash at the end; `None` without
    /// [`Config::tls_listen`].
    pub fn tls_url(&self) -> Option<String> {
        self.tls_address.map(|address| format!("https://{address}"))
    }

    /// The certificate of the TLS listener as PEM, which a client has to trust; `None` without [`Config::tls_listen`].
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// The URL of the control endpoint, without a slash at the end.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control_address)
    }

    /// The address of dbt's APIs.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A text for the console: the addresses, and how to use them with a client of dbt Cloud.
    pub fn banner(&self) -> String {
        let (dbt, control) = (self.base_url(), self.control_url());
        let (account, token, job) = (acme::ACCOUNT_ID, acme::TOKEN, acme::NIGHTLY_JOB_ID);
        let mut text = format!(
            "dbt Cloud simulator\n\
             \x20 dbt's APIs        {dbt}      (Administrative v2 and v3, Discovery /graphql, Semantic Layer /api/graphql)\n\
             \x20 control endpoint  {control}      (GET / lists its routes)\n"
        );
        if let Some(tls) = self.tls_url() {
            text.push_str("  over TLS          ");
            text.push_str(&tls);
            text.push_str("     (HTTP/2 and HTTP/1.1; the certificate is its own)\n");
        }
        if self.seeded_with_acme {
            let examples = format!(
                "\n\
                 For a client of dbt Cloud: host {dbt}, account {account}, token {token} (made up).\n\
                 \x20 curl -s -H 'Authorization: Token {token}' {dbt}/api/v3/accounts/{account}/projects/\n\
                 \x20 curl -s -H 'Authorization: Token {token}' -H 'Content-Type: application/json' \
                 -d '{{\"cause\":\"trying it out\"}}' {dbt}/api/v2/accounts/{account}/jobs/{job}/run/\n\
                 \x20 curl -s -X POST -H 'Content-Type: application/json' -d '{{\"seconds\":60}}' {control}/clock/advance\n"
            );
            text.push_str(&examples);
        }
        text
    }

    /// Simulated time.
    pub fn now(&self) -> DateTime<Utc> {
        self.state.clock.now()
    }

    /// Moves simulated time ahead and returns it.
    pub fn advance(&self, by: Duration) -> DateTime<Utc> {
        self.state.advance(by)
    }

    /// Sets the simulated seconds per real second: 1 is real time, 0 stops the clock.
    pub fn set_time_scale(&self, scale: f64) {
        self.state.set_scale(scale);
    }

    /// Switches a fault on and returns its id.
    pub fn add_fault(&self, fault: Fault) -> u64 {
        self.state.faults.add(fault)
    }

    /// Switches a fault off; `false` when it is not on any more.
    pub fn remove_fault(&self, id: u64) -> bool {
        self.state.faults.remove(id)
    }

    /// Switches all faults off.
    pub fn clear_faults(&self) {
        self.state.faults.clear();
    }

    /// The switches of undocumented behaviour.
    pub fn switches(&self) -> Switches {
        self.state.switches()
    }

    /// Sets all switches.
    pub fn set_switches(&self, switches: Switches) {
        self.state.set_switches(switches);
    }

    /// Changes some switches.
    pub fn change_switches(&self, change: impl FnOnce(&mut Switches)) {
        let mut switches = self.state.switches();
        change(&mut switches);
        self.state.set_switches(switches);
    }

    /// Sets how the runs of a job go, from the next trigger on; `false` when the job does not exist.
    pub fn set_script(&self, job_id: i64, script: JobScript) -> bool {
        self.state.set_script(job_id, script)
    }

    /// Resets the rate limits, cooldowns included.
    pub fn reset_rate_limits(&self) {
        self.state.reset_limits();
    }

    /// Sets the rate limit of all accounts.
    pub fn set_rate_limit(&self, limit: RateLimit) {
        self.state.set_rate_limit(limit);
    }

    /// What an account has sent while it had a limit: to the Administrative API, then to Discovery.
    pub fn rate_counts(&self, account_id: i64) -> [RateCount; 2] {
        self.state.rate_counts().get(&account_id).copied().unwrap_or_default()
    }

    /// The recorded requests to dbt's APIs, oldest first.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.state.recorder.all()
    }

    /// The recorded requests with this method and path prefix.
    pub fn requests_to(&self, method: &str, path_prefix: &str) -> Vec<RecordedRequest> {
        let mut all = self.state.recorder.all();
        all.retain(|request| request.method.eq_ignore_ascii_case(method) && request.target.starts_with(path_prefix));
        all
    }

    /// Deletes the recorded requests.
    pub fn clear_requests(&self) {
        self.state.recorder.clear();
    }

    /// Every operation served, as `GET /api/v2/accounts/{account_id}/`, sorted.
    pub fn operations(&self) -> Vec<String> {
        api::router().operations().to_vec()
    }

    /// Stops serving and waits until both listeners are closed.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}
