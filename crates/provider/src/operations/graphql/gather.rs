//! Gathers all pages of a list in an answer of the Discovery API.
//!
//! Lists of an environment are connections: `edges` and a `pageInfo`. Lists of a job are arrays: the `paginationCursor` of
//! the last row is the cursor of the next page. A page of an array that is not full is the last by dbt Cloud's documentation,
//! but servers may send fewer rows than requested: where the rows select the cursor, only an empty page is the end.
//!
//! What the query does not select is the caller's mistake; what it selects and dbt Cloud sends as null is dbt Cloud's.

use std::collections::HashSet;

use dbt_api::{ApiError, Gap};
use http::StatusCode;
use model::GraphqlQuery;
use serde_json::{Value, json};

use crate::ProviderError;
use crate::engine::Call;
use crate::exchanges::Why;

/// The page size where the query's variables name none: every list of the Discovery API serves it.
const DEFAULT_FIRST: u64 = 100;
/// The largest page of the lists of a job.
const MAX_FIRST_OF_ARRAYS: u64 = 100;

/// The rows of one page, and the cursor of the next.
struct ListPage {
    rows: Vec<Value>,
    next: Option<Value>,
    /// `totalCount`, if the query selects it.
    total: Option<u64>,
}

/// Reads all pages of the list at `path` (field names joined by dots), and returns the first answer with the whole list in
/// it. The query's variables `first` and `after` select the page. A first answer that is null at the path or above it is
/// returned as it is: there is no such environment, job or list.
pub(super) async fn all_pages(
    call: &Call,
    mut query: GraphqlQuery,
    path: &str,
    max_pages: usize,
) -> Result<Value, ProviderError> {
    let pointer = format!("/{}", path.replace('.', "/"));
    let first = query.variables.entry("first").or_insert_with(|| json!(DEFAULT_FIRST));
    let size = first.as_u64().unwrap_or(DEFAULT_FIRST);

    let mut answer = call.ask_metadata(&query, Why::Asked).await?;
    let Some(page) = take_page(&mut answer, &pointer, size)? else {
        return Ok(answer);
    };
    let ListPage {
        mut rows,
        mut next,
        total,
    } = page;
    let starts_at = query.variables.get("after").filter(|after| !after.is_null());
    // The least that dbt Cloud promised: entries may be deleted while the list is read.
    let mut promised = total.filter(|_| starts_at.is_none());
    let mut cursors: HashSet<String> = starts_at.map(Value::to_string).into_iter().collect();
    let mut pages = 1;
    while let Some(cursor) = next {
        if pages == max_pages {
            return Err(ProviderError::TooMuch("graphql.max_pages"));
        }
        if query.variables.get("after") == Some(&cursor) {
            return Err(ProviderError::Gathering(
                "the next page is the same again: the query has to pass its variable `$after` to the list",
            ));
        }
        if !cursors.insert(cursor.to_string()) {
            let offset = rows.len() as u64;
            return Err(incomplete(Gap::Repeats { offset }));
        }
        query.variables.insert("after".to_owned(), cursor);
        let mut later = call.ask_metadata(&query, Why::NextPage).await?;
        let page = take_page(&mut later, &pointer, size)?;
        let page = page.ok_or_else(|| sends_null("the list on a later page"))?;
        rows.extend(page.rows);
        next = page.next;
        promised = promised.map(|promised| promised.min(page.total.unwrap_or(promised)));
        pages += 1;
    }
    let came = rows.len() as u64;
    if let Some(promised) = promised.filter(|promised| *promised > came) {
        return Err(incomplete(Gap::Missing { came, promised }));
    }
    put_back(&mut answer, &pointer, rows);
    Ok(answer)
}

/// Takes the rows out of an answer. `None` for null at the path or above it.
fn take_page(answer: &mut Value, pointer: &str, size: u64) -> Result<Option<ListPage>, ProviderError> {
    if has_null_above(answer, pointer) {
        return Ok(None);
    }
    match answer.pointer_mut(pointer) {
        None => Err(ProviderError::Gathering("the answer has nothing at that path")),
        Some(Value::Null) => Ok(None),
        Some(Value::Array(rows)) => page_of_array(std::mem::take(rows), size).map(Some),
        Some(Value::Object(connection)) => {
            let rows = match connection.get_mut("edges").map(Value::take) {
                Some(Value::Array(rows)) => rows,
                Some(_) => return Err(sends_null("`edges`")),
                None => return Err(ProviderError::Gathering("the list has to select `edges`")),
            };
            let next = next_of_connection(connection.get("pageInfo"))?;
            if rows.is_empty() && next.is_some() {
                let offset = 0;
                let total = connection.get("totalCount").and_then(Value::as_u64).unwrap_or_default();
                return Err(incomplete(Gap::Empty { offset, total }));
            }
            let total = connection.get("totalCount").and_then(Value::as_u64);
            Ok(Some(ListPage { rows, next, total }))
        }
        Some(_) => Err(ProviderError::Gathering("the answer has no list at that path")),
    }
}

fn page_of_array(rows: Vec<Value>, size: u64) -> Result<ListPage, ProviderError> {
    let is_full = rows.len() as u64 >= size.min(MAX_FIRST_OF_ARRAYS);
    let next = match rows.last().map(|row| row.get("paginationCursor")) {
        Some(Some(Value::Null)) => return Err(sends_null("`paginationCursor`")),
        Some(Some(cursor)) => Some(cursor.clone()),
        Some(None) if is_full => {
            return Err(ProviderError::Gathering(
                "the list's rows have to select `paginationCursor`",
            ));
        }
        None | Some(None) => None,
    };
    let total = None;
    Ok(ListPage { rows, next, total })
}

fn next_of_connection(info: Option<&Value>) -> Result<Option<Value>, ProviderError> {
    let not_selected = ProviderError::Gathering("the list has to select `pageInfo { hasNextPage endCursor }`");
    let info = match info {
        None => return Err(not_selected),
        Some(Value::Object(info)) => info,
        Some(_) => return Err(sends_null("`pageInfo`")),
    };
    match (info.get("hasNextPage"), info.get("endCursor")) {
        (None, _) | (Some(Value::Bool(true)), None) => Err(not_selected),
        (Some(Value::Bool(false)), _) => Ok(None),
        (Some(Value::Bool(true)), Some(cursor @ Value::String(_))) => Ok(Some(cursor.clone())),
        (Some(Value::Bool(true)), _) => Err(sends_null("`endCursor` of a page that is not the last")),
        (Some(_), _) => Err(sends_null("`hasNextPage`")),
    }
}

/// The answer lacks what the query selects.
fn sends_null(what: &str) -> ProviderError {
    ProviderError::Api(ApiError::Decode {
        status: StatusCode::OK,
        source: format!("dbt Cloud sends null for {what}").into(),
    })
}

fn incomplete(gap: Gap) -> ProviderError {
    ProviderError::Api(ApiError::Incomplete {
        status: StatusCode::OK,
        gap,
    })
}

/// Whether a field above the path is null, such as an environment that does not exist.
fn has_null_above(answer: &Value, pointer: &str) -> bool {
    pointer
        .match_indices('/')
        .any(|(end, _)| answer.pointer(&pointer[..end]).is_some_and(Value::is_null))
}

fn put_back(answer: &mut Value, pointer: &str, rows: Vec<Value>) {
    match answer.pointer_mut(pointer) {
        Some(Value::Object(connection)) => {
            connection.insert("edges".to_owned(), rows.into());
            connection.insert("pageInfo".to_owned(), json!({"hasNextPage": false, "endCursor": null}));
        }
        Some(list @ Value::Array(_)) => *list = rows.into(),
        _ => {}
    }
}
