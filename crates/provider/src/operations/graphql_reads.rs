//! Which GraphQL requests may be sent again: those whose document holds queries alone. What is not certain is not.

use dbt_api::ApiRequest;
use http::Method;
use model::ClientType;
use serde::Deserialize;

/// Whether a relayed request is a POST with one document of queries alone.
pub(super) fn is_query(request: &ApiRequest) -> bool {
    #[derive(Deserialize)]
    struct RequestWire {
        query: String,
    }
    let is_graphql = request.api() != ClientType::DbtCloudAdministrative;
    let body = request
        .body()
        .filter(|_| is_graphql && request.method() == Method::POST);
    let document = body.and_then(|body| serde_json::from_slice::<RequestWire>(body).ok());
    document.is_some_and(|document| holds_queries_alone(&document.query))
}

/// Whether every operation of the document is a query. Only the words that begin its definitions are read, outside of
/// brackets, strings and comments.
pub(super) fn holds_queries_alone(document: &str) -> bool {
    let (mut depth, mut begins, mut queries) = (0_usize, true, 0);
    let mut rest = document;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            '"' => match string_length(rest) {
                Some(length) => length,
                None => return false,
            },
            '{' | '(' | '[' => {
                if begins {
                    // `{ a }` is a query.
                    if first != '{' {
                        return false;
                    }
                    queries += 1;
                    begins = false;
                }
                depth += 1;
                1
            }
            '}' | ')' | ']' => {
                let Some(outside) = depth.checked_sub(1) else {
                    return false;
                };
                depth = outside;
                begins = depth == 0 && first == '}';
                1
            }
            _ if first.is_ascii_alphabetic() || first == '_' => {
                let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
                let word = &rest[..rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())];
                if begins {
                    match word {
                        "query" => queries += 1,
                        "fragment" => {}
                        _ => return false,
                    }
                    begins = false;
                }
                word.len()
            }
            _ if begins && !first.is_whitespace() && ![',', '\u{feff}'].contains(&first) => return false,
            _ => first.len_utf8(),
        };
        rest = &rest[length..];
    }
    depth == 0 && begins && queries > 0
}

/// The length of the string at the beginning of the text; `None` if it does not end.
fn string_length(text: &str) -> Option<usize> {
    let (start, end, escape) = if text.starts_with("\"\"\"") {
        (3, "\"\"\"", "\\\"\"\"")
    } else {
        (1, "\"", "\\")
    };
    let mut at = start;
    loop {
        let rest = &text[at..];
        if rest.starts_with(escape) {
            // A backslash escapes one more character.
            let escaped = if start == 1 {
                rest[1..].chars().next()?.len_utf8()
            } else {
                3
            };
            at += 1 + escaped;
        } else if rest.starts_with(end) {
            return Some(at + end.len());
        } else {
            let next = rest.chars().next()?;
            if start == 1 && next == '\n' {
                return None;
            }
            at += next.len_utf8();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_queries_alone_may_be_sent_again() {
        for document in [
            "{ a }",
            "query { a }",
            "query Q($x: Int = 1, $y: In = {a: [1]}) @d(x: \"}\") { a(s: \"mutation {\") { b } }",
            "# mutation\nquery mutation { mutation { x } }",
            "query A { a } query B { b } fragment mutation on X { c }",
            "fragment F on X { c } { ...F }",
            "query { a(s: \"\"\" \" } mutation { \\\"\"\" \"\"\") }",
            "query { a(s: \"\\\\\") } ",
            "query { a(s: \"\\\"} mutation {\") },,",
            "\u{feff}query{a(s:\"ü🦀\")}",
        ] {
            assert!(holds_queries_alone(document), "{document}");
        }
    }

    #[test]
    fn other_documents_may_not() {
        for document in [
            "",
            "mutation { a }",
            "query { a } mutation { b }",
            "mutation { b } query { a }",
            "{ a } mutation M { b }",
            "subscription { a }",
            "fragment F on X { c }",
            "query { a",
            "query { a } }",
            "query { a(s: \"} ) }",
            "query { a(s: \"\"\" \") }",
            "query",
            "type T { a: Int }",
            "select 1",
            "(query) { a }",
            "! { a }",
            "query { a } x",
        ] {
            assert!(!holds_queries_alone(document), "{document}");
        }
    }
}
