//! Which fields a body may set, and what they may hold. What is not listed is ignored, as dbt ignores it.

use serde_json::{Value, json};

use crate::call::Call;
use crate::reply::Refusal;
use crate::world::Doc;

/// What a field may hold, besides null.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Holds {
    Text,
    Int,
    Bool,
    Texts,
    Ints,
    Object,
    Choice(&'static [&'static str]),
    Anything,
}

/// A field that a body may set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) holds: Holds,
    /// Must be there when something is created.
    pub(crate) required: bool,
}

impl Field {
    pub(crate) const fn new(name: &'static str, holds: Holds) -> Self {
        Self {
            name,
            holds,
            required: false,
        }
    }
    pub(crate) const fn text(name: &'static str) -> Self {
        Self::new(name, Holds::Text)
    }
    pub(crate) const fn int(name: &'static str) -> Self {
        Self::new(name, Holds::Int)
    }
    pub(crate) const fn flag(name: &'static str) -> Self {
        Self::new(name, Holds::Bool)
    }
    pub(crate) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// What is wrong with a value, if anything.
    pub(crate) fn problem(&self, value: &Value) -> Option<String> {
        let every = |test: fn(&Value) -> bool| value.as_array().is_some_and(|items| items.iter().all(test));
        let (right, words) = match self.holds {
            Holds::Anything => return None,
            Holds::Text => (value.is_string(), "Not a valid string."),
            Holds::Int => (value.is_i64(), "A valid integer is required."),
            Holds::Bool => (value.is_boolean(), "Must be a valid boolean."),
            Holds::Texts => (every(Value::is_string), "Expected a list of strings."),
            Holds::Ints => (every(Value::is_i64), "Expected a list of integers."),
            Holds::Object => (value.is_object(), "Expected a dictionary."),
            Holds::Choice(choices) => {
                let right = value.as_str().is_some_and(|text| choices.contains(&text));
                return (!right).then(|| format!("{value} is not a valid choice: {}.", choices.join(", ")));
            }
        };
        (!right).then(|| words.to_owned())
    }
}

/// The values of a body that may be set; all problems at once.
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
            Some(problem) => drop(errors.insert(field.name.to_owned(), json!(problem))),
            None => drop(accepted.insert(field.name.to_owned(), body[field.name].clone())),
        }
    }
    if errors.is_empty() {
        Ok(accepted)
    } else {
        Err(call.invalid(Value::Object(errors)))
    }
}
