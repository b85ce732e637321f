//! The kinds of events that webhooks announce.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    Started,
    Completed,
    Errored,
}

impl EventKind {
    pub(crate) const ALL: [Self; 3] = [Self::Started, Self::Completed, Self::Errored];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Started => "job.run.started",
            Self::Completed => "job.run.completed",
            Self::Errored => "job.run.errored",
        }
    }
}
