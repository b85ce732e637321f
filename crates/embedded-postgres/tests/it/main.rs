//! Tests with the real programs; requires an installed PostgreSQL. If they run as root, `ordinary_user` repeats some of
//! them as an ordinary user.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attach;
mod crash;
mod ordinary_user;
mod rejections;
mod start;
mod support;
#[cfg(target_os = "linux")]
mod upgrade;
