//! Parameters that hold several values, with commas between them: `status=error,cancelled`.

use model::{JobRelated, ProjectId, RunRelated, RunStatus};
use serde::{Deserialize as _, Deserializer, de::Error as _};

/// One of the values.
pub(crate) trait OneOf: Sized {
    /// The value so written; `None` where there is none.
    fn read(text: &str) -> Option<Self>;

    /// What can be written, for the refusal.
    fn valid() -> String;
}

/// Reads the parameter; every value has to be a valid one.
pub(crate) fn commas<'de, D: Deserializer<'de>, T: OneOf>(parameter: D) -> Result<Vec<T>, D::Error> {
    let text = String::deserialize(parameter)?;
    let read = |part: &str| {
        let part = part.trim();
        T::read(part).ok_or_else(|| D::Error::custom(format!("`{}` is none of {}", super::excerpt(part), T::valid())))
    };
    text.split(',').map(read).collect()
}

impl OneOf for ProjectId {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|id: &Self| id.0 > 0)
    }

    fn valid() -> String {
        "the positive whole numbers, with commas between them".to_owned()
    }
}

impl OneOf for RunStatus {
    fn read(text: &str) -> Option<Self> {
        let number: Option<i32> = text.parse().ok();
        let is_it = |status: &Self| number == Some(i32::from(*status)) || text.eq_ignore_ascii_case(status.name());
        Self::ALL.into_iter().find(is_it)
    }

    fn valid() -> String {
        let spellings = Self::ALL.map(|status| format!("{} ({})", status.name(), i32::from(status)));
        spellings.join(", ")
    }
}

/// Related objects that a list can hold.
#[derive(Debug)]
pub(crate) struct OfLists(pub(crate) RunRelated);

impl OneOf for OfLists {
    fn read(text: &str) -> Option<Self> {
        among(&RunRelated::OF_LISTS, text).map(Self)
    }

    fn valid() -> String {
        names(&RunRelated::OF_LISTS)
    }
}

/// Related objects that can come with one run.
#[derive(Debug)]
pub(crate) struct OfOne(pub(crate) RunRelated);

impl OneOf for OfOne {
    fn read(text: &str) -> Option<Self> {
        among(&RunRelated::OF_ONE, text).map(Self)
    }

    fn valid() -> String {
        names(&RunRelated::OF_ONE)
    }
}

impl OneOf for JobRelated {
    fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.as_str() == text)
    }

    fn valid() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

/// Any text but none.
#[derive(Debug)]
pub(crate) struct Text(pub(crate) String);

impl OneOf for Text {
    fn read(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    fn valid() -> String {
        "the texts that are not empty".to_owned()
    }
}

/// What an environment is deployed for.
#[derive(Debug)]
pub(crate) struct DeploymentType(pub(crate) &'static str);

impl DeploymentType {
    const ALL: [&str; 2] = ["production", "staging"];
}

impl OneOf for DeploymentType {
    fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| *each == text).map(Self)
    }

    fn valid() -> String {
        Self::ALL.join(", ")
    }
}

fn among(known: &[RunRelated], text: &str) -> Option<RunRelated> {
    known.iter().copied().find(|each| each.as_str() == text)
}

fn names(known: &[RunRelated]) -> String {
    known.iter().map(|each| each.as_str()).collect::<Vec<_>>().join(", ")
}
