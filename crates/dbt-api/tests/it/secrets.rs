//! The token is in one header and nowhere else.

use dbt_api::{ApiError, ApiRequest, DbtWrappedApi, HttpSettings};
use model::{RunId, Upstream};

use crate::socket::{Listener, Move};
use crate::support::{TINY, TOKEN, api, api_with, chain, settings, upstream};

fn assert_no_secret_in(error: &ApiError, to: &Upstream) {
    let shown = format!("{error} {error:?} {error:#?} {}", chain(error));
    assert!(!shown.contains(TOKEN), "{shown}");
    assert!(!shown.contains(to.admin_url.as_str()), "{shown}");
    assert!(!shown.contains("accounts/"), "{shown}");
}

#[tokio::test]
async fn errors_contain_neither_token_nor_url() {
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
        assert_no_secret_in(&error, &to);
    }
}

#[tokio::test]
async fn a_token_that_is_not_a_valid_header_value_is_not_shown() {
    let listener = Listener::start([]).await;
    let mut to = upstream(&listener.url);
    to.token = format!("{TOKEN}\nX-Evil: 1").into();
    let error = api().get_run(&to, RunId(1), &[]).await.unwrap_err();
    assert!(matches!(error, ApiError::Unsendable(_)), "{error:?}");
    assert_no_secret_in(&error, &to);
    assert!(listener.requests().is_empty());
}

#[tokio::test]
async fn no_debug_output_contains_the_token() {
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
async fn the_text_of_an_error_does_not_repeat_its_source() {
    let listener = Listener::start([Move::Reset]).await;
    let error = api()
        .get_run(&upstream(&listener.url), RunId(1), &[])
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the connection to dbt Cloud broke");
    assert!(chain(&error).starts_with("the connection to dbt Cloud broke: error sending request: "));
}

#[tokio::test]
async fn invalid_settings_are_an_error_and_not_a_panic() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let error = DbtWrappedApi::new(&HttpSettings {
        user_agent: "line\nbreak".to_owned(),
        ..settings()
    })
    .unwrap_err();
    assert_eq!(error.to_string(), "the HTTP client for dbt Cloud could not be set up");
}
