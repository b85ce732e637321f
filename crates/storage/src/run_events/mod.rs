//! The events of runs, in the order in which they were written.

mod event;
mod followed;
mod partitions;
mod reader;
mod writer;

pub use event::{EventFilter, EventKind, NewRunEvent, RunEvent, StreamKey};
pub use followed::ListenedStream;
pub(crate) use partitions::make_ahead;
pub use reader::{EventPage, RunEvents, StreamPosition};
pub(crate) use writer::append;
