//! Jobs, runs, steps, artifacts.

use serde_json::json;
use simulator::acme;

use super::walk::Walk;

impl Walk {
    pub(super) async fn jobs_and_runs(&mut self) {
        let (list, one) = (
            "/api/v2/accounts/{account_id}/jobs/",
            "/api/v2/accounts/{account_id}/jobs/{id}/",
        );
        let related = "include_related=environment,most_recent_run,most_recent_completed_run,project";
        self.get(one, &[&acme::NIGHTLY_JOB_ID, &related]).await;
        self.get(list, &[&"limit=8"]).await;
        let body = json!({ "name": "Walked", "project_id": acme::PROJECT_ID, "environment_id": acme::PRODUCTION_ENVIRONMENT_ID,
            "execute_steps": ["dbt build"] });
        self.usual(list, one, "POST", &[], body).await;

        let trigger = "/api/v2/accounts/{account_id}/jobs/{job_id}/run/";
        let run = self
            .post(trigger, &[&acme::NIGHTLY_JOB_ID], json!({ "cause": "walk" }))
            .await["id"]
            .clone();
        self.dbt.pass(600);
        let get = "/api/v2/accounts/{account_id}/runs/{id}/";
        let related =
            "include_related=trigger,job,environment,repository,run_steps,run_retries,used_repo_cache,audit,debug_logs";
        let data = self.get(get, &[&run, &related]).await;
        self.get(
            "/api/v2/accounts/{account_id}/runs/",
            &[&"order_by=-id&include_related=trigger,job,audit&limit=100"],
        )
        .await;
        self.get(
            "/api/v2/accounts/{account_id}/steps/{id}/",
            &[&data["run_steps"][3]["id"]],
        )
        .await;
        self.get("/api/v2/accounts/{account_id}/runs/{run_id}/artifacts/", &[&run])
            .await;
        self.get(
            "/api/v2/accounts/{account_id}/runs/{run_id}/artifacts/{remainder}",
            &[&run, &"run_results.json"],
        )
        .await;
        let latest = "/api/v2/accounts/{account_id}/jobs/{job_id}/artifacts/{remainder}";
        self.get(latest, &[&acme::NIGHTLY_JOB_ID, &"manifest.json"]).await;

        let retry = "/api/v2/accounts/{account_id}/runs/{run_id}/retry/";
        self.get(retry, &[&acme::FAILED_RUN_ID]).await;
        self.post(retry, &[&acme::FAILED_RUN_ID], json!({})).await;
        self.dbt.pass(600);
        let rerun = "/api/v2/accounts/{account_id}/jobs/{job_id}/rerun/";
        let rerun = self.post(rerun, &[&acme::FAILING_JOB_ID], json!({})).await["id"].clone();
        self.post(
            "/api/v2/accounts/{account_id}/runs/{run_id}/cancel/",
            &[&rerun],
            json!({}),
        )
        .await;
    }
}
