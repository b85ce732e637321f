//! Lists: pages, order, filters, the envelope's `extra`.

use serde_json::json;
use simulator::{AccountPlan, Config, LimitOver100, Seed, acme};

use crate::support::{TestSimulator, v2};

#[tokio::test]
async fn a_list_reports_its_filters_order_and_counts() {
    let dbt = TestSimulator::start().await;
    let answer = dbt.v3("projects/?limit=2&offset=1&order_by=-name").await;
    assert_eq!(
        answer.json["extra"],
        json!({
            "filters": { "account_id": acme::ACCOUNT_ID, "limit": 2, "offset": 1, "state": 1 },
            "order_by": "-name",
            "pagination": { "count": 2, "total_count": acme::ACTIVE_PROJECTS },
        })
    );
    assert_eq!(answer.data()[0]["name"], "Store Operations");
}

#[tokio::test]
async fn a_big_project_is_read_in_pages_of_a_hundred() {
    let dbt = TestSimulator::start().await;
    let mut seen = Vec::new();
    loop {
        let path = format!(
            "jobs/?project_id={}&limit=100&offset={}",
            acme::BIG_PROJECT_ID,
            seen.len()
        );
        let page = dbt.v2(&path).await.ids();
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    seen.dedup();
    assert_eq!(seen.len(), acme::BIG_PROJECT_JOBS);
    assert!(seen.is_sorted() && seen.iter().all(|id| *id > i64::from(u32::MAX)));
}

#[tokio::test]
async fn a_limit_over_a_hundred_is_clamped_refused_or_served_by_switch() {
    let dbt = TestSimulator::start().await;
    let answer = dbt.v2("jobs/?limit=500").await;
    assert_eq!(
        (answer.ids().len(), &answer.json["extra"]["filters"]["limit"]),
        (100, &json!(100))
    );
    dbt.running
        .change_switches(|switches| switches.limit_over_100 = LimitOver100::Refuse);
    let answer = dbt.v2("jobs/?limit=500").await;
    assert_eq!(answer.status, 400);
    assert!(answer.data()["limit"].is_string());
    dbt.running
        .change_switches(|switches| switches.limit_over_100 = LimitOver100::Serve);
    assert!(dbt.v2("jobs/?limit=500").await.ids().len() > 300);
}

#[tokio::test]
async fn runs_are_oldest_first_and_filters_work_in_every_spelling() {
    let dbt = TestSimulator::start().await;
    let ids = dbt.v2("runs/").await.ids();
    assert!(ids.is_sorted());
    let newest = dbt.v2("runs/?order_by=-id&limit=1").await;
    assert_eq!(newest.ids(), [acme::DOCS_RUN_ID]);
    assert_eq!(newest.json["extra"]["pagination"]["total_count"], acme::HISTORIC_RUNS);
    let mut answers = Vec::new();
    for spelling in [
        "status__in=%5B20,30%5D",
        "status__in=20&status__in=30",
        "status__in=20,30",
    ] {
        let answer = dbt.v2(&format!("runs/?{spelling}")).await;
        assert!(
            answer
                .data()
                .as_array()
                .unwrap()
                .iter()
                .all(|run| run["status"] == 20 || run["status"] == 30)
        );
        answers.push(answer.ids());
    }
    assert!(!answers[0].is_empty());
    assert!(answers.iter().all(|ids| *ids == answers[0]));
    let newer = dbt.v2(&format!("runs/?id__gt={}", acme::FAILED_RUN_ID)).await.ids();
    assert_eq!(newer, [acme::CANCELLED_RUN_ID, acme::DOCS_RUN_ID]);
}

#[tokio::test]
async fn a_time_range_selects_the_runs_created_in_it() {
    let dbt = TestSimulator::start().await;
    let run = dbt.v2(&format!("runs/{}/", acme::FAILED_RUN_ID)).await;
    let created = run.data()["created_at"]
        .as_str()
        .unwrap()
        .replace(' ', "T")
        .replace('+', "%2B");
    let answer = dbt
        .v2(&format!(
            "runs/?created_at__range=%5B%22{created}%22,%22{created}%22%5D"
        ))
        .await;
    assert_eq!(answer.ids(), [acme::FAILED_RUN_ID]);
}

#[tokio::test]
async fn deleted_projects_are_listed_only_on_request() {
    let dbt = TestSimulator::start().await;
    assert!(!dbt.v3("projects/").await.ids().contains(&acme::DELETED_PROJECT_ID));
    assert_eq!(
        dbt.v3("projects/?state=deleted").await.ids(),
        [acme::DELETED_PROJECT_ID]
    );
    assert_eq!(
        dbt.v3("projects/?state=all").await.ids().len(),
        acme::ACTIVE_PROJECTS + 1
    );
    assert_eq!(
        dbt.v3(&format!("projects/{}/", acme::DELETED_PROJECT_ID)).await.status,
        404
    );
    assert_eq!(
        dbt.v2("projects/?name__icontains=FINANCE").await.ids(),
        [acme::FINANCE_PROJECT_ID]
    );
}

#[tokio::test]
async fn a_planned_account_has_the_planned_size_and_ids() {
    let plan = AccountPlan::new(90_000_000_000_000, "Big")
        .token("fake-big")
        .projects(250)
        .jobs_per_project(2)
        .runs_per_job(1);
    let mut dbt = TestSimulator::with(Config::frozen().with_seed(Seed::account(plan.clone()))).await;
    dbt.token = "fake-big";
    let projects = dbt
        .get(&format!("/api/v3/accounts/{}/projects/?offset=200", plan.id()))
        .await;
    assert_eq!(
        projects.ids(),
        (200..250).map(|index| plan.project_id(index)).collect::<Vec<_>>()
    );
    let run = dbt
        .get(&format!("/api/v2/accounts/{}/runs/{}/", plan.id(), plan.run_id(0)))
        .await;
    assert_eq!(
        (run.data()["status"].as_i64(), run.data()["job_id"].as_i64()),
        (Some(10), Some(plan.job_id(0, 0)))
    );
}

#[tokio::test]
async fn v2_and_v3_list_the_same_environments() {
    let dbt = TestSimulator::start().await;
    let v3 = dbt.v3(&format!("projects/{}/environments/", acme::PROJECT_ID)).await;
    let v2_ids = dbt
        .get(&v2(&format!("environments/?project_id={}", acme::PROJECT_ID)))
        .await
        .ids();
    assert_eq!(v3.ids(), v2_ids);
    assert_eq!(
        v2_ids,
        [
            acme::PRODUCTION_ENVIRONMENT_ID,
            acme::STAGING_ENVIRONMENT_ID,
            acme::DEVELOPMENT_ENVIRONMENT_ID
        ]
    );
    let wrong_project = format!(
        "projects/{}/environments/{}/",
        acme::FINANCE_PROJECT_ID,
        acme::PRODUCTION_ENVIRONMENT_ID
    );
    assert_eq!(dbt.v3(&wrong_project).await.status, 404);
}
