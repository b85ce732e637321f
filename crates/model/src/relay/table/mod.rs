//! Every operation of dbt Cloud's specifications, v2 and v3: a line each, with the role that may relay it.
//!
//! Reads are for viewers; starting, retrying and cancelling runs for operators; every other change for admins, and so
//! are reads of people, licences, tokens, audit logs, SCIM and OAuth. An operation that `RequestType` knows by the same
//! name needs the same role there; what the specification deprecates in favour of v3 has `_v2` at the end of its name.

mod jobs;
mod people;
mod projects;
mod scim;
mod settings;
mod v2;

use std::sync::LazyLock;

use http::Method;

use crate::Role;

/// One operation of the specifications.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) method: Method,
    /// As the specification spells it, trailing slash included or not.
    pub(super) template: &'static str,
    pub(super) name: &'static str,
    pub(super) needs: Role,
    pub(super) kind: Kind,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reads and changes nothing.
    Reads,
    /// Changes something. Also the one GET that makes dbt Cloud call somebody.
    Changes,
    /// Its answer shows a new dbt token.
    MintsToken,
}

/// Declares the operations below one path: `METHOD "/path/" name role does;`.
macro_rules! operations {
    ($(#[$doc:meta])* $table:ident below $prefix:literal: $($method:ident $path:literal $name:ident $needs:ident $kind:ident;)*) => {
        $(#[$doc])*
        pub(super) const $table: &[crate::relay::table::Row] = &[$(crate::relay::table::Row {
            method: http::Method::$method,
            template: concat!($prefix, $path),
            name: stringify!($name),
            needs: crate::Role::$needs,
            kind: crate::relay::table::Kind::$kind,
        },)*];
    };
}
use operations;

/// The whole table.
pub(super) static ROWS: LazyLock<Vec<&'static Row>> = LazyLock::new(|| {
    let parts: [&'static [Row]; 12] = [
        v2::ACCOUNTS,
        v2::DEPRECATED,
        jobs::JOBS,
        jobs::RUNS,
        jobs::WEBHOOKS,
        projects::PROJECTS,
        projects::OF_A_PROJECT,
        settings::OF_AN_ACCOUNT,
        settings::ELSEWHERE,
        people::OF_AN_ACCOUNT,
        people::ELSEWHERE,
        scim::SCIM,
    ];
    parts.into_iter().flatten().collect()
});

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use serde_json::Value;

    use super::*;

    fn folder() -> PathBuf {
        std::env::var_os("DBT_SPEC_DIR").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/spec"),
            PathBuf::from,
        )
    }

    fn say(text: &str) {
        eprintln!("{text}");
    }

    #[test]
    fn the_table_has_exactly_the_operations_of_the_specifications() {
        const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
        let mut specified = BTreeSet::new();
        for version in ["v2", "v3"] {
            let file = folder().join(format!("openapi-{version}.yaml"));
            let Ok(text) = std::fs::read_to_string(&file) else {
                say(&format!(
                    "NOT CHECKED: there is no {}; set DBT_SPEC_DIR",
                    file.display()
                ));
                return;
            };
            let document: Value = serde_saphyr::from_str(&text).unwrap();
            for (path, item) in document["paths"].as_object().unwrap() {
                let methods = item
                    .as_object()
                    .unwrap()
                    .keys()
                    .filter(|key| METHODS.contains(&key.as_str()));
                specified.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
            }
        }
        let table: BTreeSet<_> = ROWS
            .iter()
            .map(|row| format!("{} {}", row.method, row.template))
            .collect();
        let difference: Vec<_> = table.symmetric_difference(&specified).collect();
        assert!(difference.is_empty(), "{difference:#?}");
        assert_eq!(table.len(), 207);
    }
}
