"""prefect-dbt through the gateway: its client and its flows."""

import asyncio
import os

from prefect_dbt.cloud import DbtCloudCredentials

ACCOUNT, JOB = int(os.environ["ACCOUNT"]), int(os.environ["JOB"])
SLOW = int(os.environ["SLOW_JOB"])
credentials = DbtCloudCredentials(
    api_key=os.environ["KEY"], account_id=ACCOUNT, domain=os.environ["GATEWAY_HOST"]
)


async def main():
    async with credentials.get_administrative_client() as client:
        job = (await client.get_job(job_id=JOB)).json()["data"]
        assert job["id"] == JOB
        run = (await client.trigger_job_run(job_id=JOB)).json()["data"]
        while run["status"] < 10:
            await asyncio.sleep(1)
            run = (await client.get_run(run_id=run["id"])).json()["data"]
        assert run["status"] == 10, run
        paths = (await client.list_run_artifacts(run_id=run["id"])).json()["data"]
        assert "manifest.json" in paths
        assert (await client.get_run_artifact(run_id=run["id"], path="manifest.json")).json()["nodes"]
        slow = (await client.trigger_job_run(job_id=SLOW)).json()["data"]
        cancel = await client.call_endpoint("POST", f"/runs/{slow['id']}/cancel/")
        assert cancel.json()["status"]["is_success"]
    query = "{ environment(id: %s) { applied { models(first: 5) { totalCount } } } }" % os.environ["ENVIRONMENT"]
    answer = credentials.get_metadata_client().query(query)
    assert answer["data"]["environment"]["applied"]["models"]["totalCount"] > 0, answer


asyncio.run(main())
