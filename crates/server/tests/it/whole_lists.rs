//! A list is whole or an error, or visibly broken once begun, however dbt Cloud loses a part of it.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use simulator::{AccountPlan, Config, Effect, Fault, FaultBody, Seed, acme};

use crate::support::{Answer, COMPANY, Setup, TestApp};

/// Projects of the account: two full pages of dbt Cloud and 28 entries.
const PROJECTS: usize = 228;
const TOKEN: &str = "dbtc_FAKE_whole_lists";

fn setup() -> Setup {
    let plan = AccountPlan::new(70_403_200_000_000, "Whole")
        .token(TOKEN)
        .projects(PROJECTS);
    Setup {
        accounts: vec![(COMPANY, plan.id(), TOKEN.to_owned())],
        simulator: Config::frozen().with_seed(Seed::account(plan)),
        ..Setup::default()
    }
}

fn projects() -> Fault {
    Fault::on("GET", "/api/").containing("/projects/")
}

/// A 200 with that body.
fn sends(body: &str) -> Effect {
    Effect::Answer {
        status: 200,
        body: FaultBody::Custom {
            content_type: "application/json".to_owned(),
            body: body.to_owned(),
        },
        headers: Vec::new(),
        work_done: false,
    }
}

fn set(pointer: &str, value: Value) -> Effect {
    let pointer = pointer.to_owned();
    Effect::Set { pointer, value }
}

fn remove(pointer: &str) -> Effect {
    let pointer = pointer.to_owned();
    Effect::Remove { pointer }
}

/// A gateway that sends lists as it reads them.
fn streaming() -> Setup {
    let mut setup = setup();
    setup.gather.hold_max_bytes = 1;
    setup
}

async fn all_ids(app: &TestApp) -> Vec<i64> {
    let ids = app.viewer().get("/projects").await.ids();
    assert_eq!(ids.len(), PROJECTS);
    ids
}

/// How dbt Cloud, or a proxy before it, loses a page, and the problem that tells it.
fn lost_pages() -> Vec<(Effect, u16, &'static str)> {
    let unavailable = |effect| (effect, 502, "dbt-unavailable");
    let envelope = |code: u16| {
        sends(&format!(
            r#"{{"status":{{"code":{code},"is_success":false,"user_message":"The words of dbt."}},"data":null}}"#
        ))
    };
    vec![
        (envelope(401), 502, "dbt-credentials-refused"),
        (envelope(403), 502, "dbt-credentials-refused"),
        (envelope(404), 404, "not-found"),
        (envelope(405), 422, "dbt-refused"),
        (envelope(429), 429, "rate-limit"),
        unavailable(envelope(500)),
        unavailable(envelope(200)),
        unavailable(sends(
            r#"{"status":{"is_success":false,"user_message":"The words of dbt."},"data":[]}"#,
        )),
        unavailable(sends(r#"{"error_code":500,"data":[]}"#)),
        unavailable(sends(r#"{"status":{"code":200,"is_success":true},"data":null}"#)),
        unavailable(sends(r#"{"data":null}"#)),
        unavailable(sends(r#"{"data":{}}"#)),
        unavailable(sends(r#"{"message":"Unauthorized"}"#)),
        unavailable(sends("{}")),
        unavailable(sends("null")),
        unavailable(sends("[]")),
        unavailable(sends("<html><title>Log in</title></html>")),
        unavailable(set("/data", json!(null))),
        unavailable(set("/data", json!([]))),
        unavailable(remove("/data")),
        // One entry of the page.
        unavailable(remove("/data/5")),
        unavailable(set("/data/5", json!(null))),
        unavailable(remove("/data/5/id")),
    ]
}

#[tokio::test]
async fn a_page_that_is_lost_in_any_way_is_an_error() {
    let app = setup().start().await;
    for page in [0, 2] {
        for (effect, status, kind) in lost_pages() {
            let fault = app.dbt.add_fault(projects().after(page).once().effect(effect.clone()));
            let answer = app.viewer().get("/projects").await;
            let case = format!("page {page}: {effect:?}: {}", answer.text);
            assert_eq!(answer.status.as_u16(), status, "{case}");
            let problem = answer.problem(status, kind);
            if format!("{effect:?}").contains("words of dbt") {
                assert!(
                    problem["detail"].as_str().unwrap().contains("The words of dbt."),
                    "{case}"
                );
            }
            let row = app.row_of(&answer).await;
            assert_ne!(row["outcome"], "succeeded", "{case}");
            app.dbt.remove_fault(fault);
        }
    }
    all_ids(&app).await;
}

#[tokio::test]
async fn a_page_that_is_lost_after_the_beginning_has_left_aborts_the_list() {
    let app = streaming().start().await;
    for page in [2] {
        for (effect, ..) in lost_pages() {
            let fault = app.dbt.add_fault(projects().after(page).once().effect(effect.clone()));
            let viewer = app.viewer();
            let response = viewer.request(Method::GET, "/projects").send().await.unwrap();
            let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
            if response.status() == 200 {
                assert!(response.bytes().await.is_err(), "page {page}: {effect:?}");
                assert_eq!(app.closed_row(&id).await["outcome"], "truncated", "{effect:?}");
            } else {
                // The page was read ahead.
                assert_ne!(app.closed_row(&id).await["outcome"], "succeeded", "{effect:?}");
            }
            app.dbt.remove_fault(fault);
        }
    }
}

#[tokio::test]
async fn a_lost_page_is_not_taken_for_the_end_where_dbt_cloud_sends_no_length() {
    let app = setup().start().await;
    app.dbt.add_fault(projects().effect(remove("/extra")));
    assert_eq!(app.viewer().get("/projects").await.ids().len(), PROJECTS);
    let name = app.viewer().get("/projects?page=2&page_size=100").await.expect(200);
    assert_eq!(
        (&name["count"], name["next"].is_string()),
        (&json!(201), true),
        "its count is not known"
    );
    for body in [r#"{"data":null}"#, r#"{"status":{"code":403},"data":[]}"#, "{}"] {
        let fault = app.dbt.add_fault(projects().after(1).once().effect(sends(body)));
        let answer = app.viewer().get("/projects").await;
        assert_eq!(answer.status.as_u16(), 502, "{body}: {}", answer.text);
        app.dbt.remove_fault(fault);
    }
}

#[rstest]
#[case::held(setup())]
#[case::streamed(streaming())]
#[tokio::test]
async fn a_page_shorter_than_requested_is_continued_where_it_ended(#[case] setup: Setup) {
    let app = setup.start().await;
    let expected = all_ids(&app).await;
    for (page_max, with_total) in [(99, true), (37, false), (20, true)] {
        app.dbt.change_switches(|switches| switches.page_max = Some(page_max));
        let without = (!with_total).then(|| app.dbt.add_fault(projects().effect(remove("/extra"))));
        for (query, part) in [
            ("", 0..PROJECTS),
            ("?page_size=150", 0..150),
            ("?page=2&page_size=150", 150..PROJECTS),
            ("?page=2&page_size=8", 8..16),
        ] {
            let answer = app.viewer().get(&format!("/projects{query}")).await;
            assert_eq!(answer.ids(), expected[part], "{page_max} {with_total} {query}");
            let id = answer.request_uuid();
            assert_eq!(app.closed_row(&id).await["outcome"], "succeeded");
        }
        without.map(|fault| app.dbt.remove_fault(fault));
    }
}

#[tokio::test]
async fn a_server_that_repeats_a_page_ends_in_an_error_and_not_in_a_loop() {
    let app = setup().start().await;
    for with_total in [true, false] {
        if !with_total {
            app.dbt.add_fault(projects().effect(remove("/extra")));
        }
        app.dbt.change_switches(|switches| switches.offset_ignored = true);
        for path in ["/projects", "/projects?page_size=150", "/projects?name=no such job"] {
            app.dbt.clear_requests();
            let answer = app.viewer().get(path).await;
            if path.contains("name=") {
                // dbt Cloud finds none: the first page is the last.
                assert_eq!(answer.ids(), Vec::<i64>::new());
                continue;
            }
            let problem = answer.problem(502, "dbt-unavailable");
            assert!(
                problem["detail"].as_str().unwrap().contains("incomplete"),
                "{problem:#}"
            );
            let sent = app.dbt.requests().len();
            assert!(sent <= 6, "{path}: {sent} requests");
        }
        app.dbt.change_switches(|switches| switches.offset_ignored = false);
    }
}

#[tokio::test]
async fn a_length_that_the_pages_contradict_is_not_believed() {
    let app = setup().start().await;
    let total = |value: u64| set("/extra/pagination/total_count", json!(value));
    // Less than what comes, on every page: the list is read until a page is empty.
    app.dbt.add_fault(projects().effect(total(0)));
    assert_eq!(app.viewer().get("/projects").await.ids().len(), PROJECTS);
    app.dbt.clear_faults();
    // More than what comes.
    app.dbt.add_fault(projects().effect(total(229)));
    let answer = app.viewer().get("/projects").await;
    answer.problem(502, "dbt-unavailable");
    app.dbt.clear_faults();
    // One page says that nothing is left of the list; the others do not.
    let nothing = r#"{"data":[],"extra":{"pagination":{"total_count":0}}}"#;
    for page in [1, 2] {
        app.dbt.add_fault(projects().after(page).once().effect(sends(nothing)));
        assert_eq!(app.viewer().get("/projects").await.ids().len(), PROJECTS, "page {page}");
    }
    for unreadable in [json!("228"), json!(-1), json!(null), json!(1.5)] {
        app.dbt
            .add_fault(projects().effect(set("/extra/pagination/total_count", unreadable)));
        assert_eq!(app.viewer().get("/projects").await.ids().len(), PROJECTS);
        app.dbt.clear_faults();
    }
}

#[tokio::test]
async fn a_look_up_by_name_is_made_of_all_pages_or_is_an_error() {
    let app = setup().start().await;
    let found = |answer: Answer| answer.expect(200)["count"].as_u64().unwrap();
    // dbt Cloud narrows the list to all of them, the gateway to the one of that name.
    let path = "/projects?name=Project%200227&name_contains=Project";
    assert_eq!(found(app.viewer().get(path).await), 1);
    let pages = {
        app.dbt.clear_requests();
        app.viewer().get(path).await;
        u32::try_from(app.dbt.requests().len()).unwrap()
    };
    assert!(pages > 1, "{pages}");
    for (effect, status, kind) in lost_pages() {
        let fault = app
            .dbt
            .add_fault(projects().after(pages - 1).once().effect(effect.clone()));
        let answer = app.viewer().get(path).await;
        assert_eq!(answer.status.as_u16(), status, "{effect:?}: {}", answer.text);
        answer.problem(status, kind);
        app.dbt.remove_fault(fault);
    }
    app.dbt.change_switches(|switches| switches.page_max = Some(30));
    assert_eq!(found(app.viewer().get(path).await), 1);
}

#[tokio::test]
async fn lists_that_dbt_cloud_sends_in_one_answer_are_whole_or_an_error() {
    let app = TestApp::start().await;
    let run = format!("/runs/{}", acme::SUCCEEDED_RUN_ID);
    let variables = format!("/environment-variables?project_id={}", acme::PROJECT_ID);
    let refused = r#"{"status":{"code":403,"is_success":false,"user_message":"No."},"data":null}"#;
    for (path, part, effects) in [
        (
            format!("{run}/steps"),
            "/runs/",
            vec![
                set("/data/run_steps", json!(null)),
                remove("/data/run_steps"),
                set("/data/run_steps/1", json!(null)),
                set("/data", json!(null)),
                sends(refused),
            ],
        ),
        (
            format!("{run}/artifacts"),
            "/artifacts/",
            vec![
                sends(r#"{"data":null}"#),
                sends("{}"),
                set("/data/0", json!(null)),
                set("/data", json!({})),
                sends(refused),
            ],
        ),
        (
            variables,
            "/environment-variables/",
            vec![
                set("/data", json!(null)),
                set("/data/variables", json!(null)),
                remove("/data/variables"),
                sends(refused),
            ],
        ),
        (
            "/accounts".to_owned(),
            "/accounts/",
            vec![set("/data", json!(null)), remove("/data"), sends(refused)],
        ),
        (
            "/api/v3/accounts/".to_owned(),
            "/accounts/",
            vec![set("/data", json!(null)), remove("/data"), sends(refused)],
        ),
        (
            format!("/jobs/{}/artifacts/manifest.json?step=results", acme::NIGHTLY_JOB_ID),
            "/runs/",
            vec![set("/data", json!(null)), set("/data", json!([])), sends(refused)],
        ),
    ] {
        assert_eq!(app.viewer().get(&path).await.status.as_u16(), 200, "{path}");
        for effect in effects {
            let fault = app
                .dbt
                .add_fault(Fault::on("GET", "/api/").containing(part).effect(effect.clone()));
            let answer = app.viewer().get(&path).await;
            assert_eq!(answer.status.as_u16(), 502, "{path}: {effect:?}: {}", answer.text);
            app.dbt.remove_fault(fault);
        }
    }
}
