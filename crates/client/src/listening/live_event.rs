//! An event on its way to its listeners.

use std::sync::OnceLock;

use storage::RunEvent;

/// An event that all listeners of a process share, with the form in which it is sent: rendered once.
#[derive(Debug)]
pub struct LiveEvent {
    /// The event.
    pub event: RunEvent,
    rendered: OnceLock<Box<str>>,
}

impl LiveEvent {
    pub(super) fn new(event: RunEvent) -> Self {
        Self {
            event,
            rendered: OnceLock::new(),
        }
    }

    /// The form in which the event is sent, by the first caller's `render`.
    pub fn rendered(&self, render: impl FnOnce(&RunEvent) -> String) -> &str {
        self.rendered.get_or_init(|| render(&self.event).into())
    }
}
