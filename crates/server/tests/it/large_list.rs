//! A list of 5,000 projects in one page: the number of calls to dbt Cloud, and the duration relative to one call.

use std::time::{Duration, Instant};

use simulator::{AccountPlan, Config, Fault, Seed};

use crate::support::{COMPANY, Setup};

const PROJECTS: usize = 5000;
const TOKEN: &str = "dbtc_FAKE_big";
/// The latency of one page of dbt Cloud.
const LATENCY_MS: u64 = 50;

#[tokio::test]
async fn five_thousand_projects_in_one_page_take_fifty_calls() {
    let plan = AccountPlan::new(70_403_000_000_000, "Big")
        .token(TOKEN)
        .projects(PROJECTS)
        .jobs_per_project(0);
    let setup = Setup {
        simulator: Config::frozen().with_seed(Seed::Plan(vec![plan.clone()])),
        accounts: vec![(COMPANY, plan.id(), TOKEN.to_owned())],
        ..Setup::default()
    };
    let app = setup.start().await;
    app.dbt
        .add_fault(Fault::on("GET", "/api/v3/").delay_before_ms(LATENCY_MS));

    let started = Instant::now();
    assert_eq!(app.viewer().get("/projects?page_size=100").await.ids().len(), 100);
    let single = started.elapsed();
    app.dbt.clear_requests();
    let started = Instant::now();
    let answer = app.viewer().get(&format!("/projects?page_size={PROJECTS}")).await;
    let total = started.elapsed();

    let expected: Vec<_> = (0..PROJECTS).map(|number| plan.project_id(number)).collect();
    assert_eq!(answer.ids(), expected, "each once, in order");
    assert_eq!(
        (answer.json()["count"].as_u64(), &answer.json()["next"]),
        (Some(5000), &serde_json::Value::Null)
    );
    let calls = app.dbt.requests().len();
    assert_eq!(calls, PROJECTS / 100);
    let row = app.row_of(&answer).await;
    assert_eq!(
        (row["attempts"].as_u64(), row["exchanges"].as_array().unwrap().len()),
        (Some(50), 20)
    );
    // The first call returns the length of the list; the others are sent eight at a time.
    let rounds = 1 + (calls - 1).div_ceil(8);
    println!(
        "{PROJECTS} projects: {calls} calls, {} ms; one page of dbt Cloud: {} ms; factor {:.1}, {rounds} rounds",
        total.as_millis(),
        single.as_millis(),
        total.as_secs_f64() / single.as_secs_f64()
    );
    assert!(total >= Duration::from_millis(LATENCY_MS), "no page was read");
}
