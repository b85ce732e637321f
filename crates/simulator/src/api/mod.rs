//! dbt Cloud's administrative API, one file a resource. Handlers read the call, change the world, choose a shape of
//! answer; the table of all operations is put together here.

pub(crate) mod accounts;
pub(crate) mod environments;
pub(crate) mod jobs;
pub(crate) mod projects;
mod runs;
pub(crate) mod trigger;

use crate::routing::Route;

/// Every operation of the administrative API that is served.
pub(crate) fn routes() -> impl Iterator<Item = Route> {
    [
        accounts::ROUTES,
        environments::ROUTES,
        jobs::ROUTES,
        projects::ROUTES,
        runs::ROUTES,
        trigger::ROUTES,
    ]
    .into_iter()
    .flatten()
    .copied()
}
