//! What every operation runs in: the request scope with its row, exchanges with retries, gathered pages, streamed answers.

mod beginning;
mod call;
mod exchange;
mod fresh_connection;
mod gather;
mod lasting;
mod listing;
mod new_runs;
mod outcome;
mod provider_request;
mod pump;
mod request_scope;
mod request_shares;
mod slices;
pub(crate) mod starts;
mod streamed;
mod time_limit;
mod trace_context;
mod whole_list;

pub(crate) use beginning::{Beginning, read_beginning};
pub(crate) use call::Call;
pub use lasting::LastingRequest;
pub use listing::{Listing, StreamedPage};
pub(crate) use provider_request::{RowSubject, args};
pub use pump::StreamAborted;
pub use starts::first_answer_to;
pub use streamed::{AnswerBody, StreamedAnswer};
