//! Long lists: the calls to dbt Cloud, the duration relative to one call, and pages that are sent as they are read.

use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::CONTENT_LENGTH;
use simulator::{AccountPlan, Config, Fault, Seed};

use crate::support::{COMPANY, Setup};

const PROJECTS: usize = 5000;
const TOKEN: &str = "dbtc_FAKE_big";
/// The latency of one page of dbt Cloud.
const LATENCY_MS: u64 = 50;

fn plan(projects: usize) -> AccountPlan {
    AccountPlan::new(70_403_000_000_000, "Big")
        .token(TOKEN)
        .projects(projects)
        .jobs_per_project(0)
}

fn account_of(plan: &AccountPlan) -> Setup {
    Setup {
        simulator: Config::frozen().with_seed(Seed::Plan(vec![plan.clone()])),
        accounts: vec![(COMPANY, plan.id(), TOKEN.to_owned())],
        ..Setup::default()
    }
}

#[tokio::test]
async fn five_thousand_projects_in_one_page_take_fifty_calls() {
    let plan = plan(PROJECTS);
    let app = account_of(&plan).start().await;
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
    let row = app.closed_row(&answer.request_uuid()).await;
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

#[tokio::test]
async fn a_page_that_is_sent_as_it_is_read_is_the_same_as_one_that_is_held() {
    let plan = plan(730);
    let mut setup = account_of(&plan);
    setup.gather.hold_max_bytes = u64::MAX / 2;
    let held = setup.start().await;
    let mut setup = account_of(&plan);
    setup.gather.hold_max_bytes = 1;
    let streaming = setup.start().await;
    for query in [
        "?page_size=730",
        "?page_size=300",
        "?page=2&page_size=300",
        "?page=2&page_size=350",
    ] {
        let path = format!("/projects{query}");
        let (whole, streamed) = (held.viewer().get(&path).await, streaming.viewer().get(&path).await);
        assert!(whole.header(CONTENT_LENGTH).is_some() && streamed.header(CONTENT_LENGTH).is_none());
        let (mut whole, mut streamed) = (whole.json(), streamed.json());
        // The links name the address of the gateway.
        for list in [&mut whole, &mut streamed] {
            for link in ["next", "previous"] {
                let relative = list[link]
                    .as_str()
                    .and_then(|link| link.split_once("/projects"))
                    .map(|(_, rest)| rest.to_owned());
                list[link] = relative.into();
            }
        }
        assert_eq!(whole, streamed, "{query}");
    }
}

#[tokio::test]
async fn a_page_whose_part_fails_after_its_beginning_is_aborted_and_its_row_says_so() {
    let mut setup = account_of(&plan(730));
    setup.gather.hold_max_bytes = 1;
    let app = setup.start().await;
    // The first two parts are served.
    let refused = Fault::on("GET", "/api/v3/").status(400);
    app.dbt.add_fault(Fault { skip: 2, ..refused });
    let viewer = app.viewer();
    let response = viewer
        .request(Method::GET, "/projects?page_size=730")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200, "the answer starts as a success");
    let name = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert!(response.bytes().await.is_err(), "it must not end as if it were whole");
    let row = app.closed_row(&name).await;
    assert_eq!(row["outcome"], "truncated");
    assert!(
        row["error"]
            .as_str()
            .unwrap()
            .contains("dbt Cloud rejected the request"),
        "{row:#}"
    );
}
