//! The address rule with a resolver whose answers the tests choose. `tests/it/addresses.rs` uses the system's resolver.
//!
//! The tests can only listen on loopback addresses, so 127.0.0.1 counts as public here and every other address as private.

use std::collections::{HashMap, VecDeque};
use std::error::Error as _;
use std::io;
use std::net::IpAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use address_rules::is_public_address;
use model::AccountId;
use reqwest::dns::Resolve as _;
use tokio::net::TcpListener;
use wiremock::matchers::{any, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::guard::Lookup;

const PUBLIC: &str = "127.0.0.1";
const PRIVATE: &str = "127.0.0.2";

/// The addresses of each name, one list per look-up; any other name has none.
struct ScriptedLookup(Mutex<HashMap<&'static str, VecDeque<Vec<IpAddr>>>>);

#[async_trait]
impl Lookup for ScriptedLookup {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let next = self.0.lock().unwrap().get_mut(name).and_then(VecDeque::pop_front);
        next.ok_or_else(|| io::Error::other("no such name"))
    }
}

fn guard(name: &'static str, answers: &[&[&str]], may_connect: fn(IpAddr) -> bool) -> Guard {
    let parse = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
    let answers = answers.iter().map(parse).collect();
    Guard::new(
        Arc::new(ScriptedLookup(Mutex::new(HashMap::from([(name, answers)])))),
        may_connect,
    )
}

fn counts_as_public(address: IpAddr) -> bool {
    address == PUBLIC.parse::<IpAddr>().unwrap()
}

fn api(guard: &Guard) -> DbtWrappedApi {
    let _ = rustls::crypto::ring::default_provider().install_default();
    api_with(guard, &HttpSettings::default())
}

fn api_with(guard: &Guard, settings: &HttpSettings) -> DbtWrappedApi {
    let anywhere = Guard::none(Arc::new(Dns::of_system(settings.dns)));
    DbtWrappedApi::resolving(guard, &anywhere, settings).unwrap()
}

fn upstream(source: UpstreamSource, host: &str, port: u16) -> Upstream {
    let url: Url = format!("http://{host}:{port}/api").parse().unwrap();
    Upstream {
        source,
        name: "default".to_owned(),
        account_id: AccountId(1),
        metadata_url: url.clone(),
        semantic_layer_url: url.clone(),
        admin_url: url,
        token: "dbtc_sesame".into(),
    }
}

fn stored(host: &str, port: u16) -> Upstream {
    upstream(UpstreamSource::Stored, host, port)
}

async fn ask(api: &DbtWrappedApi, to: &Upstream) -> Result<http::StatusCode, ApiError> {
    let answer = api.send(to, ApiRequest::get("/v2/accounts/1/".to_owned())).await?;
    let status = answer.status;
    // Read to the end, so that the connection can be reused.
    let _: Vec<_> = futures::StreamExt::collect(answer.into_body()).await;
    Ok(status)
}

async fn server_at(listener: TcpListener) -> MockServer {
    let server = MockServer::builder()
        .listener(listener.into_std().unwrap())
        .start()
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    server
}

/// A public and a private server at the same port.
async fn public_and_private() -> (MockServer, MockServer, u16) {
    loop {
        let public = TcpListener::bind((PUBLIC, 0)).await.unwrap();
        let port = public.local_addr().unwrap().port();
        // Another test may use this port.
        if let Ok(private) = TcpListener::bind((PRIVATE, port)).await {
            return (server_at(public).await, server_at(private).await, port);
        }
    }
}

async fn requests(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

#[tokio::test]
async fn the_resolver_returns_only_the_public_addresses_of_a_name() {
    let found: &[&str] = &[
        "10.0.0.1",
        "52.22.161.231",
        "::1",
        "2600:1f18::1",
        "169.254.169.254",
        "::ffff:10.0.0.1",
    ];
    let guard = guard("dbt.test", &[found], is_public_address);
    let addresses = guard.resolve("dbt.test".parse().unwrap()).await.unwrap();
    let addresses: Vec<_> = addresses.map(|address| address.to_string()).collect();
    assert_eq!(addresses, ["52.22.161.231:0", "[2600:1f18::1]:0"]);
}

#[tokio::test]
async fn a_name_with_private_and_public_addresses_is_connected_to_the_public_one() {
    let (public, private, port) = public_and_private().await;
    let api = api(&guard("dbt.test", &[&[PRIVATE, PUBLIC, PRIVATE]], counts_as_public));
    assert_eq!(ask(&api, &stored("dbt.test", port)).await.unwrap(), 200);
    assert_eq!((requests(&public).await, requests(&private).await), (1, 0));
}

#[tokio::test]
async fn a_name_with_only_private_addresses_is_refused_without_naming_them() {
    let private = server_at(TcpListener::bind((PRIVATE, 0)).await.unwrap()).await;
    let api = api(&guard(
        "dbt.test",
        &[&[PRIVATE, "10.1.2.3", "fd00::1"]],
        counts_as_public,
    ));
    let error = ask(&api, &stored("dbt.test", private.address().port()))
        .await
        .unwrap_err();

    assert!(matches!(error, ApiError::ForbiddenAddress), "{error:?}");
    assert!(error.source().is_none() && error.status().is_none() && !error.is_transient());
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("upstream.allow_private_addresses"), "{shown}");
    assert!(
        !["127.", "10.1", "fd00", "dbt.test"]
            .iter()
            .any(|part| shown.contains(part)),
        "{shown}"
    );
    assert_eq!(requests(&private).await, 0);
}

#[tokio::test]
async fn a_name_without_an_address_is_a_failure_to_connect() {
    let api = api(&guard("dbt.test", &[&[]], counts_as_public));
    for name in ["dbt.test", "elsewhere.test"] {
        let error = ask(&api, &stored(name, 9)).await.unwrap_err();
        assert!(matches!(error, ApiError::Connect(_)), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn a_name_that_becomes_private_between_two_requests_is_refused_on_the_second() {
    let (public, private, port) = public_and_private().await;
    // No idle connections, so that each request connects.
    let settings = HttpSettings {
        pool_max_idle_per_host: 0,
        ..HttpSettings::default()
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let api = api_with(
        &guard("dbt.test", &[&[PUBLIC], &[PRIVATE]], counts_as_public),
        &settings,
    );

    let to = stored("dbt.test", port);
    assert_eq!(ask(&api, &to).await.unwrap(), 200);
    let error = ask(&api, &to).await.unwrap_err();
    assert!(matches!(error, ApiError::ForbiddenAddress), "{error:?}");
    assert_eq!((requests(&public).await, requests(&private).await), (1, 0));
}

/// The address of every name, which the test changes.
struct MovingLookup(Arc<Mutex<&'static str>>);

#[async_trait]
impl Lookup for MovingLookup {
    async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let address = *self.0.lock().unwrap();
        Ok(vec![address.parse().unwrap()])
    }
}

#[tokio::test]
async fn a_name_that_moves_is_noticed_though_its_connection_is_busy_and_exchanges_under_way_end_where_they_are() {
    let (old, new, port) = public_and_private().await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_millis(500));
    Mock::given(path("/api/slow/"))
        .respond_with(slow)
        .with_priority(1)
        .mount(&old)
        .await;
    let address = Arc::new(Mutex::new(PUBLIC));
    let guard = Guard::new(Arc::new(MovingLookup(Arc::clone(&address))), |_| true);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = HttpSettings {
        connection_max_age: Duration::from_millis(100),
        ..HttpSettings::default()
    };
    let (api, to) = (api_with(&guard, &settings), stored("dbt.test", port));
    assert_eq!(ask(&api, &to).await.unwrap(), 200);
    let under_way = api.send(&to, ApiRequest::get("/slow/".to_owned()));
    let moved = async {
        while requests(&old).await < 2 {
            tokio::task::yield_now().await;
        }
        *address.lock().unwrap() = PRIVATE;
        while requests(&new).await == 0 {
            assert_eq!(ask(&api, &to).await.unwrap(), 200);
        }
    };
    let both = futures::future::join(under_way, moved);
    let (under_way, ()) = tokio::time::timeout(Duration::from_secs(10), both).await.unwrap();
    assert_eq!(under_way.unwrap().status, 200);
}

#[tokio::test]
async fn guarded_and_trusted_requests_never_share_a_connection() {
    let (public, private, port) = public_and_private().await;
    // The same host and port for both sources. The second round has no look-up left, so it must reuse its own connection.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let api = DbtWrappedApi::resolving(
        &guard("dbt.test", &[&[PUBLIC]], counts_as_public),
        &guard("dbt.test", &[&[PRIVATE]], |_| true),
        &HttpSettings::default(),
    )
    .unwrap();

    for round in 1..=2 {
        let settings = upstream(UpstreamSource::Settings, "dbt.test", port);
        assert_eq!(ask(&api, &settings).await.unwrap(), 200);
        assert_eq!(ask(&api, &stored("dbt.test", port)).await.unwrap(), 200);
        assert_eq!((requests(&public).await, requests(&private).await), (round, round));
    }
}

/// Runs itself in a child process with a proxy in the environment, which `reqwest` reads once per process.
#[tokio::test]
async fn a_proxy_in_the_environment_is_used_for_settings_but_not_for_stored_credentials() {
    const AGAIN: &str = "DBT_API_TEST_BEHIND_A_PROXY";
    if std::env::var_os(AGAIN).is_some() {
        return behind_a_proxy().await;
    }
    let proxy = server_at(TcpListener::bind((PUBLIC, 0)).await.unwrap()).await;
    let mut again = Command::new(std::env::current_exe().unwrap());
    again
        .args(["--exact", "--nocapture"])
        .arg("http::tests::a_proxy_in_the_environment_is_used_for_settings_but_not_for_stored_credentials")
        .env(AGAIN, "1")
        .env("http_proxy", proxy.uri())
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .env_remove("REQUEST_METHOD"); // `reqwest` ignores `http_proxy` in a CGI program
    let output = tokio::task::spawn_blocking(move || again.output())
        .await
        .unwrap()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{output:?}");
    assert_eq!(requests(&proxy).await, 1, "the trusted one");
}

async fn behind_a_proxy() {
    let public = server_at(TcpListener::bind((PUBLIC, 0)).await.unwrap()).await;
    let port = public.address().port();
    let api = api(&guard("dbt.test", &[&[PUBLIC]], counts_as_public));
    // This name does not resolve, so the answer is from the proxy.
    let settings = upstream(UpstreamSource::Settings, "dbt.test", port);
    assert_eq!(ask(&api, &settings).await.unwrap(), 200);
    assert_eq!(requests(&public).await, 0);
    assert_eq!(ask(&api, &stored("dbt.test", port)).await.unwrap(), 200);
    assert_eq!(requests(&public).await, 1);
}

#[test]
fn debug_output_of_the_authorization_header_has_no_token() {
    let header = authorization(ClientType::DbtCloudAdministrative, &"dbtc_sesame".into()).unwrap();
    assert_eq!(header, "Token dbtc_sesame");
    assert_eq!(format!("{header:?}"), "Sensitive");
}
