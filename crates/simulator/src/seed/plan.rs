//! Accounts of a given size with computable ids.

use chrono::{DateTime, TimeDelta, Utc};

use super::history;
use crate::api::{accounts, environments, jobs, projects};
use crate::timing::RunTiming;
use crate::world::{Account, JobScript, Kind, World};

/// The size of an account. Its ids are less than 10,000,000 above the id of the account, so keep accounts further apart.
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

    /// Adds a token. The same token may give access to several accounts.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.tokens.push(token.to_owned());
        self
    }

    /// The number of projects.
    #[must_use]
    pub fn projects(mut self, count: usize) -> Self {
        self.projects = count;
        self
    }

    /// The number of environments of each project.
    #[must_use]
    pub fn environments_per_project(mut self, count: usize) -> Self {
        self.environments = count;
        self
    }

    /// The number of jobs of each project, all in its first environment.
    #[must_use]
    pub fn jobs_per_project(mut self, count: usize) -> Self {
        self.jobs = count;
        self
    }

    /// The number of finished runs of each job.
    #[must_use]
    pub fn runs_per_job(mut self, count: usize) -> Self {
        self.runs = count;
        self
    }

    /// The number of runs that may execute at the same time.
    #[must_use]
    pub fn run_slots(mut self, count: usize) -> Self {
        self.run_slots = count;
        self
    }

    /// The script of every job.
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

    /// The id of a finished run, counted from 0, oldest first: the first run of every job is older than the second run
    /// of any job.
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
        world.give_token(token, plan.id, None);
    }
    world.accounts.insert(plan.id, account);
}
