//! Switches for behaviour of dbt Cloud that is not documented, each with a default.
//! Change them through [`crate::Running::set_switches`] or `PATCH /switches` of the control endpoint.

use serde::{Deserialize, Serialize};

/// Behaviour of dbt Cloud that is not documented or differs between its regions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "the switches are independent")]
pub struct Switches {
    /// A list request with a `limit` over 100.
    pub limit_over_100: LimitOver100,
    /// The largest page of a list, whatever `limit` says; no such limit when null.
    pub page_max: Option<usize>,
    /// Whether `pk__in` is ignored by the list of runs.
    pub pk_in_ignored: bool,
    /// Whether the list of runs leaves out the first one of `pk__in`.
    pub pk_in_drops_first: bool,
    /// Whether `offset` is ignored.
    pub offset_ignored: bool,
    /// A path whose trailing slash differs from the specification's.
    pub wrong_slash: WrongSlash,
    /// Cancelling a run that has ended.
    pub cancel_finished_run: CancelFinishedRun,
    /// `POST runs/{id}/retry/` of a run that cannot be retried (a second retry included).
    pub refused_retry: RefusedRetry,
    /// An unknown value of `include_related`.
    pub unknown_related: Strictness,
    /// The status of field errors (400 or 422).
    pub invalid_body_status: u16,
    /// The longest `cause` of a trigger, in characters.
    pub cause_max_chars: usize,
    /// A `cause` over that length.
    pub long_cause: LongCause,
    /// `null` (or an empty string) for an optional text of the trigger body.
    pub null_trigger_fields: Strictness,
    /// The effect of a job update on fields that are not in its body (dbt expects the whole definition).
    pub partial_job_update: PartialJobUpdate,
    /// What `DELETE` of the older resources answers.
    pub delete_answer: DeleteAnswer,
    /// The body of a 429.
    pub rate_limit_body: RateLimitBody,
    /// Whether a 429 has `Retry-After`.
    pub rate_limit_retry_after: bool,
    /// Whether `Authorization: Token …` is accepted by the Semantic Layer (`Bearer` always is).
    pub semantic_layer_takes_token: bool,
    /// Whether service tokens may call `whoami`.
    pub whoami_for_service_tokens: bool,
    /// Whether `/beta/graphql` is served.
    pub beta_graphql: bool,
    /// How many simulated seconds a new run is a 404.
    pub run_hidden_secs: u64,
    /// The status number of a step that was skipped because an earlier one failed.
    pub skipped_step_status: i64,
    /// How many simulated seconds after its end a step's logs are empty.
    pub step_log_lag_secs: u64,
    /// Whether `finished_at` stays null on cancelled runs.
    pub cancelled_run_without_finish: bool,
    /// Whether webhooks are written in their older form: `webhookId`, no `projectId`, no `runStatusCode`.
    pub webhook_old_form: bool,
    /// Whether `account_id` and `job_ids` of a subscription are texts, as in the samples, instead of numbers.
    pub webhook_ids_as_strings: bool,
    /// Whether a cancelled run counts as completed.
    pub webhook_for_cancelled_runs: bool,
    /// After how many undeliverable events in a row a subscription is deactivated; never when null.
    pub webhook_deactivated_after: Option<u32>,
    /// Longer artifacts are a 404.
    pub artifact_max_bytes: Option<u64>,
    /// Whether the artifact list of a run without artifacts is `null` instead of a 404.
    pub no_artifacts_is_null: bool,
    /// HTTP/2: after this many streams of a connection it is closed by GOAWAY with the id of the last one. Those are
    /// answered; later ones are neither recorded nor worked on. This and the next four apply to new connections.
    pub h2_goaway_after: Option<u32>,
    /// HTTP/2: the number of concurrent streams of a connection (`SETTINGS_MAX_CONCURRENT_STREAMS`).
    pub h2_max_streams: u32,
    /// HTTP/2: the window for the request body of a stream, in bytes.
    pub h2_stream_window: u32,
    /// HTTP/2: the window for all request bodies of a connection, in bytes.
    pub h2_connection_window: u32,
    /// HTTP/2: real milliseconds before a received piece of a request body is given back to the windows.
    pub h2_window_update_delay_ms: u64,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            limit_over_100: LimitOver100::Clamp,
            page_max: None,
            pk_in_ignored: false,
            pk_in_drops_first: false,
            offset_ignored: false,
            wrong_slash: WrongSlash::Serve,
            cancel_finished_run: CancelFinishedRun::Unchanged,
            refused_retry: RefusedRetry::BadRequest,
            unknown_related: Strictness::Accept,
            invalid_body_status: 400,
            cause_max_chars: 255,
            long_cause: LongCause::Refuse,
            null_trigger_fields: Strictness::Accept,
            partial_job_update: PartialJobUpdate::ResetToDefaults,
            delete_answer: DeleteAnswer::NoContent,
            rate_limit_body: RateLimitBody::Envelope,
            rate_limit_retry_after: false,
            semantic_layer_takes_token: true,
            whoami_for_service_tokens: true,
            beta_graphql: true,
            run_hidden_secs: 0,
            skipped_step_status: 30,
            step_log_lag_secs: 0,
            cancelled_run_without_finish: false,
            webhook_old_form: false,
            webhook_ids_as_strings: false,
            webhook_for_cancelled_runs: true,
            webhook_deactivated_after: None,
            artifact_max_bytes: None,
            no_artifacts_is_null: false,
            h2_goaway_after: None,
            h2_max_streams: 100,
            h2_stream_window: 65_535,
            h2_connection_window: 65_535,
            h2_window_update_delay_ms: 0,
        }
    }
}

/// Answers to a `limit` over 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitOver100 {
    /// 100 rows, and `extra.filters.limit` is 100.
    Clamp,
    /// 400 with a field error.
    Refuse,
    /// The requested number of rows.
    Serve,
}

/// Answers to a missing (or surplus) trailing slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrongSlash {
    /// Answered normally, as most clients expect.
    Serve,
    /// 308 to the specified path.
    Redirect,
    /// 404, an HTML page.
    NotFound,
}

/// Answers to the cancellation of a finished run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelFinishedRun {
    /// 200 with the run as it is.
    Unchanged,
    /// 400.
    Refuse,
}

/// Answers to a retry that is not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedRetry {
    /// 400 with `retry_not_supported_reason` in `data`.
    BadRequest,
    /// 200 with the old run, unchanged.
    Unchanged,
}

/// Whether a doubtful value is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strictness {
    /// Accepted as if it were absent.
    Accept,
    /// 400.
    Refuse,
}

/// What happens to a `cause` that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LongCause {
    /// 400 with a field error.
    Refuse,
    /// Cut to the limit.
    Truncate,
    /// Kept whole.
    Accept,
}

/// The effect of a job update on fields that are not in its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartialJobUpdate {
    /// They are reset to their defaults.
    ResetToDefaults,
    /// They stay as they are.
    Keep,
    /// 400 when one that the specification requires is missing.
    Refuse,
}

/// Answers of `DELETE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeleteAnswer {
    /// 204, as specified.
    NoContent,
    /// 200 with the deleted object, as one client expects.
    Body,
}

/// Bodies of a 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateLimitBody {
    /// The classic envelope with `data: null`.
    Envelope,
    /// A proxy's HTML page.
    Html,
    /// Nothing.
    Empty,
}
