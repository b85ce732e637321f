//! Gathers all pages of a list in an answer of the Discovery API.
//!
//! Lists of an environment are connections: `edges` and a `pageInfo`. Lists of a job are arrays: the `paginationCursor` of
//! the last row is the cursor of the next page, and a page that is not full is the last.

use model::GraphqlQuery;
use serde_json::{Value, json};

use crate::ProviderError;
use crate::engine::Call;
use crate::exchanges::Why;

/// The page size where the query's variables name none: every list of the Discovery API serves it.
const DEFAULT_FIRST: u64 = 100;

/// The rows of one page, and the cursor of the next.
struct ListPage {
    rows: Vec<Value>,
    next: Option<Value>,
}

/// Reads all pages of the list at `path` (field names joined by dots), and returns the first answer with the whole list in
/// it. The query's variables `first` and `after` select the page.
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
    let ListPage { mut rows, mut next } = take_page(&mut answer, &pointer, size)?;
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
        query.variables.insert("after".to_owned(), cursor);
        let mut later = call.ask_metadata(&query, Why::NextPage).await?;
        let page = take_page(&mut later, &pointer, size)?;
        rows.extend(page.rows);
        next = page.next;
        pages += 1;
    }
    put_back(&mut answer, &pointer, rows);
    Ok(answer)
}

/// Takes the rows out of an answer. Null at the path, or above it, is an empty list.
fn take_page(answer: &mut Value, pointer: &str, size: u64) -> Result<ListPage, ProviderError> {
    let empty = ListPage {
        rows: Vec::new(),
        next: None,
    };
    if has_null_above(answer, pointer) {
        return Ok(empty);
    }
    match answer.pointer_mut(pointer) {
        None => Err(ProviderError::Gathering("the answer has nothing at that path")),
        Some(Value::Null) => Ok(empty),
        Some(Value::Array(rows)) => {
            let rows = std::mem::take(rows);
            let is_full = rows.len() as u64 >= size;
            let next = match rows.last().filter(|_| is_full).map(|row| &row["paginationCursor"]) {
                None => None,
                Some(Value::Null) => {
                    return Err(ProviderError::Gathering(
                        "the list's rows have to select `paginationCursor`",
                    ));
                }
                Some(cursor) => Some(cursor.clone()),
            };
            Ok(ListPage { rows, next })
        }
        Some(Value::Object(connection)) => {
            let Some(Value::Array(rows)) = connection.get_mut("edges").map(Value::take) else {
                return Err(ProviderError::Gathering("the list has to select `edges`"));
            };
            let info = connection.get("pageInfo").unwrap_or(&Value::Null);
            let next = match (&info["hasNextPage"], &info["endCursor"]) {
                (Value::Bool(false), _) => None,
                (Value::Bool(true), cursor @ Value::String(_)) => Some(cursor.clone()),
                _ => {
                    return Err(ProviderError::Gathering(
                        "the list has to select `pageInfo { hasNextPage endCursor }`",
                    ));
                }
            };
            Ok(ListPage { rows, next })
        }
        Some(_) => Err(ProviderError::Gathering("the answer has no list at that path")),
    }
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
