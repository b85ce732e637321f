//! Accounts of a given size, whose ids can be computed.

use chrono::{DateTime, TimeDelta, Utc};

use super::{give_token, history};
use crate::api::{accounts, environments, jobs, projects};
use crate::config::RunTiming;
use crate::world::{Account, JobScript, Kind, World};

/// How large an account is. Its ids lie within 10,000,000 above the account's own, so keep accounts further apart.
#[derive(Clone, Debug)]
pub struct AccountPlan {
    id: i64,
    name: String,
    tokens: Vec<String>,
    projects: usize,
    environments: usize,
    jobs: usize,
    runs: usize,
    run_slots: usize,
    script: JobScript,
}

impl AccountPlan {
    /// One project with one environment and one job without runs; no token yet.
    pub fn new(id: i64, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            tokens: Vec::new(),
            projects: 1,
            environments: 1,
            jobs: 1,
            runs: 0,
            run_slots: 1_000,
            script: JobScript::default(),
        }
    }

    /// A token that opens it. The same token may open several accounts.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.tokens.push(token.to_owned());
        self
    }

    /// How many projects.
    #[must_use]
    pub fn projects(mut self, count: usize) -> Self {
        self.projects = count;
        self
    }

    /// How many environments each project has.
    #[must_use]
    pub fn environments_per_project(mut self, count: usize) -> Self {
        self.environments = count;
        self
    }

    /// How many jobs each project has, all in its first environment.
    #[must_use]
    pub fn jobs_per_project(mut self, count: usize) -> Self {
        self.jobs = count;
        self
    }

    /// How many finished runs each job has.
    #[must_use]
    pub fn runs_per_job(mut self, count: usize) -> Self {
        self.runs = count;
        self
    }

    /// How many runs may execute at once.
    #[must_use]
    pub fn run_slots(mut self, count: usize) -> Self {
        self.run_slots = count;
        self
    }

    /// How runs triggered from now on go, in every job.
    #[must_use]
    pub fn script(mut self, script: JobScript) -> Self {
        self.script = script;
        self
    }

    /// The account's id.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// The id of a project, counted from 0.
    pub fn project_id(&self, project: usize) -> i64 {
        self.id + 1_000_000 + offset(project)
    }

    /// The id of an environment of a project, both counted from 0.
    pub fn environment_id(&self, project: usize, environment: usize) -> i64 {
        self.id + 2_000_000 + offset(project * self.environments + environment)
    }

    /// The id of a job of a project, both counted from 0.
    pub fn job_id(&self, project: usize, job: usize) -> i64 {
        self.id + 4_000_000 + offset(project * self.jobs + job)
    }

    /// The id of a finished run, counted from 0 in the order of age, oldest first: every job has had its first run
    /// before one has its second.
    pub fn run_id(&self, run: usize) -> i64 {
        self.id + 6_000_000 + offset(run)
    }
}

fn offset(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX / 2)
}

pub(super) fn grow(world: &mut World, plan: &AccountPlan, now: DateTime<Utc>, timing: &RunTiming) {
    let born = now - TimeDelta::days(400);
    let mut doc = accounts::blank(plan.id, &plan.name, born);
    doc.insert("run_slots".to_owned(), plan.run_slots.into());
    let mut account = Account::new(doc, world.ids.clone());
    world.ids.seen(plan.id + 9_000_000);
    for project in 0..plan.projects {
        let project_id = plan.project_id(project);
        account.put(
            Kind::Projects,
            projects::blank(project_id, plan.id, &format!("Project {project:04}"), born),
        );
        for environment in 0..plan.environments {
            let id = plan.environment_id(project, environment);
            let name = if environment == 0 {
                "Production".to_owned()
            } else {
                format!("Environment {environment}")
            };
            let mut doc = environments::blank(id, plan.id, project_id, &name, born);
            if environment == 0 {
                doc.insert("deployment_type".to_owned(), "production".into());
            }
            account.put(Kind::Environments, doc);
        }
        for job in 0..plan.jobs {
            let id = plan.job_id(project, job);
            let name = format!("Job {job:04} of project {project:04}");
            let environment_id = plan.environment_id(project, 0);
            let new = jobs::NewJob {
                id,
                account_id: plan.id,
                project_id,
                environment_id,
                name: &name,
                created_at: born,
            };
            account.put(Kind::Jobs, jobs::blank(&new));
            account.scripts.insert(id, plan.script.clone());
        }
    }
    let jobs = plan.projects * plan.jobs;
    let total = jobs * plan.runs;
    for run in 0..total {
        let job = run % jobs.max(1);
        let past = history::Past {
            id: plan.run_id(run),
            job_id: plan.job_id(job / plan.jobs.max(1), job % plan.jobs.max(1)),
            created_at: now - TimeDelta::minutes(5 * offset(total - run)),
            ending: history::Ending::Success,
        };
        history::add(&mut account, &past, timing);
    }
    for token in &plan.tokens {
        give_token(world, token, plan.id, None);
    }
    world.accounts.insert(plan.id, account);
}
