//! What a scenario has shown.

/// What a scenario has shown.
#[derive(Debug, Default)]
pub(in crate::chaos) struct Shown {
    /// The figures, as Markdown.
    pub(in crate::chaos) text: String,
    /// What must not happen, however slow the machine is.
    pub(in crate::chaos) problems: Vec<String>,
}
