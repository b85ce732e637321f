//! The exact request of every read of runs.

use model::{
    EnvironmentId, JobId, Period, ProjectId, ResultsFile, RunFilter, RunId, RunOrder, RunRelated, RunStatus, Slice,
};
use serde_json::json;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::requests::{answering, assert_is_a_read, header, pairs, query};
use crate::support::{api, at, only_request};

#[tokio::test]
async fn list_runs_requests_the_newest_first_from_v2() {
    let server = answering(json!([{"id": 7}])).await;
    let slice = Slice {
        offset: 100,
        limit: 100,
    };
    let answer = api()
        .list_runs(&at(&server), &RunFilter::default(), slice)
        .await
        .unwrap();
    assert_eq!(answer.data.items[0].id, RunId(7));

    let request = only_request(&server).await;
    assert_is_a_read(&request, "/api/v2/accounts/70403103932111/runs/");
    assert_eq!(
        query(&request),
        pairs(&[("limit", "100"), ("offset", "100"), ("order_by", "-id")])
    );
}

#[tokio::test]
async fn list_runs_sends_lists_as_one_parameter_and_periods_with_both_ends() {
    let server = answering(json!([])).await;
    let moment = |text: &str| Some(text.parse().unwrap());
    let filter = RunFilter {
        project_id: vec![ProjectId(70_403_103_920_001), ProjectId(2)],
        environment_id: Some(EnvironmentId(3)),
        job_id: Some(JobId(4)),
        run_id: vec![RunId(5), RunId(70_403_104_000_901)],
        after_id: Some(RunId(6)),
        status: vec![RunStatus::Error, RunStatus::Cancelled],
        created: Period {
            after: moment("2026-01-15T09:00:00.5+02:00"),
            before: None,
        },
        finished: Period {
            after: None,
            before: moment("2026-01-16T00:00:00Z"),
        },
        order_by: RunOrder::FinishedAt,
        include_related: vec![RunRelated::Trigger, RunRelated::Job],
    };
    let slice = Slice { offset: 0, limit: 7 };
    api().list_runs(&at(&server), &filter, slice).await.unwrap();
    let expected = [
        ("limit", "7"),
        ("offset", "0"),
        ("order_by", "finished_at"),
        ("project_id__in", "[70403103920001,2]"),
        ("environment_id", "3"),
        ("job_definition_id", "4"),
        ("pk__in", "[5,70403104000901]"),
        ("id__gt", "6"),
        ("status__in", "[20,30]"),
        (
            "created_at__range",
            r#"["2026-01-15T07:00:00.500Z","2200-01-01T00:00:00Z"]"#,
        ),
        (
            "finished_at__range",
            r#"["1970-01-01T00:00:00Z","2026-01-16T00:00:00Z"]"#,
        ),
        ("include_related", "trigger,job"),
    ];
    assert_eq!(query(&only_request(&server).await), pairs(&expected));
}

#[tokio::test]
async fn get_run_separates_related_objects_with_commas() {
    let server = answering(json!({"id": 7})).await;
    let related = [RunRelated::RunSteps, RunRelated::DebugLogs];
    api().get_run(&at(&server), RunId(7), &related).await.unwrap();
    assert_eq!(
        query(&only_request(&server).await),
        pairs(&[("include_related", "run_steps,debug_logs")])
    );
}

#[tokio::test]
async fn list_run_steps_requests_whole_debug_logs_only_if_selected() {
    for (debug_logs, related) in [(false, "run_steps"), (true, "run_steps,debug_logs")] {
        let server = answering(json!({"id": 7, "run_steps": [{"index": 1}, {"index": 2}]})).await;
        let answer = api().list_run_steps(&at(&server), RunId(7), debug_logs).await;
        assert_eq!(answer.unwrap().data.len(), 2);
        let request = only_request(&server).await;
        assert_is_a_read(&request, "/api/v2/accounts/70403103932111/runs/7/");
        assert_eq!(query(&request), pairs(&[("include_related", related)]));
    }
}

#[tokio::test]
async fn get_run_results_requests_the_file_of_one_step_and_reads_it_without_an_envelope() {
    let file = json!({"metadata": {"generated_at": "2026-03-04T05:06:07.1Z"}, "results": [{"status": "fail"}]});
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(&file))
        .expect(1)
        .mount(&server)
        .await;
    let to = at(&server);
    let read = api().get_run_results(&to, RunId(7), 4, ResultsFile::RunResults).await;
    let read = read.unwrap();
    assert!(read.data.results[0].has_failed() && read.data.metadata.unwrap().generated_at.is_some());
    assert_eq!(read.bytes, file.to_string().len() as u64);
    let request = only_request(&server).await;
    assert_eq!(
        request.url.path(),
        "/api/v2/accounts/70403103932111/runs/7/artifacts/run_results.json"
    );
    assert_eq!(query(&request), pairs(&[("step", "4")]));
    assert_eq!(header(&request.headers, "accept"), Some("*/*"));
}

#[tokio::test]
async fn get_run_sends_all_64_bits_of_the_id_to_v2() {
    let server = answering(json!({"id": 70_403_110_257_831_i64})).await;
    let answer = api()
        .get_run(&at(&server), RunId(70_403_110_257_831), &[])
        .await
        .unwrap();
    assert_eq!(answer.data.id, RunId(70_403_110_257_831));

    let request = only_request(&server).await;
    assert_is_a_read(&request, "/api/v2/accounts/70403103932111/runs/70403110257831/");
    assert_eq!(request.url.query(), None);
}
