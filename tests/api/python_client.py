"""The client that openapi-python-client generates."""

import main_job
from gateway_client import AuthenticatedClient
from gateway_client.api.artifacts import get_run_artifact
from gateway_client.api.jobs import trigger_job
from gateway_client.api.projects import list_projects
from gateway_client.api.request_log import export_request_logs
from gateway_client.api.runs import get_run, get_run_failure, list_runs
from gateway_client.models import Problem, RequestTypeName, Run, RunStatusWord, TriggerJob, Verdict
from main_job import ACCOUNT, JOB, PAGE_SIZE


class OpenapiPythonClient(main_job.Client):
    run_type, failed_verdict = Run, Verdict.FAILED

    def __init__(self):
        client = AuthenticatedClient(base_url=main_job.GATEWAY, token=main_job.KEY, raise_on_unexpected_status=True)
        self.log = {"client": client}
        self.dbt = {"client": client, "account_id": ACCOUNT}

    def projects(self, page):
        answer = list_projects.sync(**self.dbt, page=page, page_size=PAGE_SIZE)
        return answer, answer.next_ is not None

    def trigger(self, idempotency_key):
        return trigger_job.sync(JOB, **self.dbt, body=TriggerJob(cause="a client"), idempotency_key=idempotency_key)

    def run(self, run_id):
        return get_run.sync(run_id, **self.dbt, request_timeout=60)

    def newest_failed_run(self):
        return list_runs.sync(**self.dbt, job_id=JOB, status=[RunStatusWord.ERROR], page_size=1).results[0]

    def failure(self, run_id):
        return get_run_failure.sync(run_id, **self.dbt)

    def artifact(self, run_id, path):
        return get_run_artifact.sync(run_id, path, **self.dbt, step="results").payload.read()

    def trigger_rows(self, run_id):
        export = export_request_logs.sync(**self.log, request_type=RequestTypeName.TRIGGER_JOB, run_id=run_id)
        return export.splitlines()

    def problem_of_missing_run(self):
        problem = get_run.sync(1, **self.dbt)
        assert isinstance(problem, Problem) and problem.status == 404, problem
        return problem.type_


main_job.do(OpenapiPythonClient())
