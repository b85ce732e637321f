"""What JSON Schema cannot say about the API, for Schemathesis: two formats, and rules between fields.

Only input that is meant to be valid is changed, but for what would last: `Request-Timeout`, waits and streams. Which answers are right is not touched.
"""

import os
import uuid
from datetime import datetime, timedelta

import schemathesis
from hypothesis import strategies as st

SIMULATOR = os.environ["SIMULATOR"]
ACCOUNT, PROJECT, ENVIRONMENT = int(os.environ["ACCOUNT"]), 70403103920001, 70403103930001
# GraphQL that both APIs serve, and the only dbt Cloud that there is.
DOCUMENTS = ["{ __typename }", "query Q { one: __typename two: __typename }"]
schemathesis.openapi.format("graphql", st.sampled_from(DOCUMENTS))
schemathesis.openapi.format("access-url", st.just(SIMULATOR))


def whole(value):
    """JSON Schema takes 280.0 for an integer; JSON of the same number is 280."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: whole(each) for name, each in value.items()}
    return [whole(each) for each in value] if isinstance(value, list) else value


def moment(text):
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def in_order(query, first, last):
    """A period does not end before it begins."""
    begin, end = moment(query.get(first)), moment(query.get(last))
    if begin and end and begin > end:
        query[first], query[last] = query[last], query[first]


def change_query(name, query):
    if str(query.get("wait", False)).lower() != "true":
        # How to wait needs `wait`.
        if name != "wait_for_run":
            query.pop("timeout_seconds", None)
        query.pop("on_timeout", None), query.pop("on_disconnect", None)
    in_order(query, "created_after", "created_before")
    in_order(query, "finished_after", "finished_before")
    if name == "summarize_request_logs" and "from" in query:
        # At most 24 hours.
        begin = moment(query["from"])
        if begin and begin.year < 9999:
            query["to"] = (begin + timedelta(hours=1)).isoformat()
        else:
            query.pop("from"), query.pop("to", None)


def change_body(name, body):
    if name == "create_api_key":
        # An end that is not over; an account that the key may use.
        if body.get("expires_at"):
            body["expires_at"] = "2100-01-01T00:00:00Z"
        if body.get("default_account_id") not in (body.get("accounts") or []):
            body.pop("default_account_id", None)
    if name in ("create_credential", "update_credential"):
        # The only dbt Cloud that there is. Another address needs the token.
        for field in ("access_url", "metadata_url", "semantic_layer_url"):
            body.pop(field, None)
        if name == "create_credential" or body.get("token"):
            body["access_url"] = SIMULATOR
        else:
            body.pop("account_id", None)
    if name in ("create_job", "update_job"):
        # Ids of what exists.
        ids = {"project_id": PROJECT, "environment_id": ENVIRONMENT, "deferring_environment_id": ENVIRONMENT}
        body.update({field: id for field, id in ids.items() if body.get(field)})
        if body.get("deferring_job_definition_id"):
            body["deferring_job_definition_id"] = None
        # Not for CI and merge jobs, which the triggers or the type make one.
        body.pop("force_node_selection", None)
    if name == "query_metadata" or (name == "query_semantic_layer" and "query" in body):
        # A part of the document, and values for its variables.
        for field in ("operation_name", "gather"):
            body.pop(field, None)
        if "$" in body["query"]:
            body["query"] = DOCUMENTS[0]
    elif name == "query_semantic_layer":
        # Metrics and dimensions of the environment.
        limit = {"limit": body["limit"]} if body.get("limit") else {}
        asked = {"saved_query": "daily_revenue"} if "saved_query" in body else {"metrics": ["revenue"]}
        body.clear()
        body.update(asked, environment_id=ENVIRONMENT, **limit)


@schemathesis.hook
def before_call(context, case, kwargs):
    headers = case.headers or {}
    # A short time is over before the answer, as it should be.
    if str(headers.get("request-timeout", "")).isdecimal() and 1 <= int(headers["request-timeout"]) < 60:
        headers["request-timeout"] = "60"
    name, query = case.operation.definition.raw.get("operationId"), case.query or {}
    if name in ("list_events", "list_run_events") and "format" not in query:
        # A stream of events does not end.
        case.query = query = {**query, "format": "json"}
    if str(query.get("timeout_seconds", "50")).isdecimal() and (name == "wait_for_run" or "wait" in query):
        # Nobody waits for long here.
        case.query = query = {**query, "timeout_seconds": min(int(query.get("timeout_seconds", 50)), 1)}
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if "idempotency-key" in headers:
        # A key is for one request; with `dry_run` there is none.
        del headers["idempotency-key"]
        if str(query.get("dry_run", False)).lower() != "true":
            headers["idempotency-key"] = uuid.uuid4().hex
    change_query(name, query)
    if isinstance(case.body, dict):
        case.body = whole(case.body)
        change_body(name, case.body)


@schemathesis.hook
def filter_case(context, case):
    """A server ignores headers that it does not know (RFC 9110, 16.3.2); they make no request invalid."""
    return "x-schemathesis-unknown-property" not in (case.headers or {})


@schemathesis.deserializer("text/csv", "application/openmetrics-text")
def text(context, response):
    return response.text
