"""What JSON Schema cannot say about the API, for Schemathesis: formats, and rules between fields.

Only valid input is made valid here: which answers are right is not touched.
"""

import uuid

import schemathesis
from hypothesis import strategies as st

# GraphQL that reads. Everything else is refused as it should be, which the gateway's own tests cover.
schemathesis.openapi.format("graphql", st.sampled_from(["{ __typename }", "query Q { __typename }"]))
# A public host, or an https origin.
LABEL = st.from_regex(r"[a-z][a-z0-9]{0,20}", fullmatch=True)
schemathesis.openapi.format(
    "access-url",
    st.builds(lambda scheme, name: f"{scheme}{name}.dbt.example.com", st.sampled_from(["", "https://"]), LABEL),
)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Rules between fields, for input that is meant to be valid: JSON Schema, as generators read it, has none."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    body, query, name = case.body, case.query or {}, case.operation.definition.raw.get("operationId")
    headers = case.headers or {}
    if "idempotency-key" in headers:
        # A key is for one request; with `dry_run` there is none.
        del headers["idempotency-key"]
        if str(query.get("dry_run", False)).lower() != "true":
            headers["idempotency-key"] = uuid.uuid4().hex
    if name == "summarize_request_logs":
        # At most 24 hours, and `from` before `to`.
        query.pop("from", None), query.pop("to", None)
    if not isinstance(body, dict):
        return
    if name == "create_api_key":
        if body.get("expires_at"):
            body["expires_at"] = "2100-01-01T00:00:00Z"
        if body.get("default_account_id") not in (body.get("accounts") or []):
            body.pop("default_account_id", None)
    if name == "update_credential" and not body.get("token"):
        # Another address needs the token.
        for field in ("access_url", "metadata_url", "semantic_layer_url", "account_id"):
            body.pop(field, None)
    if name in ("query_metadata", "query_semantic_layer"):
        # These name parts of the document.
        for field in ("operation_name", "gather"):
            body.pop(field, None)
    if name == "query_semantic_layer":
        keep = {"query", "variables"} if body.get("query") else set(body) - {"query", "variables"}
        for field in set(body) - keep:
            del body[field]
        if "query" not in body:
            body["environment_id"] = 70403103930001
            body["metrics"] = ["revenue"]
            for field in ("saved_query", "group_by", "order_by", "where"):
                body.pop(field, None)
