//! Lenient decoding of dbt Cloud's answers: a field of an unexpected type reads as absent, so that it never turns a 2xx
//! answer into an error.

use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::value::RawValue;

use crate::{AccountId, EnvironmentId, JobId, ProjectId, RawJson, RunId, Timestamp};

/// Reads null, a missing field and a value of another type as `None`. Only for JSON text; copies nothing.
pub(crate) fn field<'de, D: Deserializer<'de>, T: Field>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::read(deserializer)
}

/// The types of dbt Cloud's fields.
pub(crate) trait Field: DeserializeOwned {
    /// As [`field`].
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        // Borrow the raw text first, so that a value of another type is skipped without building a tree.
        let value = <&RawValue>::deserialize(deserializer)?;
        Ok(match value.get() {
            "null" => None,
            text => serde_json::from_str(text).ok(),
        })
    }
}

/// Any JSON is valid, so one parse is enough.
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
    String,
    Timestamp,
    bool,
    f64,
    i64,
    u32
);

/// Declares one of dbt Cloud's nouns: decoder, answer and OpenAPI schema from one list of fields. The id is required; every
/// other field is null where dbt Cloud sends nothing usable. `field: Type as Other` is documented as `Other`.
macro_rules! noun {
    ($(#[$doc:meta])* pub struct $name:ident {
        id: $id:ty as $documented_id:ty;
        $($(#[$field_meta:meta])* $field:ident: $type:ty $(as $documented:ty)?,)*
    }) => {
        #[derive(Debug, Clone, PartialEq, serde::Deserialize, serde::Serialize, utoipa::ToSchema)]
        $(#[$doc])*
        #[expect(missing_docs, reason = "the fields are dbt Cloud's, as its specification describes them")]
        pub struct $name {
            #[schema(value_type = $documented_id)]
            pub id: $id,
            $(
                $(#[$field_meta])*
                $(#[schema(value_type = Option<$documented>)])?
                #[serde(default, deserialize_with = "crate::lenient::field")]
                pub $field: Option<$type>,
            )*
        }

        impl crate::HasId for $name {
            type Id = $id;

            fn id(&self) -> $id {
                self.id
            }
        }
    };
}

/// Declares a part of one of dbt Cloud's nouns, as [`noun`] does, without an id.
macro_rules! part {
    ($(#[$doc:meta])* pub struct $name:ident {
        $($(#[$field_meta:meta])* $field:ident: $type:ty $(as $documented:ty)?,)*
    }) => {
        #[derive(Debug, Clone, PartialEq, serde::Deserialize, serde::Serialize, utoipa::ToSchema)]
        $(#[$doc])*
        #[allow(missing_docs, reason = "the fields are dbt Cloud's, as its specification describes them")]
        pub struct $name {
            $(
                $(#[$field_meta])*
                $(#[schema(value_type = Option<$documented>)])?
                #[serde(default, deserialize_with = "crate::lenient::field")]
                pub $field: Option<$type>,
            )*
        }

        impl crate::lenient::Field for $name {}
    };
}
pub(crate) use {noun, part};
