//! What a look at a run changes: the watch, and the events.

use model::{Run, RunEventData, RunStatus, RunStep, Verdict};
use storage::{EventKind, NewRunEvent, Seen, WatchGroup, WatchedRun};

use super::logs::KnownSteps;
use super::schedule::WatchSettings;

/// What was seen of a watched run, with its events in their order.
pub(super) fn seen(
    group: &WatchGroup,
    watched: &WatchedRun,
    run: &Run,
    steps: Option<Vec<RunStep>>,
    (settings, open): (&WatchSettings, i64),
) -> Result<Seen, serde_json::Error> {
    let status = run.status;
    let word = status.map_or("unknown", RunStatus::name);
    let has_ended = status.is_some_and(RunStatus::is_terminal);
    let mut log_bytes = watched.log_bytes;
    let mut news = Vec::new();
    if !watched.is_known {
        news.push((EventKind::Created, with_run(run, word)));
    } else if watched.status != status.map(i32::from) {
        let previous = watched.status.map_or("unknown", |code| RunStatus::from(code).name());
        let data = RunEventData {
            previous: Some(previous.to_owned()),
            ..with_run(run, word)
        };
        news.push((EventKind::Status, data));
    }
    let mut known = KnownSteps::read(watched.steps.as_ref());
    let mut is_over = has_ended;
    if let Some(steps) = &steps {
        news.extend(known.take_news(steps, &mut log_bytes, settings.log_max_bytes));
        is_over = has_ended && !known.needs_another_look(steps);
    }
    if is_over {
        let data = RunEventData {
            verdict: Some(Verdict::of(status)),
            ..with_run(run, word)
        };
        news.push((EventKind::Ended, data));
    }
    let event = |(kind, data): (EventKind, RunEventData)| {
        let data = RunEventData {
            run_id: Some(run.id),
            ..data
        };
        Ok(NewRunEvent {
            kind,
            run_id: run.id,
            project_id: run.project_id,
            job_id: run.job_definition_id.or(run.job_id),
            environment_id: run.environment_id,
            credential: group.credential.clone(),
            data: serde_json::to_string(&data)?,
        })
    };
    let events = news.into_iter().map(event).collect::<Result<_, serde_json::Error>>()?;
    Ok(Seen {
        lease: watched.lease,
        status: status.map(i32::from),
        run: serde_json::to_string(run)?,
        job_id: run.job_definition_id.or(run.job_id),
        project_id: run.project_id,
        environment_id: run.environment_id,
        steps: steps.map(|_| serde_json::to_value(&known)).transpose()?,
        log_bytes,
        is_over,
        run_secs: run.secs_of_success(),
        next_look: if has_ended {
            settings.min_pause
        } else {
            settings.pause(run, watched, open)
        },
        events,
    })
}

fn with_run(run: &Run, status: &str) -> RunEventData {
    RunEventData {
        status: Some(status.to_owned()),
        run: Some(run.clone()),
        ..RunEventData::default()
    }
}
