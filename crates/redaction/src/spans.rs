//! The parts of a text that are replaced.

use std::borrow::Cow;
use std::ops::Range;

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Parts of a text, in any order; they may overlap.
#[derive(Debug, Default)]
pub(crate) struct Spans(Vec<Span>);

#[derive(Debug)]
struct Span {
    range: Range<usize>,
    /// Written before and after the replacement, so that JSON stays JSON.
    quote: String,
}

impl Spans {
    pub(crate) fn add(&mut self, range: Range<usize>) {
        self.add_quoted(range, String::new());
    }

    pub(crate) fn add_quoted(&mut self, range: Range<usize>, quote: String) {
        if !range.is_empty() {
            self.0.push(Span { range, quote });
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text with each part replaced; parts that overlap are replaced together.
    pub(crate) fn replaced_in(mut self, text: &str) -> Cow<'_, str> {
        if self.0.is_empty() {
            return Cow::Borrowed(text);
        }
        self.0.sort_by_key(|span| span.range.start);
        let mut clean = String::with_capacity(text.len());
        let mut written = 0;
        let mut spans = self.0.into_iter().peekable();
        while let Some(Span { range, quote }) = spans.next() {
            let mut end = range.end;
            while let Some(overlapping) = spans.next_if(|next| next.range.start < end) {
                end = end.max(overlapping.range.end);
            }
            clean.push_str(&text[written..range.start]);
            for part in [quote.as_str(), REDACTED, quote.as_str()] {
                clean.push_str(part);
            }
            written = end;
        }
        clean.push_str(&text[written..]);
        Cow::Owned(clean)
    }
}
