//! A change is sent once, whatever happens to it.

use model::{JobId, RunId, TriggerJob};
use rstest::rstest;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::socket::{Listener, Move};
use crate::support::{api, at, upstream};

const RUN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{\"data\":{\"id\":1}}";
const CUT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"data\":";

fn order() -> TriggerJob {
    TriggerJob {
        cause: "once".to_owned(),
        ..TriggerJob::default()
    }
}

#[rstest]
#[case(408)]
#[case(429)]
#[case(500)]
#[case(502)]
#[case(503)]
#[case(504)]
#[tokio::test]
async fn a_trigger_that_meets_a_failing_dbt_cloud_is_sent_once(#[case] status: u16) {
    let server = MockServer::start().await;
    let again_at_once = ResponseTemplate::new(status).insert_header("retry-after", "0");
    Mock::given(any())
        .respond_with(again_at_once)
        .expect(1)
        .mount(&server)
        .await;
    let error = api().trigger_job(&at(&server), JobId(1), &order()).await.unwrap_err();
    assert_eq!(error.status().unwrap().as_u16(), status);
}

#[rstest]
#[case::reset(Move::Reset)]
#[case::closed(Move::AnswerAndClose(""))]
#[case::cut(Move::AnswerAndClose(CUT))]
#[tokio::test]
async fn a_trigger_on_a_fresh_connection_that_breaks_is_sent_once(#[case] then: Move) {
    let listener = Listener::start([then, Move::Answer(RUN)]).await;
    let error = api()
        .trigger_job(&upstream(&listener.url), JobId(1), &order())
        .await
        .unwrap_err();
    assert_eq!(error.name(), "disconnected");
    assert_eq!(listener.requests().len(), 1);
}

#[rstest]
#[case::reset(Move::Reset)]
#[case::closed(Move::AnswerAndClose(""))]
#[case::cut(Move::AnswerAndClose(CUT))]
#[tokio::test]
async fn a_trigger_on_a_used_connection_that_breaks_is_sent_once(#[case] then: Move) {
    let listener = Listener::start([Move::Answer(RUN), then, Move::Answer(RUN)]).await;
    let (api, upstream) = (api(), upstream(&listener.url));
    api.get_run(&upstream, RunId(1), &[]).await.unwrap();
    let error = api.trigger_job(&upstream, JobId(1), &order()).await.unwrap_err();
    assert_eq!(error.name(), "disconnected", "{error:?}");
    let posts = listener
        .requests()
        .iter()
        .filter(|line| line.starts_with("post "))
        .count();
    assert_eq!((listener.requests().len(), posts), (2, 1));
}
