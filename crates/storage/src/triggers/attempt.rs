//! An attempt: one POST that starts a run.

use std::time::Duration;

use chrono::{DateTime, Utc};
use model::{AccountId, ApiKeyId, CompanyId, JobId, RunId};
use serde::Serialize;
use uuid::Uuid;

/// What is asked of dbt Cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartKind {
    /// A new run of a job.
    Trigger,
    /// A run of a job from the failure of its latest one.
    Rerun,
    /// A run from the failure of another.
    Retry,
}

impl StartKind {
    /// The spelling of the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Rerun => "rerun",
            Self::Retry => "retry",
        }
    }

    pub(super) fn from_name(name: &str) -> Self {
        match name {
            "rerun" => Self::Rerun,
            "retry" => Self::Retry,
            _ => Self::Trigger,
        }
    }
}

/// An attempt before it is stored.
#[derive(Debug, Clone)]
pub struct NewAttempt {
    /// The request that makes it.
    pub request_uuid: Uuid,
    /// The caller's company.
    pub company_id: CompanyId,
    /// The caller's key.
    pub api_key_id: ApiKeyId,
    /// The name of the credential.
    pub credential: String,
    /// The host of the Administrative API.
    pub host: String,
    /// The account.
    pub account_id: AccountId,
    /// The job; `None` where only the run to retry is known.
    pub job_id: Option<JobId>,
    /// What is asked.
    pub kind: StartKind,
    /// The run to retry.
    pub retried_run_id: Option<RunId>,
    /// SHA-256 of what is asked.
    pub fingerprint: [u8; 32],
    /// SHA-256 of the cause as it is sent.
    pub cause_hash: Option<[u8; 32]>,
    /// SHA-256 of its first characters, by which a cause is known that dbt Cloud has cut.
    pub cause_start_hash: Option<[u8; 32]>,
    /// The marker at the end of the cause, 16 characters.
    pub marker: Option<String>,
    /// Whether the POST follows at once, without a look at the job's active runs.
    pub is_sent: bool,
    /// For how long this process owns it, before it renews the lease.
    pub lease: Duration,
    /// For how long the run is looked for.
    pub horizon: Duration,
}

impl NewAttempt {
    /// The attempt as it is stored.
    pub fn stored(
        &self,
        lease: AttemptLease,
        sent_at: DateTime<Utc>,
        deadline: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Attempt {
        Attempt {
            lease,
            request_uuid: self.request_uuid,
            company_id: self.company_id,
            credential: self.credential.clone(),
            host: self.host.clone(),
            account_id: self.account_id,
            job_id: self.job_id,
            kind: self.kind,
            retried_run_id: self.retried_run_id,
            cause_hash: self.cause_hash,
            cause_start_hash: self.cause_start_hash,
            marker: self.marker.clone(),
            watermark: None,
            is_sent: self.is_sent,
            sent_at,
            deadline,
            looks: 0,
            now,
        }
    }
}

/// The right to change an attempt: lost once another process has taken the attempt over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptLease {
    pub(super) id: i64,
    pub(super) fence: i64,
}

/// A run that was known before an attempt was stored: ids grow, so the attempt's run has a greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark {
    /// The run.
    pub run: RunId,
    /// By the database's clock: the run was created before.
    pub known_at: DateTime<Utc>,
}

/// A stored attempt that is looked for.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The right to change it.
    pub lease: AttemptLease,
    /// The request that made it.
    pub request_uuid: Uuid,
    /// The company.
    pub company_id: CompanyId,
    /// The name of the credential.
    pub credential: String,
    /// The host of the Administrative API.
    pub host: String,
    /// The account.
    pub account_id: AccountId,
    /// The job.
    pub job_id: Option<JobId>,
    /// What was asked.
    pub kind: StartKind,
    /// The run to retry.
    pub retried_run_id: Option<RunId>,
    /// SHA-256 of the cause as it was sent.
    pub cause_hash: Option<[u8; 32]>,
    /// SHA-256 of its first characters.
    pub cause_start_hash: Option<[u8; 32]>,
    /// The marker.
    pub marker: Option<String>,
    /// The newest run of the account that was known before.
    pub watermark: Option<Watermark>,
    /// Whether the POST may have been sent. Otherwise it never is, once another process has taken the attempt over.
    pub is_sent: bool,
    /// When it was stored, by the database's clock.
    pub sent_at: DateTime<Utc>,
    /// Until then the run is looked for.
    pub deadline: DateTime<Utc>,
    /// How often it was looked for in the background.
    pub looks: i32,
    /// The database's clock when the lease was taken.
    pub now: DateTime<Utc>,
}

/// How an attempt ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptEnd {
    /// dbt Cloud answered with the run.
    Confirmed(RunId),
    /// dbt Cloud was not contacted, or started nothing: its key is forgotten.
    Failed,
    /// The run was found.
    Started {
        /// The run.
        run: RunId,
        /// Whether it was found without a marker.
        is_probable: bool,
    },
    /// dbt Cloud has not started a run.
    NotStarted,
    /// Unknown for good.
    Unresolved {
        /// Why, for people.
        reason: String,
        /// Runs that may be it.
        candidates: Vec<RunId>,
    },
}

impl AttemptEnd {
    pub(super) fn state(&self) -> &'static str {
        match self {
            Self::Confirmed(_) => "confirmed",
            Self::Failed => "failed",
            Self::Started { .. } => "started",
            Self::NotStarted => "not_started",
            Self::Unresolved { .. } => "unresolved",
        }
    }

    pub(super) fn run(&self) -> Option<RunId> {
        match self {
            Self::Confirmed(run) | Self::Started { run, .. } => Some(*run),
            _ => None,
        }
    }
}

/// What became of an attempt whose answer was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resolution {
    /// `looking`, `started`, `not_started` or `unresolved`.
    pub state: String,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// Whether the run was found without a marker: exactly one fitted.
    pub probable: bool,
    /// Runs that may be it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<RunId>,
    /// Why it is unresolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Until then the run is looked for.
    pub deadline: DateTime<Utc>,
}

/// A recent attempt for a job: dbt Cloud's lists may not show its run yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentAttempt {
    /// The request that made it.
    pub request_uuid: Uuid,
    /// The run, if it is known.
    pub run_id: Option<RunId>,
}
