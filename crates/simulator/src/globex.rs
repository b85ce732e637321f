//! The second account of [`crate::Seed::Acme`]. No token gives access to both accounts.

/// The account "Globex".
pub const ACCOUNT_ID: i64 = 70_403_103_900_002;
/// A service token of the account.
pub const TOKEN: &str = "dbtc_FAKE_globex_service_token";
/// Its only project, "Logistics".
pub const PROJECT_ID: i64 = 70_403_103_950_001;
/// The production environment.
pub const ENVIRONMENT_ID: i64 = 70_403_103_950_011;
/// "Daily shipments": its runs succeed.
pub const JOB_ID: i64 = 70_403_103_950_021;
