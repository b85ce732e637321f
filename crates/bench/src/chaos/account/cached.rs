//! What a kept answer costs beside one of dbt Cloud, and the memory of as many as are kept.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use hyper::header::AUTHORIZATION;
use tokio::time::Instant;

use super::callers::{Pace, Seen, read};
use super::shown::Shown;
use crate::chaos::cluster::{Cluster, Plan};
use crate::chaos::double::ACCOUNT;
use crate::http::Endpoint;
use crate::json_client::send;
use crate::load::{self, Load};
use crate::process::{CpuSource, rss_mib};

/// Connections with one request at a time each.
const CONNECTIONS: usize = 16;
const CALLERS: usize = 16;

struct Extent {
    time: Duration,
    /// `cache.max_bytes`.
    max_bytes: u64,
    /// Sizes of the files that fill it, in KiB.
    files: &'static [u64],
}

pub(super) async fn measure(program: &Path, postgres: &str, is_short: bool) -> anyhow::Result<Shown> {
    let extent = if is_short {
        Extent {
            time: Duration::from_secs(1),
            max_bytes: 8 << 20,
            files: &[200],
        }
    } else {
        Extent {
            time: Duration::from_secs(10),
            max_bytes: 64 << 20,
            files: &[200, 2],
        }
    };
    let from_dbt = cost(program, postgres, &extent, false).await?;
    let kept = cost(program, postgres, &extent, true).await?;
    let mut shown = Shown {
        text: format!(
            "\nA run that ended, {CONNECTIONS} connections: from dbt Cloud {:.0}/s, {:.3} ms CPU a request, p99 {:.1} ms; kept {:.0}/s, \
             {:.3} ms CPU, p99 {:.1} ms.\n",
            from_dbt.per_second, from_dbt.cpu_ms, from_dbt.p99_ms, kept.per_second, kept.cpu_ms, kept.p99_ms
        ),
        ..Shown::default()
    };
    for kib in extent.files {
        fill(program, postgres, &extent, *kib, &mut shown).await?;
    }
    Ok(shown)
}

struct Cost {
    per_second: f64,
    cpu_ms: f64,
    p99_ms: f64,
}

async fn start(program: &Path, postgres: &str, extent: &Extent, is_shared: bool) -> anyhow::Result<Cluster> {
    let plan = Plan {
        database: "chaos_of_kept_answers",
        gateways: 1,
        settings: vec![
            ("DBT_GATEWAY__CACHE__ENABLED", is_shared.to_string()),
            ("DBT_GATEWAY__CACHE__MAX_BYTES", extent.max_bytes.to_string()),
            // More is read than an account may ask for.
            ("DBT_GATEWAY__BUDGET__ADMIN_PER_MINUTE", "0".to_owned()),
        ],
    };
    let cluster = Cluster::start(program, postgres, plan).await?;
    cluster.double.limit(1_000_000_000).await?;
    Ok(cluster)
}

/// The path of a run that ended long ago, which was read once.
async fn ended_run(cluster: &Cluster) -> anyhow::Result<i64> {
    let headers = [(AUTHORIZATION.as_str(), cluster.authorization.as_str())];
    let list = format!("/runs?account_id={ACCOUNT}&status=success&page_size=1&order_by=id");
    let answer = send(cluster.addresses[0], "GET", &list, &headers, None).await?;
    let run = answer.body["results"][0]["id"].as_i64();
    let run = run.with_context(|| format!("no run that ended: {}", answer.body))?;
    let path = format!("/runs/{run}?account_id={ACCOUNT}");
    send(cluster.addresses[0], "GET", &path, &headers, None).await?;
    Ok(run)
}

async fn cost(program: &Path, postgres: &str, extent: &Extent, is_shared: bool) -> anyhow::Result<Cost> {
    let cluster = start(program, postgres, extent, is_shared).await?;
    let endpoint = Endpoint {
        address: cluster.addresses[0],
        path: format!("/runs/{}?account_id={ACCOUNT}", ended_run(&cluster).await?),
        authorization: cluster.authorization.clone(),
    };
    let load = Load {
        connections: CONNECTIONS,
        pace: load::Pace::Closed,
        warm_up: Duration::ZERO,
        measured: extent.time,
    };
    let cpu = CpuSource::Process(cluster.pid(0)?);
    let before = cpu.cpu_seconds()?;
    let tally = load.run(&endpoint, load.window()).await?;
    let cpu = cpu.cpu_seconds()? - before;
    cluster.stop().await?;
    anyhow::ensure!(
        tally.failures == 0,
        "{} requests failed: {:?}",
        tally.failures,
        tally.first_failure
    );
    Ok(Cost {
        per_second: count(tally.responses) / extent.time.as_secs_f64(),
        cpu_ms: cpu * 1000.0 / count(tally.responses),
        p99_ms: tally.latencies.percentile_ms(99.0),
    })
}

/// Reads one and a half times as many files as are kept.
async fn fill(program: &Path, postgres: &str, extent: &Extent, kib: u64, shown: &mut Shown) -> anyhow::Result<()> {
    let cluster = start(program, postgres, extent, true).await?;
    let run = ended_run(&cluster).await?;
    let pid = cluster.pid(0)?;
    let calm = rss_mib(pid)?;
    let callers = CALLERS as u64;
    let each = (extent.max_bytes * 3 / 2 / (kib << 10)).div_ceil(callers);
    let path = |caller: usize, request: u64| {
        // A file of its own for each request: some bytes longer.
        let length = (kib << 10) + (caller as u64) * each + request;
        let relay = format!("/api/v2/accounts/{ACCOUNT}/runs/{run}/artifacts/simulated");
        format!("{relay}/{length}.json")
    };
    let pace = |most| Pace {
        callers: CALLERS,
        every: Duration::ZERO,
        until: Instant::now() + Duration::from_mins(2),
        most,
    };
    let seen = RefCell::new(Seen::new());
    read(&cluster, pace(each), &path, &seen).await?;
    let full = rss_mib(pid)?;
    let again = RefCell::new(Seen::new());
    read(&cluster, pace(1), |caller, _| path(caller, each - 1), &again).await?;
    cluster.stop().await?;
    let (seen, again) = (seen.into_inner(), again.into_inner());
    #[expect(clippy::cast_precision_loss, reason = "some mebibytes")]
    let limit = extent.max_bytes as f64 / f64::from(1 << 20);
    writeln!(
        shown.text,
        "Memory (RSS) with {limit:.0} MiB of answers of {kib} KiB: {full:.0} MiB, before it {calm:.0} MiB: {:.2} times what is kept. {}; the \
         last ones again: {:.0} % kept.",
        (full - calm) / limit,
        seen.words(),
        again.hit_rate()
    )?;
    if seen.refused_with("") > 0 {
        shown.problems.push(format!("answers of {kib} KiB: {}", seen.words()));
    }
    if again.hit_rate() < 50.0 {
        shown
            .problems
            .push(format!("answers of {kib} KiB: {:.0} % kept", again.hit_rate()));
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "requests of seconds")]
fn count(number: u64) -> f64 {
    number as f64
}
