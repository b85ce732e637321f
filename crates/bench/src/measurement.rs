//! A whole run: starts the subjects, measures every scenario, stops the subjects.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;

use crate::figures::{Figures, Round, ScenarioFigures, Totals};
use crate::load::Load;
use crate::machine::Machine;
use crate::options::RunOptions;
use crate::pgbench::CommitBenchmark;
use crate::process::{CpuSource, peak_rss_mib};
use crate::report::Report;
use crate::scenarios::{self, Scenario};
use crate::statistics::median;
use crate::subjects::{Subject, Subjects};
use crate::targets::number;
use crate::{comparisons, progress, scratch};

pub(crate) async fn measure(options: &RunOptions) -> anyhow::Result<Report> {
    let scratch = scratch::directory()?;
    let mut machine = Machine::inspect(scratch.path());
    progress::print("Starting the subjects");
    let subjects = Subjects::start(options, scratch.path()).await?;
    let database = &subjects.default_gateway().database;
    let commits = CommitBenchmark::prepare(database, scratch.path()).await?;
    machine.postgres = database.query("SHOW server_version").await?;
    machine.nginx = subjects.nginx.as_ref().map(|nginx| nginx.version.clone());

    let rounds = options.rounds.unwrap_or_else(|| scenarios::rounds(options.quick));
    let mut totals = Totals::default();
    let figures = measure_scenarios(&subjects, &commits, options, rounds, &mut totals).await?;
    for gateway in subjects.gateways.values() {
        let (succeeded, open) = gateway.rows().await?;
        totals.rows += succeeded;
        totals.open_rows += open;
    }
    totals.peak_rss_mib = peak_rss_mib(subjects.default_gateway().process.pid)?;
    let baseline = subjects.gateways.get(&Subject::Baseline);
    totals.baseline_peak_rss_mib = baseline.map(|gateway| peak_rss_mib(gateway.process.pid)).transpose()?;
    for gateway in subjects.gateways.into_values() {
        gateway.process.stop().await?;
    }
    totals.exported_mib = subjects.telemetry.exported_mib();
    totals.scrapes = subjects.telemetry.scrapes();
    let targets = comparisons::targets(&figures, &totals);
    let baseline = comparisons::with_baseline(&figures, &totals);
    Ok(Report {
        machine,
        settings: options.set.clone(),
        upstream: options.upstream,
        quick: options.quick,
        rounds,
        scenarios: figures,
        totals,
        targets,
        baseline,
    })
}

async fn measure_scenarios(
    subjects: &Subjects,
    commits: &CommitBenchmark,
    options: &RunOptions,
    rounds: u32,
    totals: &mut Totals,
) -> anyhow::Result<Figures> {
    let proxies = subjects.nginx.as_ref().map(|_| Subject::Nginx);
    for subject in proxies.into_iter().chain(subjects.gateways.keys().copied()) {
        turn(subjects, subject, &scenarios::WARM_UP, totals).await?;
    }
    // Creating the databases left writes in the page cache; they must not slow down the first rounds.
    tokio::task::spawn_blocking(rustix::fs::sync).await?;
    let mut figures = Figures::new();
    let selected = |scenario: &Scenario| options.only.as_ref().is_none_or(|part| scenario.name.contains(part));
    for scenario in scenarios::all(options.quick).into_iter().filter(selected) {
        let mut measured = ScenarioFigures::default();
        let is_running = |subject: &Subject| subjects.endpoint(*subject).is_some();
        let running: Vec<Subject> = scenario.subjects.iter().copied().filter(is_running).collect();
        subjects.upstream.set_delay(scenario.delay).await?;
        for round in 0..rounds {
            progress::print(&format!("{}: round {} of {rounds}", scenario.name, round + 1));
            for subject in order(running.clone(), round as usize) {
                let figures = turn(subjects, subject, &scenario.load, totals).await?;
                measured.subjects.entry(subject).or_default().push(figures);
            }
            if scenario.with_commits {
                let latencies = commits.measure(scenario.load.measured).await?;
                measured.commit_ms.push(latencies.percentile_ms(50.0));
            }
        }
        print_summary(&measured);
        figures.insert(scenario.name, measured);
    }
    subjects.upstream.set_delay(Duration::ZERO).await?;
    Ok(figures)
}

/// Rotates the subjects, so that none is always first. With a baseline each order is used in two rounds, the second time with
/// the gateway and the baseline exchanged: both then follow the same subjects equally often.
fn order(mut subjects: Vec<Subject>, round: usize) -> Vec<Subject> {
    let with_baseline = subjects.contains(&Subject::Baseline);
    let rotation = if with_baseline { round / 2 } else { round };
    let count = subjects.len();
    subjects.rotate_left(rotation % count);
    if with_baseline && round % 2 == 1 {
        for subject in &mut subjects {
            *subject = match *subject {
                Subject::Gateway => Subject::Baseline,
                Subject::Baseline => Subject::Gateway,
                other => other,
            };
        }
    }
    subjects
}

async fn turn(subjects: &Subjects, subject: Subject, load: &Load, totals: &mut Totals) -> anyhow::Result<Round> {
    let endpoint = subjects.endpoint(subject).context("the subject does not run")?;
    let sources = subjects.cpu_sources(subject);
    let window = load.window();
    let cpu = async {
        tokio::time::sleep_until(window.from).await;
        let before = cpu_seconds(&sources)?;
        tokio::time::sleep_until(window.until).await;
        let after = cpu_seconds(&sources)?;
        anyhow::Ok(before.into_iter().zip(after).map(|(before, after)| after - before))
    };
    let (tally, spent) = tokio::try_join!(load.run(&endpoint, window), cpu)?;
    if let Some(failure) = &tally.first_failure {
        progress::print(&format!("{subject:?}: {} failures, first: {failure}", tally.failures));
    }
    totals.failures += tally.failures;
    if subjects.gateways.contains_key(&subject) {
        totals.responses += tally.responses;
    }
    let latencies = &tally.latencies;
    let thousands = f64::from(u32::try_from(latencies.count())?) / 1000.0;
    let names = sources.iter().map(|(name, _)| *name);
    Ok(Round {
        requests_per_second: thousands * 1000.0 / load.measured.as_secs_f64(),
        p50_ms: latencies.percentile_ms(50.0),
        p90_ms: latencies.percentile_ms(90.0),
        p99_ms: latencies.percentile_ms(99.0),
        max_ms: latencies.percentile_ms(100.0),
        cpu_seconds_per_1000_requests: names.zip(spent.map(|spent| spent / thousands)).collect(),
    })
}

fn cpu_seconds(sources: &[(&'static str, CpuSource)]) -> anyhow::Result<Vec<f64>> {
    sources.iter().map(|(_, source)| source.cpu_seconds()).collect()
}

/// Prints the medians of each subject.
fn print_summary(figures: &ScenarioFigures) {
    for (subject, rounds) in &figures.subjects {
        let middle = |value: fn(&Round) -> f64| median(rounds.iter().map(value)).unwrap_or_default();
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
        progress::print(&format!(
            "  {subject:?}: {}/s, p50 {} ms, p90 {} ms, p99 {} ms, CPU µs a request {cpu:?}",
            number(middle(|round| round.requests_per_second).round()),
            number(middle(|round| round.p50_ms)),
            number(middle(|round| round.p90_ms)),
            number(middle(|round| round.p99_ms)),
        ));
    }
    if let Some(commit) = median(figures.commit_ms.iter().copied()) {
        progress::print(&format!("  pgbench, a single-row commit: p50 {} ms", number(commit)));
    }
}

#[cfg(test)]
mod tests {
    use super::Subject::{Baseline, Direct, Gateway, Nginx};
    use super::order;

    #[test]
    fn every_subject_is_first_once() {
        let first = |round| order(vec![Direct, Nginx, Gateway], round)[0];
        assert_eq!([0, 1, 2, 3].map(first), [Direct, Nginx, Gateway, Direct]);
    }

    #[test]
    fn the_gateway_and_the_baseline_exchange_their_turns_in_every_second_round() {
        let orders = [0, 1, 2, 3].map(|round| order(vec![Direct, Gateway, Baseline], round));
        let expected = [
            [Direct, Gateway, Baseline],
            [Direct, Baseline, Gateway],
            [Gateway, Baseline, Direct],
            [Baseline, Gateway, Direct],
        ];
        assert_eq!(orders, expected);
    }
}
