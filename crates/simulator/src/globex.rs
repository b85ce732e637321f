//! The second account of [`crate::Seed::Acme`], which no token of the first one opens, and the other way round.

/// The account "Globex".
pub const ACCOUNT_ID: i64 = 70_403_103_900_002;
/// A service token of the account.
pub const TOKEN: &str = "dbtc_FAKE_globex_service_token";
/// Its only project, "Logistics".
pub const PROJECT_ID: i64 = 70_403_103_950_001;
/// The production environment.
pub const ENVIRONMENT_ID: i64 = 70_403_103_950_011;
/// "Daily shipments": succeeds.
pub const JOB_ID: i64 = 70_403_103_950_021;
