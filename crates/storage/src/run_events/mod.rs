//! The events of runs, in the order in which they were written.

mod event;
mod partitions;
mod reader;
mod writer;

pub use event::{EventFilter, EventKind, NewRunEvent, RunEvent, StreamKey};
pub(crate) use partitions::make_ahead;
pub use reader::{EventPage, ListenedStream, RunEvents, StreamPosition};
pub(crate) use writer::append;
