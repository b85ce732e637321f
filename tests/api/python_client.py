"""The main job with the client that openapi-python-client generates."""

import json
import os
import sys
import time

from gateway_client import AuthenticatedClient
from gateway_client.api.artifacts import get_run_artifact
from gateway_client.api.jobs import trigger_job
from gateway_client.api.projects import list_projects
from gateway_client.api.request_log import export_request_logs
from gateway_client.api.runs import get_run, get_run_failure, list_runs
from gateway_client.models import Problem, RequestTypeName, Run, RunStatusWord, TriggerJob, Verdict

gateway, account, job = sys.argv[1], int(os.environ["ACCOUNT"]), int(os.environ["FAILING_JOB"])
client = AuthenticatedClient(base_url=gateway, token=os.environ["KEY"], raise_on_unexpected_status=True)

ids = []
page = 1
while True:
    answer = list_projects.sync(client=client, account_id=account, page=page, page_size=4)
    ids += [project.id for project in answer.results]
    if answer.next_ is None:
        break
    page += 1
assert page > 1 and len(set(ids)) == len(ids) == answer.count, ids
print(f"projects: {len(ids)} on {page} pages")

run = trigger_job.sync(
    job, client=client, account_id=account, body=TriggerJob(cause="openapi-python-client"), idempotency_key=f"python {time.time_ns()}"
)
assert isinstance(run, Run), run
deadline = time.monotonic() + 60
while not (now := get_run.sync(run.id, client=client, account_id=account)).is_complete:
    assert time.monotonic() < deadline, now
    time.sleep(0.1)
assert type(now) is Run and now.is_error, now
print(f"run {now.id}: {now.status_humanized}")

listed = list_runs.sync(client=client, account_id=account, job_id=job, status=[RunStatusWord.ERROR], page_size=1)
assert type(listed.results[0]) is Run and listed.results[0].id == run.id, listed

failure = get_run_failure.sync(run.id, client=client, account_id=account)
assert failure.verdict is Verdict.FAILED and failure.results.failed, failure
print(f"failure: {failure.step.name}: {failure.results.failed[0].message.text}")

artifact = get_run_artifact.sync(run.id, "run_results.json", client=client, account_id=account, step="results")
content = artifact.payload.read()
assert isinstance(content, bytes) and json.loads(content)["results"], content[:200]
print(f"artifact: {len(content)} bytes")

export = export_request_logs.sync(client=client, request_type=RequestTypeName.TRIGGER_JOB, run_id=run.id)
rows = [json.loads(line) for line in export.splitlines()]
assert [row["run_id"] for row in rows] == [run.id], export
print(f"export: {len(rows)} line")

missing = get_run.sync(1, client=client, account_id=account)
assert isinstance(missing, Problem) and missing.status == 404, missing
print(f"problem: {missing.type_}")
