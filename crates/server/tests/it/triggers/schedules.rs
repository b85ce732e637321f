//! Random schedules of faults, repeats, replicas and passes of the background work, against the simulator's own count: for a
//! key at most one run is started, and if one was started, its caller can learn its id.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use simulator::Fault;

use super::{lost_after_the_work, lost_before_the_work, path, replica, runs_with_cause};
use crate::support::{Answer, Setup, TestApp};

/// Keys of one run of the test.
const KEYS: usize = 12;

fn setup() -> Setup {
    let mut setup = Setup::default();
    setup.trigger.resolve = Duration::from_millis(5);
    setup.trigger.min_pause = Duration::from_millis(1);
    setup.trigger.max_pause = Duration::from_millis(1);
    setup.trigger.horizon = Duration::from_millis(50);
    setup
}

async fn send(app: &TestApp, key: &str, name: &str) -> Answer {
    let operator = app.with_key(key);
    let request = operator
        .request(reqwest::Method::POST, &path())
        .header("idempotency-key", name);
    operator.send(request.json(&super::body(name))).await
}

fn run_of(answer: &Answer) -> Option<i64> {
    (answer.status == 201).then(|| answer.json()["id"].as_i64().unwrap())
}

#[tokio::test]
async fn no_schedule_starts_two_runs_for_a_key_or_loses_one() {
    let app = setup().start().await;
    let other = replica(&app, 2, setup()).await;
    let key = app.key(model::Role::Operator).to_owned();
    let mut faults: Vec<Option<Fault>> = lost_after_the_work()
        .into_iter()
        .chain(lost_before_the_work())
        .map(Some)
        .collect();
    faults.push(None);
    faults.push(Some(Fault::on("POST", "/api/v2/").once().status(429)));
    let seed = rand::rng().random::<u64>();
    println!("seed {seed}");
    let mut dice = SmallRng::seed_from_u64(seed);
    for index in 0..KEYS {
        let name = format!("schedule {seed} {index} end");
        let mut answered = Vec::new();
        for _ in 0..dice.random_range(1..5) {
            let fault = faults[dice.random_range(0..faults.len())].clone();
            let on = fault.map(|fault| app.dbt.add_fault(fault));
            let looks_fail = dice
                .random_bool(0.2)
                .then(|| app.dbt.add_fault(Fault::on("GET", "/api/v2/").status(503)));
            let gateway = if dice.random_bool(0.5) { &app } else { &other };
            if dice.random_bool(0.3) {
                let (one, two) = tokio::join!(send(&app, &key, &name), send(&other, &key, &name));
                answered.extend([run_of(&one), run_of(&two)].into_iter().flatten());
            } else {
                answered.extend(run_of(&send(gateway, &key, &name).await));
            }
            on.map(|id| app.dbt.remove_fault(id));
            looks_fail.map(|id| app.dbt.remove_fault(id));
            if dice.random_bool(0.3) {
                gateway.clients.resolve_triggers(Duration::from_secs(1)).await.unwrap();
            }
        }
        // In the end the caller repeats until there is an answer.
        let last = crate::support::eventually(async || {
            let answer = send(&app, &key, &name).await;
            run_of(&answer)
        })
        .await;
        answered.push(last);
        let started: Vec<Value> = runs_with_cause(&app, &name).await;
        assert_eq!(started.len(), 1, "seed {seed}, key {index}: {answered:?}");
        assert!(
            answered.iter().all(|id| started[0]["id"] == *id),
            "seed {seed}, key {index}: {answered:?}"
        );
    }
}
