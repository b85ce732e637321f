//! The request log as callers read it.

mod export;
mod read;
