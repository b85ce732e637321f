//! The fields that a body may set, and their types. Other fields are ignored, as dbt does.

use serde_json::Value;

use crate::call::Call;
use crate::document::{Doc, Fields as _};
use crate::refusal::Refusal;

/// The type of a field, besides null.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FieldType {
    Text,
    Int,
    Bool,
    Texts,
    Ints,
    Object,
    Choice(&'static [&'static str]),
    Anything,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) accepts: FieldType,
    /// Required when an object is created.
    pub(crate) required: bool,
}

impl Field {
    pub(crate) const fn new(name: &'static str, accepts: FieldType) -> Self {
        Self {
            name,
            accepts,
            required: false,
        }
    }
    pub(crate) const fn text(name: &'static str) -> Self {
        Self::new(name, FieldType::Text)
    }
    pub(crate) const fn int(name: &'static str) -> Self {
        Self::new(name, FieldType::Int)
    }
    pub(crate) const fn flag(name: &'static str) -> Self {
        Self::new(name, FieldType::Bool)
    }
    pub(crate) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// The error of a value, if it has one.
    pub(crate) fn problem(&self, value: &Value) -> Option<String> {
        let every = |test: fn(&Value) -> bool| value.as_array().is_some_and(|items| items.iter().all(test));
        let (right, words) = match self.accepts {
            FieldType::Anything => return None,
            FieldType::Text => (value.is_string(), "Not a valid string."),
            FieldType::Int => (value.is_i64(), "A valid integer is required."),
            FieldType::Bool => (value.is_boolean(), "Must be a valid boolean."),
            FieldType::Texts => (every(Value::is_string), "Expected a list of strings."),
            FieldType::Ints => (every(Value::is_i64), "Expected a list of integers."),
            FieldType::Object => (value.is_object(), "Expected a dictionary."),
            FieldType::Choice(choices) => {
                let right = value.as_str().is_some_and(|text| choices.contains(&text));
                return (!right).then(|| format!("{value} is not a valid choice: {}.", choices.join(", ")));
            }
        };
        (!right).then(|| words.to_owned())
    }
}

/// The values that a body sets.
///
/// # Errors
/// All field errors together.
pub(crate) fn accept(body: &Doc, fields: &[Field], creating: bool, call: &Call) -> Result<Doc, Refusal> {
    let mut errors = Doc::new();
    let mut accepted = Doc::new();
    for field in fields {
        let problem = match body.get(field.name) {
            None if field.required && creating => Some("This field is required.".to_owned()),
            None => continue,
            Some(Value::Null) if field.required => Some("This field may not be null.".to_owned()),
            Some(Value::String(text)) if text.is_empty() && field.required => {
                Some("This field may not be blank.".to_owned())
            }
            Some(Value::Null) => None,
            Some(value) => field.problem(value),
        };
        match problem {
            Some(problem) => errors.put(field.name, problem),
            None => accepted.put(field.name, body[field.name].clone()),
        }
    }
    if errors.is_empty() {
        Ok(accepted)
    } else {
        Err(call.invalid(Value::Object(errors)))
    }
}
