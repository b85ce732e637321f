//! Sets `static_subdomain` to null in answers with an account: from it clients derive an address of dbt Cloud, and would
//! send the gateway's key there. No other byte of the answer changes.

use std::borrow::Cow;
use std::fmt;

use dbt_api::{ApiAnswer, ApiError};
use dbt_routes::RelayRequest;
use futures::stream;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use url::form_urlencoded;

use crate::engine::{Beginning, Call, read_beginning};

const FIELD: &str = "static_subdomain";

/// Whether the answer is one account, or contains accounts as related objects.
pub(super) fn has_account(request: &RelayRequest, query: Option<&str>) -> bool {
    let query = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    // Clients write the list of related objects in several ways.
    let mut related = query.filter(|(name, _)| name == "include_related");
    request.is_account() || related.any(|(_, names)| names.contains("account"))
}

#[derive(Debug, thiserror::Error)]
#[error("the answer is compressed although an uncompressed one was requested")]
struct Compressed;

/// The answer with the field null. An answer that is not JSON is returned unchanged.
///
/// # Errors
/// Those of the body; [`ApiError::TooLarge`]; [`ApiError::Decode`] for a compressed body.
pub(super) async fn without_subdomain(call: &Call, answer: ApiAnswer) -> Result<ApiAnswer, ApiError> {
    let (status, mut headers) = (answer.status, answer.headers.clone());
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity")
    {
        let source = Compressed.into();
        return Err(ApiError::Decode { status, source });
    }
    let (limit_bytes, shares) = (call.collect_limits().max_body_bytes, call.shares());
    let body = read_beginning(answer.into_body(), limit_bytes, |bytes| shares.keep_bytes(bytes));
    let Beginning::Whole(body) = body.await? else {
        return Err(ApiError::TooLarge { status, limit_bytes });
    };
    headers.remove(CONTENT_LENGTH);
    let body = match std::str::from_utf8(&body) {
        Ok(text) => null_in_envelope(text).into(),
        Err(_) => body,
    };
    Ok(ApiAnswer::new(status, headers, stream::iter([Ok(body)])))
}

/// The envelope with `static_subdomain` null in `data`, in its entries if it is a list, and in their field `account`.
fn null_in_envelope(envelope: &str) -> String {
    let fields = serde_json::from_str::<Fields<'_>>(envelope).unwrap_or_default();
    replace_parts(envelope, fields.named("data"), |data| {
        match serde_json::from_str::<Vec<&RawValue>>(data) {
            Ok(entries) => replace_parts(data, entries.iter().map(|entry| entry.get()), null_in_entry),
            Err(_) => null_in_entry(data),
        }
    })
}

fn null_in_entry(entry: &str) -> String {
    let fields = serde_json::from_str::<Fields<'_>>(entry).unwrap_or_default();
    let related = replace_parts(entry, fields.named("account"), null_in_account);
    null_in_account(&related)
}

/// The account with the field null.
pub(super) fn null_in_account(account: &str) -> String {
    let fields = serde_json::from_str::<Fields<'_>>(account).unwrap_or_default();
    replace_parts(account, fields.named(FIELD), |_| "null".to_owned())
}

/// The text with each of `parts`, which are slices of it in ascending order, replaced.
fn replace_parts<'t>(text: &str, parts: impl Iterator<Item = &'t str>, replace: impl Fn(&str) -> String) -> String {
    let mut result = String::with_capacity(text.len());
    let mut done = 0;
    for part in parts {
        let start = part.as_ptr() as usize - text.as_ptr() as usize;
        result.push_str(&text[done..start]);
        result.push_str(&replace(part));
        done = start + part.len();
    }
    result.push_str(&text[done..]);
    result
}

/// The fields of an object with their raw values, including repeated names.
#[derive(Default)]
struct Fields<'t>(Vec<(Cow<'t, str>, &'t RawValue)>);

impl<'t> Fields<'t> {
    fn named(&self, name: &'static str) -> impl Iterator<Item = &'t str> {
        self.0
            .iter()
            .filter(move |(field, _)| field == name)
            .map(|(_, value)| value.get())
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(name) = map.next_key::<Name<'de>>()? {
                    fields.push((name.0, map.next_value()?));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'t>(#[serde(borrow)] Cow<'t, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_of_the_account_is_null_and_nothing_else_changes() {
        for (body, expected) in [
            (
                r#"{"status": {"static_subdomain": "kept"}, "data" : { "id":1,"static_subdomain" :  "ab123" , "z":[1.50] }, "extra":{}}"#,
                r#"{"status": {"static_subdomain": "kept"}, "data" : { "id":1,"static_subdomain" :  null , "z":[1.50] }, "extra":{}}"#,
            ),
            (
                r#"{"data":{"static_subdomain":"a","nested":{"static_subdomain":"kept"},"static_\u0073ubdomain":{"b":"c"}}}"#,
                r#"{"data":{"static_subdomain":null,"nested":{"static_subdomain":"kept"},"static_\u0073ubdomain":null}}"#,
            ),
            (
                r#"{"data":[{"id":1,"account":{"static_subdomain":"a"}}, {"account":null} ,{"static_subdomain":"b"}]}"#,
                r#"{"data":[{"id":1,"account":{"static_subdomain":null}}, {"account":null} ,{"static_subdomain":null}]}"#,
            ),
            (
                r#"{"data":{"account":{"id":2,"static_subdomain":"a"},"static_subdomain":"b"}}"#,
                r#"{"data":{"account":{"id":2,"static_subdomain":null},"static_subdomain":null}}"#,
            ),
            (r#"{"data":{"id":1}}"#, r#"{"data":{"id":1}}"#),
            (r#"{"data":null}"#, r#"{"data":null}"#),
            ("<html>static_subdomain</html>", "<html>static_subdomain</html>"),
            ("", ""),
        ] {
            assert_eq!(null_in_envelope(body), expected);
        }
    }
}
