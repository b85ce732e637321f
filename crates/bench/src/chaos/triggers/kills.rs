//! `kill -9` of a gateway in each state of an attempt, and how long until another process has resolved it.

use std::time::Duration;

use futures::future::{Either, select};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::gateways::GATEWAYS;
use crate::chaos::cluster::{Cluster, run_of, told};
use crate::chaos::double::{lists, next_trigger, trigger_path};
use crate::latencies::Latencies;

/// A hang guard for a resolution: longer than lease and horizon.
const RESOLVED_WITHIN: Duration = Duration::from_secs(40);
/// Longer than a scenario: the request that is held never ends by itself.
const HELD_MS: u64 = 120_000;

/// When the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    SendingBefore,
    SendingAfter,
    Ambiguous,
    Resolving,
}

impl State {
    pub(crate) const ALL: [Self; 4] = [
        Self::SendingBefore,
        Self::SendingAfter,
        Self::Ambiguous,
        Self::Resolving,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SendingBefore => "`sending`, before the POST; it holds the lock of the job",
            Self::SendingAfter => "`sending`, after the POST",
            Self::Ambiguous => "`ambiguous`, while the caller waits",
            Self::Resolving => "while it resolves what another one left behind",
        }
    }
}

/// One state.
#[derive(Debug)]
pub(crate) struct Killed {
    pub(crate) state: State,
    /// From the last kill to the end of the attempt in the database.
    pub(crate) resolved: Latencies,
    /// From the last kill to the first run that another request with the lock of the job started.
    pub(crate) lock: Latencies,
    pub(crate) problems: Vec<String>,
}

impl Killed {
    pub(crate) fn new(state: State) -> Self {
        Self {
            state,
            resolved: Latencies::new(),
            lock: Latencies::new(),
            problems: Vec::new(),
        }
    }

    /// Kills gateway 0 in that state; the other one resolves, except in `Resolving`, where it is killed too and the first one
    /// is started again.
    pub(crate) async fn run(&mut self, cluster: &Cluster, job: &str, name: &str) -> anyhow::Result<()> {
        let double = &cluster.double;
        let after = double.now().await?;
        let mut faults = Vec::new();
        let (query, listed) = match self.state {
            State::SendingBefore => {
                faults.push(double.fault(lists(job, json!({ "delay_before_ms": HELD_MS }))).await?);
                ("&if_running=cancel_queued", true)
            }
            State::SendingAfter => {
                let mut held = next_trigger(job, &json!({"kind": "none"}));
                held["delay_after_ms"] = json!(HELD_MS);
                faults.push(double.fault(held).await?);
                ("", false)
            }
            State::Ambiguous | State::Resolving => {
                faults.push(double.fault(next_trigger(job, &json!({"kind": "reset_after"}))).await?);
                let away = json!({"effect": {"kind": "answer", "status": 503}});
                faults.push(double.fault(lists(job, away)).await?);
                ("", true)
            }
        };
        let sent = Box::pin(cluster.trigger(0, job, name, query));
        let reached = Box::pin(async {
            if listed {
                double.received("GET", &format!("job_definition_id={job}"), after).await
            } else {
                double.received("POST", &trigger_path(job), after).await
            }
        });
        match select(sent, reached).await {
            Either::Left((answer, _)) => {
                let told = answer.map_or_else(|error| error.to_string(), |answer| told(&answer));
                anyhow::bail!("{name} was answered before the kill: {told}");
            }
            // The caller is still there.
            Either::Right((reached, _sent)) => {
                reached?;
                cluster.kill(0).await?;
            }
        }
        if self.state == State::Resolving {
            // The next look is that of the other process, and never ends.
            let held = double.fault(lists(job, json!({ "delay_before_ms": HELD_MS }))).await?;
            for fault in std::mem::replace(&mut faults, vec![held]) {
                double.remove(fault).await?;
            }
            let after = double.now().await?;
            double
                .received("GET", &format!("job_definition_id={job}"), after)
                .await?;
            cluster.kill(1).await?;
        }
        let began = Instant::now();
        for fault in faults {
            double.remove(fault).await?;
        }
        if self.state == State::Resolving {
            cluster.start_gateway(0).await?;
        }
        if self.state == State::SendingBefore {
            repeat(cluster, 1, job, &format!("{name}, the next"), query).await?;
            self.lock.record(began.elapsed());
        }
        let state = ended(cluster, name).await?;
        self.resolved.record(began.elapsed());
        let by = usize::from(self.state != State::Resolving);
        let started = double.runs(job, name).await?;
        let expected = if self.state == State::SendingBefore {
            ("not_started", 0)
        } else {
            ("started", 1)
        };
        if (state.as_str(), started.len()) != expected {
            self.problems.push(format!("{name}: {state}, started {started:?}"));
        }
        let run = repeat(cluster, by, job, name, query).await?;
        let started = double.runs(job, name).await?;
        if started != [run] {
            self.problems
                .push(format!("{name}: the caller got {run}, started {started:?}"));
        }
        for index in 0..GATEWAYS {
            if !cluster.is_running(index) {
                cluster.start_gateway(index).await?;
            }
        }
        Ok(())
    }
}

/// Waits for the end of the last attempt with that idempotency key, and returns its state.
async fn ended(cluster: &Cluster, name: &str) -> anyhow::Result<String> {
    let query = format!(
        "SELECT a.state FROM trigger_attempt a JOIN idempotency_key k USING (request_uuid)
         WHERE k.key = '{name}' AND a.ended_at IS NOT NULL"
    );
    let until = Instant::now() + RESOLVED_WITHIN;
    loop {
        let state = cluster.query(&query).await?;
        if !state.is_empty() {
            return Ok(state);
        }
        anyhow::ensure!(
            Instant::now() < until,
            "{name}: not resolved within {RESOLVED_WITHIN:?}"
        );
        sleep(Duration::from_millis(50)).await;
    }
}

/// Repeats a trigger at one gateway until it is answered with a run.
async fn repeat(cluster: &Cluster, index: usize, job: &str, name: &str, query: &str) -> anyhow::Result<i64> {
    let until = Instant::now() + RESOLVED_WITHIN;
    loop {
        let answer = cluster.trigger(index, job, name, query).await?;
        if let Some(run) = run_of(&answer) {
            return Ok(run);
        }
        let told = told(&answer);
        anyhow::ensure!(
            Instant::now() < until,
            "{name}: no run within {RESOLVED_WITHIN:?}: {told}"
        );
        sleep(Duration::from_millis(100)).await;
    }
}
