//! Progress lines on standard error.

use std::io::Write as _;

pub(crate) fn print(line: &str) {
    // A closed standard error is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{line}");
}
