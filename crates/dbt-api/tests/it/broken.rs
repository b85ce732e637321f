//! Connections that fail at every point of an exchange.

use dbt_api::{ApiError, HttpSettings};
use http::StatusCode;
use model::{ProjectId, RunId};
use tokio::net::TcpListener;

use crate::socket::{Listener, Move};
use crate::support::{TINY, api, api_with, chain, settings, upstream};

/// The head of an answer with 500 bytes of body, and the beginning of the body.
const CUT_OK: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"data\": {\"id\"";
const CUT_404: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 500\r\n\r\nno such run, and we wanted to sa";

async fn error_after(next: Move, settings: HttpSettings) -> ApiError {
    let listener = Listener::start([next]).await;
    let error = api_with(settings)
        .get_run(&upstream(&listener.url), RunId(1), &[])
        .await
        .unwrap_err();
    assert!(listener.requests().len() <= 1, "one call is one exchange");
    error
}

#[tokio::test]
async fn a_refused_connection_is_a_failure_to_connect() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = api()
        .get_project(&upstream(&format!("http://{address}/api")), ProjectId(1))
        .await
        .unwrap_err();
    assert!(matches!(error, ApiError::Connect(_)), "{error:?}");
    assert!(error.is_transient() && error.status().is_none());
}

#[tokio::test]
async fn a_server_without_tls_is_a_failure_to_connect() {
    let listener = Listener::start([]).await;
    let url = listener.url.replace("http://", "https://");
    let connecting = HttpSettings {
        connect_timeout: TINY,
        ..settings()
    };
    let error = api_with(connecting)
        .get_project(&upstream(&url), ProjectId(1))
        .await
        .unwrap_err();
    assert!(matches!(error, ApiError::Connect(_)), "{error:?}");
    assert!(listener.requests().is_empty());
}

#[tokio::test]
async fn a_connection_reset_before_the_answer_is_transient_for_a_read() {
    for next in [
        Move::Reset,
        Move::AnswerAndClose(""),
        Move::AnswerAndClose("HTTP/1.1 200 O"),
    ] {
        let error = error_after(next, settings()).await;
        assert!(
            matches!(error, ApiError::Disconnected { status: None, .. }),
            "{error:?}"
        );
        assert!(error.is_transient());
    }
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_body_keeps_the_status() {
    let error = error_after(Move::AnswerAndClose(CUT_OK), settings()).await;
    assert!(matches!(error, ApiError::Disconnected { .. }), "{error:?}");
    assert_eq!(error.status(), Some(StatusCode::OK));
    assert!(error.is_transient(), "a read may be sent again");
}

#[tokio::test]
async fn an_error_with_an_incomplete_body_is_still_that_error() {
    let error = error_after(Move::AnswerAndClose(CUT_404), settings()).await;
    let ApiError::NotFound { message } = error else {
        panic!("{error:?}")
    };
    assert_eq!(message, "no such run, and we wanted to sa");
}

#[tokio::test]
async fn bytes_that_are_not_http_are_not_an_answer() {
    let error = error_after(Move::AnswerAndClose("SSH-2.0-OpenSSH_9.9\r\n"), settings()).await;
    assert!(
        matches!(error, ApiError::Disconnected { status: None, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn silence_before_the_answer_ends_with_the_read_timeout() {
    let quick = HttpSettings {
        read_timeout: TINY,
        ..settings()
    };
    let error = error_after(Move::AnswerAndHang(""), quick).await;
    assert!(matches!(error, ApiError::Timeout { status: None, .. }), "{error:?}");
    assert!(
        !chain(&error).contains("not whole within"),
        "the read timeout, not the deadline: {error:?}"
    );
    assert!(!error.is_transient(), "a timeout has used up the caller's time");
}

#[tokio::test]
async fn silence_in_the_body_ends_with_the_read_timeout() {
    // The head must arrive within the same timeout, which a busy machine may miss: then the timeout is increased.
    for read_timeout in [TINY, 20 * TINY, 1000 * TINY] {
        let quick = HttpSettings {
            read_timeout,
            ..settings()
        };
        let error = error_after(Move::AnswerAndHang(CUT_OK), quick).await;
        assert!(matches!(error, ApiError::Timeout { .. }), "{error:?}");
        assert!(!chain(&error).contains("not whole within"), "{error:?}");
        if error.status() == Some(StatusCode::OK) {
            return;
        }
    }
    panic!("the status that had come was forgotten");
}

#[tokio::test]
async fn the_deadline_of_the_settings_ends_the_wait_for_an_answer() {
    let quick = HttpSettings {
        deadline: TINY,
        ..settings()
    };
    let error = error_after(Move::AnswerAndHang(""), quick).await;
    assert_eq!(
        chain(&error),
        "dbt Cloud did not answer in time: the answer was not whole within 20ms"
    );
    assert!(!error.is_transient());
}
