//! Classifies the errors of `reqwest`. The important question: can dbt Cloud have processed the request?

use std::error::Error;

use h2::Reason;
use http::StatusCode;

use crate::error::causes;
use crate::{ApiError, guard};

/// The reason why there is no answer or, with `status`, only a part of it. A connect timeout is a failure to connect: dbt
/// Cloud has not received the request.
pub(crate) fn exchange_error(error: reqwest::Error, status: Option<StatusCode>) -> ApiError {
    let error = error.without_url();
    if error.is_builder() {
        ApiError::Unsendable(error.into())
    } else if guard::has_refused(&error) {
        ApiError::ForbiddenAddress
    } else if error.is_connect() {
        ApiError::Connect(error.into())
    } else if status.is_none() && causes(&error).any(is_not_processed) {
        ApiError::NotProcessed(error.into())
    } else if error.is_timeout() && !causes(&error).any(<dyn Error + 'static>::is::<hyper::Error>) {
        // `hyper`'s own timeouts are those of a dead connection: an unanswered PING, TCP's user timeout.
        let source = error.into();
        ApiError::Timeout { status, source }
    } else {
        let source = error.into();
        ApiError::Disconnected { status, source }
    }
}

/// Whether the protocol guarantees that the server did not process the request:
///
/// - HTTP/2 GOAWAY from the server: `h2` returns it only for streams above the last one that the server names (RFC 9113,
///   section 6.8) and for requests that were never sent. Streams at or below it go on, and fail with an I/O error if the
///   connection then closes.
/// - HTTP/2 `RST_STREAM` with `REFUSED_STREAM` from the server (section 8.7).
/// - `hyper` had not written a byte of it when the connection closed.
fn is_not_processed(cause: &(dyn Error + 'static)) -> bool {
    if let Some(error) = cause.downcast_ref::<h2::Error>() {
        let is_refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        return error.is_remote() && (error.is_go_away() || is_refused);
    }
    cause
        .downcast_ref::<hyper::Error>()
        .is_some_and(hyper::Error::is_canceled)
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;
    use hyper::client::conn::http1;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, duplex};

    use super::*;

    type Body = Empty<bytes::Bytes>;

    fn request() -> http::Request<Body> {
        http::Request::post("/").body(Empty::new()).unwrap()
    }

    #[tokio::test]
    async fn a_connection_that_closed_before_a_byte_was_written_has_processed_nothing() {
        let (near, far) = duplex(1024);
        let (mut sender, connection) = http1::handshake::<_, Body>(TokioIo::new(near)).await.unwrap();
        drop((connection, far));
        let error = sender.send_request(request()).await.unwrap_err();
        assert!(is_not_processed(&error), "{error:?}");
    }

    #[tokio::test]
    async fn a_connection_that_closed_after_the_request_may_have_processed_it() {
        let (near, mut far) = duplex(1024);
        let (mut sender, connection) = http1::handshake::<_, Body>(TokioIo::new(near)).await.unwrap();
        let connection = tokio::spawn(connection);
        let server = async {
            far.read_u8().await.unwrap();
            drop(far);
        };
        let (answer, ()) = tokio::join!(sender.send_request(request()), server);
        let error = answer.unwrap_err();
        assert!(!is_not_processed(&error), "{error:?}");
        let _ = connection.await;
    }

    #[test]
    fn an_error_of_this_side_says_nothing_about_the_server() {
        for reason in [Reason::REFUSED_STREAM, Reason::NO_ERROR, Reason::CANCEL] {
            assert!(!is_not_processed(&h2::Error::from(reason)));
        }
        assert!(!is_not_processed(&std::io::Error::from(std::io::ErrorKind::BrokenPipe)));
    }
}
