//! The address rule with names whose answers the tests choose. What the system itself finds is tested in `tests/it`.
//!
//! Nothing but loopback is at hand, so here 127.0.0.1 plays the public internet and every other address is private.

use std::collections::{HashMap, VecDeque};
use std::process::Command;
use std::sync::Mutex;

use model::{AccountId, Upstream, UpstreamSource};
use tokio::net::TcpListener;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::http::Connections;
use crate::{ApiRequest, DbtWrappedApi, HttpSettings, WrappedApi};

const PUBLIC: &str = "127.0.0.1";
const PRIVATE: &str = "127.0.0.2";

/// What a name answers, look-up by look-up; a name that is not told has no address.
struct Told(Mutex<HashMap<&'static str, VecDeque<Vec<IpAddr>>>>);

#[async_trait]
impl Lookup for Told {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let next = self.0.lock().unwrap().get_mut(name).and_then(VecDeque::pop_front);
        next.ok_or_else(|| io::Error::other("no such name"))
    }
}

fn guard(name: &'static str, answers: &[&[&str]], may_connect: fn(IpAddr) -> bool) -> Guard {
    let parse = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
    let answers = answers.iter().map(parse).collect();
    let lookup = Arc::new(Told(Mutex::new(HashMap::from([(name, answers)]))));
    Guard { lookup, may_connect }
}

fn plays_public(address: IpAddr) -> bool {
    address == PUBLIC.parse::<IpAddr>().unwrap()
}

fn api(guard: &Guard) -> DbtWrappedApi {
    let _ = rustls::crypto::ring::default_provider().install_default();
    DbtWrappedApi::guarded_by(guard, &HttpSettings::default()).unwrap()
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
    // Read to its end, so that the connection is free for the next one.
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
        // Another test may have just this port.
        if let Ok(private) = TcpListener::bind((PRIVATE, port)).await {
            return (server_at(public).await, server_at(private).await, port);
        }
    }
}

async fn requests(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

#[tokio::test]
async fn of_a_names_addresses_only_public_ones_are_handed_out() {
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
async fn a_name_with_a_private_and_a_public_address_leads_to_the_public_one() {
    let (public, private, port) = public_and_private().await;
    let api = api(&guard("dbt.test", &[&[PRIVATE, PUBLIC, PRIVATE]], plays_public));
    assert_eq!(ask(&api, &stored("dbt.test", port)).await.unwrap(), 200);
    assert_eq!((requests(&public).await, requests(&private).await), (1, 0));
}

#[tokio::test]
async fn a_name_with_private_addresses_alone_is_refused_and_they_are_not_told() {
    let private = server_at(TcpListener::bind((PRIVATE, 0)).await.unwrap()).await;
    let api = api(&guard("dbt.test", &[&[PRIVATE, "10.1.2.3", "fd00::1"]], plays_public));
    let error = ask(&api, &stored("dbt.test", private.address().port()))
        .await
        .unwrap_err();

    assert!(matches!(error, ApiError::ForbiddenAddress), "{error:?}");
    assert!(error.source().is_none() && error.status().is_none() && !error.is_transient());
    let told = format!("{error} {error:?}");
    assert!(told.contains("upstream.allow_private_addresses"), "{told}");
    assert!(
        !["127.", "10.1", "fd00", "dbt.test"]
            .iter()
            .any(|part| told.contains(part)),
        "{told}"
    );
    assert_eq!(requests(&private).await, 0);
}

#[tokio::test]
async fn a_name_without_an_address_is_a_failure_to_connect() {
    let api = api(&guard("dbt.test", &[&[]], plays_public));
    for name in ["dbt.test", "elsewhere.test"] {
        let error = ask(&api, &stored(name, 9)).await.unwrap_err();
        assert!(matches!(error, ApiError::Connect(_)), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn a_name_that_turns_private_between_two_requests_is_refused_at_the_second() {
    let (public, private, port) = public_and_private().await;
    // Nothing is kept open, so that each request connects.
    let settings = HttpSettings {
        pool_max_idle_per_host: 0,
        ..HttpSettings::default()
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let api = DbtWrappedApi::guarded_by(&guard("dbt.test", &[&[PUBLIC], &[PRIVATE]], plays_public), &settings).unwrap();

    let to = stored("dbt.test", port);
    assert_eq!(ask(&api, &to).await.unwrap(), 200);
    let error = ask(&api, &to).await.unwrap_err();
    assert!(matches!(error, ApiError::ForbiddenAddress), "{error:?}");
    assert_eq!((requests(&public).await, requests(&private).await), (1, 0));
}

#[tokio::test]
async fn guarded_and_trusted_connections_are_never_mixed_up() {
    let (public, private, port) = public_and_private().await;
    // One authority for both sources. Each look-up is answered once: a request after that has a connection or fails.
    let mut api = api(&guard("dbt.test", &[&[PUBLIC]], plays_public));
    let anywhere = guard("dbt.test", &[&[PRIVATE]], |_| true);
    let trusted = || reqwest::Client::builder().dns_resolver(anywhere.clone()).no_proxy();
    api.trusted = Connections::new(trusted).unwrap();

    for round in 1..=2 {
        let settings = upstream(UpstreamSource::Settings, "dbt.test", port);
        assert_eq!(ask(&api, &settings).await.unwrap(), 200);
        assert_eq!(ask(&api, &stored("dbt.test", port)).await.unwrap(), 200);
        assert_eq!((requests(&public).await, requests(&private).await), (round, round));
    }
}

/// Runs itself again with a proxy in the environment, which a process reads for all its clients.
#[tokio::test]
async fn a_proxy_of_the_environment_connects_for_settings_but_not_for_stored_credentials() {
    const AGAIN: &str = "DBT_API_TEST_BEHIND_A_PROXY";
    if std::env::var_os(AGAIN).is_some() {
        return behind_a_proxy().await;
    }
    let proxy = server_at(TcpListener::bind((PUBLIC, 0)).await.unwrap()).await;
    let mut again = Command::new(std::env::current_exe().unwrap());
    again
        .args(["--exact", "--nocapture"])
        .arg("guard::tests::a_proxy_of_the_environment_connects_for_settings_but_not_for_stored_credentials")
        .env(AGAIN, "1")
        .env("http_proxy", proxy.uri())
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .env_remove("REQUEST_METHOD"); // a CGI program takes no proxy from its environment
    let output = tokio::task::spawn_blocking(move || again.output())
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
    assert_eq!(requests(&proxy).await, 1, "the trusted one");
}

async fn behind_a_proxy() {
    let public = server_at(TcpListener::bind((PUBLIC, 0)).await.unwrap()).await;
    let port = public.address().port();
    let api = api(&guard("dbt.test", &[&[PUBLIC]], plays_public));
    // No resolver knows this name: only the proxy can have answered.
    let settings = upstream(UpstreamSource::Settings, "dbt.test", port);
    assert_eq!(ask(&api, &settings).await.unwrap(), 200);
    assert_eq!(requests(&public).await, 0);
    assert_eq!(ask(&api, &stored("dbt.test", port)).await.unwrap(), 200);
    assert_eq!(requests(&public).await, 1);
}
