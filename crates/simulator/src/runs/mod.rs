//! Runs: what they are, when they do what, and how dbt writes them. A run's state is computed from its planned times;
//! nothing ticks.

mod humanized;
mod plan;
mod render;
mod retry;
mod run;
mod steps;

pub(crate) use plan::replan;
pub(crate) use render::{RunAt, Shown, render_run, render_trigger};
pub(crate) use retry::{retry_refusal, steps_to_retry};
pub(crate) use run::{Phase, Run, RunOrder};
pub(crate) use steps::{Step, StepState, plan_steps, render_step};
