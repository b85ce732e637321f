//! `client`: who gets in, who may do what with which account, and that each refusal is on record.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod authenticate;
mod gate;
mod one_gate;
mod support;
