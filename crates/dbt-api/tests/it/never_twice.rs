//! A change is sent once, whatever the answer or the state of the connection.

use dbt_api::{ApiError, WrappedApi};
use model::{JobId, RunId, TriggerJob, Upstream};
use rstest::rstest;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::socket::{Listener, Move};
use crate::support::{api, at, upstream};

const RUN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{\"data\":{\"id\":1}}";
const CUT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"data\":";

/// Every change of runs.
#[derive(Debug, Clone, Copy)]
enum Change {
    Trigger,
    Cancel,
    Retry,
    Rerun,
}

const CHANGES: [Change; 4] = [Change::Trigger, Change::Cancel, Change::Retry, Change::Rerun];

impl Change {
    async fn send(self, to: &Upstream, api: &(dyn WrappedApi + 'static)) -> ApiError {
        let order = TriggerJob {
            cause: "once".to_owned(),
            ..TriggerJob::default()
        };
        let answer = match self {
            Self::Trigger => api.trigger_job(to, JobId(1), &order).await,
            Self::Cancel => api.cancel_run(to, RunId(1)).await,
            Self::Retry => api.retry_run(to, RunId(1)).await,
            Self::Rerun => api.rerun_job(to, JobId(1)).await,
        };
        answer.unwrap_err()
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
async fn a_change_that_meets_a_failing_dbt_cloud_is_sent_once(#[case] status: u16) {
    for change in CHANGES {
        let server = MockServer::start().await;
        let retry_immediately = ResponseTemplate::new(status).insert_header("retry-after", "0");
        Mock::given(any())
            .respond_with(retry_immediately)
            .expect(1)
            .mount(&server)
            .await;
        let error = change.send(&at(&server), &*api()).await;
        assert_eq!(error.status().unwrap().as_u16(), status, "{change:?}");
    }
}

#[rstest]
#[case::reset(Move::Reset)]
#[case::closed(Move::AnswerAndClose(""))]
#[case::cut(Move::AnswerAndClose(CUT))]
#[tokio::test]
async fn a_change_on_a_new_connection_that_breaks_is_sent_once(#[case] then: Move) {
    for change in CHANGES {
        let listener = Listener::start([then, Move::Answer(RUN)]).await;
        let error = change.send(&upstream(&listener.url), &*api()).await;
        assert_eq!(error.name(), "disconnected", "{change:?}");
        assert_eq!(listener.requests().len(), 1, "{change:?}");
    }
}

#[rstest]
#[case::reset(Move::Reset)]
#[case::closed(Move::AnswerAndClose(""))]
#[case::cut(Move::AnswerAndClose(CUT))]
#[tokio::test]
async fn a_change_on_a_reused_connection_that_breaks_is_sent_once(#[case] then: Move) {
    for change in CHANGES {
        let listener = Listener::start([Move::Answer(RUN), then, Move::Answer(RUN)]).await;
        let (api, upstream) = (api(), upstream(&listener.url));
        api.get_run(&upstream, RunId(1), &[]).await.unwrap();
        let error = change.send(&upstream, &*api).await;
        assert_eq!(error.name(), "disconnected", "{change:?}: {error:?}");
        let posts = listener
            .requests()
            .iter()
            .filter(|line| line.starts_with("post "))
            .count();
        assert_eq!((listener.requests().len(), posts), (2, 1), "{change:?}");
    }
}
