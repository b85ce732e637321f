//! Reading the request log: pages, single rows, summaries, and the rows that each key may see.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use model::Role;
use reqwest::Method;
use serde_json::{Value, json};
use simulator::{Fault, acme, globex};

use crate::support::{Answer, COMPANY, Caller, Setup, TestApp};

/// The request ids on a page.
fn ids(page: &Value) -> Vec<String> {
    let results = page["results"].as_array().unwrap().iter();
    results
        .map(|row| row["request_uuid"].as_str().unwrap().to_owned())
        .collect()
}

/// All pages of a list, joined.
async fn all_pages(caller: &Caller<'_>, first: &str) -> Vec<String> {
    let (mut found, mut address) = (Vec::new(), first.to_owned());
    loop {
        let page = caller.get(&address).await.expect(200);
        found.extend(ids(&page));
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut address),
            None => return found,
        }
    }
}

#[tokio::test]
async fn a_caller_can_read_the_row_of_its_own_request() {
    let app = TestApp::start().await;
    let request = app
        .operator()
        .request(Method::POST, &format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID));
    let request = request
        .header("x-request-id", "order 4711")
        .json(&json!({"cause": "for the record"}));
    let answer = app.operator().send(request).await;
    let run = answer.expect(201);

    let row_read = app
        .operator()
        .get(&format!("/request-logs/{}", answer.request_uuid()))
        .await
        .expect(200);

    let row = app.row_of(&answer).await;
    for (column, value) in row.as_object().unwrap() {
        match column.as_str() {
            "company_id" => assert!(row_read.get(column).is_none(), "always the company of the caller"),
            "started_at" | "finished_at" => assert!(row_read[column].is_string()),
            _ => assert_eq!(&row_read[column], value, "{column}"),
        }
    }
    assert_eq!(
        (&row_read["run_id"], &row_read["caller_request_id"]),
        (&run["id"], &json!("order 4711"))
    );
    assert_eq!(
        (&row_read["outcome"], &row_read["exchanges"][0]["status"]),
        (&json!("succeeded"), &json!(200))
    );
    let by_run = app
        .operator()
        .get(&format!("/request-logs?run_id={}", run["id"]))
        .await
        .expect(200);
    assert_eq!(
        by_run["results"],
        json!([row_read]),
        "the trigger is found by the run it started"
    );
}

#[tokio::test]
async fn pages_follow_next_to_the_end_while_requests_arrive() {
    let app = Setup::default().public_url("https://dbt.acme.example").start().await;
    let admin = app.caller(Role::Admin);
    let mut expected = Vec::new();
    for _ in 0..25 {
        expected.push(app.viewer().get("/projects/1").await.request_uuid());
        app.clock.advance(TimeDelta::seconds(1));
    }
    let path = "/request-logs?request_type=get_project&page_size=10";
    let (mut found, mut address) = (Vec::new(), path.to_owned());
    loop {
        let page = admin.get(&address).await.expect(200);
        found.extend(ids(&page));
        // Newer than every following page.
        app.viewer().get("/projects/1").await;
        let Some(next) = page["next"].as_str() else { break };
        let next = next
            .strip_prefix("https://dbt.acme.example")
            .expect("an absolute address");
        assert!(
            next.contains("request_type=get_project") && next.contains("page_size=10"),
            "{next}"
        );
        next.clone_into(&mut address);
    }
    expected.reverse();
    assert_eq!(found, expected, "newest first, each once");
}

#[tokio::test]
async fn a_request_in_flight_has_an_open_row() {
    let app = TestApp::start().await;
    let delay = app.dbt.add_fault(Fault::on("POST", "/").delay_before_ms(600_000));
    let trigger = format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID);
    let request = app
        .operator()
        .request(Method::POST, &trigger)
        .json(&json!({"cause": "x"}));
    let in_flight = tokio::spawn(request.send());
    app.dbt_received(1, "POST").await;
    let open = app.operator().get("/request-logs?outcome=open").await.expect(200);
    assert_eq!(ids(&open).len(), 1);
    let row = &open["results"][0];
    assert_eq!(
        (&row["outcome"], &row["finished_at"], &row["duration_ms"]),
        (&json!("open"), &Value::Null, &Value::Null)
    );
    assert_eq!(row["args"]["order"]["cause"], "x");
    assert!(app.dbt.remove_fault(delay));
    in_flight.abort();
}

/// The ids of a request to Acme's account and one to Globex's by each role of company 1, weakest role first.
async fn requests_of_all(app: &TestApp) -> Vec<[String; 2]> {
    let mut sent = Vec::new();
    for role in Role::ALL {
        let list = async |account: i64| {
            let answer = app.caller(role).get(&format!("/projects?account_id={account}")).await;
            assert_eq!(answer.status, 200);
            answer.request_uuid()
        };
        sent.push([list(acme::ACCOUNT_ID).await, list(globex::ACCOUNT_ID).await]);
    }
    sent
}

#[tokio::test]
async fn admins_see_their_company_others_their_own_requests_and_account_lists_limit_both() {
    let mut setup = Setup::default();
    setup
        .accounts
        .push((COMPANY, globex::ACCOUNT_ID, globex::TOKEN.to_owned()));
    let app = setup.start().await;
    let sent = requests_of_all(&app).await;
    let limited = app.create_key(COMPANY, Role::Admin).await;
    let list = format!("accounts = ARRAY[{}]", acme::ACCOUNT_ID);
    app.update_key(&limited, &list).await;
    let refused = app
        .with_key(&limited)
        .get(&format!("/projects?account_id={}", globex::ACCOUNT_ID))
        .await;
    refused.problem(404, "not-found");
    let own = refused.request_uuid();

    let [viewers, operators, admins] = [0, 1, 2].map(|index| sent[index].to_vec());
    let all = [viewers.clone(), operators.clone(), admins.clone(), vec![own.clone()]].concat();
    let about_acme: Vec<_> = sent.iter().map(|pair| pair[0].clone()).chain([own]).collect();
    let cases = [
        (app.viewer(), viewers),
        (app.operator(), operators),
        (app.caller(Role::Admin), all.clone()),
        (app.with_key(&limited), about_acme),
    ];
    for (caller, expected) in cases {
        let expected: BTreeSet<_> = expected.into_iter().collect();
        let listed = all_pages(&caller, "/request-logs?surface=rest&page_size=3").await;
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), expected);
        for id in &all {
            let answer = caller.get(&format!("/request-logs/{id}")).await;
            if expected.contains(id) {
                assert_eq!(answer.expect(200)["request_uuid"], id.as_str());
            } else {
                answer.problem(404, "not-found");
            }
        }
    }
}

#[tokio::test]
async fn an_account_that_a_key_may_not_use_is_refused_with_a_row() {
    let app = TestApp::start().await;
    let limited = app.create_key(COMPANY, Role::Admin).await;
    app.update_key(&limited, "accounts = ARRAY[7]").await;
    let limited = app.with_key(&limited);
    let refused = limited.get("/request-logs?account_id=8").await;
    refused.problem(404, "not-found");
    let row = app.row_of(&refused).await;
    assert_eq!(
        (&row["request_type"], &row["outcome"]),
        (&json!("list_request_logs"), &json!("refused"))
    );
    let allowed = limited.get("/request-logs?account_id=7").await;
    assert_eq!(allowed.expect(200), json!({"next": null, "results": []}));
    assert!(!app.has_row(&allowed).await, "reads of the request log are not logged");
}

#[tokio::test]
async fn invalid_parameters_are_refused_with_the_valid_ones() {
    let app = TestApp::start().await;
    let cases = [
        ("color=red", "`color`, expected one of `from`, `to`, `request_type`"),
        ("outcome=fine", "`fine` is none of open, succeeded, invalid_request"),
        ("request_type=drop", "list_request_logs, get_request_log"),
        ("surface=north", "`north` is none of rest, dbt, internal"),
        (
            "from=yesterday",
            "`yesterday` is not a time such as 2026-03-19T11:57:15Z",
        ),
        ("to=2026-03-19T11:57:15+01:00", "write `+` as `%2B`"),
        ("from=2026-03-19", "is not a time"),
        ("status_code=abc", "`abc` is no status from 100 to 599"),
        ("status_code=99", "`99` is no status"),
        ("job_id=0", "a positive whole number"),
        ("run_id=x", "an id"),
        ("page_size=0", "`page_size` goes from 1 to 1000"),
        ("page_size=1001", "`page_size` goes from 1 to 1000"),
        ("cursor=abc", "not a cursor that `next` gave"),
        ("page=2", "`page`"),
    ];
    for (query, detail) in cases {
        let answer = app.viewer().get(&format!("/request-logs?{query}")).await;
        let problem = answer.problem(400, "invalid-request");
        assert!(answer.detail().contains(detail), "{query}: {problem:#}");
    }
    let not_a_uuid = app.viewer().get("/request-logs/4711").await;
    assert_eq!(
        not_a_uuid.problem(400, "invalid-request")["detail"],
        "`4711` in the path is not a UUID."
    );
    let good = app
        .viewer()
        .get("/request-logs?from=2026-01-15T10:00:00%2B01:00&to=2026-01-15T10:00:00Z")
        .await;
    assert_eq!(good.status, 200, "{}", good.text);
}

#[tokio::test]
async fn a_summary_counts_what_the_caller_may_see_of_the_last_hour() {
    let app = TestApp::start().await;
    app.viewer().get("/projects").await;
    app.clock.advance(TimeDelta::hours(1));
    for path in ["/projects", "/projects", "/projects/4711"] {
        app.viewer().get(path).await;
    }
    app.operator().get("/projects").await;
    app.clock.advance(TimeDelta::seconds(1));

    let summary = app.viewer().get("/request-logs/summary").await.expect(200);
    assert_eq!(
        (&summary["count"], &summary["from"], &summary["to"]),
        (
            &json!(3),
            &json!("2026-01-15T09:00:01Z"),
            &json!("2026-01-15T10:00:01Z")
        )
    );
    let [list, get] = &summary["results"].as_array().unwrap()[..] else {
        panic!("{summary:#}")
    };
    assert_eq!(
        (&list["request_type"], &list["outcomes"]),
        (&json!("list_projects"), &json!({"succeeded": 2}))
    );
    assert_eq!(
        (&get["request_type"], &get["outcomes"]),
        (&json!("get_project"), &json!({"not_found": 1}))
    );
    assert!(list["duration_ms"]["p50"].as_f64().unwrap() <= list["duration_ms"]["p99"].as_f64().unwrap());

    let admin = app.caller(Role::Admin);
    let day = "/request-logs/summary?from=2026-01-15T00:00:00Z&to=2026-01-16T00:00:00Z&surface=rest";
    assert_eq!(admin.get(day).await.expect(200)["count"], 5);
    for window in [
        "from=2026-01-15T00:00:00Z&to=2026-01-16T00:00:01Z",
        "from=2026-01-15T00:00:01Z&to=2026-01-15T00:00:00Z",
        "from=2026-01-14T00:00:00Z",
        "from=2027-01-14T00:00:00Z",
    ] {
        let refused = admin.get(&format!("/request-logs/summary?{window}")).await;
        let problem = refused.problem(400, "invalid-request");
        assert!(
            problem["detail"].as_str().unwrap().contains("at most 24 hours"),
            "{window}: {problem:#}"
        );
    }
}

#[tokio::test]
async fn a_slow_search_is_cancelled_with_advice_to_narrow_it() {
    let mut setup = Setup::default();
    setup.log_reading.statement_timeout = Duration::from_millis(50);
    let app = setup.start().await;
    let answer = app.viewer().get("/projects/1").await;
    let mut lock = app.database.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE request_log IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let cancelled: [Answer; 2] = [
        app.viewer().get("/request-logs").await,
        app.viewer()
            .get(&format!("/request-logs/{}", answer.request_uuid()))
            .await,
    ];
    for answer in cancelled {
        let problem = answer.problem(422, "search-too-broad");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .contains("Narrow it with `from` and `to`")
        );
    }
}

#[tokio::test]
async fn searches_use_no_connections_of_requests() {
    let mut setup = Setup::default();
    setup.log_reading.connections = 1;
    let app = setup.start().await;
    let mut lock = app.database.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE request_log IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    // More searches than connections wait for the lock or for each other.
    let searches: Vec<_> = (0..20)
        .map(|_| tokio::spawn(app.viewer().request(Method::GET, "/request-logs").send()))
        .collect();
    // Keys that are not cached can still be looked up.
    for number in 0..20 {
        let unknown = format!("dgw_{number:08x}_{}", "0f".repeat(32));
        let answer = app.with_key(&unknown).get("/request-logs").await;
        answer.problem(401, "unauthenticated");
    }
    lock.rollback().await.unwrap();
    for search in searches {
        assert_eq!(search.await.unwrap().unwrap().status(), 200);
    }
}
