//! Secrets in JSON: by the names of fields, and within texts.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::names::{is_plural, is_secret_name};
use crate::spans::REDACTED;
use crate::texts::text;

/// Replaces the secrets.
pub fn json(value: &mut Value) {
    match value {
        Value::String(string) => {
            if let Cow::Owned(clean) = text(string) {
                *string = clean;
            }
        }
        Value::Array(items) => array(items),
        Value::Object(fields) => object(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Pairs of a name and a value, and the words of a command, are recognised as such.
fn array(items: &mut [Value]) {
    let pair = |item: &Value| {
        item.as_array()
            .is_some_and(|pair| pair.len() == 2 && pair.iter().all(Value::is_string))
    };
    if !items.is_empty() && items.iter().all(pair) {
        for item in items.iter_mut() {
            if let Some([name, value]) = item.as_array_mut().map(Vec::as_mut_slice)
                && name.as_str().is_some_and(is_secret_name)
            {
                hide(value, "");
            }
        }
    }
    let mut is_after_option = false;
    for item in items {
        if is_after_option {
            hide(item, "");
        }
        is_after_option = item
            .as_str()
            .is_some_and(|word| word.starts_with('-') && !word.contains(['=', ' ']) && is_secret_name(word));
        json(item);
    }
}

/// Fields by their names, and the `value` of an object whose `name` or `key` is that of a secret.
fn object(fields: &mut Map<String, Value>) {
    let names_secret = |field: &str| fields.get(field).and_then(Value::as_str).is_some_and(is_secret_name);
    let describes_secret = ["name", "key", "header", "variable"].into_iter().any(names_secret);
    for (name, value) in fields.iter_mut() {
        if is_secret_name(name) || (describes_secret && name.to_ascii_lowercase().contains("value")) {
            hide(value, name);
        } else {
            json(value);
        }
    }
    if fields.keys().any(|name| matches!(text(name), Cow::Owned(_))) {
        let clean = std::mem::take(fields).into_iter();
        *fields = clean.map(|(name, value)| (text(&name).into_owned(), value)).collect();
    }
}

fn hide(value: &mut Value, name: &str) {
    let is_harmless = match value {
        Value::Null | Value::Bool(_) => true,
        Value::Number(_) => is_plural(name),
        Value::String(string) => string.is_empty(),
        Value::Array(_) | Value::Object(_) => false,
    };
    if !is_harmless {
        *value = REDACTED.into();
    }
}
