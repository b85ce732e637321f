//! Reading what dbt Cloud sends without failing on a field that nobody asked for.
//!
//! A field of an unexpected type reads as absent: a 2xx answer never becomes an error because of it.

use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::value::RawValue;

use crate::{AccountId, EnvironmentId, JobId, ProjectId, RunId, RunStatus, Timestamp, RawJson};

/// Null, missing or of another type: all read as `None`. Reads from JSON text alone, of which nothing is copied.
pub(crate) fn field<'de, D: Deserializer<'de>, T: Field>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::read(deserializer)
}

/// What a field of dbt Cloud's may be.
pub(crate) trait Field: DeserializeOwned {
    /// As [`field`].
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        // The text is only looked over here, and read once its type is known: no tree is built of what nobody asked for.
        let value = <&RawValue>::deserialize(deserializer)?;
        Ok(match value.get() {
            "null" => None,
            text => serde_json::from_str(text).ok(),
        })
    }
}

/// Anything is one, so it is looked over once.
impl Field for RawJson {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        Option::deserialize(deserializer)
    }
}

impl<T: Field> Field for Vec<T> {}

macro_rules! fields {
    ($($type:ty),*) => { $(impl Field for $type {})* };
}

fields!(
    AccountId,
    EnvironmentId,
    JobId,
    ProjectId,
    RunId,
    RunStatus,
    String,
    Timestamp,
    bool,
    f64,
    i64,
    u32
);

/// Declares one of dbt Cloud's nouns: a required id, and fields that are all `Option`s read by [`field`].
macro_rules! noun {
    ($(#[$doc:meta])* pub struct $name:ident {
        id: $id:ty;
        $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Deserialize)]
        #[expect(missing_docs, reason = "the fields are dbt Cloud's, spelled and meant as its specification says")]
        pub struct $name {
            pub id: $id,
            $(
                $(#[$field_meta])*
                #[serde(default, deserialize_with = "crate::lenient::field")]
                pub $field: Option<$type>,
            )*
        }
    };
}

/// Declares a part of one of dbt Cloud's nouns: fields that are all `Option`s read by [`field`], and no id.
macro_rules! part {
    ($(#[$doc:meta])* pub struct $name:ident {
        $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Deserialize)]
        #[expect(missing_docs, reason = "the fields are dbt Cloud's, spelled and meant as its specification says")]
        pub struct $name {
            $(
                $(#[$field_meta])*
                #[serde(default, deserialize_with = "crate::lenient::field")]
                pub $field: Option<$type>,
            )*
        }

        impl crate::lenient::Field for $name {}
    };
}
pub(crate) use {noun, part};
