"""The main job with the client that openapi-generator generates for Python."""

import json
import os
import sys
import time

import gateway_client as api

gateway, account, job = sys.argv[1], int(os.environ["ACCOUNT"]), int(os.environ["FAILING_JOB"])
client = api.ApiClient(api.Configuration(host=gateway, access_token=os.environ["KEY"]))
projects, jobs, runs = api.ProjectsApi(client), api.JobsApi(client), api.RunsApi(client)

ids = []
page = 1
while True:
    answer = projects.list_projects(account_id=account, page=page, page_size=4)
    ids += [project.id for project in answer.results]
    if answer.next is None:
        break
    page += 1
assert page > 1 and len(set(ids)) == len(ids) == answer.count, ids
print(f"projects: {len(ids)} on {page} pages")

run = jobs.trigger_job(
    job, api.TriggerJob(cause="openapi-generator"), account_id=account, idempotency_key=f"generator {time.time_ns()}"
)
deadline = time.monotonic() + 60
while not (now := runs.get_run(run.id, account_id=account)).is_complete:
    assert time.monotonic() < deadline, now
    time.sleep(0.1)
assert type(now) is api.Run and now.is_error, now
print(f"run {now.id}: {now.status_humanized}")

listed = runs.list_runs(account_id=account, job_id=job, status=[api.RunStatusWord.ERROR], page_size=1)
assert type(listed.results[0]) is api.Run and listed.results[0].id == run.id, listed

failure = runs.get_run_failure(run.id, account_id=account)
assert failure.verdict is api.Verdict.FAILED and failure.results.failed, failure
print(f"failure: {failure.step.name}: {failure.results.failed[0].message.text}")

artifact = api.ArtifactsApi(client).get_run_artifact(run.id, "run_results.json", account_id=account, step="results")
assert isinstance(artifact, (bytes, bytearray)) and json.loads(artifact)["results"], artifact[:200]
print(f"artifact: {len(artifact)} bytes")

# Line by line, since the client reads no media type but JSON and text by itself.
log = api.RequestLogApi(client)
export = log.export_request_logs_without_preload_content(request_type=api.RequestTypeName.TRIGGER_JOB, run_id=run.id)
rows = [json.loads(line) for line in export.data.splitlines()]
assert [row["run_id"] for row in rows] == [run.id], rows
print(f"export: {len(rows)} line")

try:
    runs.get_run(1, account_id=account)
    raise AssertionError("a run that does not exist")
except api.exceptions.NotFoundException as error:
    assert error.data.type is api.ProblemType.SLASH_PROBLEMS_SLASH_NOT_MINUS_FOUND, error.data
    print(f"problem: {error.data.type.value}")
