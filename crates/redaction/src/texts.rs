//! Texts without their secrets.

use std::borrow::Cow;

use crate::spans::Spans;
use crate::{assignments, forms};

/// Whether a text may contain a secret: a quick check without false negatives.
pub fn is_suspicious(text: &str) -> bool {
    forms::is_suspicious(text) || assignments::is_suspicious(text) || forms::has_percent_code(text)
}

/// The text without its secrets. JSON in it stays JSON.
pub fn text(text: &str) -> Cow<'_, str> {
    if !is_suspicious(text) {
        return Cow::Borrowed(text);
    }
    let mut found = Spans::default();
    forms::find(text, &mut found);
    assignments::find(text, &mut found);
    forms::find_percent_coded(text, &mut found, |decoded| !find(decoded).is_empty());
    found.replaced_in(text)
}

/// The text without tokens and the passwords of URLs, which are recognised by their form: for a text of the gateway's own
/// that quotes a caller.
pub fn tokens(text: &str) -> Cow<'_, str> {
    let mut found = Spans::default();
    forms::find(text, &mut found);
    forms::find_percent_coded(text, &mut found, |decoded| {
        let mut found = Spans::default();
        forms::find(decoded, &mut found);
        !found.is_empty()
    });
    found.replaced_in(text)
}

/// The secrets of a text, except percent-coded ones.
fn find(text: &str) -> Spans {
    let mut found = Spans::default();
    forms::find(text, &mut found);
    assignments::find(text, &mut found);
    found
}
