//! W3C Trace Context: the trace of a caller's request, from its headers `traceparent` and `tracestate`.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header with the ids of the trace and of the caller's span.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header with vendor-specific data of tracing systems.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// A caller's trace context, validated and kept unchanged.
///
/// The W3C's recommendation "Trace Context", <https://www.w3.org/TR/trace-context/>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    is_sampled: bool,
    parent: HeaderValue,
    state: Option<HeaderValue>,
}

impl TraceContext {
    /// The longest accepted `traceparent`, in bytes; version 00 has 55.
    const PARENT_MAX_BYTES: usize = 256;
    /// The longest accepted `tracestate`, in bytes. The recommendation requires at least 512.
    const STATE_MAX_BYTES: usize = 1024;

    /// The context in these headers; `None` if there is none or it is invalid.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let parent = only(headers, &TRACEPARENT)?;
        let (trace_id, span_id, flags) = parse(parent.to_str().ok()?)?;
        Some(Self {
            trace_id,
            span_id,
            is_sampled: flags & 1 == 1,
            parent: parent.clone(),
            state: state(headers),
        })
    }

    /// The id of the trace, never 0.
    pub fn trace_id(&self) -> u128 {
        self.trace_id
    }

    /// The id of the caller's span, never 0.
    pub fn span_id(&self) -> u64 {
        self.span_id
    }

    /// Whether the caller records the trace.
    pub fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    /// The vendor-specific data, unchanged.
    pub fn state(&self) -> Option<&str> {
        self.state.as_ref()?.to_str().ok()
    }

    /// The headers that pass the context on, unchanged.
    pub fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let parent = (TRACEPARENT, self.parent.clone());
        let state = self.state.clone().map(|state| (TRACESTATE, state));
        [Some(parent), state].into_iter().flatten()
    }
}

fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// The values of all `tracestate` headers, joined to one list.
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut whole = Vec::new();
    for value in headers.get_all(&TRACESTATE) {
        value.to_str().ok()?;
        if !whole.is_empty() {
            whole.push(b',');
        }
        whole.extend_from_slice(value.as_bytes());
        if whole.len() > TraceContext::STATE_MAX_BYTES {
            return None;
        }
    }
    (!whole.is_empty()).then(|| HeaderValue::from_bytes(&whole).ok())?
}

/// Trace id, span id and flags of a `traceparent`. Later versions may append fields after a hyphen.
fn parse(text: &str) -> Option<(u128, u64, u8)> {
    let fits = text.len() == 55 || (text.len() > 55 && text.len() <= TraceContext::PARENT_MAX_BYTES);
    let (fields, rest) = text.split_at_checked(55).filter(|_| fits)?;
    let mut fields = fields.split('-');
    let version = hex(fields.next()?, 2)?;
    let trace_id = hex(fields.next()?, 32)?;
    let span_id = u64::try_from(hex(fields.next()?, 16)?).ok()?;
    let flags = u8::try_from(hex(fields.next()?, 2)?).ok()?;
    let is_complete = match version {
        0 => rest.is_empty(),
        0xff => false,
        _ => rest.is_empty() || rest.starts_with('-'),
    };
    (is_complete && fields.next().is_none() && trace_id != 0 && span_id != 0).then_some((trace_id, span_id, flags))
}

/// Parses that many hexadecimal digits in lower case.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let valid = text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    valid.then(|| u128::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn of(pairs: &[(&'static str, &str)]) -> Option<TraceContext> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        TraceContext::of(&headers)
    }

    #[test]
    fn a_context_is_read_and_passed_on_unchanged() {
        let context = of(&[("traceparent", GOOD), ("tracestate", "a=1"), ("tracestate", "b=2")]).unwrap();
        assert_eq!(context.trace_id(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!(context.span_id(), 0x00f0_67aa_0ba9_02b7);
        assert!(context.is_sampled());
        assert_eq!(context.state(), Some("a=1,b=2"));
        let passed_on: Vec<_> = context.headers().collect();
        assert_eq!(passed_on[0], (TRACEPARENT, HeaderValue::from_static(GOOD)));
        assert_eq!(passed_on[1], (TRACESTATE, HeaderValue::from_static("a=1,b=2")));

        let unsampled = of(&[("traceparent", &GOOD.replace("-01", "-02"))]).unwrap();
        assert!(!unsampled.is_sampled());
        assert_eq!((unsampled.state(), unsampled.headers().count()), (None, 1));
    }

    #[test]
    fn later_versions_may_append_fields() {
        let later = GOOD.replacen("00-", "cc-", 1);
        assert!(of(&[("traceparent", &later)]).is_some());
        assert!(of(&[("traceparent", &format!("{later}-more"))]).is_some());
        assert!(of(&[("traceparent", &format!("{later}.what"))]).is_none());
    }

    #[test]
    fn invalid_headers_are_ignored() {
        for bad in [
            "",
            "00",
            &GOOD[..54],
            &format!("{GOOD}-"),
            &format!("{GOOD} "),
            &GOOD.to_uppercase(),
            &GOOD.replacen("00-", "ff-", 1),
            &GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &GOOD.replace("4bf9", "4bg9"),
            &GOOD.replace('-', "_"),
            &GOOD.replacen("00-4b", "00-+b", 1),
            &format!("{}-{}", GOOD.replacen("00-", "01-", 1), "x".repeat(300)),
        ] {
            assert_eq!(of(&[("traceparent", bad)]), None, "{bad:?}");
        }
        assert_eq!(of(&[("traceparent", GOOD), ("traceparent", GOOD)]), None);
        assert_eq!(of(&[("tracestate", "a=1")]), None);
        let long = "x".repeat(1025);
        let context = of(&[("traceparent", GOOD), ("tracestate", &long)]).unwrap();
        assert_eq!(context.state(), None);
    }
}
