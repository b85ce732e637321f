//! Answers in the shapes that dbt Cloud sends decode: fields that the specification does not list, null fields,
//! timestamps with a space, ids as text.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use dbt_api::{ApiAnswer, ApiRequest, WrappedApi};
use futures::{TryStreamExt as _, stream};
use http::{HeaderMap, StatusCode};
use model::{
    Account, AccountId, Job, JobFilter, JobId, Project, ProjectFilter, ProjectId, Run, RunFilter, RunId, RunStatus,
    Slice, TriggerJob, Upstream,
};
use serde_json::Value;

use crate::support::{Fake, upstream};

const SLICE: Slice = Slice { offset: 0, limit: 100 };

/// An API that returns this body, in several chunks.
fn answering(body: &[u8]) -> (Arc<dyn WrappedApi>, Upstream) {
    let chunks: Vec<_> = body
        .chunks(500)
        .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
        .collect();
    let answer = ApiAnswer::new(StatusCode::OK, HeaderMap::new(), stream::iter(chunks));
    (Fake::answering(answer), upstream("https://dbt.test/api"))
}

/// As [`answering`], with a file of `tests/answers`.
macro_rules! answer {
    ($file:literal) => {
        answering(include_bytes!(concat!("../answers/", $file)))
    };
}

fn any_read() -> ApiRequest {
    ApiRequest::get("/v2/anything/".to_owned())
}

#[tokio::test]
async fn a_list_of_projects_decodes() {
    let (api, to) = answer!("project_list.json");
    let listed = api
        .list_projects(&to, &ProjectFilter::default(), SLICE)
        .await
        .unwrap()
        .data;
    assert_eq!((listed.items.len(), listed.total_count), (1, Some(1)));
    let project = &listed.items[0];
    assert_eq!((project.id, project.name.as_deref()), (ProjectId(72), Some("commerce")));
    assert_eq!(
        project.created_at.unwrap().0.to_rfc3339(),
        "2023-05-04T10:20:30.405060+00:00"
    );
    assert_eq!(project.dbt_project_subdirectory, None);
    assert!(project.connection.as_ref().unwrap().as_str().starts_with('{'));
}

#[tokio::test]
async fn a_list_of_accounts_decodes() {
    let (api, to) = answer!("account_list.json");
    let listed = api.fetch_list::<Account>(&to, any_read(), SLICE).await.unwrap().data;
    assert_eq!((listed.items.len(), listed.total_count), (1, Some(1)));
    let account = &listed.items[0];
    assert_eq!(
        (account.id, account.name.as_deref(), account.plan.as_deref()),
        (AccountId(71), Some("Acme Analytics"), Some("enterprise"))
    );
    assert_eq!(
        (account.state, account.run_slots, account.queue_limit),
        (Some(1), Some(8), Some(40))
    );
    assert_eq!((account.locked, account.unlocked_at), (Some(false), None));
    assert_eq!(
        account.created_at.unwrap().0.to_rfc3339(),
        "2023-05-04T10:20:30.405060+00:00"
    );
}

#[tokio::test]
async fn a_finished_and_a_cancelled_run_decode() {
    for ((api, to), id, status) in [
        (answer!("run.json"), RunId(79), RunStatus::Success),
        (answer!("run_cancelled.json"), RunId(81), RunStatus::Cancelled),
    ] {
        let run = api.get_run(&to, id, &[]).await.unwrap().data;
        assert_eq!((run.id, run.status), (id, Some(status)));
        assert!(
            run.created_at.is_some() && run.finished_at.is_some() && run.job_definition_id.is_some(),
            "{run:?}"
        );
    }
}

#[tokio::test]
async fn a_list_of_runs_with_ids_as_text_statuses_as_words_and_times_as_numbers_decodes() {
    let (api, to) = answer!("run_list_as_text.json");
    let listed = api.list_runs(&to, &RunFilter::default(), SLICE).await.unwrap().data;
    assert_eq!((listed.items.len(), listed.total_count), (2, None), "without `extra`");
    assert_eq!(listed.items[1].id, RunId(82));
    assert!(listed.items.iter().all(|run| run.status.is_none()), "{listed:?}");

    let (api, to) = answer!("run_list_as_text.json");
    let items = api
        .fetch_list::<Value>(&to, any_read(), SLICE)
        .await
        .unwrap()
        .data
        .items;
    assert_eq!(items[1]["id"], "82");
}

#[tokio::test]
async fn a_triggered_run_decodes() {
    let (api, to) = answer!("run.json");
    let run = api
        .trigger_job(&to, JobId(77), &TriggerJob::default())
        .await
        .unwrap()
        .data;
    assert_eq!((run.id, run.job_definition_id), (RunId(79), Some(JobId(77))));
    assert_eq!(run.status, Some(RunStatus::Success));
}

#[tokio::test]
async fn jobs_decode() {
    let (api, to) = answer!("job_list.json");
    let listed = api.list_jobs(&to, &JobFilter::default(), SLICE).await.unwrap().data;
    assert_eq!((listed.items.len(), listed.total_count), (1, None), "without `extra`");

    let (api, to) = answer!("job.json");
    let job = api.get_job(&to, JobId(77), &[]).await.unwrap().data;
    assert_eq!((job.id, job.name.as_deref()), (JobId(77), Some("Nightly build")));
    assert_eq!(listed.items[0].id, job.id);
    let settings = job.settings.unwrap();
    assert_eq!(
        (settings.threads, settings.target_name.as_deref()),
        (Some(6), Some("prod"))
    );
    let schedule = job.schedule.unwrap();
    assert_eq!(
        (schedule.cron.as_deref(), schedule.time.unwrap().interval),
        (Some("0 */2 * * *"), Some(2))
    );
    assert_eq!(
        job.created_at.unwrap().0.to_rfc3339(),
        "2023-05-04T10:20:30.405060+00:00"
    );

    let (api, to) = answer!("job.json");
    let job = api.fetch::<Value>(&to, any_read()).await.unwrap().data;
    assert_eq!(job["execute_steps"][0], "dbt deps");
}

#[tokio::test]
async fn paths_of_artifacts_decode() {
    let (api, to) = answer!("run_artifact_list.json");
    let listed = api.fetch_whole_list::<String>(&to, any_read()).await.unwrap().data;
    assert_eq!((listed.len(), listed[2].as_str()), (3, "run_results.json"));
}

#[tokio::test]
async fn an_artifact_is_passed_on_unchanged() {
    let file = include_bytes!("../answers/run_results.json");
    let (api, to) = answering(file);
    let answer = api.send(&to, any_read()).await.unwrap();
    let chunks: Vec<Bytes> = answer.into_body().try_collect().await.unwrap();
    assert_eq!(chunks.concat(), file);
}

/// The recordings are not part of this repository: run with `DBT_RECORDED_DIR=… cargo nextest run --run-ignored all`.
#[tokio::test]
#[ignore = "needs DBT_RECORDED_DIR"]
async fn recorded_answers_of_dbt_cloud_decode() {
    let folder = PathBuf::from(std::env::var_os("DBT_RECORDED_DIR").unwrap());
    let recorded = |file: &str| answering(&std::fs::read(folder.join(file)).unwrap());

    let (api, to) = recorded("account_list_response.json");
    let accounts = api.fetch_list::<Account>(&to, any_read(), SLICE).await.unwrap().data;
    assert!(accounts.items[0].created_at.is_some(), "{accounts:?}");
    let (api, to) = recorded("project_list_response.json");
    let projects = api.fetch_list::<Project>(&to, any_read(), SLICE).await.unwrap().data;
    assert!(projects.items[0].created_at.is_some(), "{projects:?}");
    let (api, to) = recorded("job_list_response.json");
    let jobs = api.fetch_list::<Job>(&to, any_read(), SLICE).await.unwrap().data;
    assert!(jobs.items[0].schedule.is_some(), "{jobs:?}");
    let (api, to) = recorded("run_list_response.json");
    let runs = api.fetch_list::<Run>(&to, any_read(), SLICE).await.unwrap().data;
    assert!(runs.items.len() > 1, "{runs:?}");
    let (api, to) = recorded("run_list_artifacts_response.json");
    let paths = api.fetch_whole_list::<String>(&to, any_read()).await.unwrap().data;
    assert!(paths.contains(&"run_results.json".to_owned()), "{paths:?}");
    let (api, to) = recorded("job_get_response.json");
    let job = api.fetch::<Job>(&to, any_read()).await.unwrap().data;
    assert!(job.created_at.is_some(), "{job:?}");
    for (file, status) in [
        ("job_run_response.json", RunStatus::Success),
        ("run_get_response.json", RunStatus::Success),
        ("run_cancel_response.json", RunStatus::Cancelled),
    ] {
        let (api, to) = recorded(file);
        let run = api.fetch::<Run>(&to, any_read()).await.unwrap().data;
        assert_eq!(run.status, Some(status), "{file}");
        assert!(run.created_at.is_some() && run.finished_at.is_some(), "{file}");
    }
}
