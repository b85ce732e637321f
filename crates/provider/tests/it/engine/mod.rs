//! What every operation shares: rows, retries, gathered pages, streamed answers.

mod budget;
mod caller_gone;
mod changes;
mod gather;
mod http_retries;
mod long_lists;
mod new_runs;
mod queue_full;
mod reads;
mod sent_once;
mod shares;
mod streamed;
