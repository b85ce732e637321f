//! dbt Cloud is away for a while: how much still reaches it, what the callers get, how soon all is well again.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::callers::{Pace, Seen, read};
use super::shown::Shown;
use crate::chaos::cluster::{Cluster, Plan};
use crate::chaos::double::ACCOUNT;

/// Requests a second, all different.
const RATE: u32 = 40;
/// During an outage at most this multiple of the calls before it reaches dbt Cloud.
const MOST_CALLS: f64 = 1.1;

struct Extent {
    before: Duration,
    outage: Duration,
    after: Duration,
    /// `upstream.read_timeout_secs`.
    read_timeout: u64,
}

pub(super) async fn measure(program: &Path, postgres: &str, is_short: bool) -> anyhow::Result<Shown> {
    let seconds = Duration::from_secs;
    let extent = if is_short {
        Extent {
            before: seconds(3),
            outage: seconds(4),
            after: seconds(5),
            read_timeout: 1,
        }
    } else {
        Extent {
            before: seconds(10),
            outage: seconds(30),
            after: seconds(40),
            read_timeout: 5,
        }
    };
    let mut kinds = vec![(
        "503",
        json!({"effect": {"kind": "answer", "status": 503, "body": {"kind": "html"}}}),
    )];
    if !is_short {
        kinds.push(("no answer", json!({"delay_before_ms": 600_000})));
        kinds.push(("resets", json!({"effect": {"kind": "reset_before"}})));
    }
    let mut shown = Shown {
        text: format!(
            "\ndbt Cloud is away for {:?}; {RATE} reads a second, all different; `upstream.read_timeout_secs` {}:\n\n\
             | dbt Cloud | calls before, a second | during | during / before (goal {MOST_CALLS}) | well again after, s | callers \
             during and after |\n|---|---|---|---|---|---|\n",
            extent.outage, extent.read_timeout
        ),
        ..Shown::default()
    };
    for (name, fault) in kinds {
        measure_one(program, postgres, &extent, name, fault, &mut shown).await?;
    }
    Ok(shown)
}

async fn measure_one(
    program: &Path,
    postgres: &str,
    extent: &Extent,
    name: &str,
    fault: Value,
    shown: &mut Shown,
) -> anyhow::Result<()> {
    let plan = Plan {
        database: "chaos_of_outage",
        gateways: 1,
        settings: vec![
            (
                "DBT_GATEWAY__UPSTREAM__READ_TIMEOUT_SECS",
                extent.read_timeout.to_string(),
            ),
            ("DBT_GATEWAY__LIMITS__MAX_CONNECTIONS_PER_ADDRESS", "0".to_owned()),
        ],
    };
    let cluster = Cluster::start(program, postgres, plan).await?;
    let double = &cluster.double;
    double.limit(5000).await?;
    let path = |part: &'static str| {
        move |caller, request| format!("/projects?account_id={ACCOUNT}&name={part}-{caller}-{request}")
    };
    // As many callers as keep the pace though each waits for the time-out, and its repetitions.
    let every = Duration::from_secs(4 * extent.read_timeout);
    let pace = |time| Pace {
        callers: usize::try_from(u64::from(RATE) * every.as_secs()).unwrap_or(1),
        every,
        until: Instant::now() + time,
        most: u64::MAX,
    };
    let calm = RefCell::new(Seen::new());
    let first = double.now().await?;
    let began = Instant::now();
    read(&cluster, pace(extent.before), path("before"), &calm).await?;
    let before = per_second(double.now().await? - first, began.elapsed());
    let calm = calm.into_inner();

    let seen = RefCell::new(Seen::new());
    let mut ended = None;
    let mut during = 0.0;
    futures::try_join!(
        read(&cluster, pace(extent.outage + extent.after), path("during"), &seen),
        async {
            let (first, began) = (double.now().await?, Instant::now());
            let fault = double.fault(fault).await?;
            sleep(extent.outage).await;
            during = per_second(double.now().await? - first, began.elapsed());
            double.remove(fault).await?;
            ended = Some(Instant::now());
            Ok(())
        }
    )?;
    cluster.stop().await?;
    let seen = seen.into_inner();
    let well_again = match (seen.last_refused, ended) {
        (Some(last), Some(ended)) => last.saturating_duration_since(ended),
        _ => Duration::ZERO,
    };
    writeln!(
        shown.text,
        "| {name} | {before:.1} | {during:.1} | {:.2} | {:.1} | {} |",
        during / before,
        well_again.as_secs_f64(),
        seen.words()
    )?;
    if calm.refused_with("") > 0 {
        shown
            .problems
            .push(format!("{name}: before it the callers saw {}", calm.words()));
    }
    if during / before > MOST_CALLS {
        shown
            .problems
            .push(format!("{name}: {:.2} times the calls of before", during / before));
    }
    if seen.refused_with("no answer") > 0 {
        shown.problems.push(format!("{name}: the callers saw {}", seen.words()));
    }
    if well_again + Duration::from_secs(1) >= extent.after {
        shown
            .problems
            .push(format!("{name}: not well again {:?} after its end", extent.after));
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "requests of seconds")]
fn per_second(calls: u64, time: Duration) -> f64 {
    calls as f64 / time.as_secs_f64()
}
