//! Lists: filters, order and pages over rows of any kind, as in dbt Cloud.

use std::borrow::Cow;
use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::query::Query;
use crate::refusal::Refusal;
use crate::stamp;
use crate::switches::{LimitOver100, Switches};

/// A value of a row, for filters and order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Text(Cow<'a, str>),
    Time(DateTime<Utc>),
}

impl Cell<'_> {
    fn matches(&self, wanted: &str) -> bool {
        match self {
            Self::Null => wanted == "null" || wanted == "None",
            Self::Bool(value) => matches!(
                (wanted, value),
                ("true" | "True" | "1", true) | ("false" | "False" | "0", false)
            ),
            Self::Int(value) => wanted.parse() == Ok(*value),
            Self::Text(text) => text == wanted,
            Self::Time(at) => stamp::parse(wanted).as_ref() == Some(at),
        }
    }

    /// Nulls first, as in dbt.
    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Time(a), Self::Time(b)) => a.cmp(b),
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Less,
            (_, Self::Null) => Ordering::Greater,
            _ => Ordering::Equal,
        }
    }
}

impl<'a> From<&'a Value> for Cell<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(number) => number.as_i64().map_or(Self::Null, Self::Int),
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            _ => Self::Null,
        }
    }
}

pub(crate) trait Row {
    fn cell(&self, field: &str) -> Cell<'_>;
}

impl Row for Map<String, Value> {
    fn cell(&self, field: &str) -> Cell<'_> {
        // The only filter on a nested object.
        let value = match field {
            "triggers_schedule" => self.get("triggers").and_then(|triggers| triggers.get("schedule")),
            _ => self.get(field),
        };
        value.map_or(Cell::Null, Cell::from)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Listing {
    /// Filter parameters of the specification: `name`, `name__in`, `name__gt`, `name__icontains`, `name__range`.
    pub(crate) filters: &'static [&'static str],
    /// The `state` when the query names none; `None` lists every state.
    pub(crate) default_state: Option<i64>,
    pub(crate) default_limit: usize,
}

impl Listing {
    /// Active rows unless another state is requested, 100 at a time.
    pub(crate) const fn active(filters: &'static [&'static str]) -> Self {
        Self {
            default_state: Some(1),
            ..Self::all(filters)
        }
    }

    /// All rows, 100 at a time.
    pub(crate) const fn all(filters: &'static [&'static str]) -> Self {
        Self {
            filters,
            default_state: None,
            default_limit: 100,
        }
    }
}

pub(crate) const ACTIVE: Listing = Listing::active(&["pk", "pk__in", "pk__gt", "state"]);

pub(crate) struct Page {
    pub(crate) data: Vec<Value>,
    pub(crate) filters: Value,
    pub(crate) order_by: Value,
    pub(crate) total: usize,
}

impl Page {
    pub(crate) fn extra(&self) -> Value {
        json!({
            "filters": self.filters,
            "order_by": self.order_by,
            "pagination": { "count": self.data.len(), "total_count": self.total },
        })
    }

    /// A whole list, without paging.
    pub(crate) fn whole(data: Vec<Value>, filters: Value) -> Self {
        let total = data.len();
        Self {
            data,
            filters,
            order_by: Value::Null,
            total,
        }
    }
}

/// The rows of one page, and its `extra`.
pub(crate) struct Selection<'a, R> {
    pub(crate) rows: Vec<&'a R>,
    filters: Map<String, Value>,
    order_by: Value,
    total: usize,
}

impl<R> Selection<'_, R> {
    pub(crate) fn page(self, render: impl Fn(&R) -> Value) -> Page {
        Page {
            data: self.rows.iter().map(|row| render(row)).collect(),
            filters: Value::Object(self.filters),
            order_by: self.order_by,
            total: self.total,
        }
    }
}

/// Filters, orders and cuts into pages; `rows` are in ascending id.
pub(crate) fn select<'a, R: Row>(
    rows: impl Iterator<Item = &'a R>,
    account_id: i64,
    query: &Query,
    listing: &Listing,
    switches: &Switches,
) -> Result<Selection<'a, R>, Refusal> {
    let mut shown = Map::from_iter([("account_id".to_owned(), json!(account_id))]);
    let mut kept: Vec<&R> = rows.collect();
    for parameter in listing.filters {
        let Some(raw) = query.get(parameter).filter(|raw| !raw.is_empty()) else {
            continue;
        };
        if *parameter == "state" {
            continue;
        }
        let list = query.list(parameter).unwrap_or_default();
        narrow(&mut kept, parameter, raw, &list)?;
        shown.insert(
            (*parameter).to_owned(),
            if parameter.contains("__in") || parameter.ends_with("__range") {
                json!(list)
            } else {
                json!(raw)
            },
        );
    }
    if let Some(state) = wanted_state(query, listing)? {
        kept.retain(|row| row.cell("state") == Cell::Int(state));
        shown.insert("state".to_owned(), json!(state));
    }
    let order = query
        .get("order_by")
        .filter(|text| !text.is_empty())
        .unwrap_or("id")
        .to_owned();
    for key in order.split(',').rev() {
        let (field, backwards) = key
            .trim()
            .strip_prefix('-')
            .map_or((key.trim(), false), |field| (field, true));
        let field = if field == "pk" { "id" } else { field };
        if field == "id" && order == "id" {
            continue; // already in this order
        }
        kept.sort_by(|a, b| {
            let order = a.cell(field).order(&b.cell(field));
            if backwards { order.reverse() } else { order }
        });
    }
    let total = kept.len();
    let (limit, offset) = window(query, listing, switches)?;
    shown.insert("limit".to_owned(), json!(limit));
    shown.insert("offset".to_owned(), json!(offset));
    let rows = kept.into_iter().skip(offset).take(limit).collect();
    Ok(Selection {
        rows,
        filters: shown,
        order_by: Value::from(order),
        total,
    })
}

fn narrow<R: Row>(kept: &mut Vec<&R>, parameter: &str, raw: &str, list: &[String]) -> Result<(), Refusal> {
    let (field, test) = parameter.split_once("__").unwrap_or((parameter, ""));
    let field = if field == "pk" { "id" } else { field };
    match test {
        "" => kept.retain(|row| row.cell(field).matches(raw)),
        "in" => kept.retain(|row| list.iter().any(|wanted| row.cell(field).matches(wanted))),
        "gt" => {
            let bound: i64 = raw
                .parse()
                .map_err(|_| Refusal::field(parameter, "Enter a whole number."))?;
            kept.retain(|row| matches!(row.cell(field), Cell::Int(value) if value > bound));
        }
        "icontains" => {
            let needle = raw.to_lowercase();
            kept.retain(|row| matches!(row.cell(field), Cell::Text(found) if found.to_lowercase().contains(&needle)));
        }
        "range" => {
            let bounds: Vec<_> = list.iter().filter_map(|text| stamp::parse(text)).collect();
            let [from, to] = bounds[..] else {
                return Err(Refusal::field(parameter, "Enter a list of two timestamps."));
            };
            kept.retain(|row| matches!(row.cell(field), Cell::Time(at) if from <= at && at <= to));
        }
        _ => {}
    }
    Ok(())
}

fn wanted_state(query: &Query, listing: &Listing) -> Result<Option<i64>, Refusal> {
    if !listing.filters.contains(&"state") {
        return Ok(listing.default_state);
    }
    match query.get("state") {
        None | Some("") => Ok(listing.default_state),
        Some("all") => Ok(None),
        Some("active" | "1") => Ok(Some(1)),
        Some("deleted" | "2") => Ok(Some(2)),
        Some(_) => Err(Refusal::field(
            "state",
            "Select a valid choice: active, deleted, all, 1 or 2.",
        )),
    }
}

/// `(limit, offset)` of the requested page.
pub(crate) fn window(query: &Query, listing: &Listing, switches: &Switches) -> Result<(usize, usize), Refusal> {
    let natural = |name: &str, value: Option<i64>, default: usize| match value {
        None => Ok(default),
        Some(value) => {
            usize::try_from(value).map_err(|_| Refusal::field(name, "Ensure this value is greater than or equal to 0."))
        }
    };
    let limit = natural("limit", query.int("limit")?, listing.default_limit)?;
    let offset = natural("offset", query.int("offset")?, 0)?;
    let limit = match switches.limit_over_100 {
        LimitOver100::Clamp => limit.min(100),
        LimitOver100::Refuse if limit > 100 => {
            return Err(Refusal::field(
                "limit",
                "Ensure this value is less than or equal to 100.",
            ));
        }
        _ => limit,
    };
    let offset = if switches.offset_ignored { 0 } else { offset };
    Ok((limit.min(switches.page_max.unwrap_or(limit)), offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_cut_after_filtering_and_ordering() {
        let rows: Vec<Map<String, Value>> = (1..=5_i64)
            .map(|id| {
                Map::from_iter([
                    ("id".to_owned(), json!(id)),
                    ("state".to_owned(), json!(if id == 3 { 2 } else { 1 })),
                ])
            })
            .collect();
        let query = Query::parse(Some("order_by=-id&limit=2&offset=1"));
        let page = select(rows.iter(), 7, &query, &ACTIVE, &Switches::default())
            .expect("selects")
            .page(|row| row["id"].clone());
        assert_eq!(page.data, [json!(4), json!(2)]);
        assert_eq!(page.extra()["pagination"], json!({ "count": 2, "total_count": 4 }));
        assert_eq!(
            page.filters,
            json!({ "account_id": 7, "limit": 2, "offset": 1, "state": 1 })
        );
    }
}
