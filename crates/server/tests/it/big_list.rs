//! A whole list of 5,000 projects in one page: how many calls of dbt Cloud it takes, and how long beside one of them.

use std::time::{Duration, Instant};

use simulator::{AccountPlan, Config, Fault, Seed};

use crate::support::{COMPANY, Setup};

const PROJECTS: usize = 5000;
const TOKEN: &str = "dbtc_FAKE_big";
/// What one of dbt Cloud's pages takes.
const LATENCY_MS: u64 = 50;

#[tokio::test]
async fn five_thousand_projects_come_in_one_page_of_fifty_calls() {
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

    let began = Instant::now();
    assert_eq!(app.viewer().get("/projects?page_size=100").await.ids().len(), 100);
    let single = began.elapsed();
    app.dbt.clear_requests();
    let began = Instant::now();
    let answer = app.viewer().get(&format!("/projects?page_size={PROJECTS}")).await;
    let whole = began.elapsed();

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
    // The first call says how long the list is; the others go out eight at a time.
    let rounds = 1 + (calls - 1).div_ceil(8);
    println!(
        "{PROJECTS} projects: {calls} calls, {} ms; one page of dbt Cloud's: {} ms; {:.1} times as long, {rounds} rounds",
        whole.as_millis(),
        single.as_millis(),
        whole.as_secs_f64() / single.as_secs_f64()
    );
    assert!(whole >= Duration::from_millis(LATENCY_MS), "nothing was asked");
}
