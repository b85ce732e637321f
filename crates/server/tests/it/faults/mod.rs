//! Every fault of dbt Cloud and of the network before it: what the caller of a read and of a change gets, and what the row
//! says. The table of `docs/dbt-cloud-health.md` is made of the same cases.

mod proxy;

use std::net::SocketAddr;
use std::time::Duration;

use dbt_api::HttpSettings;
use futures::future::join_all;
use model::Role;
use reqwest::Method;
use serde_json::json;
use simulator::{Fault, FaultBody, acme};
use tokio::net::TcpListener;

use self::proxy::{FaultyProxy, Wire};
use crate::support::{FOREVER, Setup, TestApp};

const RUN: &str = "/runs/70403104000901";
/// The limits in these tests. Shorter than the hang guard, so that only they can end a request; long enough for a busy
/// machine to answer within.
const READ_TIMEOUT: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_millis(2500);
const HANG_GUARD: Duration = Duration::from_secs(30);

/// Where the fault is.
#[derive(Clone)]
enum At {
    /// There is no such name.
    Name,
    /// Nothing listens at the port.
    Port,
    /// The port does not speak TLS.
    Tls,
    /// The proxy does this.
    Wire(Wire),
    /// dbt Cloud answers so.
    Answer(Fault),
}

/// What the caller gets, and what its row says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Got {
    status: u16,
    /// The name of the problem; empty for none.
    problem: String,
    outcome: String,
    attempts: i64,
}

struct Case {
    /// In the words of the docs.
    name: &'static str,
    at: At,
    read: Got,
    change: Got,
}

fn got(status: u16, problem: &str, outcome: &str, attempts: i64) -> Got {
    Got {
        status,
        problem: problem.to_owned(),
        outcome: outcome.to_owned(),
        attempts,
    }
}

fn unavailable(outcome: &str, attempts: i64) -> Got {
    got(502, "dbt-unavailable", outcome, attempts)
}

fn late() -> Got {
    got(504, "dbt-timeout", "timeout", 1)
}

fn served(status: u16, attempts: i64) -> Got {
    got(status, "", "succeeded", attempts)
}

fn status(status: u16) -> At {
    At::Answer(Fault::everywhere().status(status))
}

fn cases() -> Vec<Case> {
    let case = |name, at, read, change| Case { name, at, read, change };
    // Three times: a read is sent again twice.
    let lost = || (unavailable("disconnected", 3), unavailable("disconnected", 1));
    let refused = || (unavailable("connect", 3), unavailable("connect", 1));
    let unreadable = || (unavailable("decode", 1), unavailable("decode", 1));
    let both = |name, at, (read, change)| case(name, at, read, change);
    vec![
        both("its name is not found", At::Name, refused()),
        both("nothing listens at its address", At::Port, refused()),
        both("TLS fails", At::Tls, refused()),
        both("resets the connection", At::Wire(Wire::Resets), lost()),
        both(
            "closes the connection without an answer",
            At::Wire(Wire::Closes),
            lost(),
        ),
        both(
            "answers with bytes that are not HTTP",
            At::Wire(Wire::GarblesAll),
            lost(),
        ),
        case(
            "resets every second connection",
            At::Wire(Wire::Flaps),
            served(200, 2),
            unavailable("disconnected", 1),
        ),
        both(
            "no byte within `upstream.read_timeout_secs`",
            At::Wire(Wire::IsSilent),
            (late(), late()),
        ),
        case(
            "slow, but within the limits",
            At::Wire(Wire::Delays(Duration::from_millis(20))),
            served(200, 1),
            served(201, 1),
        ),
        case(
            "drips, beyond `upstream.deadline_secs`",
            At::Wire(Wire::Drips(Duration::from_millis(20))),
            late(),
            late(),
        ),
        both("breaks off within the answer", At::Wire(Wire::Cuts(20)), lost()),
        both("garbles the body", At::Wire(Wire::GarblesBody), unreadable()),
        both(
            "answers 200 with HTML",
            At::Answer(Fault::everywhere().answer(200, FaultBody::Html)),
            unreadable(),
        ),
        case(
            "answers 500",
            status(500),
            unavailable("unexpected_status", 1),
            unavailable("unexpected_status", 1),
        ),
        case(
            "answers 502, 503 or 504",
            status(503),
            unavailable("unexpected_status", 3),
            unavailable("unexpected_status", 1),
        ),
        case(
            "answers 408",
            status(408),
            got(504, "dbt-timeout", "unexpected_status", 3),
            got(504, "dbt-timeout", "unexpected_status", 1),
        ),
        case(
            "answers 429",
            status(429),
            got(429, "rate-limit", "too_many_requests", 1),
            got(429, "rate-limit", "too_many_requests", 1),
        ),
    ]
}

async fn start() -> TestApp {
    let setup = Setup {
        http: HttpSettings {
            connect_timeout: DEADLINE,
            read_timeout: READ_TIMEOUT,
            deadline: DEADLINE,
            // Only the limits above find a silent connection.
            keepalive_interval: FOREVER,
            ..Setup::default().http
        },
        ..Setup::default()
    };
    setup.start().await
}

/// Stores a credential whose dbt Cloud has that fault, and returns its name.
async fn store(app: &TestApp, name: &str, at: &At) -> String {
    let proxy = FaultyProxy::bind().await;
    let (url, wire) = match at {
        At::Name => ("http://dbt.invalid".to_owned(), Wire::Passes),
        At::Port => (format!("http://{}", free_port().await), Wire::Passes),
        At::Tls => (format!("https://{}", proxy.address()), Wire::Passes),
        At::Wire(wire) => (format!("http://{}", proxy.address()), *wire),
        At::Answer(_) => (format!("http://{}", proxy.address()), Wire::Passes),
    };
    let simulator = app.dbt.base_url();
    proxy.forward(simulator.strip_prefix("http://").unwrap().parse().unwrap(), wire);
    let credential = json!({"name": name, "account_id": acme::ACCOUNT_ID, "token": acme::TOKEN, "access_url": url});
    app.caller(Role::Admin)
        .post("/credentials", &credential)
        .await
        .expect(201);
    name.to_owned()
}

/// A port that was free a moment ago.
async fn free_port() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    listener.local_addr().unwrap()
}

async fn ask(app: &TestApp, method: Method, path: &str) -> Got {
    let caller = app.caller(Role::Admin);
    let mut request = caller.request(method.clone(), path);
    if method == Method::POST {
        let (project, environment) = (acme::PROJECT_ID, acme::PRODUCTION_ENVIRONMENT_ID);
        request = request.json(&json!({"name": "n", "project_id": project, "environment_id": environment}));
    }
    let request = caller.send(request);
    let answer = tokio::time::timeout(HANG_GUARD, request)
        .await
        .expect("a limit ends the request");
    let problem = if answer.status.is_success() {
        String::new()
    } else {
        let name = answer.json()["type"].as_str().unwrap().replace("/problems/", "");
        answer.problem(answer.status.as_u16(), &name);
        name
    };
    let row = app.closed_row(&answer.request_uuid()).await;
    Got {
        status: answer.status.as_u16(),
        problem,
        outcome: row["outcome"].as_str().unwrap().to_owned(),
        attempts: row["attempts"].as_i64().unwrap(),
    }
}

/// The row of the docs.
fn documented(name: &str, read: &Got, change: &Got) -> String {
    let cell = |got: &Got| {
        let problem = if got.problem.is_empty() {
            String::new()
        } else {
            format!(" `{}`", got.problem)
        };
        let exchanges = if got.attempts == 1 { "exchange" } else { "exchanges" };
        format!(
            "{}{problem}; `{}`, {} {exchanges}",
            got.status, got.outcome, got.attempts
        )
    };
    format!("| {name} | {} | {} |", cell(read), cell(change))
}

#[tokio::test]
async fn each_fault_ends_within_the_limits_with_the_answer_and_the_row_of_the_docs() {
    let app = start().await;
    let mut at_once = Vec::new();
    let mut problems = Vec::new();
    for (number, case) in cases().into_iter().enumerate() {
        // A connection of its own for each of the two.
        let read = store(&app, &format!("read-{number}"), &case.at).await;
        let change = store(&app, &format!("change-{number}"), &case.at).await;
        // What the simulator does, it does to all.
        let At::Answer(fault) = &case.at else {
            at_once.push((case, read, change));
            continue;
        };
        let fault = app.dbt.add_fault(fault.clone());
        problems.extend(differences(&app, &case, &read, &change).await);
        app.dbt.remove_fault(fault);
    }
    let at_once = at_once.iter();
    let others = at_once.map(|(case, read, change)| differences(&app, case, read, change));
    problems.extend(join_all(others).await.concat());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// What differs from the case and from the docs.
async fn differences(app: &TestApp, case: &Case, read: &str, change: &str) -> Vec<String> {
    let docs = include_str!("../../../../../docs/dbt-cloud-health.md");
    let (read, change) = (format!("{RUN}?credential={read}"), format!("/jobs?credential={change}"));
    let (read, change) = tokio::join!(ask(app, Method::GET, &read), ask(app, Method::POST, &change));
    let mut problems = Vec::new();
    if (&read, &change) != (&case.read, &case.change) {
        problems.push(format!("{}: read {read:?}, change {change:?}", case.name));
    }
    let row = documented(case.name, &case.read, &case.change);
    if !docs.lines().any(|line| line == row) {
        problems.push(format!("docs/dbt-cloud-health.md needs:\n{row}"));
    }
    problems
}

#[tokio::test]
async fn a_storm_of_429s_and_its_end_are_passed_on_as_they_are() {
    let app = start().await;
    let storm = app
        .dbt
        .add_fault(Fault::everywhere().status(429).header("retry-after", "7"));
    for _ in 0..20 {
        let answer = app.viewer().get(RUN).await;
        answer.problem(429, "rate-limit");
        assert_eq!(answer.header("retry-after"), Some("7"));
        let row = app.row_of(&answer).await;
        assert_eq!(row["attempts"], json!(1), "a 429 is not repeated");
    }
    assert_eq!(app.dbt.requests().len(), 20);
    app.dbt.remove_fault(storm);
    app.viewer().get(RUN).await.expect(200);
}
