//! Query parameters that hold several values separated by commas: `status=error,cancelled`.

use serde::{Deserialize as _, Deserializer, de::Error as _};

use crate::excerpt;

/// One value of a comma-separated list.
pub trait ListItem: Sized {
    /// Parses one value.
    fn parse(text: &str) -> Option<Self>;

    /// The valid spellings, for the error message.
    fn valid() -> String;
}

/// Deserializes a comma-separated list.
///
/// # Errors
/// When a value is not valid; the message lists the valid ones.
pub fn comma_list<'de, D: Deserializer<'de>, T: ListItem>(parameter: D) -> Result<Vec<T>, D::Error> {
    let text = String::deserialize(parameter)?;
    let parse = |part: &str| {
        let part = part.trim();
        T::parse(part).ok_or_else(|| D::Error::custom(format!("`{}` is none of {}", excerpt(part), T::valid())))
    };
    text.split(',').map(parse).collect()
}

impl ListItem for String {
    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn valid() -> String {
        "the texts that are not empty".to_owned()
    }
}

impl ListItem for crate::ProjectId {
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|id: &Self| id.0 > 0)
    }

    fn valid() -> String {
        "the positive whole numbers, with commas between them".to_owned()
    }
}

/// Makes an enum with `ALL` and `as_str` the item of a list.
macro_rules! list_item {
    ($type:ty) => {
        impl crate::ListItem for $type {
            fn parse(text: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|each| each.as_str() == text)
            }

            fn valid() -> String {
                Self::ALL.map(Self::as_str).join(", ")
            }
        }
    };
}
pub(crate) use list_item;
