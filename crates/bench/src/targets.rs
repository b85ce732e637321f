//! Which figures are compared with which, and what has to come of it.

use std::collections::BTreeMap;

use crate::contestants::Contestant::{self, Direct, Gateway, Nginx, TwoCommits, Unwatched, Watched};
use crate::marks::Bound::{AtLeast, AtMost};
use crate::marks::{Mark, number};
use crate::report::{End, Figures, Round};
use crate::scenes;
use crate::statistics::{median, ratio};

/// Every target, whether it could be measured or not.
pub(crate) fn marks(scenes: &BTreeMap<&'static str, Figures>, end: &End) -> Vec<Mark> {
    let speed = |scene, who| series(scenes, scene, who, |round| Some(round.requests_per_second));
    let p50 = |scene, who| series(scenes, scene, who, |round| Some(round.p50_ms));
    let p99 = |scene, who| series(scenes, scene, who, |round| Some(round.p99_ms));
    let cpu = |scene, who, process| {
        let of = |round: &Round| round.cpu_seconds_per_1000_requests.get(process).copied();
        series(scenes, scene, who, of)
    };
    let busy = speed(scenes::BUSY, Gateway);
    let added = added(&p50(scenes::ALONE, Gateway), &p50(scenes::ALONE, Direct));
    let commit = scenes
        .get(scenes::ALONE)
        .map_or_else(Vec::new, |scene| scene.commit_ms.clone());
    let compared = |what, (of, to): (&[f64], &[f64]), unit: [&str; 2], bound, aim| Mark {
        what,
        gateway: shown(of, unit[0]),
        beside: shown(to, unit[1]),
        measured: ratio(of, to),
        bound,
        aim,
    };
    #[rustfmt::skip]
    let mut marks = vec![
        compared("Requests a second, 64 connections", (&busy, &speed(scenes::BUSY, Nginx)), ["", "nginx: "], AtLeast(0.30), Some(0.45)),
        compared("The same, beside two commits a request", (&busy, &speed(scenes::BUSY, TwoCommits)), ["", "two commits: "], AtLeast(2.5), None),
        compared("Added median latency, 1 connection, ms", (&added, &commit), ["", "pgbench, a single-row commit: "], AtMost(3.0), Some(2.0)),
        compared("Requests a second, 256 connections, upstream takes 50 ms", (&speed(scenes::SLOW, Gateway), &speed(scenes::SLOW, Direct)), ["", "direct: "], AtLeast(0.95), None),
        compared("99th percentile of the same, ms", (&p99(scenes::SLOW, Gateway), &p99(scenes::SLOW, Direct)), ["", "direct: "], AtMost(1.15), None),
        compared("99th percentile, 64 connections, ms", (&p99(scenes::BUSY, Gateway), &p50(scenes::BUSY, Gateway)), ["", "its median: "], AtMost(8.0), None),
        compared("CPU seconds per 1,000 requests, 64 connections", (&cpu(scenes::BUSY, Gateway, "gateway"), &cpu(scenes::BUSY, Nginx, "nginx")), ["", "nginx: "], AtMost(5.0), None),
        compared("Requests a second, spans exported, metrics read", (&speed(scenes::WATCHED, Watched), &speed(scenes::WATCHED, Unwatched)), ["", "no spans, metrics, lines: "], AtLeast(0.70), None),
        compared("Requests a second with log lines", (&speed(scenes::WATCHED, Gateway), &speed(scenes::WATCHED, Unwatched)), ["", "no lines: "], AtLeast(0.90), None),
    ];
    let missing = end.answers.abs_diff(end.rows) + end.open_rows;
    marks.push(counted(
        "Peak memory, MiB",
        end.peak_rss_mib,
        number(end.peak_rss_mib),
        String::new(),
        48.0,
    ));
    marks.push(counted(
        "Answers without their row, rows without their answer",
        small(missing),
        format!("{} answers", number(small(end.answers))),
        format!("request_log: {} rows", number(small(end.rows))),
        0.0,
    ));
    marks.push(counted(
        "Answers other than 200",
        small(end.failures),
        String::new(),
        String::new(),
        0.0,
    ));
    marks
}

fn counted(what: &'static str, measured: f64, gateway: String, beside: String, most: f64) -> Mark {
    Mark {
        what,
        gateway,
        beside,
        measured: Some(measured),
        bound: AtMost(most),
        aim: None,
    }
}

/// One figure of one contestant, round by round; empty where it did not take part.
fn series(
    scenes: &BTreeMap<&'static str, Figures>,
    scene: &str,
    contestant: Contestant,
    of: impl Fn(&Round) -> Option<f64>,
) -> Vec<f64> {
    let rounds = scenes
        .get(scene)
        .and_then(|figures| figures.contestants.get(&contestant));
    rounds.into_iter().flatten().filter_map(of).collect()
}

/// What the gateway adds to the way without it, round by round.
fn added(gateway: &[f64], direct: &[f64]) -> Vec<f64> {
    gateway
        .iter()
        .zip(direct)
        .map(|(with, without)| with - without)
        .collect()
}

fn shown(series: &[f64], before: &str) -> String {
    median(series.iter().copied()).map_or_else(String::new, |middle| format!("{before}{}", number(middle)))
}

/// A count as a double, which holds it exactly below 2^32 and well enough above.
fn small(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::Verdict;

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

    fn measured() -> BTreeMap<&'static str, Figures> {
        let figures = |contestants: Vec<(Contestant, Round)>, commit_ms| Figures {
            contestants: contestants.into_iter().map(|(who, round)| (who, vec![round])).collect(),
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
        let watched = vec![
            (Unwatched, round(500.0, 2.0, 10.0, "gateway", 0.4)),
            (Gateway, round(475.0, 2.0, 10.0, "gateway", 0.4)),
            (Watched, round(400.0, 2.0, 10.0, "gateway", 0.4)),
        ];
        let slow = vec![
            (Gateway, round(98.0, 50.0, 55.0, "gateway", 1.0)),
            (Direct, round(100.0, 50.0, 50.0, "load", 1.0)),
        ];
        [
            (scenes::BUSY, figures(busy, vec![])),
            (scenes::ALONE, figures(alone, vec![0.8])),
            (scenes::SLOW, figures(slow, vec![])),
            (scenes::WATCHED, figures(watched, vec![])),
        ]
        .into()
    }

    #[test]
    fn each_target_compares_what_it_says() {
        let end = End {
            answers: 100,
            rows: 99,
            open_rows: 1,
            failures: 0,
            peak_rss_mib: 30.0,
            exported_mib: 1.0,
            scrapes: 1,
        };
        let marks = marks(&measured(), &end);
        let found: Vec<f64> = marks.iter().map(|mark| mark.measured.unwrap()).collect();
        let expected = [0.5, 5.0, 2.5, 0.98, 1.1, 5.0, 4.0, 0.8, 0.95, 30.0, 2.0, 0.0];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
        }
        assert_eq!(found.len(), expected.len());
        let missed: Vec<_> = marks
            .iter()
            .filter(|mark| mark.verdict() == Verdict::Missed)
            .map(|mark| mark.what)
            .collect();
        assert_eq!(missed, ["Answers without their row, rows without their answer"]);
    }

    #[test]
    fn what_was_not_there_is_not_measured() {
        let mut scenes = measured();
        let busy = scenes.get_mut(scenes::BUSY).unwrap();
        busy.contestants.remove(&Nginx);
        let marks = marks(&scenes, &End::default());
        let skipped: Vec<_> = marks
            .iter()
            .filter(|mark| mark.verdict() == Verdict::NotMeasured)
            .map(|mark| mark.what)
            .collect();
        assert_eq!(
            skipped,
            [
                "Requests a second, 64 connections",
                "CPU seconds per 1,000 requests, 64 connections"
            ]
        );
    }
}
