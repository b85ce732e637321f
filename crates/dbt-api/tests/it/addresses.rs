//! Stored credentials may use public addresses only, in every notation; credentials in the settings may use any address.
//! Tests with a scripted resolver: `src/http/tests.rs`.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::Arc;

use dbt_api::{ApiError, HttpSettings, WrappedApi};
use model::{RunId, Upstream, UpstreamSource};
use rstest::rstest;
use serde_json::json;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{TINY, api, api_with, only_request, settings, upstream};

fn stored(url: &str) -> Upstream {
    Upstream {
        source: UpstreamSource::Stored,
        ..upstream(url)
    }
}

/// A client with short timeouts, for listeners that never answer.
fn api_with_short_timeouts() -> Arc<dyn WrappedApi> {
    api_with(HttpSettings {
        read_timeout: TINY,
        connect_timeout: TINY,
        ..settings()
    })
}

/// A listener that shows whether a connection arrived. The kernel completes connections without `accept`.
fn listener(address: &str) -> Option<TcpListener> {
    let listener = TcpListener::bind((address, 0)).ok()?;
    listener.set_nonblocking(true).unwrap();
    Some(listener)
}

fn assert_untouched(listener: &TcpListener) {
    let error = listener.accept().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "a connection arrived");
}

#[rstest]
#[case::loopback("127.0.0.1")]
#[case::all_of_loopback("127.255.0.1")]
#[case::short("127.1")]
#[case::decimal("2130706433")]
#[case::octal("0177.0.0.01")]
#[case::hexadecimal("0x7f.1")]
#[case::with_a_dot("127.0.0.1.")]
#[case::unspecified("0.0.0.0")]
#[case::mapped("[::ffff:127.0.0.1]")]
#[case::mapped_in_hexadecimal("[::ffff:7f00:1]")]
#[case::name("localhost")]
#[case::name_with_a_dot("localhost.")]
#[case::name_in_capitals("LocalHost")]
#[case::name_below_it("dbt.localhost")]
#[case::behind_a_user("cloud.getdbt.com@127.0.0.1")]
#[tokio::test]
async fn a_stored_credential_for_this_machine_is_refused_without_a_connection(#[case] host: &str) {
    let listener = listener("127.0.0.1").unwrap();
    let port = listener.local_addr().unwrap().port();
    for scheme in ["http", "https"] {
        let to = stored(&format!("{scheme}://{host}:{port}/api"));
        let error = api_with_short_timeouts().get_account(&to).await.unwrap_err();
        assert!(matches!(error, ApiError::ForbiddenAddress), "{error:?}");
        assert_eq!(
            (error.name(), error.status(), error.is_transient(), error.retry_after()),
            ("forbidden_address", None, false, None)
        );
        assert_untouched(&listener);
    }
}

#[tokio::test]
async fn ipv6_notations_of_private_addresses_are_refused() {
    let listener = listener("::1");
    let port = match &listener {
        Some(listener) => listener.local_addr().unwrap().port(),
        None => 9, // without IPv6 it must be refused too
    };
    for host in [
        "[::1]",
        "[0:0::0:1]",
        "[::]",
        "[::127.0.0.1]",
        "[fe80::1]",
        "[64:ff9b::7f00:1]",
    ] {
        let to = stored(&format!("http://{host}:{port}/api"));
        let error = api_with_short_timeouts().get_run(&to, RunId(1), &[]).await.unwrap_err();
        assert!(matches!(error, ApiError::ForbiddenAddress), "{host}: {error:?}");
    }
    if let Some(listener) = listener {
        assert_untouched(&listener);
    }
}

#[tokio::test]
async fn private_networks_and_metadata_services_are_refused_immediately() {
    for host in [
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "[fd00:ec2::254]",
    ] {
        let to = stored(&format!("https://{host}/api"));
        let error = api_with_short_timeouts().get_account(&to).await.unwrap_err();
        assert!(matches!(error, ApiError::ForbiddenAddress), "{host}: {error:?}");
    }
}

async fn account_server() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": {"id": 1}})))
        .expect(1)
        .mount(&server)
        .await;
    server
}

#[rstest]
#[case("127.0.0.1")]
#[case("2130706433")]
#[case("0x7f.1")]
#[case("[::ffff:127.0.0.1]")]
#[case("localhost")]
#[tokio::test]
async fn the_setting_allows_stored_credentials_any_address(#[case] host: &str) {
    let server = account_server().await;
    let anywhere = HttpSettings {
        allow_private_addresses: true,
        ..settings()
    };
    let to = stored(&format!("http://{host}:{}/api", server.address().port()));
    api_with(anywhere).get_account(&to).await.unwrap();
    only_request(&server).await;
}

#[rstest]
#[case("127.0.0.1")]
#[case("localhost")]
#[tokio::test]
async fn credentials_in_the_settings_may_use_any_address(#[case] host: &str) {
    let server = account_server().await;
    let to = upstream(&format!("http://{host}:{}/api", server.address().port()));
    api().get_account(&to).await.unwrap();
    only_request(&server).await;
}

#[tokio::test]
async fn a_refusal_names_the_setting_and_not_the_address() {
    let error = api_with_short_timeouts()
        .get_account(&stored("http://127.0.0.1:9/api"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the credential's access URL points to an address that is not public, which only the setting \
         upstream.allow_private_addresses allows; dbt Cloud was not contacted"
    );
    assert!(std::error::Error::source(&error).is_none());
}
