"""The client that openapi-generator generates for Python."""

import gateway_client as api
import main_job
from main_job import ACCOUNT, JOB, PAGE_SIZE


class OpenapiGenerator(main_job.Client):
    run_type, failed_verdict = api.Run, api.Verdict.FAILED

    def __init__(self):
        client = api.ApiClient(api.Configuration(host=main_job.GATEWAY, access_token=main_job.KEY))
        self.of_projects, self.of_jobs, self.of_runs = api.ProjectsApi(client), api.JobsApi(client), api.RunsApi(client)
        self.of_artifacts, self.of_log = api.ArtifactsApi(client), api.RequestLogApi(client)

    def projects(self, page):
        answer = self.of_projects.list_projects(account_id=ACCOUNT, page=page, page_size=PAGE_SIZE)
        return answer, answer.next is not None

    def trigger(self, idempotency_key):
        order = api.TriggerJob(cause="a client")
        return self.of_jobs.trigger_job(JOB, order, account_id=ACCOUNT, idempotency_key=idempotency_key)

    def run(self, run_id):
        return self.of_runs.get_run(run_id, account_id=ACCOUNT, request_timeout=60)

    def newest_failed_run(self):
        failed = [api.RunStatusWord.ERROR]
        return self.of_runs.list_runs(account_id=ACCOUNT, job_id=JOB, status=failed, page_size=1).results[0]

    def failure(self, run_id):
        return self.of_runs.get_run_failure(run_id, account_id=ACCOUNT)

    def artifact(self, run_id, path):
        return self.of_artifacts.get_run_artifact(run_id, path, account_id=ACCOUNT, step="results")

    def trigger_rows(self, run_id):
        # Line by line, since the client reads no media type but JSON and text by itself.
        export = self.of_log.export_request_logs_without_preload_content(
            request_type=api.RequestTypeName.TRIGGER_JOB, run_id=run_id
        )
        return export.data.splitlines()

    def problem_of_missing_run(self):
        try:
            return self.of_runs.get_run(1, account_id=ACCOUNT)
        except api.exceptions.NotFoundException as error:
            return error.data.type.value


main_job.do(OpenapiGenerator())
