"""The main job: pages, trigger, poll, failure, an artifact as bytes, the log as lines. Each generated client does it."""

import json
import os
import sys
import time
from abc import ABC, abstractmethod

GATEWAY, ACCOUNT, JOB = sys.argv[1], int(os.environ["ACCOUNT"]), int(os.environ["FAILING_JOB"])
KEY = os.environ["KEY"]
PAGE_SIZE = 4


class Client(ABC):
    """The calls of a generated client."""

    run_type: type
    failed_verdict: object

    @abstractmethod
    def projects(self, page):
        """A page of `PAGE_SIZE` projects, and whether there is another."""

    @abstractmethod
    def trigger(self, idempotency_key):
        """A new run of `JOB`."""

    @abstractmethod
    def run(self, run_id):
        """The run."""

    @abstractmethod
    def newest_failed_run(self):
        """The newest of the failed runs of `JOB`, as the list has it."""

    @abstractmethod
    def failure(self, run_id):
        """Why the run failed."""

    @abstractmethod
    def artifact(self, run_id, path):
        """The file of the step that built, as bytes."""

    @abstractmethod
    def trigger_rows(self, run_id):
        """The rows of the log about the trigger of that run, as lines of JSON."""

    @abstractmethod
    def problem_of_missing_run(self):
        """The type of the problem that reading run 1 gives."""


def do(client):
    ids, page, count, goes_on = [], 0, 0, True
    while goes_on:
        page += 1
        answer, goes_on = client.projects(page)
        count = answer.count
        ids += [project.id for project in answer.results]
    assert page > 1 and len(set(ids)) == len(ids) == count, ids
    print(f"projects: {len(ids)} on {page} pages")

    run = client.trigger(f"{type(client).__name__} {time.time_ns()}")
    assert type(run) is client.run_type, run
    deadline = time.monotonic() + 60
    while not (now := client.run(run.id)).is_complete:
        assert time.monotonic() < deadline, now
        time.sleep(0.1)
    assert type(now) is client.run_type and now.is_error, now
    print(f"run {now.id}: {now.status_humanized}")

    listed = client.newest_failed_run()
    assert type(listed) is client.run_type and listed.id == run.id, listed

    failure = client.failure(run.id)
    assert failure.verdict is client.failed_verdict and failure.results.failed, failure
    print(f"failure: {failure.step.name}: {failure.results.failed[0].message.text}")

    artifact = client.artifact(run.id, "run_results.json")
    assert isinstance(artifact, (bytes, bytearray)) and json.loads(artifact)["results"], artifact[:200]
    print(f"artifact: {len(artifact)} bytes")

    rows = [json.loads(line) for line in client.trigger_rows(run.id)]
    assert [row["run_id"] for row in rows] == [run.id], rows
    print(f"export: {len(rows)} line")

    problem = client.problem_of_missing_run()
    assert problem == "/problems/not-found", problem
    print(f"problem: {problem}")
