//! A GraphQL request.

use bytes::Bytes;
use serde_json::Value;

pub(crate) struct GraphqlRequest {
    pub(crate) query: String,
    pub(crate) variables: Value,
    pub(crate) operation_name: Option<String>,
}

impl GraphqlRequest {
    /// Reads a body; `None` when it is not JSON with a query.
    pub(crate) fn read(body: &Bytes) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        Some(Self {
            query: body.get("query")?.as_str()?.to_owned(),
            variables: body.get("variables").cloned().unwrap_or(Value::Null),
            operation_name: body.get("operationName").and_then(Value::as_str).map(ToOwned::to_owned),
        })
    }
}
