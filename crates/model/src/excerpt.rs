//! The beginning of an invalid text, for error messages.

/// The first 40 characters.
pub fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}
