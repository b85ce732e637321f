//! Background work: reads the state of watched runs, and cancels those whose callers left or whose time was up.

mod cancels;
mod changes;
mod logs;
mod new_runs;
mod schedule;
mod state;
mod watcher;

pub use schedule::WatchSettings;
pub(crate) use state::Watcher;
