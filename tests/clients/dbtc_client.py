"""dbtc through the gateway: list, trigger, wait, retry, cancel, artifacts, Discovery, Semantic Layer."""

import os

from dbtc import dbtCloudClient

ACCOUNT, JOB = int(os.environ["ACCOUNT"]), int(os.environ["JOB"])
FAILING, SLOW = int(os.environ["FAILING_JOB"]), int(os.environ["SLOW_JOB"])
client = dbtCloudClient(service_token=os.environ["KEY"], host=os.environ["GATEWAY_HOST"])
cloud = client.cloud

assert [account["id"] for account in cloud.list_accounts()["data"]] == [ACCOUNT]
account = cloud.get_account(ACCOUNT)["data"]
assert account["static_subdomain"] is None, account
projects = cloud.list_projects(ACCOUNT)["data"]
assert len(projects) > 1
jobs = cloud.list_jobs(ACCOUNT, project_id=[projects[0]["id"]], order_by="-id")
assert jobs["status"]["is_success"], jobs["status"]

run = cloud.trigger_job(ACCOUNT, JOB, {"cause": "dbtc through the gateway"}, poll_interval=1)["data"]
assert run["status"] == 10, run
paths = cloud.list_run_artifacts(ACCOUNT, run["id"])["data"]
assert "manifest.json" in paths, paths
assert "nodes" in cloud.get_run_artifact(ACCOUNT, run["id"], "manifest.json")
assert cloud.list_runs(ACCOUNT, order_by="-id", status=["success", "error"])["data"][0]["id"] >= run["id"]

failed = cloud.trigger_job(ACCOUNT, FAILING, {"cause": "fails"}, poll_interval=1)["data"]
assert failed["status"] == 20, failed
again = cloud.trigger_job_from_failure(ACCOUNT, FAILING, poll_interval=1)["data"]
assert again["id"] != failed["id"] and again["status"] == 20, again

slow = cloud.trigger_job(ACCOUNT, SLOW, {"cause": "to be cancelled"}, should_poll=False)["data"]
assert cloud.cancel_run(ACCOUNT, slow["id"])["status"]["is_success"]

refused = cloud.delete_job(ACCOUNT, JOB)
assert refused["status"]["code"] == 403 and "needs a key with the role admin" in refused["status"]["user_message"], refused

environment = int(os.environ["ENVIRONMENT"])
query = "query ($id: BigInt!) { environment(id: $id) { applied { models(first: 5) { totalCount } } } }"
for beta in (True, False):
    discovery = dbtCloudClient(service_token=os.environ["KEY"], host=os.environ["GATEWAY_HOST"], use_beta_endpoint=beta)
    answer = discovery.metadata.query(query, {"id": environment})
    assert answer["data"]["environment"]["applied"]["models"]["totalCount"] > 0, answer
