//! Many callers poll the same runs: with shared reads and kept answers, and without.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::callers::{Pace, Seen, read};
use super::shown::Shown;
use crate::chaos::cluster::{Cluster, Plan};
use crate::chaos::double::ACCOUNT;
use crate::process::CpuSource;

/// Its runs take an hour.
const JOB: &str = "70403103940007";
/// Each caller polls its run once a second.
const EVERY: Duration = Duration::from_secs(1);

struct Extent {
    callers: usize,
    runs: usize,
    time: Duration,
    /// The limit of the simulator and that of the gateway, in requests a minute.
    limits: (u32, u32),
    /// How long a read waits for its turn.
    wait: Duration,
}

pub(super) async fn measure(program: &Path, postgres: &str, is_short: bool) -> anyhow::Result<Shown> {
    let extent = if is_short {
        Extent {
            callers: 100,
            runs: 10,
            time: Duration::from_secs(5),
            limits: (500, 480),
            wait: Duration::from_secs(2),
        }
    } else {
        Extent {
            callers: 1000,
            runs: 100,
            time: Duration::from_mins(2),
            limits: (5000, 4800),
            wait: Duration::from_secs(30),
        }
    };
    let mut shown = Shown {
        text: format!(
            "\n{} callers poll {} runs once a second for {:?}; dbt Cloud's limit is {} a minute, the gateway's {}:\n\n\
             | | calls a minute at dbt Cloud | a run and second | most in 60 s | 429s of dbt Cloud | without an exchange | CPU a \
             request, ms | callers |\n|---|---|---|---|---|---|---|---|\n",
            extent.callers, extent.runs, extent.time, extent.limits.0, extent.limits.1
        ),
        ..Shown::default()
    };
    for (name, is_shared) in [("shared and kept", true), ("neither", false)] {
        measure_one(program, postgres, &extent, (name, is_shared), &mut shown).await?;
    }
    Ok(shown)
}

async fn measure_one(
    program: &Path,
    postgres: &str,
    extent: &Extent,
    (name, is_shared): (&str, bool),
    shown: &mut Shown,
) -> anyhow::Result<()> {
    let plan = Plan {
        database: "chaos_of_polling",
        gateways: 1,
        settings: vec![
            ("DBT_GATEWAY__CACHE__ENABLED", is_shared.to_string()),
            ("DBT_GATEWAY__BUDGET__ADMIN_PER_MINUTE", extent.limits.1.to_string()),
            ("DBT_GATEWAY__BUDGET__WAIT_MS", extent.wait.as_millis().to_string()),
            ("DBT_GATEWAY__LIMITS__MAX_CONNECTIONS_PER_ADDRESS", "0".to_owned()),
        ],
    };
    let cluster = Cluster::start(program, postgres, plan).await?;
    let mut paths = Vec::new();
    for _ in 0..extent.runs {
        let run = cluster.double.start_run(JOB).await?;
        paths.push(format!("/runs/{run}?account_id={ACCOUNT}"));
    }
    cluster.double.limit(extent.limits.0).await?;
    let cpu = CpuSource::Process(cluster.pid(0)?);
    let (before, cpu_before) = (cluster.double.now().await?, cpu.cpu_seconds()?);
    let seen = RefCell::new(Seen::new());
    let began = Instant::now();
    let pace = Pace {
        callers: extent.callers,
        every: EVERY,
        until: began + extent.time,
        most: u64::MAX,
    };
    read(&cluster, pace, |caller, _| paths[caller % paths.len()].clone(), &seen).await?;
    let took = began.elapsed().as_secs_f64();
    let cpu = cpu.cpu_seconds()? - cpu_before;
    let calls = count(cluster.double.now().await? - before);
    let counted = cluster.double.counted().await?;
    cluster.stop().await?;
    let seen = seen.into_inner();
    let a_run_and_second = calls / took / count(extent.runs as u64);
    let answers = seen.answered.count() + seen.refused_with("");
    writeln!(
        shown.text,
        "| {name} | {:.0} | {a_run_and_second:.2} | {} | {} | {:.1} % | {:.2} | {} |",
        calls / took * 60.0,
        counted.most_in_a_minute,
        counted.refused,
        seen.hit_rate(),
        cpu * 1000.0 / count(answers),
        seen.words()
    )?;
    if counted.refused > 0 {
        shown
            .problems
            .push(format!("{name}: dbt Cloud refused {} requests", counted.refused));
    }
    if is_shared {
        if seen.refused_with("") > 0 {
            shown.problems.push(format!("{name}: callers saw {}", seen.words()));
        }
        // Each answer is kept for a second; a tenth for the edges of the measurement.
        if a_run_and_second > 1.1 {
            shown
                .problems
                .push(format!("{name}: {a_run_and_second:.2} calls a run and second"));
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "requests of minutes")]
fn count(number: u64) -> f64 {
    number as f64
}
