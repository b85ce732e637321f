//! Runs: their steps, their schedule, their events. A run's state is computed from its planned times; there is no timer.

mod events;
mod retry;
mod run;
mod schedule;
mod steps;

pub(crate) use events::EventKind;
pub(crate) use retry::{retry_refusal, steps_to_retry};
pub(crate) use run::{NewRun, Phase, Run};
pub(crate) use schedule::replan;
pub(crate) use steps::{Step, StepState, plan_steps};
