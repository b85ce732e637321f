//! The rule for the names of companies and API keys.

use crate::error::StorageError;

/// Accepts 1 to 200 characters except NUL, which Postgres does not store.
pub(crate) fn check_display_name(name: &str) -> Result<(), StorageError> {
    if (1..=200).contains(&name.chars().count()) && !name.contains('\0') {
        Ok(())
    } else {
        Err(StorageError::InvalidName(
            "a name has 1 to 200 characters, none of them NUL",
        ))
    }
}
