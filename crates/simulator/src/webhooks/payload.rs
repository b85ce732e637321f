//! What a delivery says.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{EventKind, Subscription};
use crate::runs::{Phase, Run};
use crate::stamp;
use crate::world::Doc;

/// What is known around a run when an event is written.
pub(crate) struct Around<'a> {
    pub(crate) job: Option<&'a Doc>,
    pub(crate) environment: Option<&'a Doc>,
    pub(crate) project: Option<&'a Doc>,
    /// The older form: another spelling of the webhook's id, and neither project id nor status number.
    pub(crate) old_form: bool,
}

/// The body of a delivery. Ids are text here, the account's alone is a number.
pub(crate) fn payload(
    subscription: &Subscription,
    event_id: &str,
    kind: EventKind,
    run: &Run,
    around: &Around<'_>,
    at: DateTime<Utc>,
) -> Value {
    let name = |doc: Option<&Doc>| doc.and_then(|doc| doc.get("name")).cloned().unwrap_or(Value::Null);
    let seconds = |at: Option<DateTime<Utc>>| at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
    let phase = if kind == EventKind::Started {
        Phase::Running
    } else {
        run.phase(at)
    };
    let word = if phase == Phase::Error { "Errored" } else { phase.word() };
    let mut data = json!({
        "jobId": run.job_id.to_string(),
        "jobName": name(around.job),
        "runId": run.id.to_string(),
        "environmentId": run.environment_id.to_string(),
        "environmentName": name(around.environment),
        "dbtVersion": run.dbt_version,
        "projectName": name(around.project),
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
        data.insert(name.to_owned(), json!(seconds(run.ends_at)));
    }
    if let (true, Value::Object(data)) = (around.old_form, &mut data) {
        data.remove("projectId");
        data.remove("runStatusCode");
    }
    let id_key = if around.old_form { "webhookId" } else { "webhooksID" };
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
