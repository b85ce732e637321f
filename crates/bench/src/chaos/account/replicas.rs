//! Three replicas share the budget of an account while callers ask for half as much again, all different, and triggers are among
//! them.

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::callers::{Pace, Seen, read};
use super::shown::Shown;
use crate::chaos::cluster::{Cluster, Plan, run_of, told};
use crate::chaos::double::ACCOUNT;
use crate::latencies::Latencies;

const JOB: &str = "70403103940002";
const GATEWAYS: usize = 3;
/// How long a read waits for its turn.
const WAIT: Duration = Duration::from_secs(5);

struct Extent {
    /// The limit of the gateways, in requests a minute.
    limit: u32,
    time: Duration,
    /// Between two triggers.
    trigger_every: Duration,
}

pub(super) async fn measure(program: &Path, postgres: &str, is_short: bool) -> anyhow::Result<Shown> {
    let extent = if is_short {
        Extent {
            limit: 480,
            time: Duration::from_secs(8),
            trigger_every: Duration::from_millis(500),
        }
    } else {
        Extent {
            limit: 4800,
            time: Duration::from_mins(3),
            trigger_every: Duration::from_secs(1),
        }
    };
    let plan = Plan {
        database: "chaos_of_budget",
        gateways: GATEWAYS,
        settings: vec![
            ("DBT_GATEWAY__BUDGET__ADMIN_PER_MINUTE", extent.limit.to_string()),
            ("DBT_GATEWAY__BUDGET__WAIT_MS", WAIT.as_millis().to_string()),
            ("DBT_GATEWAY__LIMITS__MAX_CONNECTIONS_PER_ADDRESS", "0".to_owned()),
        ],
    };
    let cluster = Cluster::start(program, postgres, plan).await?;
    // Only counts: a 429 would hide by how much the limit was exceeded.
    cluster.double.limit(1_000_000).await?;
    let before = cluster.double.now().await?;
    let began = Instant::now();
    let until = began + extent.time;
    let seen = RefCell::new(Seen::new());
    let mut triggers = Triggers {
        latencies: Latencies::new(),
        problems: Vec::new(),
    };
    // As many callers as keep the pace while each waits for its turn, twice as long as it may.
    let every = 2 * WAIT;
    let callers = u64::from(extent.limit) * 3 / 2 * every.as_secs() / 60;
    let pace = Pace {
        callers: usize::try_from(callers)?,
        every,
        until,
        most: u64::MAX,
    };
    let path = |caller, request| format!("/projects?account_id={ACCOUNT}&name=project-{caller}-{request}");
    futures::try_join!(
        read(&cluster, pace, path, &seen),
        triggers.send(&cluster, extent.trigger_every, until)
    )?;
    let took = began.elapsed();
    let sent = cluster.double.now().await? - before;
    let counted = cluster.double.counted().await?;
    cluster.stop().await?;
    let seen = seen.into_inner();
    let mut shown = Shown {
        text: format!(
            "\nThree replicas, reads at 1.5 times the limit of {} a minute for {:?}: at most {} reached dbt Cloud in any 60 s, {} in \
             all. Triggers among them: {} answered 201 (p50 {:.0} ms, p99 {:.0} ms), {} not. Reads: {}.\n",
            extent.limit,
            extent.time,
            counted.most_in_a_minute,
            sent,
            triggers.latencies.count(),
            triggers.latencies.percentile_ms(50.0),
            triggers.latencies.percentile_ms(99.0),
            triggers.problems.len(),
            seen.words()
        ),
        problems: triggers.problems,
    };
    let limit = u64::from(extent.limit);
    if counted.most_in_a_minute > limit {
        shown
            .problems
            .push(format!("{} requests in 60 s", counted.most_in_a_minute));
    }
    // The short form is shorter than a minute: the burst, and the rate for the time and three seconds of slices and way.
    let (burst, sent_at_most) = bound(limit, took);
    if sent > sent_at_most {
        shown
            .problems
            .push(format!("{sent} requests in {took:?}, burst {burst}"));
    }
    let others = seen.refused_with("") - seen.refused_with("429 budget-exhausted");
    if others > 0 {
        shown
            .problems
            .push(format!("the callers of reads saw {}", seen.words()));
    }
    Ok(shown)
}

/// The burst of a limit, and what may be sent in that time (docs/budget.md).
fn bound(limit: u64, time: Duration) -> (u64, u64) {
    let burst = (limit.div_ceil(25) + 2).min(limit);
    let seconds = time.as_secs() + 1 + 3;
    (burst, burst + (limit + 1 - burst) * seconds / 63)
}

struct Triggers {
    latencies: Latencies,
    problems: Vec<String>,
}

impl Triggers {
    /// Sends triggers one after the other to the gateways in turns.
    async fn send(&mut self, cluster: &Cluster, every: Duration, until: Instant) -> anyhow::Result<()> {
        let mut due = Instant::now();
        for number in 0.. {
            sleep_until(due).await;
            let sent = Instant::now();
            if sent >= until {
                break;
            }
            let name = format!("trigger {number}");
            match cluster.trigger(number % GATEWAYS, JOB, &name, "").await {
                Ok(answer) if run_of(&answer).is_some() => self.latencies.record(sent.elapsed()),
                Ok(answer) => self.problems.push(format!("{name}: {}", told(&answer))),
                Err(error) => self.problems.push(format!("{name}: {error:#}")),
            }
            due = (due + every).max(Instant::now());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_minute_no_more_than_the_limit_may_be_sent() {
        for limit in [10, 480, 4800] {
            let (_, sent) = bound(limit, Duration::from_secs(59));
            assert!(sent <= limit + 1, "{limit}: {sent}");
        }
    }
}
