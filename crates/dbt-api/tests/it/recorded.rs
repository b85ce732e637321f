//! Real answers of dbt Cloud decode. They are not part of this repository: without them these tests say so and pass.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use dbt_api::{ApiAnswer, ApiRequest, WrappedApi};
use futures::{TryStreamExt as _, stream};
use http::{HeaderMap, StatusCode};
use model::{
    Account, AccountId, JobFilter, JobId, ProjectFilter, ProjectId, RunFilter, RunId, RunStatus, Slice, TriggerJob,
    Upstream,
};
use serde_json::Value;

use crate::support::{Fake, upstream};

#[expect(
    clippy::disallowed_methods,
    reason = "no setting of the product: where the recordings are, for this test"
)]
fn folder() -> PathBuf {
    std::env::var("DBT_RECORDED_DIR").map_or_else(
        |_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/recorded"),
        PathBuf::from,
    )
}

/// An API that answers with one recorded file, or `None` and a loud line where there is none.
fn recorded(name: &str) -> Option<(Arc<dyn WrappedApi>, Upstream)> {
    let path = folder().join(name);
    let Ok(text) = std::fs::read(&path) else {
        #[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
        {
            eprintln!(
                "SKIPPED: no recorded answer at {}; set DBT_RECORDED_DIR",
                path.display()
            );
        }
        return None;
    };
    // In pieces, as it would come.
    let pieces: Vec<_> = text
        .chunks(500)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    let answer = ApiAnswer::new(StatusCode::OK, HeaderMap::new(), stream::iter(pieces));
    Some((Fake::answering(answer), upstream("https://dbt.test/api")))
}

fn any_read() -> ApiRequest {
    ApiRequest::get("/v2/anything/".to_owned())
}

#[tokio::test]
async fn the_recorded_projects_decode() {
    let Some((api, to)) = recorded("project_list_response.json") else {
        return;
    };
    let slice = Slice { offset: 0, limit: 100 };
    let listed = api
        .list_projects(&to, &ProjectFilter::default(), slice)
        .await
        .unwrap()
        .data;
    assert_eq!((listed.items.len(), listed.total_count), (1, Some(1)));
    let project = &listed.items[0];
    assert_eq!(
        (project.id, project.name.as_deref()),
        (ProjectId(123_457), Some("jaffle_shop"))
    );
    assert_eq!(
        project.created_at.unwrap().0.to_rfc3339(),
        "2021-04-14T20:23:00.395285+00:00"
    );
    assert_eq!(project.dbt_project_subdirectory, None);
    assert!(project.connection.as_ref().unwrap().as_str().starts_with('{'));
}

#[tokio::test]
async fn the_recorded_accounts_decode() {
    let Some((api, to)) = recorded("account_list_response.json") else {
        return;
    };
    let listed = api.fetch_list::<Account>(&to, any_read()).await.unwrap().data;
    assert_eq!((listed.items.len(), listed.total_count), (1, Some(1)));
    let account = &listed.items[0];
    assert_eq!(
        (account.id, account.name.as_deref(), account.plan.as_deref()),
        (AccountId(1), Some("Jaffle Shop"), Some("team"))
    );
    assert_eq!(
        (account.state, account.run_slots, account.queue_limit),
        (Some(1), Some(5), Some(50))
    );
    assert_eq!((account.locked, account.unlocked_at), (Some(false), None));
    assert_eq!(
        account.created_at.unwrap().0.to_rfc3339(),
        "2021-09-06T07:41:12.146234+00:00"
    );
}

#[tokio::test]
async fn the_recorded_runs_decode() {
    let expected = [
        ("run_get_response.json", 36_053_848, RunStatus::Success),
        ("run_cancel_response.json", 36_053_848, RunStatus::Cancelled),
    ];
    for (file, id, status) in expected {
        let Some((api, to)) = recorded(file) else { continue };
        let run = api.get_run(&to, RunId(id), &[]).await.unwrap().data;
        assert_eq!((run.id, run.status), (RunId(id), Some(status)), "{file}");
        assert!(
            run.created_at.is_some() && run.finished_at.is_some() && run.job_definition_id.is_some(),
            "{file}"
        );
    }
}

#[tokio::test]
async fn the_recorded_list_of_runs_decodes() {
    let Some((api, to)) = recorded("run_list_response.json") else {
        return;
    };
    let slice = Slice { offset: 0, limit: 100 };
    let listed = api.list_runs(&to, &RunFilter::default(), slice).await.unwrap().data;
    assert!(listed.items.len() > 1, "{listed:?}");
    assert_eq!(listed.items[1].id, RunId(40_538_548));
    // It tells statuses in words and times as numbers: none of that makes the list unreadable.
    assert!(listed.items.iter().all(|run| run.status.is_none()), "{listed:?}");
}

#[tokio::test]
async fn the_recorded_trigger_decodes() {
    let Some((api, to)) = recorded("job_run_response.json") else {
        return;
    };
    let run = api
        .trigger_job(&to, JobId(43_167), &TriggerJob::default())
        .await
        .unwrap()
        .data;
    assert_eq!(
        (run.id, run.job_definition_id),
        (RunId(34_929_305), Some(JobId(43_167)))
    );
    assert_eq!(run.status, Some(RunStatus::Success));
}

#[tokio::test]
async fn the_recorded_lists_come_through_their_envelope() {
    let expected = [
        ("job_list_response.json", "/0/name", "Do nothing!"),
        ("run_list_response.json", "/1/id", "40538548"),
    ];
    for (file, pointer, text) in expected {
        let Some((api, to)) = recorded(file) else { continue };
        let items = api.fetch_list::<Value>(&to, any_read()).await.unwrap().data.items;
        assert_eq!(Value::from(items).pointer(pointer), Some(&text.into()), "{file}");
    }
}

#[tokio::test]
async fn the_recorded_job_comes_through_its_envelope() {
    let Some((api, to)) = recorded("job_get_response.json") else {
        return;
    };
    let job = api.fetch::<Value>(&to, any_read()).await.unwrap().data;
    assert_eq!(job["execute_steps"][0], "dbt run -s not_a_model");
}

#[tokio::test]
async fn the_recorded_artifact_paths_decode() {
    let Some((api, to)) = recorded("run_list_artifacts_response.json") else {
        return;
    };
    let listed = api.fetch_list::<String>(&to, any_read()).await.unwrap().data;
    assert_eq!((listed.items.len(), listed.items[4].as_str()), (5, "run_results.json"));
}

#[tokio::test]
async fn the_recorded_artifact_is_handed_on_as_it_came() {
    let Some((api, to)) = recorded("run_get_artifact_response.json") else {
        return;
    };
    let answer = api.send(&to, any_read()).await.unwrap();
    let pieces: Vec<Bytes> = answer.into_body().try_collect().await.unwrap();
    let artifact: Value = serde_json::from_slice(&pieces.concat()).unwrap();
    assert_eq!(artifact["results"][0]["status"], "success");
}

#[tokio::test]
async fn the_recorded_jobs_decode() {
    let Some((api, to)) = recorded("job_list_response.json") else {
        return;
    };
    let slice = Slice { offset: 0, limit: 100 };
    let listed = api.list_jobs(&to, &JobFilter::default(), slice).await.unwrap().data;
    assert_eq!((listed.items.len(), listed.total_count), (1, None), "without `extra`");
    let Some((api, to)) = recorded("job_get_response.json") else {
        return;
    };
    let job = api.get_job(&to, JobId(43_167), &[]).await.unwrap().data;
    assert_eq!((job.id, job.name.as_deref()), (JobId(43_167), Some("Do nothing!")));
    assert_eq!(listed.items[0].id, job.id);
    let settings = job.settings.unwrap();
    assert_eq!(
        (settings.threads, settings.target_name.as_deref()),
        (Some(4), Some("default"))
    );
    let schedule = job.schedule.unwrap();
    assert_eq!(
        (schedule.cron.as_deref(), schedule.time.unwrap().interval),
        (Some("0 * * * *"), Some(1))
    );
    assert_eq!(
        job.created_at.unwrap().0.to_rfc3339(),
        "2021-11-18T15:19:03.185668+00:00"
    );
}
