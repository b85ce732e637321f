//! Faults that tests and the control endpoint switch on. `fault_effects` applies them.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// A fault: its requests, how often it applies, and its effect.
///
/// Several may apply to one request: delays add up, all changes of the answer apply, and of the others the oldest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Set when it is switched on.
    pub id: u64,
    /// Only this method (upper-case); any when `None`.
    pub method: Option<String>,
    /// The prefix of the path as sent, without the query.
    pub path_prefix: String,
    /// A text that the path also contains.
    pub path_contains: String,
    /// A text that the query contains, as sent.
    pub query_contains: String,
    /// The number of matching requests that it skips first.
    pub skip: u32,
    /// The number of requests that it applies to after that; `None` is all.
    pub times: Option<u32>,
    /// After `skip`, only one matching request of this many; 0 and 1 are all.
    pub every: u32,
    /// The matching requests since `skip`, counted by the simulator.
    #[serde(skip)]
    pub counted: u32,
    /// Real milliseconds before the work is done.
    pub delay_before_ms: u64,
    /// Real milliseconds between the work and the answer.
    pub delay_after_ms: u64,
    /// The effect.
    pub effect: Effect,
}

/// The effect of a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Effect {
    /// Only the delays.
    None,
    /// Another answer.
    Answer {
        /// HTTP status.
        status: u16,
        /// The body.
        #[serde(default)]
        body: FaultBody,
        /// Headers, without the content type.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// Whether the work is done before that answer.
        #[serde(default)]
        work_done: bool,
    },
    /// Resets the connection before the work.
    ResetBefore,
    /// Does the work, then resets the connection: the answer is lost.
    ResetAfter,
    /// Does the work, declares the whole length, sends a part and closes the connection.
    Truncate {
        /// The number of bytes sent; half of the body when `None`.
        #[serde(default)]
        keep_bytes: Option<usize>,
    },
    /// Does the work, declares the whole length, sends a part and then nothing. The connection stays open, and the other
    /// streams of an HTTP/2 connection go on.
    Stall {
        /// The number of bytes sent.
        #[serde(default)]
        keep_bytes: usize,
    },
    /// Refuses the stream with `REFUSED_STREAM`: the request is neither recorded nor worked on. HTTP/2 only.
    RefuseStream,
    /// Does the work and cuts the JSON in half, with a matching length.
    MalformedJson,
    /// On a trigger, rerun or retry: the new run is a 404 for this time.
    HideRun {
        /// Simulated seconds.
        seconds: u64,
    },
    /// Gives every run in the answer this status.
    RunStatus {
        /// The number.
        status: i64,
        /// `status_humanized`.
        humanized: String,
    },
    /// Adds unknown fields to every object of `data`.
    UnknownFields,
    /// Replaces a value in the JSON of the answer.
    Set {
        /// Its place, a JSON pointer (RFC 6901).
        pointer: String,
        /// The other value.
        value: serde_json::Value,
    },
    /// Removes a value from the JSON of the answer.
    Remove {
        /// Its place, as in `Set`.
        pointer: String,
    },
}

/// The body of a fault's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum FaultBody {
    /// dbt's envelope with the status and dbt's usual text.
    #[default]
    Envelope,
    /// dbt's envelope with this `user_message`.
    Message {
        /// The text.
        user_message: String,
    },
    /// The HTML page of a proxy.
    Html,
    /// No body.
    Empty,
    /// Incomplete JSON.
    Malformed,
    /// Another body.
    Custom {
        /// `Content-Type`.
        content_type: String,
        /// The text.
        body: String,
    },
}

impl Default for Fault {
    fn default() -> Self {
        Self {
            id: 0,
            method: None,
            path_prefix: String::new(),
            path_contains: String::new(),
            query_contains: String::new(),
            skip: 0,
            times: None,
            every: 0,
            counted: 0,
            delay_before_ms: 0,
            delay_after_ms: 0,
            effect: Effect::None,
        }
    }
}

impl Fault {
    /// A fault for every request with this method and path prefix.
    pub fn on(method: &str, path_prefix: &str) -> Self {
        Self {
            method: Some(method.to_owned()),
            path_prefix: path_prefix.to_owned(),
            ..Self::default()
        }
    }

    /// A fault for every request.
    pub fn everywhere() -> Self {
        Self::default()
    }

    /// Only paths that also contain `part`.
    #[must_use]
    pub fn containing(mut self, part: &str) -> Self {
        part.clone_into(&mut self.path_contains);
        self
    }

    /// Applies to the next `count` matching requests only.
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        self.times = Some(count);
        self
    }

    /// Applies to the next matching request only.
    #[must_use]
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Skips the first `count` matching requests.
    #[must_use]
    pub fn after(mut self, count: u32) -> Self {
        self.skip = count;
        self
    }

    /// Applies to one of `count` matching requests only.
    #[must_use]
    pub fn every(mut self, count: u32) -> Self {
        self.every = count;
        self
    }

    /// Waits this many real milliseconds before the work.
    #[must_use]
    pub fn delay_before_ms(mut self, millis: u64) -> Self {
        self.delay_before_ms = millis;
        self
    }

    /// Waits this many real milliseconds between the work and the answer.
    #[must_use]
    pub fn delay_after_ms(mut self, millis: u64) -> Self {
        self.delay_after_ms = millis;
        self
    }

    /// Sets the effect.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Answers this status in dbt's envelope, without the work.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        self.answer(status, FaultBody::Envelope)
    }

    /// Answers this status and body, without the work.
    #[must_use]
    pub fn answer(self, status: u16, body: FaultBody) -> Self {
        self.effect(Effect::Answer {
            status,
            body,
            headers: Vec::new(),
            work_done: false,
        })
    }

    /// Adds a header to the answer of [`Fault::status`] or [`Fault::answer`].
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Effect::Answer { headers, .. } = &mut self.effect {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Does the work before the answer of [`Fault::status`] or [`Fault::answer`].
    #[must_use]
    pub fn work_done(mut self) -> Self {
        if let Effect::Answer { work_done, .. } = &mut self.effect {
            *work_done = true;
        }
        self
    }

    /// Resets the connection before the work.
    #[must_use]
    pub fn reset_before(self) -> Self {
        self.effect(Effect::ResetBefore)
    }

    /// Resets the connection after the work.
    #[must_use]
    pub fn reset_after(self) -> Self {
        self.effect(Effect::ResetAfter)
    }

    /// Refuses the HTTP/2 stream.
    #[must_use]
    pub fn refuse_stream(self) -> Self {
        self.effect(Effect::RefuseStream)
    }

    /// Replaces the value at that JSON pointer of the answer.
    #[must_use]
    pub fn set(self, pointer: &str, value: impl Into<serde_json::Value>) -> Self {
        self.effect(Effect::Set {
            pointer: pointer.to_owned(),
            value: value.into(),
        })
    }

    /// Removes the value at that JSON pointer of the answer.
    #[must_use]
    pub fn remove(self, pointer: &str) -> Self {
        self.effect(Effect::Remove {
            pointer: pointer.to_owned(),
        })
    }

    fn matches(&self, method: &str, path: &str, query: &str) -> bool {
        self.method
            .as_deref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && path.starts_with(&self.path_prefix)
            && path.contains(&self.path_contains)
            && query.contains(&self.query_contains)
    }
}

/// The faults that are switched on.
#[derive(Debug, Default)]
pub(crate) struct FaultBox {
    state: Mutex<(u64, Vec<Fault>)>,
}

impl FaultBox {
    fn state(&self) -> std::sync::MutexGuard<'_, (u64, Vec<Fault>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, mut fault: Fault) -> u64 {
        let mut state = self.state();
        state.0 += 1;
        fault.id = state.0;
        state.1.push(fault);
        state.0
    }

    pub(crate) fn remove(&self, id: u64) -> bool {
        let mut state = self.state();
        let before = state.1.len();
        state.1.retain(|fault| fault.id != id);
        state.1.len() < before
    }

    pub(crate) fn clear(&self) {
        self.state().1.clear();
    }

    pub(crate) fn all(&self) -> Vec<Fault> {
        self.state().1.clone()
    }

    /// The faults that apply to this request, oldest first; counts them down and removes the used ones.
    pub(crate) fn matching(&self, method: &str, path: &str, query: &str) -> Vec<Fault> {
        self.applying(|fault| fault.effect != Effect::RefuseStream && fault.matches(method, path, query))
    }

    /// Whether a fault refuses the stream of this request, which is decided before the request is recorded.
    pub(crate) fn refuse_stream(&self, method: &str, path: &str, query: &str) -> bool {
        let refusing =
            self.applying(|fault| fault.effect == Effect::RefuseStream && fault.matches(method, path, query));
        !refusing.is_empty()
    }

    fn applying(&self, concerns: impl Fn(&Fault) -> bool) -> Vec<Fault> {
        let mut state = self.state();
        let mut matching = Vec::new();
        for fault in state.1.iter_mut().filter(|fault| concerns(fault)) {
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.counted = fault.counted.wrapping_add(1);
            if fault.every > 1 && !fault.counted.is_multiple_of(fault.every) {
                continue;
            }
            if let Some(left) = &mut fault.times {
                if *left == 0 {
                    continue;
                }
                *left -= 1;
            }
            matching.push(fault.clone());
        }
        state.1.retain(|fault| fault.times != Some(0));
        matching
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_skips_some_requests_applies_to_some_and_is_removed() {
        let faults = FaultBox::default();
        faults.add(Fault::on("GET", "/api/v2/").after(1).times(2).status(503));
        let hits: Vec<usize> = (0..4)
            .map(|_| faults.matching("GET", "/api/v2/accounts/", "").len())
            .collect();
        assert_eq!(hits, [0, 1, 1, 0]);
        assert!(faults.all().is_empty());
        faults.add(Fault::on("POST", "/api/").status(500));
        assert!(faults.matching("GET", "/api/v2/", "").is_empty());
    }

    #[test]
    fn a_fault_may_apply_to_each_third_request_only() {
        let faults = FaultBox::default();
        faults.add(Fault::everywhere().every(3).times(2).refuse_stream());
        let refused: Vec<bool> = (0..8).map(|_| faults.refuse_stream("GET", "/", "")).collect();
        assert_eq!(refused, [false, false, true, false, false, true, false, false]);
        assert!(faults.all().is_empty());
    }

    #[test]
    fn a_fault_in_json_needs_only_the_fields_that_differ() {
        let text = r#"{"method":"POST","path_prefix":"/api/v2/","times":1,"effect":{"kind":"reset_after"}}"#;
        let fault: Fault = serde_json::from_str(text).expect("reads");
        assert_eq!(fault, Fault::on("POST", "/api/v2/").once().reset_after());
        assert!(serde_json::from_str::<Fault>(r#"{"path":"/"}"#).is_err());
    }
}
