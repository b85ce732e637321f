//! A JSON object as a GraphQL object: a field is the member of that name. Lists have the two forms of pages of dbt: a
//! field whose type ends in `Connection` has edges and a `pageInfo`; a plain list has a `paginationCursor` in each row.

use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

/// The largest page of a connection.
const CONNECTION_LIMIT: i64 = 500;
/// The largest page of a plain list.
const LIST_LIMIT: i64 = 100;

pub(super) struct Node {
    type_name: String,
    value: Value,
}

impl Node {
    pub(super) fn new(type_name: &str, value: Value) -> Self {
        // The schema may name an interface; the object names its type.
        let own = value.get("__type").and_then(Value::as_str).map(ToOwned::to_owned);
        Self {
            type_name: own.unwrap_or_else(|| type_name.to_owned()),
            value,
        }
    }
}

impl ObjectValue for Node {
    fn type_name(&self) -> &str {
        &self.type_name
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Result<ResolvedValue<'a>, FieldError> {
        let value = self.value.get(info.field_name()).cloned().unwrap_or(Value::Null);
        resolve(value, info)
    }
}

/// The value of a field, shaped by its definition and arguments.
pub(super) fn resolve<'a>(value: Value, info: &ResolveInfo<'_>) -> Result<ResolvedValue<'a>, FieldError> {
    let type_name = info.field_definition().ty.inner_named_type().to_string();
    let arguments = arguments(info);
    let value = match value {
        Value::Array(rows) if type_name.ends_with("Connection") => connection(rows, &arguments)?,
        Value::Array(rows) if arguments.contains_key("types") => Value::Array(of_types(rows, &arguments)),
        Value::Array(rows) if has_argument(info, "first") => Value::Array(slice(rows, &arguments)?),
        Value::Array(rows) if has_argument(info, "uniqueId") && !info.field_definition().ty.is_list() => rows
            .into_iter()
            .find(|row| row.get("uniqueId") == arguments.get("uniqueId"))
            .unwrap_or(Value::Null),
        Value::String(text) if arguments.get("encoded") == Some(&json!(true)) => json!(BASE64_STANDARD.encode(text)),
        other => other,
    };
    Ok(shaped(value, &type_name))
}

fn shaped<'a>(value: Value, type_name: &str) -> ResolvedValue<'a> {
    match value {
        Value::Array(items) => {
            let type_name = type_name.to_owned();
            ResolvedValue::List(Box::new(
                items.into_iter().map(move |item| Ok(shaped(item, &type_name))),
            ))
        }
        // A scalar may be an object.
        Value::Object(_) if !matches!(type_name, "JSONObject" | "AnyScalar") => {
            ResolvedValue::object(Node::new(type_name, value))
        }
        leaf => ResolvedValue::leaf(leaf),
    }
}

fn has_argument(info: &ResolveInfo<'_>, name: &str) -> bool {
    info.field_definition()
        .arguments
        .iter()
        .any(|argument| argument.name == name)
}

pub(super) fn arguments(info: &ResolveInfo<'_>) -> Map<String, Value> {
    match serde_json::to_value(info.arguments()) {
        Ok(Value::Object(arguments)) => arguments,
        _ => Map::new(),
    }
}

pub(super) fn refuse(message: impl Into<String>) -> FieldError {
    FieldError {
        message: message.into(),
    }
}

fn first(arguments: &Map<String, Value>, limit: i64) -> Result<usize, FieldError> {
    let count = arguments.get("first").and_then(Value::as_i64).unwrap_or(limit);
    if !(0..=limit).contains(&count) {
        return Err(refuse(format!("first must be between 0 and {limit}")));
    }
    Ok(usize::try_from(count).unwrap_or_default())
}

/// The index of the first row after a cursor. A cursor is the index of a row in hex.
fn after(arguments: &Map<String, Value>) -> Result<usize, FieldError> {
    match arguments
        .get("after")
        .and_then(Value::as_str)
        .filter(|cursor| !cursor.is_empty())
    {
        None => Ok(0),
        Some(cursor) => {
            let number = cursor
                .strip_prefix("c-")
                .and_then(|digits| usize::from_str_radix(digits, 16).ok());
            number
                .map(|number| number + 1)
                .ok_or_else(|| refuse(format!("{cursor} is not a cursor")))
        }
    }
}

fn cursor(number: usize) -> String {
    format!("c-{number:06x}")
}

fn connection(mut rows: Vec<Value>, arguments: &Map<String, Value>) -> Result<Value, FieldError> {
    if let Some(Value::Object(filter)) = arguments.get("filter") {
        rows.retain(|row| fits(row, filter));
    }
    let (count, start) = (first(arguments, CONNECTION_LIMIT)?, after(arguments)?);
    let total = rows.len();
    let page = rows.into_iter().enumerate().skip(start).take(count);
    let edges: Vec<Value> = page
        .map(|(number, node)| json!({ "cursor": cursor(number), "node": node }))
        .collect();
    let end = edges.last().map(|edge| edge["cursor"].clone());
    Ok(json!({
        "totalCount": total,
        "pageInfo": {
            "hasNextPage": start + edges.len() < total,
            "hasPreviousPage": start > 0,
            "startCursor": edges.first().map(|edge| edge["cursor"].clone()),
            "endCursor": end,
        },
        "edges": edges,
    }))
}

fn slice(rows: Vec<Value>, arguments: &Map<String, Value>) -> Result<Vec<Value>, FieldError> {
    let (count, start) = (first(arguments, LIST_LIMIT)?, after(arguments)?);
    let page = rows.into_iter().enumerate().skip(start).take(count);
    Ok(page
        .map(|(number, mut row)| {
            row["paginationCursor"] = json!(cursor(number));
            row
        })
        .collect())
}

fn of_types(rows: Vec<Value>, arguments: &Map<String, Value>) -> Vec<Value> {
    let wanted: Vec<String> = arguments["types"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_lowercase)
        .collect();
    let fits = |row: &Value| {
        wanted.is_empty()
            || row["resourceType"]
                .as_str()
                .is_some_and(|kind| wanted.contains(&kind.to_owned()))
    };
    rows.into_iter().filter(fits).collect()
}

/// Whether a row matches a filter; of a list one value must match.
fn fits(row: &Value, filter: &Map<String, Value>) -> bool {
    filter
        .iter()
        .filter(|(_, wanted)| !wanted.is_null())
        .all(|(name, wanted)| match name.as_str() {
            "uniqueIds" => wanted.as_array().is_some_and(|ids| ids.contains(&row["uniqueId"])),
            "tags" => wanted.as_array().is_some_and(|tags| {
                tags.iter()
                    .all(|tag| row["tags"].as_array().is_some_and(|own| own.contains(tag)))
            }),
            "lastRunStatus" | "status" => row["executionInfo"]["lastRunStatus"] == *wanted,
            "freshnessStatus" | "freshnessChecked" => row["freshness"][name] == *wanted,
            "types" => wanted
                .as_array()
                .is_some_and(|kinds| kinds.contains(&row["resourceType"])),
            _ => row[name] == *wanted,
        })
}
