//! Names of fields, variables and options whose values are secrets.

/// Parts of such names, without separators, in lower case.
const PARTS: [&str; 16] = [
    "token",
    "secret",
    "passw",
    "passphrase",
    "pwd",
    "authorization",
    "apikey",
    "privatekey",
    "accesskey",
    "accountkey",
    "sharedkey",
    "signingkey",
    "signature",
    "cookie",
    "connectionstring",
    "bearer",
];
/// Such names that are too short to be looked for within others.
const WHOLE: [&str; 4] = ["auth", "dsn", "jwt", "sas"];
/// Ends of names that tell about a secret without being one: `api_key_id`.
const HARMLESS_ENDS: [&str; 7] = ["id", "ids", "name", "names", "type", "count", "url"];

/// Whether a name says that its value is a secret: `DB_PASSWORD`, `x-api-key`, `accessToken`.
pub fn is_secret_name(name: &str) -> bool {
    let plain = plain(name);
    if HARMLESS_ENDS.iter().any(|end| plain.ends_with(end)) {
        return false;
    }
    WHOLE.contains(&plain.as_str()) || PARTS.iter().any(|part| plain.contains(part))
}

/// Whether a name is a number of things: `max_tokens`. A number under it is no secret.
pub(crate) fn is_plural(name: &str) -> bool {
    name.ends_with(['s', 'S'])
}

/// Letters and digits in lower case.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|letter| letter.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_recognised_in_every_spelling() {
        for name in [
            "token",
            "Access_Token",
            "DBT_ENV_SECRET_GIT",
            "db-password",
            "PGPASSWORD",
            "x-api-key",
            "apiKey",
            "private_key",
            "client_secret",
            "Authorization",
            "auth",
            "--password",
            "AccountKey",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "api_key_id",
            "token_name",
            "secretIds",
            "job_id",
            "cause",
            "query",
            "author",
            "credential",
            "after",
            "passes",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
