//! An operation of dbt Cloud's own API, as plain data. The table of all operations is in `dbt-routes`.

use std::fmt;
use std::hash::{Hash, Hasher};

use http::Method;

use crate::{Effect, Role};

/// One operation of dbt Cloud.
#[derive(Debug)]
pub struct OperationRow {
    /// The spelling of the request log, unique among all operations.
    pub name: &'static str,
    /// The method.
    pub method: Method,
    /// The path as the specification spells it, `/api/v2/accounts/{account_id}/jobs/`: with its trailing slash or without. A
    /// path that is not in the specifications is sent with the caller's.
    pub template: &'static str,
    /// The weakest role that may call it.
    pub needs: Role,
    /// Whether it changes something.
    pub effect: Effect,
    /// Whether its answer contains a new dbt token.
    pub mints_token: bool,
    /// The released clients that use it; `None` if dbt Cloud's specifications have it.
    pub used_by: Option<&'static str>,
}

/// A reference to an operation of dbt Cloud, v2 or v3. Equal if the names are equal.
#[derive(Clone, Copy)]
pub struct RelayedOperation(&'static OperationRow);

impl RelayedOperation {
    /// A reference to that row.
    pub const fn new(row: &'static OperationRow) -> Self {
        Self(row)
    }

    /// The spelling of the request log.
    pub fn as_str(self) -> &'static str {
        self.0.name
    }

    /// The method.
    pub fn method(self) -> &'static Method {
        &self.0.method
    }

    /// The path as the specification spells it, see [`OperationRow::template`].
    pub fn template(self) -> &'static str {
        self.0.template
    }

    /// The weakest role that may call it.
    pub fn needs(self) -> Role {
        self.0.needs
    }

    /// Whether it changes something.
    pub fn effect(self) -> Effect {
        self.0.effect
    }

    /// The released clients that use it; `None` if dbt Cloud's specifications have it.
    pub fn used_by(self) -> Option<&'static str> {
        self.0.used_by
    }

    /// Whether its answer contains a new dbt token.
    pub fn mints_token(self) -> bool {
        self.0.mints_token
    }
}

impl PartialEq for RelayedOperation {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for RelayedOperation {}

impl Hash for RelayedOperation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for RelayedOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.as_str(), self.method(), self.template())
    }
}
