//! What is new in the steps of a run and in their logs.
//!
//! dbt Cloud sends whole logs, which grow. How much of each is in the events already is kept as its length and a hash of
//! that beginning, so that a log that was cut or rewritten is noticed.

use std::collections::BTreeMap;

use model::{LogPart, LogWithheld, RunEventData, RunStatus, RunStep, StepState};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use storage::EventKind;

/// The largest piece of a log in one event, in bytes.
const PIECE_BYTES: usize = 32 << 10;
/// How many further looks an ended run gets for the logs of its last steps.
const LAST_LOOKS: u32 = 2;

/// What the events say about the steps of a run, by index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownSteps {
    steps: BTreeMap<u32, KnownStep>,
    /// Looks at the run since it ended.
    #[serde(default)]
    last_looks: u32,
    /// Whether the logs have reached their limit.
    #[serde(default)]
    is_full: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct KnownStep {
    status: String,
    /// Of the log, in bytes.
    length: usize,
    /// Of that beginning of the log.
    hash: String,
}

impl KnownSteps {
    pub(super) fn read(stored: Option<&Value>) -> Self {
        stored
            .and_then(|value| Self::deserialize(value).ok())
            .unwrap_or_default()
    }

    /// Whether an ended run is looked at once more, since the log of a step may be empty for a moment after its end.
    pub(super) fn needs_another_look(&mut self, steps: &[RunStep]) -> bool {
        let has_no_log = |step: &RunStep| step.has_begun() && step.logs.as_deref().unwrap_or_default().is_empty();
        let needs = self.last_looks < LAST_LOOKS && steps.iter().any(has_no_log);
        self.last_looks += u32::from(needs);
        needs
    }

    /// What is new. `log_bytes`: how much of logs the events hold, at most `max`.
    pub(super) fn take_news(
        &mut self,
        steps: &[RunStep],
        log_bytes: &mut i64,
        max: i64,
    ) -> Vec<(EventKind, RunEventData)> {
        let mut news = Vec::new();
        for step in steps {
            let Some(index) = step.index else { continue };
            let status = word(step);
            let known = self.steps.entry(index).or_default();
            let has_changed = known.status != status;
            // The log of a step comes before the news that it has ended.
            if !self.is_full {
                self.is_full = grow(
                    known,
                    index,
                    step.logs.as_deref().unwrap_or_default(),
                    log_bytes,
                    max,
                    &mut news,
                );
            }
            if has_changed {
                status.clone_into(&mut known.status);
                let state = StepState {
                    index,
                    name: step.name.clone(),
                    status: status.to_owned(),
                    started_at: step.started_at.map(|moment| moment.0),
                    finished_at: step.finished_at.map(|moment| moment.0),
                };
                let data = RunEventData {
                    step: Some(state),
                    ..RunEventData::default()
                };
                news.push((EventKind::Step, data));
            }
        }
        news
    }
}

fn word(step: &RunStep) -> &'static str {
    if step.is_skipped() {
        return "skipped";
    }
    step.status.map_or("unknown", RunStatus::name)
}

/// Adds what is new in a log. Returns whether the limit is reached.
fn grow(
    known: &mut KnownStep,
    index: u32,
    log: &str,
    log_bytes: &mut i64,
    max: i64,
    news: &mut Vec<(EventKind, RunEventData)>,
) -> bool {
    if log.is_empty() || (log.len() == known.length && hash(log) == known.hash) {
        return false;
    }
    let gap = |offset: usize, reason: &str| {
        let withheld = LogWithheld {
            step: index,
            offset: offset as u64,
            reason: reason.to_owned(),
        };
        let data = RunEventData {
            withheld: Some(withheld),
            ..RunEventData::default()
        };
        (EventKind::LogGap, data)
    };
    let beginning = log.get(..known.length);
    if known.length > 0 && beginning.is_none_or(|beginning| hash(beginning) != known.hash) {
        news.push(gap(0, "dbt Cloud has cut or rewritten the log"));
        known.length = log.len();
        known.hash = hash(log);
        return false;
    }
    let left = usize::try_from(max - *log_bytes).unwrap_or_default();
    let end = floor_char_boundary(log, known.length.saturating_add(left).min(log.len()));
    let mut offset = known.length;
    while offset < end {
        let until = floor_char_boundary(log, (offset + PIECE_BYTES).min(end));
        let part = LogPart {
            step: index,
            offset: offset as u64,
            text: log[offset..until].to_owned(),
        };
        let data = RunEventData {
            log: Some(part),
            ..RunEventData::default()
        };
        news.push((EventKind::Log, data));
        offset = until;
    }
    *log_bytes += i64::try_from(end - known.length).unwrap_or_default();
    known.length = end;
    known.hash = hash(&log[..end]);
    if end < log.len() {
        news.push(gap(end, "the logs of the run are longer than events.log_max_bytes"));
        return true;
    }
    false
}

/// The largest index up to `index` at which a character begins.
fn floor_char_boundary(text: &str, index: usize) -> usize {
    (0..=index)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or_default()
}

/// The first half of the SHA-256, in hexadecimal.
fn hash(text: &str) -> String {
    let digest = Sha256::digest(text);
    let half: [u8; 16] = std::array::from_fn(|index| digest[index]);
    format!("{:032x}", u128::from_be_bytes(half))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn steps(of: &Value) -> Vec<RunStep> {
        serde_json::from_str(&of.to_string()).unwrap()
    }

    /// What a listener reads, in short.
    fn told(news: &[(EventKind, RunEventData)]) -> Vec<String> {
        let one = |(kind, data): &(EventKind, RunEventData)| match (&data.step, &data.log, &data.withheld) {
            (Some(step), ..) => format!("{} {}", step.index, step.status),
            (_, Some(log), _) => format!("{}@{} {}", log.step, log.offset, log.text),
            (_, _, Some(withheld)) => format!("{}@{} …", withheld.step, withheld.offset),
            _ => format!("{kind:?}"),
        };
        news.iter().map(one).collect()
    }

    /// Looks at these states one after another, each with what was stored after the last.
    fn looked(states: &[Value], max: i64) -> Vec<Vec<String>> {
        let (mut stored, mut bytes) = (None, 0);
        let look = |state: &Value| {
            let mut known = KnownSteps::read(stored.as_ref());
            let news = known.take_news(&steps(state), &mut bytes, max);
            stored = Some(serde_json::to_value(&known).unwrap());
            told(&news)
        };
        states.iter().map(look).collect()
    }

    #[test]
    fn each_change_of_a_step_and_each_new_part_of_its_log_is_told_once() {
        let told = looked(
            &[
                json!([{"index": 1, "status": 3, "logs": "one\n"}, {"index": 2, "status": 1}]),
                json!([{"index": 1, "status": 3, "logs": "one\n"}, {"index": 2, "status": 1}]),
                json!([{"index": 1, "status": 10, "logs": "one\ntwo\n"}, {"index": 2, "status": 3, "logs": ""}]),
                json!([{"index": 1, "status": 10, "logs": ""}, {"index": 2, "status": 30, "status_humanized": "Skipped"}]),
            ],
            1000,
        );
        assert_eq!(
            told,
            [
                vec!["1@0 one\n", "1 running", "2 queued"],
                vec![],
                vec!["1@4 two\n", "1 success", "2 running"],
                vec!["2 skipped"],
            ]
        );
    }

    #[test]
    fn a_log_that_was_cut_or_rewritten_is_told_and_goes_on_from_there() {
        let log = |text: &str| json!([{"index": 1, "status": 3, "logs": text}]);
        let told = looked(&[log("abcdef"), log("cdefgh"), log("cdefghij"), log("c")], 1000);
        assert_eq!(told[1..], [vec!["1@0 …"], vec!["1@6 ij"], vec!["1@0 …"]]);
    }

    #[test]
    fn the_logs_of_a_run_end_at_the_limit_between_two_characters() {
        let log = |text: &str| json!([{"index": 1, "status": 3, "logs": text}, {"index": 2, "status": 3, "logs": "x"}]);
        let told = looked(&[log("aüü"), log("aüüü")], 4);
        assert_eq!(told[0], ["1@0 aü", "1@3 …", "1 running", "2 running"]);
        assert_eq!(told[1], Vec::<String>::new());
    }

    #[test]
    fn a_long_log_is_told_in_pieces() {
        let long = "ü".repeat(PIECE_BYTES);
        let mut known = KnownSteps::default();
        let news = known.take_news(
            &steps(&json!([{"index": 1, "status": 3, "logs": long}])),
            &mut 0,
            i64::MAX,
        );
        let parts: Vec<_> = news.iter().filter_map(|(_, data)| data.log.as_ref()).collect();
        assert_eq!(parts.len(), 2);
        assert_eq!(parts.iter().map(|part| part.text.as_str()).collect::<String>(), long);
    }

    #[test]
    fn an_ended_run_is_looked_at_again_for_the_logs_of_its_last_steps_but_not_for_ever() {
        let (empty, whole) = (
            steps(&json!([{"index": 1, "status": 10, "logs": "a"}, {"index": 2, "status": 10, "logs": ""}])),
            steps(&json!([{"index": 1, "status": 10, "logs": "a"}, {"index": 2, "status": 1}])),
        );
        assert!(!KnownSteps::default().needs_another_look(&whole));
        let mut known = KnownSteps::default();
        assert_eq!(
            [0; 4].map(|_| known.needs_another_look(&empty)),
            [true, true, false, false]
        );
    }
}
