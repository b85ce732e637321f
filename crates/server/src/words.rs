//! The fixed words of the API as schemas. Each list comes from the code that reads or writes the words.

use client::{EventKind, OutcomeFilter};
use model::{RequestType, RunRelated, RunStatus, ServedFrom};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};

/// Declares a schema of fixed words.
macro_rules! words {
    ($($(#[doc = $doc:literal])+ $name:ident = $all:expr;)*) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub(crate) enum $name {}

        impl utoipa::PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                fixed(concat!($($doc),+).trim(), $all.into_iter().map(Into::into).collect())
            }
        }

        impl utoipa::ToSchema for $name {}
    )*};
}

/// The schema of a text that is one of these words.
pub(crate) fn fixed(description: &str, words: Vec<String>) -> RefOr<Schema> {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .description(Some(description));
    schema.build().into()
}

words! {
    /// An operation, by its name in this document.
    RequestTypeName = RequestType::ALL.map(RequestType::as_str);
    /// The outcome of a request; `open` while it is in progress.
    OutcomeName = OutcomeFilter::all().map(OutcomeFilter::as_str);
    /// The status of a run, by name or number.
    RunStatusWord = RunStatus::ALL.into_iter().flat_map(|status| [status.name().to_owned(), i32::from(status).to_string()]);
    /// A related object that a list of runs can include.
    RelatedToRuns = RunRelated::OF_LISTS.map(RunRelated::as_str);
    /// A related object that a run can include.
    RelatedToRun = RunRelated::OF_ONE.map(RunRelated::as_str);
    /// Where a credential comes from: stored, or the gateway's settings.
    CredentialSource = ["settings", "stored"];
    /// Whether requests can be served.
    WellOrNot = ["ok", "unavailable"];
    /// Where an answer is from.
    ServedFromName = ServedFrom::ALL.map(ServedFrom::as_str);
    /// The state of a circuit that is not closed.
    CircuitState = ["open", "half_open"];
    /// The state of a pause.
    CooldownState = ["cooling_down", "probing"];
    /// A check of the gateway's health.
    CheckName = [
        "database", "migrations", "encryption_keys", "request_log", "heartbeat", "partitions", "disk", "dbt_circuits",
        "serving",
    ];
    /// The form of an answer with events.
    EventFormWord = ["json"];
    /// What becomes of a run whose caller no longer waits.
    OnEndWords = ["leave", "cancel"];
    /// What a wait can add to the run.
    WaitAddition = ["failure"];
    /// What an event of a run says.
    EventName = EventKind::ALL.map(EventKind::as_str);
    /// How far the search for a run has come.
    ResolutionState = ["looking", "started", "not_started", "unresolved"];
}
