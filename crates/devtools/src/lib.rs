//! The parts of the developer tools that tests use: [`structure`] reads the imports inside the crates, [`words`] counts
//! words that the repository no longer uses.

pub mod limits;
pub mod structure;
pub mod words;
