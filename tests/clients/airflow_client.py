"""The hook of apache-airflow-providers-dbt-cloud through the gateway, as its operators and sensors use it."""

import json
import os

ACCOUNT, JOB = int(os.environ["ACCOUNT"]), int(os.environ["JOB"])
FAILING, SLOW = int(os.environ["FAILING_JOB"]), int(os.environ["SLOW_JOB"])
os.environ["AIRFLOW_CONN_DBT_CLOUD_DEFAULT"] = json.dumps(
    {"conn_type": "dbt_cloud", "login": str(ACCOUNT), "password": os.environ["KEY"], "host": os.environ["GATEWAY_HOST"]}
)

from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook, DbtCloudJobRunStatus as Status  # noqa: E402

hook = DbtCloudHook()
assert hook.test_connection() == (True, "Successfully connected to dbt Cloud.")
assert hook.get_account().json()["data"]["id"] == ACCOUNT
jobs = [job for page in hook.list_jobs() for job in page.json()["data"]]
assert len(jobs) > 100 and len({job["id"] for job in jobs}) == len(jobs), "all pages, each job once"
assert hook.list_projects()[0].json()["data"]

run = hook.trigger_job_run(job_id=JOB, cause="Airflow through the gateway").json()["data"]["id"]
assert hook.wait_for_job_run_status(run, expected_statuses=Status.SUCCESS.value, check_interval=1, timeout=120)
paths = hook.list_job_run_artifacts(run).json()["data"]
assert "run_results.json" in paths, paths
assert hook.get_job_run_artifact(run, "run_results.json").json()["results"]
assert hook.get_job_run(run, include_related=["job", "run_steps"]).json()["data"]["run_steps"]

failed = hook.trigger_job_run(job_id=FAILING, cause="fails").json()["data"]["id"]
assert hook.wait_for_job_run_status(failed, expected_statuses=Status.ERROR.value, check_interval=1, timeout=120)
again = hook.trigger_job_run(job_id=FAILING, cause="again", retry_from_failure=True).json()["data"]["id"]
assert again != failed

slow = hook.trigger_job_run(job_id=SLOW, cause="to be cancelled").json()["data"]["id"]
hook.cancel_job_run(slow)
assert hook.wait_for_job_run_status(slow, expected_statuses=Status.CANCELLED.value, check_interval=1, timeout=120)
