//! The user of a resource: one label for each of its levels.

use std::sync::Arc;

/// One level of an owner.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Label {
    /// A company, by its id.
    Company(i64),
    /// A key of the company, by its id.
    Key(i64),
    /// A host of dbt Cloud.
    Host(Arc<str>),
}

impl Label {
    /// The name of the level, for problems and metrics.
    pub fn level(&self) -> &'static str {
        match self {
            Self::Company(_) => "company",
            Self::Key(_) => "key",
            Self::Host(_) => "host",
        }
    }
}

/// The path from the whole resource to its user, such as company and key. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner(Arc<[Label]>);

impl Owner {
    /// A key of a company.
    pub fn key(company: i64, key: i64) -> Self {
        Self([Label::Company(company), Label::Key(key)].into())
    }

    /// A company.
    pub fn company(company: i64) -> Self {
        Self([Label::Company(company)].into())
    }

    /// A host of dbt Cloud.
    pub fn host(host: Arc<str>) -> Self {
        Self([Label::Host(host)].into())
    }

    pub(crate) fn labels(&self) -> &[Label] {
        &self.0
    }
}
