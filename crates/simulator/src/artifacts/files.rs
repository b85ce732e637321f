//! The files that a step leaves, and their content.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::content::{Content, Source};
use super::generated::Generated;
use super::{logs, recorded};
use crate::runs::{Phase, Run, Step, StepState};
use crate::stamp;

const RUN_PATH: &str = "run/acme_shop/models/marts/customers.sql";
const COMPILED_PATH: &str = "compiled/acme_shop/models/marts/customers.sql";

/// The requested step, by default the last executed one. `None` while the run has not ended, and when it was cancelled.
fn chosen_step(run: &Run, step: Option<usize>, now: DateTime<Utc>) -> Option<&Step> {
    if !matches!(run.phase(now), Phase::Success | Phase::Error) {
        return None;
    }
    match step {
        Some(index) => run.executed().find(|step| step.index == index),
        None => run.executed().last(),
    }
}

/// The names of the files of a run; `None` when there are none.
pub(crate) fn names(run: &Run, step: Option<usize>, now: DateTime<Utc>) -> Option<Vec<String>> {
    let last = chosen_step(run, step, now)?;
    // Without a step the list has the files of all steps.
    let steps = run
        .executed()
        .filter(|candidate| step.is_none() || candidate.index == last.index);
    let mut all: Vec<String> = steps.flat_map(of_step).collect();
    all.sort();
    all.dedup();
    (!all.is_empty()).then_some(all)
}

fn of_step(step: &Step) -> Vec<String> {
    let Some(kind) = kind(step) else { return Vec::new() };
    let mut names = vec![
        "manifest.json",
        "graph_summary.json",
        "partial_parse.msgpack",
        "dbt.log",
    ];
    match kind {
        Command::Deps => return vec!["dbt.log".to_owned()],
        Command::Freshness => names.push("sources.json"),
        Command::Docs => names.extend(["run_results.json", "catalog.json", "index.html", COMPILED_PATH]),
        Command::Build => names.extend(["run_results.json", COMPILED_PATH, RUN_PATH]),
    }
    let mut names: Vec<String> = names.into_iter().map(ToOwned::to_owned).collect();
    names.push(format!("metadata/telemetry-{}-otel.parquet", step.index));
    names
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Command {
    Deps,
    Freshness,
    Docs,
    Build,
}

fn kind(step: &Step) -> Option<Command> {
    let command = step.command.as_deref()?;
    Some(if command.starts_with("dbt deps") {
        Command::Deps
    } else if command.contains("source") && command.contains("freshness") {
        Command::Freshness
    } else if command.contains("docs generate") {
        Command::Docs
    } else {
        Command::Build
    })
}

/// A file of a run. Without a step it is the file of the last step that wrote one of that name.
pub(crate) fn open(run: &Run, step: Option<usize>, name: &str, now: DateTime<Utc>) -> Option<Content> {
    let last = chosen_step(run, step, now)?;
    if let Some(generated) = Generated::named(name) {
        let media_type = if generated.is_json() {
            "application/json"
        } else {
            "application/octet-stream"
        };
        let etag = format!("\"generated-{}\"", generated.length());
        return Some(Content {
            media_type,
            etag,
            source: Source::Generated(generated),
        });
    }
    let wrote = |candidate: &&Step| of_step(candidate).iter().any(|file| file == name);
    let step = match step {
        Some(_) => Some(last).filter(wrote),
        None => run.executed().filter(wrote).last(),
    }?;
    let (media_type, bytes) = content(run, step, name, now)?;
    let etag = format!("\"{}\"", &hex::encode(Sha256::digest(&bytes))[..32]);
    Some(Content {
        media_type,
        etag,
        source: Source::Memory(bytes),
    })
}

fn content(run: &Run, step: &Step, name: &str, now: DateTime<Utc>) -> Option<(&'static str, Bytes)> {
    let failed = matches!(run.step_state(step.index, now), StepState::Error { .. });
    let results = match (kind(step)?, failed) {
        (Command::Docs, _) => recorded::RESULTS_OF_DOCS,
        (_, true) => recorded::RESULTS_OF_FAILED_BUILD,
        (_, false) => recorded::RESULTS_OF_BUILD,
    };
    let json = |text: &str| Some(("application/json", with_metadata(text, run, step, now)));
    match name {
        "manifest.json" => json(recorded::MANIFEST),
        "run_results.json" => json(results),
        "catalog.json" => json(recorded::CATALOG),
        "sources.json" => json(recorded::SOURCES),
        "graph_summary.json" => json(r#"{"_invocation_id": "", "linked": {}}"#),
        "index.html" => Some((
            "text/html",
            Bytes::from_static(b"<!doctype html><title>acme_shop</title><p>Docs of the shop.\n"),
        )),
        "dbt.log" => {
            let state = run.step_state(step.index, now);
            Some(("text/plain; charset=utf-8", logs::debug(run, step, state).into()))
        }
        "partial_parse.msgpack" => Some((
            "application/octet-stream",
            Bytes::from_static(b"\x83\xa7version\x01\xa5nodes\x90\xa4hash\xc4\x04\xde\xad\xbe\xef"),
        )),
        COMPILED_PATH | RUN_PATH => Some((
            "text/plain; charset=utf-8",
            Bytes::from_static(recorded::COMPILED.as_bytes()),
        )),
        // Only the magic bytes of the format: enough to be recognised as binary.
        _ if name.ends_with(".parquet") => Some((
            "application/x-parquet",
            Bytes::from_static(b"PAR1\x15\x04\x19\x00\xff\xfe\x00\x00PAR1"),
        )),
        _ => None,
    }
}

/// The recorded file with the metadata of this run.
fn with_metadata(text: &str, run: &Run, step: &Step, now: DateTime<Utc>) -> Bytes {
    let Ok(mut whole) = serde_json::from_str::<Value>(text) else {
        return Bytes::new();
    };
    let written_at = match run.step_state(step.index, now) {
        StepState::Success { at, .. } | StepState::Error { at, .. } => at,
        _ => run.created_at,
    };
    if let Some(Value::Object(metadata)) = whole.get_mut("metadata") {
        let id = hex::encode(Sha256::digest(step.id.to_be_bytes()));
        let invocation = format!(
            "{}-{}-{}-{}-{}",
            &id[..8],
            &id[8..12],
            &id[12..16],
            &id[16..20],
            &id[20..32]
        );
        let env = json!({
            "DBT_CLOUD_ACCOUNT_ID": run.account_id.to_string(),
            "DBT_CLOUD_PROJECT_ID": run.project_id.to_string(),
            "DBT_CLOUD_ENVIRONMENT_ID": run.environment_id.to_string(),
            "DBT_CLOUD_JOB_ID": run.job_id.to_string(),
            "DBT_CLOUD_RUN_ID": run.id.to_string(),
            "DBT_CLOUD_RUN_REASON": run.trigger.get("cause"),
            "DBT_CLOUD_RUN_REASON_CATEGORY": run.cause_category,
        });
        metadata.insert("env".to_owned(), env);
        metadata.insert("generated_at".to_owned(), json!(stamp::zulu(written_at)));
        metadata.insert("invocation_id".to_owned(), json!(invocation));
    }
    Bytes::from(whole.to_string())
}
