//! The body of a delivery.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::store::Subscription;
use crate::document::{Doc, Fields as _};
use crate::runs::{EventKind, Phase, Run};
use crate::stamp;

/// The objects around a run.
pub(crate) struct PayloadContext<'a> {
    pub(crate) job: Option<&'a Doc>,
    pub(crate) environment: Option<&'a Doc>,
    pub(crate) project: Option<&'a Doc>,
    /// The older form: `webhookId`, no project id, no status number.
    pub(crate) old_form: bool,
}

/// The body of a delivery. Ids are texts, except the account's.
pub(crate) fn payload(
    subscription: &Subscription,
    event_id: &str,
    kind: EventKind,
    run: &Run,
    context: &PayloadContext<'_>,
    at: DateTime<Utc>,
) -> Value {
    let name = |doc: Option<&Doc>| doc.map(|doc| doc.value("name"));
    let seconds = |at: Option<DateTime<Utc>>| at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
    let phase = if kind == EventKind::Started {
        Phase::Running
    } else {
        run.phase(at)
    };
    let word = if phase == Phase::Error { "Errored" } else { phase.word() };
    let mut data = json!({
        "jobId": run.job_id.to_string(),
        "jobName": name(context.job),
        "runId": run.id.to_string(),
        "environmentId": run.environment_id.to_string(),
        "environmentName": name(context.environment),
        "dbtVersion": run.dbt_version,
        "projectName": name(context.project),
        "projectId": run.project_id.to_string(),
        "runStatus": word,
        "runStatusCode": phase.number(),
        "runStatusMessage": "None",
        "runReason": run.trigger.get("cause"),
        "runStartedAt": seconds(run.started_at),
    });
    let end = match kind {
        EventKind::Started => None,
        EventKind::Completed => Some("runFinishedAt"),
        EventKind::Errored => Some("runErroredAt"),
    };
    if let (Some(name), Value::Object(data)) = (end, &mut data) {
        data.put(name, seconds(run.ends_at));
    }
    if let (true, Value::Object(data)) = (context.old_form, &mut data) {
        data.remove("projectId");
        data.remove("runStatusCode");
    }
    let id_key = if context.old_form { "webhookId" } else { "webhooksID" };
    json!({
        "accountId": run.account_id,
        id_key: subscription.id,
        "eventId": event_id,
        "timestamp": stamp::zulu(at),
        "eventType": kind.name(),
        "webhookName": subscription.name,
        "data": data,
    })
}
