//! Live events of runs: one reader for each process, and a channel for each account that a caller follows.

mod hub;
mod live_event;
mod reads;
mod run_events;
mod streams;
mod wait;

pub(crate) use hub::Hub;
pub use live_event::LiveEvent;
pub use run_events::{EventListener, EventsPage, Followed, NextEvents};
pub use wait::{OnEnd, WaitOptions, WaitedRun};
pub(crate) use wait::{RunWait, stream_of};
