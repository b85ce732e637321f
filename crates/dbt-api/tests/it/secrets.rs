//! The token goes into one header and nowhere else.

use dbt_api::{ApiError, ApiRequest, DbtWrappedApi, HttpSettings};
use model::{RunId, Upstream};

use crate::socket::{Listener, Move};
use crate::support::{TINY, TOKEN, api, api_with, chain, settings, upstream};

fn assert_tells_nothing(error: &ApiError, to: &Upstream) {
    let told = format!("{error} {error:?} {error:#?} {}", chain(error));
    assert!(!told.contains(TOKEN), "{told}");
    assert!(!told.contains(to.admin_url.as_str()), "{told}");
    assert!(!told.contains("accounts/"), "{told}");
}

#[tokio::test]
async fn errors_hold_neither_token_nor_url() {
    let quick = HttpSettings {
        read_timeout: TINY,
        ..settings()
    };
    let moves = [
        Move::Reset,
        Move::AnswerAndClose("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"),
        Move::AnswerAndHang(""),
        Move::AnswerAndHang("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"),
        Move::AnswerAndClose("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n"),
        Move::AnswerAndClose("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
        Move::AnswerAndClose("nonsense\r\n\r\n"),
    ];
    for next in moves {
        let listener = Listener::start([next]).await;
        let to = upstream(&listener.url);
        let error = api_with(quick.clone()).get_run(&to, RunId(1), &[]).await.unwrap_err();
        assert_tells_nothing(&error, &to);
    }
}

#[tokio::test]
async fn a_token_that_no_header_can_carry_is_named_nowhere() {
    let listener = Listener::start([]).await;
    let mut to = upstream(&listener.url);
    to.token = format!("{TOKEN}\nX-Evil: 1").into();
    let error = api().get_run(&to, RunId(1), &[]).await.unwrap_err();
    assert!(matches!(error, ApiError::Unsendable(_)), "{error:?}");
    assert_tells_nothing(&error, &to);
    assert!(listener.requests().is_empty());
}

#[tokio::test]
async fn nothing_that_can_be_printed_shows_the_token() {
    let listener = Listener::start([Move::AnswerAndHang("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{")]).await;
    let to = upstream(&listener.url);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let api = DbtWrappedApi::new(&settings()).unwrap();
    let request = ApiRequest::get("/v2/x/".to_owned());
    let printed = format!("{to:?} {api:?} {request:?}");
    let answer = dbt_api::WrappedApi::send(&api, &to, request).await.unwrap();
    let printed = format!("{printed} {api:?} {answer:?}");
    assert!(!printed.contains(TOKEN), "{printed}");
}

#[tokio::test]
async fn an_error_never_repeats_its_source() {
    let listener = Listener::start([Move::Reset]).await;
    let error = api()
        .get_run(&upstream(&listener.url), RunId(1), &[])
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the connection to dbt Cloud broke");
    assert!(chain(&error).starts_with("the connection to dbt Cloud broke: error sending request: "));
}

#[tokio::test]
async fn unusable_settings_are_an_error_and_no_panic() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let error = DbtWrappedApi::new(&HttpSettings {
        user_agent: "line\nbreak".to_owned(),
        ..settings()
    })
    .unwrap_err();
    assert_eq!(error.to_string(), "the HTTP client for dbt Cloud could not be set up");
}
