//! The pages of a list in an answer of Discovery, joined.
//!
//! Lists of an environment are connections: `edges` and a `pageInfo`. Lists of a job are plain: the `paginationCursor` of
//! the last row asks for the next page, and a short page is the last.

use model::GraphqlQuery;
use serde_json::{Value, json};

use crate::ProviderError;
use crate::engine::Call;
use crate::exchanges::Why;

/// The page size where the query's variables name none: as many as every list of Discovery serves.
const FIRST: u64 = 100;

/// What one page says of the next.
struct PageOf {
    rows: Vec<Value>,
    next: Option<Value>,
}

/// Asks until the list at `path` (names with dots between) ends, and answers the first answer with the whole list in it.
/// The query's variables `first` and `after` say which page.
pub(super) async fn all_pages(
    call: &Call,
    mut query: GraphqlQuery,
    path: &str,
    max_pages: usize,
) -> Result<Value, ProviderError> {
    let pointer = format!("/{}", path.replace('.', "/"));
    let first = query.variables.entry("first").or_insert_with(|| json!(FIRST));
    let size = first.as_u64().unwrap_or(FIRST);

    let mut answer = call.ask_metadata(&query, Why::Asked).await?;
    let PageOf { mut rows, mut next } = take_page(&mut answer, &pointer, size)?;
    let mut pages = 1;
    while let Some(cursor) = next {
        if pages == max_pages {
            return Err(ProviderError::TooMuch("graphql.max_pages"));
        }
        if query.variables.get("after") == Some(&cursor) {
            return Err(ProviderError::Gathering(
                "the next page is the same again: the query has to pass its variable `$after` on to the list",
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

/// Takes the rows out of an answer. Nothing at that place is a list that is empty.
fn take_page(answer: &mut Value, pointer: &str, size: u64) -> Result<PageOf, ProviderError> {
    let nothing = PageOf {
        rows: Vec::new(),
        next: None,
    };
    if has_null_above(answer, pointer) {
        return Ok(nothing);
    }
    match answer.pointer_mut(pointer) {
        None => Err(ProviderError::Gathering("the answer has nothing at that place")),
        Some(Value::Null) => Ok(nothing),
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
            Ok(PageOf { rows, next })
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
            Ok(PageOf { rows, next })
        }
        Some(_) => Err(ProviderError::Gathering("what the answer has at that place is no list")),
    }
}

/// Whether something on the way to that place is null: an environment that there is not.
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
