//! A whole run: everything started, every scene measured, everything stopped; and what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;

use crate::contestants::{Contestant, Gateway, Nginx, Upstream, free_address, scratch};
use crate::load::{Load, Target};
use crate::machine::Machine;
use crate::marks::{self, Mark, number};
use crate::pgbench::Commits;
use crate::process::{Counted, peak_rss_mib};
use crate::scenes::{self, Scene};
use crate::statistics::median;
use crate::targets;
use crate::watcher::Watcher;
use crate::{RunOptions, say};

/// Every figure of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: Machine,
    /// What both gateways were given beside their defaults.
    settings: Vec<(String, String)>,
    quick: bool,
    rounds: u32,
    pub(crate) scenes: BTreeMap<&'static str, Figures>,
    pub(crate) end: End,
    marks: Vec<Mark>,
}

/// What one scene measured, a value a round.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Figures {
    pub(crate) contestants: BTreeMap<Contestant, Vec<Round>>,
    /// The median of `pgbench`'s single-row commits.
    pub(crate) commit_ms: Vec<f64>,
}

/// One turn of one contestant.
#[derive(Debug, Serialize)]
pub(crate) struct Round {
    pub(crate) requests_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    /// By process: `gateway`, `postgres` (all of it), `nginx`, and what all have in common: `upstream`, `load`.
    pub(crate) cpu_seconds_per_1000_requests: BTreeMap<&'static str, f64>,
}

/// What is known only at the end, for all gateways.
#[derive(Debug, Default, Serialize)]
pub(crate) struct End {
    pub(crate) answers: u64,
    pub(crate) rows: u64,
    pub(crate) open_rows: u64,
    pub(crate) failures: u64,
    /// Of the gateway with its defaults.
    pub(crate) peak_rss_mib: f64,
    /// Spans of the one that is watched, in MiB.
    pub(crate) exported_mib: f64,
    /// How often its metrics were read.
    pub(crate) scrapes: u64,
}

impl Report {
    pub(crate) fn table(&self) -> String {
        marks::table(&self.marks)
    }
}

/// Everybody who takes part.
struct Field {
    upstream: Upstream,
    nginx: Option<Nginx>,
    gateway: Gateway,
    two_commits: Gateway,
    watched: Gateway,
    unwatched: Gateway,
    commits: Commits,
}

impl Field {
    fn gateway(&self, contestant: Contestant) -> Option<&Gateway> {
        match contestant {
            Contestant::Gateway => Some(&self.gateway),
            Contestant::TwoCommits => Some(&self.two_commits),
            Contestant::Watched => Some(&self.watched),
            Contestant::Unwatched => Some(&self.unwatched),
            Contestant::Direct | Contestant::Nginx => None,
        }
    }

    /// `None` for one that is not there.
    fn target(&self, contestant: Contestant) -> Option<Target> {
        match contestant {
            Contestant::Direct => Some(self.upstream.target()),
            Contestant::Nginx => Some(self.nginx.as_ref()?.target(&self.upstream)),
            Contestant::Gateway | Contestant::TwoCommits | Contestant::Watched | Contestant::Unwatched => {
                Some(self.gateway(contestant)?.target())
            }
        }
    }

    fn counted(&self, contestant: Contestant) -> Vec<(&'static str, Counted)> {
        let us = i32::try_from(std::process::id()).unwrap_or_default();
        let mut counted = vec![
            ("load", Counted::Alone(us)),
            ("upstream", Counted::Alone(self.upstream.process.pid)),
        ];
        match contestant {
            Contestant::Direct => {}
            Contestant::Nginx => {
                let pid = self.nginx.as_ref().map(|nginx| nginx.process.pid);
                counted.extend(pid.map(|pid| ("nginx", Counted::WithChildren(pid))));
            }
            Contestant::Gateway | Contestant::TwoCommits | Contestant::Watched | Contestant::Unwatched => {
                counted.extend(self.gateway(contestant).into_iter().flat_map(Gateway::counted));
            }
        }
        counted
    }
}

/// Starts everybody, measures, stops everybody.
pub(crate) async fn measure(options: &RunOptions) -> anyhow::Result<Report> {
    let scratch = scratch()?;
    let mut machine = Machine::look(scratch.path());
    let program = options.gateway.canonicalize().context("there is no such gateway")?;
    say("Starting the contestants");
    let upstream = Upstream::start().await?;
    let nginx = Nginx::start(scratch.path(), &upstream).await?;
    if nginx.is_none() {
        say("nginx is not installed: it is left out.");
    }
    let mut settings: Vec<(&str, &str)> = options.set.iter().map(|(name, value)| (&**name, &**value)).collect();
    let gateway = Gateway::start(&program, scratch.path().join("gateway"), upstream.address, &settings).await?;
    settings.extend([
        ("DBT_GATEWAY__REQUEST_LOG__GROUP_MAX_ROWS", "1"),
        ("DBT_GATEWAY__REQUEST_LOG__OPEN_READS", "true"),
    ]);
    let two_commits = Gateway::start(
        &program,
        scratch.path().join("two-commits"),
        upstream.address,
        &settings,
    )
    .await?;
    let metrics = free_address()?;
    let observer = Watcher::start(metrics)?;
    let (collector, metrics) = (format!("http://{}", observer.collector), metrics.to_string());
    let settings = [
        ("DBT_GATEWAY__TRACING__OTLP_ENDPOINT", collector.as_str()),
        // So that none is lost: what is measured is all of them.
        ("DBT_GATEWAY__TRACING__QUEUE_SPANS", "1000000"),
        ("DBT_GATEWAY__METRICS__LISTEN", metrics.as_str()),
    ];
    let watched = Gateway::start(&program, scratch.path().join("watched"), upstream.address, &settings).await?;
    let settings = [("DBT_GATEWAY__LOG__FILTER", "off")];
    let unwatched = Gateway::start(&program, scratch.path().join("unwatched"), upstream.address, &settings).await?;
    let commits = Commits::prepare(&gateway.socket, scratch.path()).await?;
    machine.postgres = gateway.socket.ask("SHOW server_version").await?;
    machine.nginx = nginx.as_ref().map(|nginx| nginx.version.clone());
    let field = Field {
        upstream,
        nginx,
        gateway,
        two_commits,
        watched,
        unwatched,
        commits,
    };

    let rounds = options.rounds.unwrap_or_else(|| scenes::rounds(options.quick));
    let (measured, mut end) = run_all(&field, options, rounds).await?;
    for gateway in [&field.gateway, &field.two_commits, &field.watched, &field.unwatched] {
        let (whole, open) = gateway.rows().await?;
        end.rows += whole;
        end.open_rows += open;
    }
    end.peak_rss_mib = peak_rss_mib(field.gateway.process.pid)?;
    for gateway in [field.gateway, field.two_commits, field.watched, field.unwatched] {
        gateway.process.stop().await?;
    }
    end.exported_mib = observer.exported_mib();
    end.scrapes = observer.scrapes();
    let marks = targets::marks(&measured, &end);
    Ok(Report {
        machine,
        settings: options.set.clone(),
        quick: options.quick,
        rounds,
        scenes: measured,
        end,
        marks,
    })
}

async fn run_all(
    field: &Field,
    options: &RunOptions,
    rounds: u32,
) -> anyhow::Result<(BTreeMap<&'static str, Figures>, End)> {
    let mut end = End::default();
    let all = [
        Contestant::Nginx,
        Contestant::Gateway,
        Contestant::TwoCommits,
        Contestant::Watched,
        Contestant::Unwatched,
    ];
    for contestant in all {
        turn(field, contestant, &scenes::WARM_UP, &mut end).await?;
    }
    // The disk is still busy with four new databases.
    tokio::task::spawn_blocking(rustix::fs::sync).await?;
    let mut measured = BTreeMap::new();
    let wanted = |scene: &Scene| options.only.as_ref().is_none_or(|part| scene.name.contains(part));
    for scene in scenes::all(options.quick).into_iter().filter(wanted) {
        let mut figures = Figures::default();
        field.upstream.set_delay(scene.delay).await?;
        for round in 0..rounds {
            say(&format!("{}: round {} of {rounds}", scene.name, round + 1));
            // Nobody is always first.
            let mut order = scene.contestants.to_vec();
            order.rotate_left(round as usize % scene.contestants.len());
            for contestant in order {
                if let Some(round) = turn(field, contestant, &scene.load, &mut end).await? {
                    figures.contestants.entry(contestant).or_default().push(round);
                }
            }
            if scene.with_commits {
                let commits = field.commits.measure(scene.load.measured).await?;
                figures.commit_ms.push(commits.percentile_ms(50.0));
            }
        }
        tell(&figures);
        measured.insert(scene.name, figures);
    }
    field.upstream.set_delay(Duration::ZERO).await?;
    Ok((measured, end))
}

/// One turn; `None` for a contestant that is not there.
async fn turn(field: &Field, contestant: Contestant, load: &Load, end: &mut End) -> anyhow::Result<Option<Round>> {
    let Some(target) = field.target(contestant) else {
        return Ok(None);
    };
    let counted = field.counted(contestant);
    let window = load.window();
    let cpu = async {
        tokio::time::sleep_until(window.from).await;
        let before = cpu_seconds(&counted)?;
        tokio::time::sleep_until(window.until).await;
        let after = cpu_seconds(&counted)?;
        anyhow::Ok(before.into_iter().zip(after).map(|(before, after)| after - before))
    };
    let (tally, spent) = tokio::try_join!(load.run(&target, window), cpu)?;
    if let Some(failure) = &tally.first_failure {
        say(&format!("{contestant:?}: {} failed, first: {failure}", tally.failures));
    }
    end.failures += tally.failures;
    if field.gateway(contestant).is_some() {
        end.answers += tally.answers;
    }
    let latencies = &tally.latencies;
    let thousands = f64::from(u32::try_from(latencies.count())?) / 1000.0;
    let names = counted.iter().map(|(name, _)| *name);
    Ok(Some(Round {
        requests_per_second: thousands * 1000.0 / load.measured.as_secs_f64(),
        p50_ms: latencies.percentile_ms(50.0),
        p90_ms: latencies.percentile_ms(90.0),
        p99_ms: latencies.percentile_ms(99.0),
        max_ms: latencies.percentile_ms(100.0),
        cpu_seconds_per_1000_requests: names.zip(spent.map(|spent| spent / thousands)).collect(),
    }))
}

fn cpu_seconds(counted: &[(&'static str, Counted)]) -> anyhow::Result<Vec<f64>> {
    counted.iter().map(|(_, counted)| counted.cpu_seconds()).collect()
}

/// A line for each contestant, for whoever watches.
fn tell(figures: &Figures) {
    for (contestant, rounds) in &figures.contestants {
        let middle = |of: fn(&Round) -> f64| median(rounds.iter().map(of)).unwrap_or_default();
        let names = rounds
            .iter()
            .flat_map(|round| round.cpu_seconds_per_1000_requests.keys());
        let cpu: BTreeMap<_, _> = names
            .map(|name| {
                let spent = rounds
                    .iter()
                    .filter_map(|round| round.cpu_seconds_per_1000_requests.get(name));
                (*name, (median(spent.copied()).unwrap_or_default() * 1e4).round() / 10.0)
            })
            .collect();
        say(&format!(
            "  {contestant:?}: {}/s, p50 {} ms, p90 {} ms, p99 {} ms, CPU µs a request {cpu:?}",
            number(middle(|round| round.requests_per_second).round()),
            number(middle(|round| round.p50_ms)),
            number(middle(|round| round.p90_ms)),
            number(middle(|round| round.p99_ms)),
        ));
    }
    if let Some(commit) = median(figures.commit_ms.iter().copied()) {
        say(&format!("  a single-row commit by pgbench: p50 {} ms", number(commit)));
    }
}
