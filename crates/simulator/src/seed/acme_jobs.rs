//! The jobs of Acme Retail Group with their scripts and past runs.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::history::{self, Ending, Past};
use crate::acme;
use crate::api::jobs;
use crate::document::with;
use crate::timing::RunTiming;
use crate::world::{Account, JobOutcome, JobScript, Kind};

pub(super) fn grow_jobs(account: &mut Account, born: DateTime<Utc>) {
    let nightly = json!({ "cron": "0 2 * * *", "date": { "type": "every_day" }, "time": { "type": "at_exact_hours", "hours": [2] } });
    let scheduled = json!({ "github_webhook": false, "git_provider_webhook": false, "schedule": true, "on_merge": false, "custom_branch_only": true });
    let on_pull_request = json!({ "github_webhook": true, "git_provider_webhook": null, "schedule": false, "on_merge": false, "custom_branch_only": true });
    let (p, f) = (acme::PROJECT_ID, acme::FINANCE_PROJECT_ID);
    let (production, staging, finance) = (
        acme::PRODUCTION_ENVIRONMENT_ID,
        acme::STAGING_ENVIRONMENT_ID,
        acme::FINANCE_ENVIRONMENT_ID,
    );
    let plain = json!({});
    let jobs = [
        (
            acme::NIGHTLY_JOB_ID,
            p,
            production,
            "Nightly build",
            json!({ "execute_steps": ["dbt seed", "dbt build"], "triggers": scheduled, "schedule": nightly, "job_type": "scheduled" }),
        ),
        (
            acme::HOURLY_JOB_ID,
            p,
            production,
            "Hourly orders",
            json!({ "execute_steps": ["dbt build --select tag:hourly"], "triggers": scheduled, "job_type": "scheduled" }),
        ),
        (
            acme::DOCS_JOB_ID,
            p,
            production,
            "Build and document",
            json!({ "generate_docs": true, "run_generate_sources": false }),
        ),
        (
            acme::CI_JOB_ID,
            p,
            staging,
            "CI on pull requests",
            json!({ "execute_steps": ["dbt build --select state:modified+"], "triggers": on_pull_request, "job_type": "ci", "deferring_environment_id": production }),
        ),
        (
            acme::FAILING_JOB_ID,
            f,
            finance,
            "Month-end close",
            json!({ "execute_steps": ["dbt build --select marts", "dbt test --select marts"], "description": "Owned by the controlling team" }),
        ),
        (acme::FLAKY_JOB_ID, f, finance, "Ledger reconciliation", plain.clone()),
        (
            acme::SLOW_JOB_ID,
            p,
            production,
            "Full refresh",
            json!({ "execute_steps": ["dbt build --full-refresh"], "execution": { "timeout_seconds": 14_400 } }),
        ),
        (acme::BROKEN_JOB_ID, f, finance, "Legacy extract", plain),
    ];
    for (id, project_id, environment_id, name, fields) in jobs {
        let new = jobs::NewJob {
            id,
            account_id: account.id,
            project_id,
            environment_id,
            name,
            created_at: born,
        };
        account.put(Kind::Jobs, with(jobs::blank(&new), fields));
    }
    for store in 0..acme::BIG_PROJECT_JOBS {
        let id = acme::FIRST_STORE_JOB_ID + i64::try_from(store).unwrap_or_default();
        let name = format!("Refresh store {:03}", store + 1);
        let new = jobs::NewJob {
            id,
            account_id: account.id,
            project_id: acme::BIG_PROJECT_ID,
            environment_id: 70_403_103_930_006,
            name: &name,
            created_at: born,
        };
        let command = format!("dbt build --select tag:store_{:03}", store + 1);
        account.put(
            Kind::Jobs,
            with(jobs::blank(&new), json!({ "execute_steps": [command] })),
        );
    }
    let mut script = |id, outcome, command_secs| account.scripts.insert(id, JobScript { command_secs, outcome });
    script(acme::FAILING_JOB_ID, JobOutcome::Fail { command: 1, runs: None }, None);
    script(
        acme::FLAKY_JOB_ID,
        JobOutcome::Fail {
            command: 1,
            runs: Some(1),
        },
        None,
    );
    script(acme::SLOW_JOB_ID, JobOutcome::Succeed, Some(3_600));
    script(acme::BROKEN_JOB_ID, JobOutcome::FailEarly, None);
}

/// Nightly runs of a month, hourly runs of three days, failed month-end closes and extracts, and the runs with a constant.
pub(super) fn grow_history(account: &mut Account, now: DateTime<Utc>, timing: &RunTiming) {
    let mut past: Vec<(TimeDelta, i64, Ending)> = Vec::new();
    for night in 1..=30 {
        let ending = if night % 11 == 0 {
            Ending::Error
        } else {
            Ending::Success
        };
        past.push((
            TimeDelta::days(night) + TimeDelta::hours(7),
            acme::NIGHTLY_JOB_ID,
            ending,
        ));
    }
    for hour in 1..=72 {
        past.push((
            TimeDelta::hours(hour) + TimeDelta::minutes(31),
            acme::HOURLY_JOB_ID,
            Ending::Success,
        ));
    }
    for day in 1..=16 {
        past.push((
            TimeDelta::days(day) + TimeDelta::hours(3),
            acme::FAILING_JOB_ID,
            Ending::Error,
        ));
    }
    for week in 1..=8 {
        past.push((TimeDelta::weeks(week), acme::BROKEN_JOB_ID, Ending::EarlyError));
    }
    past.sort_by_key(|(age, _, _)| std::cmp::Reverse(*age));
    for (index, (age, job_id, ending)) in past.into_iter().enumerate() {
        let id = 70_403_104_000_001 + i64::try_from(index).unwrap_or_default();
        history::add(
            account,
            &Past {
                id,
                job_id,
                created_at: now - age,
                ending,
            },
            timing,
        );
    }
    let named = [
        (acme::SUCCEEDED_RUN_ID, 31, acme::NIGHTLY_JOB_ID, Ending::Success),
        (acme::FAILED_RUN_ID, 26, acme::FAILING_JOB_ID, Ending::Error),
        (acme::CANCELLED_RUN_ID, 21, acme::HOURLY_JOB_ID, Ending::Cancelled),
        (acme::DOCS_RUN_ID, 16, acme::DOCS_JOB_ID, Ending::Success),
    ];
    for (id, minutes, job_id, ending) in named {
        history::add(
            account,
            &Past {
                id,
                job_id,
                created_at: now - TimeDelta::minutes(minutes),
                ending,
            },
            timing,
        );
    }
}
