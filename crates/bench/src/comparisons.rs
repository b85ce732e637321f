//! Compares figures: with the targets, and with the baseline.

use serde::Serialize;

use crate::figures::{Figures, Round, Totals};
use crate::scenarios;
use crate::statistics::{median, ratio};
use crate::subjects::Subject::{self, Baseline, Direct, FullTelemetry, Gateway, Nginx, NoTelemetry, TwoCommits};
use crate::targets::Bound::{AtLeast, AtMost};
use crate::targets::{Target, number};

/// Every target, including those that were not measured.
pub(crate) fn targets(figures: &Figures, totals: &Totals) -> Vec<Target> {
    let speed = |scenario, subject| series(figures, scenario, subject, |round| Some(round.requests_per_second));
    let p50 = |scenario, subject| series(figures, scenario, subject, |round| Some(round.p50_ms));
    let p99 = |scenario, subject| series(figures, scenario, subject, |round| Some(round.p99_ms));
    let cpu = |scenario, subject, process| {
        let value = |round: &Round| round.cpu_seconds_per_1000_requests.get(process).copied();
        series(figures, scenario, subject, value)
    };
    let busy = speed(scenarios::CONNECTIONS_64, Gateway);
    let added = added(
        &p50(scenarios::ONE_CONNECTION, Gateway),
        &p50(scenarios::ONE_CONNECTION, Direct),
    );
    let commit = figures
        .get(scenarios::ONE_CONNECTION)
        .map_or_else(Vec::new, |scenario| scenario.commit_ms.clone());
    let compared = |name, (value, reference): (&[f64], &[f64]), label: &str, bound, aim| Target {
        name,
        gateway: text("", value),
        reference: text(label, reference),
        measured: ratio(value, reference),
        bound,
        aim,
    };
    #[rustfmt::skip]
    let mut targets = vec![
        compared("Requests a second, 64 connections", (&busy, &speed(scenarios::CONNECTIONS_64, Nginx)), "nginx: ", AtLeast(0.30), Some(0.45)),
        compared("Requests a second, 64 connections, shared commits", (&busy, &speed(scenarios::CONNECTIONS_64, TwoCommits)), "two commits a request: ", AtLeast(2.5), None),
        compared("Added median latency, 1 connection, ms", (&added, &commit), "pgbench, a single-row commit: ", AtMost(3.0), Some(2.0)),
        compared("Requests a second, 256 connections, upstream delay 50 ms", (&speed(scenarios::SLOW_UPSTREAM, Gateway), &speed(scenarios::SLOW_UPSTREAM, Direct)), "direct: ", AtLeast(0.95), None),
        compared("99th percentile, 256 connections, upstream delay 50 ms, ms", (&p99(scenarios::SLOW_UPSTREAM, Gateway), &p99(scenarios::SLOW_UPSTREAM, Direct)), "direct: ", AtMost(1.15), None),
        compared("99th percentile, 64 connections, ms", (&p99(scenarios::CONNECTIONS_64, Gateway), &p50(scenarios::CONNECTIONS_64, Gateway)), "its median: ", AtMost(8.0), None),
        compared("CPU seconds per 1,000 requests, 64 connections", (&cpu(scenarios::CONNECTIONS_64, Gateway, "gateway"), &cpu(scenarios::CONNECTIONS_64, Nginx, "nginx")), "nginx: ", AtMost(5.0), None),
        compared("Requests a second, spans exported, metrics read", (&speed(scenarios::TELEMETRY, FullTelemetry), &speed(scenarios::TELEMETRY, NoTelemetry)), "no spans, metrics, log lines: ", AtLeast(0.70), None),
        compared("Requests a second with log lines", (&speed(scenarios::TELEMETRY, Gateway), &speed(scenarios::TELEMETRY, NoTelemetry)), "no log lines: ", AtLeast(0.90), None),
    ];
    let missing = totals.responses.abs_diff(totals.rows) + totals.open_rows;
    targets.push(at_most(
        48.0,
        "Peak memory, MiB",
        totals.peak_rss_mib,
        number(totals.peak_rss_mib),
        String::new(),
    ));
    targets.push(at_most(
        0.0,
        "Responses without a row, rows without a response",
        count(missing),
        format!("{} responses", number(count(totals.responses))),
        format!("request_log: {} rows", number(count(totals.rows))),
    ));
    targets.push(at_most(
        0.0,
        "Responses other than 200",
        count(totals.failures),
        String::new(),
        String::new(),
    ));
    targets
}

fn at_most(limit: f64, name: &'static str, measured: f64, gateway: String, reference: String) -> Target {
    Target {
        name,
        gateway,
        reference,
        measured: Some(measured),
        bound: AtMost(limit),
        aim: None,
    }
}

/// One figure of the gateway and of the baseline.
#[derive(Debug, Serialize)]
pub(crate) struct BaselineComparison {
    name: String,
    gateway: Option<f64>,
    baseline: Option<f64>,
    /// Gateway / baseline.
    ratio: Option<f64>,
}

/// Empty without a baseline.
pub(crate) fn with_baseline(figures: &Figures, totals: &Totals) -> Vec<BaselineComparison> {
    let mut comparisons = Vec::new();
    let mut compare = |name: String, gateway: &[f64], baseline: &[f64]| {
        let ratio = ratio(gateway, baseline);
        if !gateway.is_empty() && !baseline.is_empty() {
            let (gateway, baseline) = (median(gateway.iter().copied()), median(baseline.iter().copied()));
            comparisons.push(BaselineComparison {
                name,
                gateway,
                baseline,
                ratio,
            });
        }
    };
    for scenario in figures.keys() {
        let of = |subject, value: fn(&Round) -> Option<f64>| series(figures, scenario, subject, value);
        let both = |value| (of(Gateway, value), of(Baseline, value));
        let (gateway, baseline) = both(|round| Some(round.requests_per_second));
        compare(format!("Requests a second, {scenario}"), &gateway, &baseline);
        let (gateway, baseline) = both(|round| Some(round.p50_ms));
        let direct = of(Direct, |round| Some(round.p50_ms));
        let (gateway, baseline) = (added(&gateway, &direct), added(&baseline, &direct));
        compare(format!("Added median latency, {scenario}, ms"), &gateway, &baseline);
        let (gateway, baseline) = both(|round| cpu_us(round, "gateway"));
        compare(
            format!("CPU of the gateway a request, {scenario}, µs"),
            &gateway,
            &baseline,
        );
        let (gateway, baseline) = both(|round| cpu_us(round, "postgres"));
        compare(
            format!("CPU of Postgres a request, {scenario}, µs"),
            &gateway,
            &baseline,
        );
    }
    let baseline: Vec<f64> = totals.baseline_peak_rss_mib.into_iter().collect();
    compare("Peak memory, MiB".to_owned(), &[totals.peak_rss_mib], &baseline);
    comparisons
}

/// As Markdown.
pub(crate) fn baseline_table(comparisons: &[BaselineComparison]) -> String {
    let cell = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
    let lines = comparisons.iter().map(|comparison| {
        let BaselineComparison {
            name,
            gateway,
            baseline,
            ratio,
        } = comparison;
        format!(
            "\n| {name} | {} | {} | {} |",
            cell(*gateway),
            cell(*baseline),
            cell(*ratio)
        )
    });
    let head = "| | gateway | baseline | gateway / baseline |\n|---|---|---|---|";
    std::iter::once(head.to_owned()).chain(lines).collect()
}

fn cpu_us(round: &Round, process: &str) -> Option<f64> {
    let seconds_per_1000 = round.cpu_seconds_per_1000_requests.get(process)?;
    Some(seconds_per_1000 * 1000.0)
}

/// One figure of one subject in each round; empty if it was not measured.
fn series(figures: &Figures, scenario: &str, subject: Subject, value: impl Fn(&Round) -> Option<f64>) -> Vec<f64> {
    let rounds = figures.get(scenario).and_then(|figures| figures.subjects.get(&subject));
    rounds.into_iter().flatten().filter_map(value).collect()
}

/// The difference in each round.
fn added(gateway: &[f64], direct: &[f64]) -> Vec<f64> {
    gateway
        .iter()
        .zip(direct)
        .map(|(with, without)| with - without)
        .collect()
}

fn text(label: &str, series: &[f64]) -> String {
    median(series.iter().copied()).map_or_else(String::new, |median| format!("{label}{}", number(median)))
}

/// Infinite above 2^32, which no run reaches.
fn count(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::ScenarioFigures;
    use crate::targets::Verdict;

    fn round(requests_per_second: f64, p50_ms: f64, p99_ms: f64, process: &'static str, cpu: f64) -> Round {
        Round {
            requests_per_second,
            p50_ms,
            p90_ms: p99_ms,
            p99_ms,
            max_ms: p99_ms,
            cpu_seconds_per_1000_requests: [(process, cpu)].into(),
        }
    }

    fn measured() -> Figures {
        let figures = |subjects: Vec<(Subject, Round)>, commit_ms| ScenarioFigures {
            subjects: subjects
                .into_iter()
                .map(|(subject, round)| (subject, vec![round]))
                .collect(),
            commit_ms,
        };
        let busy = vec![
            (Gateway, round(500.0, 2.0, 10.0, "gateway", 0.4)),
            (Nginx, round(1000.0, 1.0, 2.0, "nginx", 0.1)),
            (TwoCommits, round(100.0, 9.0, 20.0, "gateway", 0.5)),
        ];
        let alone = vec![
            (Gateway, round(10.0, 2.5, 5.0, "gateway", 1.0)),
            (Direct, round(20.0, 0.5, 1.0, "load", 1.0)),
        ];
        let telemetry = vec![
            (NoTelemetry, round(500.0, 2.0, 10.0, "gateway", 0.4)),
            (Gateway, round(475.0, 2.0, 10.0, "gateway", 0.4)),
            (FullTelemetry, round(400.0, 2.0, 10.0, "gateway", 0.4)),
        ];
        let slow = vec![
            (Gateway, round(98.0, 50.0, 55.0, "gateway", 1.0)),
            (Direct, round(100.0, 50.0, 50.0, "load", 1.0)),
        ];
        [
            (scenarios::CONNECTIONS_64, figures(busy, vec![])),
            (scenarios::ONE_CONNECTION, figures(alone, vec![0.8])),
            (scenarios::SLOW_UPSTREAM, figures(slow, vec![])),
            (scenarios::TELEMETRY, figures(telemetry, vec![])),
        ]
        .into()
    }

    #[test]
    fn each_target_compares_the_figures_that_it_names() {
        let totals = Totals {
            responses: 100,
            rows: 99,
            open_rows: 1,
            failures: 0,
            peak_rss_mib: 30.0,
            baseline_peak_rss_mib: None,
            exported_mib: 1.0,
            scrapes: 1,
        };
        let targets = targets(&measured(), &totals);
        let found: Vec<f64> = targets.iter().map(|target| target.measured.unwrap()).collect();
        let expected = [0.5, 5.0, 2.5, 0.98, 1.1, 5.0, 4.0, 0.8, 0.95, 30.0, 2.0, 0.0];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
        }
        assert_eq!(found.len(), expected.len());
        let missed: Vec<_> = targets
            .iter()
            .filter(|target| target.verdict() == Verdict::Missed)
            .map(|target| target.name)
            .collect();
        assert_eq!(missed, ["Responses without a row, rows without a response"]);
    }

    #[test]
    fn a_target_without_its_reference_is_not_measured() {
        let mut figures = measured();
        let busy = figures.get_mut(scenarios::CONNECTIONS_64).unwrap();
        busy.subjects.remove(&Nginx);
        let targets = targets(&figures, &Totals::default());
        let skipped: Vec<_> = targets
            .iter()
            .filter(|target| target.verdict() == Verdict::NotMeasured)
            .map(|target| target.name)
            .collect();
        assert_eq!(
            skipped,
            [
                "Requests a second, 64 connections",
                "CPU seconds per 1,000 requests, 64 connections"
            ]
        );
    }

    #[test]
    fn the_baseline_table_shows_ratios_of_the_gateway_to_the_baseline() {
        let mut figures = measured();
        let alone = figures.get_mut(scenarios::ONE_CONNECTION).unwrap();
        let baseline = round(8.0, 4.5, 5.0, "gateway", 2.0);
        alone.subjects.insert(Baseline, vec![baseline]);
        let totals = Totals {
            peak_rss_mib: 30.0,
            baseline_peak_rss_mib: Some(40.0),
            ..Totals::default()
        };
        let table = baseline_table(&with_baseline(&figures, &totals));
        let lines: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| Requests a second, 1 connection | 10 | 8 | 1.25 |",
                "| Added median latency, 1 connection, ms | 2 | 4 | 0.50 |",
                "| CPU of the gateway a request, 1 connection, µs | 1,000 | 2,000 | 0.50 |",
                "| Peak memory, MiB | 30 | 40 | 0.75 |",
            ]
        );
    }

    #[test]
    fn without_a_baseline_nothing_is_compared_with_it() {
        assert!(with_baseline(&measured(), &Totals::default()).is_empty());
    }
}
