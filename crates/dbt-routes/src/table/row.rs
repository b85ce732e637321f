//! The notation of the table.

use model::Effect;

/// What an operation does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reads and changes nothing.
    Reads,
    /// Changes something. Includes the one GET that makes dbt Cloud call a webhook.
    Changes,
    /// Changes something, and its answer contains a new dbt token.
    MintsToken,
}

impl Kind {
    pub(super) const fn effect(self) -> Effect {
        match self {
            Self::Reads => Effect::Read,
            Self::Changes | Self::MintsToken => Effect::Change,
        }
    }
}

/// The clients, if they are given.
pub(super) const fn clients<const N: usize>(given: [&'static str; N]) -> Option<&'static str> {
    match given.as_slice() {
        [clients, ..] => Some(clients),
        [] => None,
    }
}

/// Declares the operations below one path: `METHOD "/path/" name role kind;`, with `by "clients"` for those that are not in the
/// specifications.
macro_rules! table {
    ($(#[$doc:meta])* $table:ident below $prefix:literal: $($method:ident $path:literal $name:ident $needs:ident $kind:ident $(by $clients:literal)?;)*) => {
        $(#[$doc])*
        pub(super) const $table: &[model::OperationRow] = &[$(model::OperationRow {
            name: stringify!($name),
            method: http::Method::$method,
            template: concat!($prefix, $path),
            needs: model::Role::$needs,
            effect: crate::table::row::Kind::$kind.effect(),
            mints_token: matches!(crate::table::row::Kind::$kind, crate::table::row::Kind::MintsToken),
            used_by: crate::table::row::clients([$($clients)?]),
        },)*];
    };
}
pub(super) use table;
