//! Redirects are not followed: they could send the token to another host, or turn a POST into a GET.

use model::{JobId, ProjectId, TriggerJob};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{api, at};

#[tokio::test]
async fn a_redirect_is_an_error_and_its_target_receives_no_request() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = MockServer::start().await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(200))
            .expect(0)
            .mount(&elsewhere)
            .await;
        let server = MockServer::start().await;
        for target in [format!("{}/steal/", elsewhere.uri()), "/api/v3/elsewhere/".to_owned()] {
            server.reset().await;
            let redirect = ResponseTemplate::new(status).insert_header("location", target);
            Mock::given(any()).respond_with(redirect).expect(2).mount(&server).await;

            let read = api().get_project(&at(&server), ProjectId(1)).await.unwrap_err();
            let change = api()
                .trigger_job(&at(&server), JobId(1), &TriggerJob::default())
                .await
                .unwrap_err();
            for error in [read, change] {
                assert_eq!(error.name(), "unexpected_status");
                assert_eq!(error.status().unwrap().as_u16(), status);
                assert!(!error.is_transient());
            }
        }
    }
}
