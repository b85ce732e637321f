//! The arithmetic of a slice. The statement in `postgres.rs` is the same in SQL; a test compares the two.

use std::time::Duration;

use super::limits::BudgetLimits;

/// The classes of requests, in the order of their priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PriorityClass {
    /// Requests that change something, with the reads that belong to them.
    Changes,
    /// Reads of callers.
    Reads,
    /// The gateway's own reads.
    Background,
}

impl PriorityClass {
    /// All, in their order.
    pub const ALL: [Self; 3] = [Self::Changes, Self::Reads, Self::Background];

    /// The spelling of the API and of the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changes => "changes",
            Self::Reads => "reads",
            Self::Background => "background",
        }
    }
}

/// A number of requests for each class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PerClass {
    /// Of changes.
    pub changes: i64,
    /// Of callers' reads.
    pub reads: i64,
    /// Of background work.
    pub background: i64,
}

impl PerClass {
    /// The sum.
    pub fn sum(&self) -> i64 {
        self.changes + self.reads + self.background
    }

    /// The number of that class.
    pub fn get(&self, class: PriorityClass) -> i64 {
        match class {
            PriorityClass::Changes => self.changes,
            PriorityClass::Reads => self.reads,
            PriorityClass::Background => self.background,
        }
    }

    /// The same, to change.
    pub fn get_mut(&mut self, class: PriorityClass) -> &mut i64 {
        match class {
            PriorityClass::Changes => &mut self.changes,
            PriorityClass::Reads => &mut self.reads,
            PriorityClass::Background => &mut self.background,
        }
    }
}

/// The state of one account and API. Times in microseconds of one clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BudgetState {
    /// The theoretical arrival time: from then on the whole burst is free.
    pub tat: i64,
    /// The same for the part that is guaranteed to background work.
    pub background_tat: i64,
    /// Until then nothing is sent.
    pub cooldown_until: Option<i64>,
    /// One request at a time is sent to try.
    pub is_probing: bool,
    /// Until then one process tries.
    pub probe_until: Option<i64>,
    /// When a try succeeded.
    pub ramp_from: Option<i64>,
}

/// What one process got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slice {
    /// Requests by class.
    pub granted: PerClass,
    /// The one request tries whether dbt Cloud answers again after a cooldown.
    pub is_probe: bool,
    /// The rest of the cooldown; zero without one.
    pub cooldown: Duration,
    /// When more will be free; zero if all was granted.
    pub next_in: Duration,
}

/// What a budget holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetReading {
    /// Requests that changes could send at once.
    pub free_for_changes: i64,
    /// Requests that callers' reads could send at once.
    pub free_for_reads: i64,
    /// The rest of the cooldown.
    pub cooldown: Option<Duration>,
    /// The cooldown is over, and dbt Cloud has not answered a request since.
    pub is_probing: bool,
}

/// How long one process may try before another does.
pub(super) const PROBE_LEASE_US: i64 = 10_000_000;
/// How soon to ask again while another process tries.
pub(super) const PROBE_PAUSE_US: i64 = 250_000;
/// After a cooldown each request costs eight times as much for this long, then four times, then twice.
pub(super) const RAMP_STAGE_US: i64 = 10_000_000;

impl BudgetState {
    /// Opens or prolongs a cooldown. One that is open stays as it is, unless dbt Cloud `says` how long it is.
    pub fn cool_down(&mut self, duration: Duration, says: bool, now: i64) -> Duration {
        let until = now.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX));
        let until = match self.cooldown_until.filter(|open| *open > now) {
            Some(open) if !says => open,
            Some(open) => open.max(until),
            None => until,
        };
        self.cooldown_until = Some(until);
        self.is_probing = true;
        self.probe_until = None;
        micros(until - now)
    }

    /// One request, unless another process tries.
    fn probe(&mut self, wanted: PerClass, now: i64) -> Slice {
        let mut granted = PerClass::default();
        let first = PriorityClass::ALL.into_iter().find(|class| wanted.get(*class) > 0);
        if let Some(class) = first
            && self.probe_until.is_none_or(|until| until <= now)
        {
            *granted.get_mut(class) = 1;
            self.probe_until = Some(now + PROBE_LEASE_US);
        }
        Slice {
            granted,
            is_probe: granted.sum() > 0,
            cooldown: Duration::ZERO,
            next_in: micros(if granted == wanted { 0 } else { PROBE_PAUSE_US }),
        }
    }
}

impl BudgetLimits {
    /// The slice for a process that wants so much at that time.
    pub fn lease(&self, state: &mut BudgetState, wanted: PerClass, now: i64) -> Slice {
        if let Some(until) = state.cooldown_until.filter(|until| *until > now) {
            return Slice {
                cooldown: micros(until - now),
                next_in: micros(until - now),
                ..Slice::default()
            };
        }
        if state.is_probing {
            return state.probe(wanted, now);
        }
        let cost = self.cost(state, now);
        let mut level = self.level(state, now);
        let mut background_level = self.background_level(state, now);
        let mut granted = PerClass::default();
        let take = |level: &mut i64, floor: i64, most: i64| {
            let taken = most.min((*level - floor).max(0) / cost).max(0);
            *level -= taken * cost;
            taken
        };

        granted.changes = take(&mut level, 0, wanted.changes);
        let guaranteed = wanted.background.min(background_level / self.background_interval);
        let reserve = self.reserve * self.interval;
        granted.background = take(&mut level, reserve, guaranteed);
        background_level -= granted.background * self.background_interval;
        let floor = reserve + background_level / self.background_interval * self.interval;
        granted.reads = take(&mut level, floor, wanted.reads);
        if granted.reads == wanted.reads {
            granted.background += take(&mut level, floor, wanted.background - granted.background);
        }

        state.tat = now + self.capacity() - level;
        state.background_tat = now + self.background_capacity() - background_level;
        let mut next = i64::MAX;
        if granted.changes < wanted.changes {
            next = next.min(cost - level);
        }
        if granted.reads < wanted.reads || (granted.background < wanted.background && self.background == 0) {
            next = next.min(floor + cost - level);
        }
        if granted.background < wanted.background && self.background > 0 {
            let refill = self.background_interval - background_level.min(self.background_interval);
            next = next.min(refill.max(reserve + cost - level));
        }
        Slice {
            granted,
            next_in: if next == i64::MAX { Duration::ZERO } else { micros(next) },
            ..Slice::default()
        }
    }

    /// A try has ended. If dbt Cloud `answered`, the rate rises from an empty budget.
    pub fn end_probe(&self, state: &mut BudgetState, answered: bool, now: i64) {
        if !state.is_probing || state.cooldown_until.is_some_and(|until| until > now) {
            return;
        }
        state.probe_until = None;
        if answered {
            state.is_probing = false;
            state.ramp_from = Some(now);
            state.tat = now + self.capacity();
        }
    }

    /// What the budget holds at that time.
    pub(super) fn reading(&self, state: &BudgetState, now: i64) -> BudgetReading {
        let cooldown = state.cooldown_until.filter(|until| *until > now);
        let is_open = cooldown.is_none() && !state.is_probing;
        let (cost, level) = (self.cost(state, now), self.level(state, now));
        let kept = self.reserve + self.background_level(state, now) / self.background_interval;
        let free = |level: i64| if is_open { level.max(0) / cost } else { 0 };
        BudgetReading {
            free_for_changes: free(level),
            free_for_reads: free(level - kept * self.interval),
            cooldown: cooldown.map(|until| micros(until - now)),
            is_probing: state.is_probing && cooldown.is_none(),
        }
    }

    /// What a request costs.
    fn cost(&self, state: &BudgetState, now: i64) -> i64 {
        let times = match state.ramp_from.map(|from| (now - from) / RAMP_STAGE_US) {
            None | Some(3..) => 1,
            Some(2) => 2,
            Some(1) => 4,
            Some(_) => 8,
        };
        self.interval * times
    }

    fn level(&self, state: &BudgetState, now: i64) -> i64 {
        let capacity = self.capacity();
        // At most the capacity: the clock may have been set back.
        capacity - (state.tat - now).clamp(0, capacity)
    }

    fn background_level(&self, state: &BudgetState, now: i64) -> i64 {
        let capacity = self.background_capacity();
        capacity - (state.background_tat - now).clamp(0, capacity)
    }
}

pub(super) fn micros(us: i64) -> Duration {
    Duration::from_micros(u64::try_from(us).unwrap_or(0))
}
