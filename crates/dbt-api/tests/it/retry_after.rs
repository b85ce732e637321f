//! `Retry-After` in every spelling.

use std::time::Duration;

use rstest::rstest;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{api, at};

const NOW: (&str, &str) = ("date", "Wed, 21 Oct 2026 07:28:00 GMT");

#[rstest]
#[case::seconds(&[("retry-after", "300")], Some(300.0))]
#[case::zero(&[("retry-after", "0")], Some(0.0))]
#[case::padded_fraction(&[("retry-after", " 1.5 ")], Some(1.5))]
#[case::a_date(&[NOW, ("retry-after", "Wed, 21 Oct 2026 07:33:30 GMT")], Some(330.0))]
#[case::a_date_in_the_past(&[NOW, ("retry-after", "Wed, 21 Oct 2026 07:00:00 GMT")], Some(0.0))]
#[case::a_date_without_a_valid_date_header(&[("date", "today"), ("retry-after", "Wed, 21 Oct 2026 07:33:30 GMT")], None)]
#[case::rate_limit_header(&[("x-rate-limit-retry-after-seconds", "17")], Some(17.0))]
#[case::the_standard_header_first(&[("retry-after", "5"), ("x-rate-limit-retry-after-seconds", "17")], Some(5.0))]
#[case::the_valid_header(&[("retry-after", "soon"), ("x-rate-limit-retry-after-seconds", "17")], Some(17.0))]
#[case::at_most_a_day(&[("retry-after", "99999999999")], Some(86_400.0))]
#[case::negative(&[("retry-after", "-5")], None)]
#[case::infinite(&[("retry-after", "inf")], None)]
#[case::not_a_number(&[("retry-after", "NaN")], None)]
#[case::empty(&[("retry-after", "")], None)]
#[case::none(&[], None)]
#[tokio::test]
async fn a_rate_limit_error_has_the_time_to_wait(#[case] headers: &[(&str, &str)], #[case] seconds: Option<f64>) {
    let expected = seconds.map(Duration::from_secs_f64);
    for status in [429, 503] {
        let server = MockServer::start().await;
        let template = headers
            .iter()
            .fold(ResponseTemplate::new(status), |template, (name, value)| {
                template.insert_header(*name, *value)
            });
        Mock::given(any()).respond_with(template).expect(1).mount(&server).await;
        let error = api().get_run(&at(&server), 1.into(), &[]).await.unwrap_err();
        assert_eq!(error.retry_after(), expected, "{status}");
    }
}
