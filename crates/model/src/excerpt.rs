//! The beginning of a text that an error message repeats.

/// The first 40 characters.
pub fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}
