//! What we answer: views of our own, stable, and complete for what dbt Cloud's specification lists.
//!
//! A field that dbt Cloud adds or renames never changes our API by accident.

mod account;
mod api_key;
mod credential;
mod environment;
mod job;
mod list;
mod project;
mod request_log;
mod retry;
mod run;
mod run_failure;
mod run_step;
mod summary;
mod table;

pub(crate) use account::AccountView;
pub(crate) use api_key::{ApiKeyView, NewApiKeyView};
pub(crate) use credential::{CredentialView, VerificationView};
pub(crate) use environment::EnvironmentView;
pub(crate) use job::JobView;
pub(crate) use list::ListView;
pub(crate) use project::ProjectView;
pub(crate) use request_log::RequestLogView;
pub(crate) use retry::RetryPreviewView;
pub(crate) use run::RunView;
pub(crate) use run_failure::RunFailureView;
pub(crate) use run_step::RunStepView;
pub(crate) use summary::SummaryView;
pub(crate) use table::TableView;

/// Declares the view of one of dbt's nouns: the id, and fields that are null where dbt Cloud sent nothing usable.
/// `field: Type as Other` is documented as `Other`.
macro_rules! view {
    ($(#[$doc:meta])* pub struct $name:ident from $noun:ident {
        id: $id:ty;
        $($(#[$field_meta:meta])* $field:ident: $type:ty $(as $documented:ty)?,)*
    }) => {
        #[derive(Debug, serde::Serialize, utoipa::ToSchema)]
        $(#[$doc])*
        pub(crate) struct $name {
            id: $id,
            $($(#[$field_meta])* $(#[schema(value_type = Option<$documented>)])? $field: Option<$type>,)*
        }

        impl From<model::$noun> for $name {
            fn from(noun: model::$noun) -> Self {
                Self { id: noun.id.into(), $($field: noun.$field.map(Into::into),)* }
            }
        }
    };
}

/// Declares the view of a part of one of dbt's nouns, which has no id.
macro_rules! part {
    ($(#[$doc:meta])* pub struct $name:ident from $part:ident {
        $($(#[$field_meta:meta])* $field:ident: $type:ty $(as $documented:ty)?,)*
    }) => {
        #[derive(Debug, serde::Serialize, utoipa::ToSchema)]
        $(#[$doc])*
        pub(crate) struct $name {
            $($(#[$field_meta])* $(#[schema(value_type = Option<$documented>)])? $field: Option<$type>,)*
        }

        impl From<model::$part> for $name {
            fn from(part: model::$part) -> Self {
                Self { $($field: part.$field.map(Into::into),)* }
            }
        }
    };
}
use {part, view};
