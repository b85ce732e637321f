//! The budget of requests to dbt Cloud: its arithmetic, the same in SQL, and replicas that take from it at the same time.

mod arithmetic;
mod postgres;

use model::{AccountId, ClientType};
use storage::{BudgetKey, PerClass};

fn key() -> BudgetKey {
    BudgetKey {
        host: "cloud.getdbt.com".to_owned(),
        account: AccountId(70_403_103_932_111),
        api: ClientType::DbtCloudAdministrative,
    }
}

fn wanted(changes: i64, reads: i64, background: i64) -> PerClass {
    PerClass {
        changes,
        reads,
        background,
    }
}
