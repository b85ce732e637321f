//! The subjects: the upstream without a proxy, nginx, and gateways with different settings. All run during the whole
//! benchmark; a subject is idle outside its turns.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::gateway::Gateway;
use crate::http::Endpoint;
use crate::nginx::Nginx;
use crate::options::RunOptions;
use crate::process::CpuSource;
use crate::progress;
use crate::scratch::free_address;
use crate::telemetry::TelemetryConsumers;
use crate::upstream::Upstream;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Subject {
    /// The upstream without a proxy.
    Direct,
    Nginx,
    /// Default settings.
    Gateway,
    /// The binary of `--baseline`, with the same settings as `Gateway`.
    Baseline,
    /// Each row opened and closed with separate commits.
    TwoCommits,
    /// Spans exported, metrics read every second.
    FullTelemetry,
    /// No spans, no metrics, no log lines.
    NoTelemetry,
}

/// The running processes.
#[derive(Debug)]
pub(crate) struct Subjects {
    pub(crate) upstream: Upstream,
    pub(crate) nginx: Option<Nginx>,
    pub(crate) gateways: BTreeMap<Subject, Gateway>,
    pub(crate) telemetry: TelemetryConsumers,
}

impl Subjects {
    /// Starts every process with its files below `folder`.
    pub(crate) async fn start(options: &RunOptions, folder: &Path) -> anyhow::Result<Self> {
        let program = options.gateway.canonicalize().context("gateway binary not found")?;
        let baseline = options.baseline.as_ref().map(|file| file.canonicalize());
        let baseline = baseline.transpose().context("baseline binary not found")?;
        let upstream = Upstream::start(options.upstream, folder).await?;
        let nginx = Nginx::start(folder, &upstream).await?;
        if nginx.is_none() {
            progress::print("nginx is not installed; its figures are omitted");
        }
        let metrics = free_address()?;
        let telemetry = TelemetryConsumers::start(metrics)?;
        let (collector, metrics) = (format!("http://{}", telemetry.collector), metrics.to_string());

        let common: Vec<(&str, &str)> = options.set.iter().map(|(name, value)| (&**name, &**value)).collect();
        let mut two_commits = common.clone();
        two_commits.extend([
            ("DBT_GATEWAY__REQUEST_LOG__GROUP_MAX_ROWS", "1"),
            ("DBT_GATEWAY__REQUEST_LOG__OPEN_READS", "true"),
        ]);
        let full_telemetry = vec![
            ("DBT_GATEWAY__TRACING__OTLP_ENDPOINT", collector.as_str()),
            // Large enough that no span is dropped.
            ("DBT_GATEWAY__TRACING__QUEUE_SPANS", "1000000"),
            ("DBT_GATEWAY__METRICS__LISTEN", metrics.as_str()),
        ];
        let no_telemetry = vec![("DBT_GATEWAY__LOG__FILTER", "off")];
        let mut wanted = vec![(Subject::Gateway, &program, common.clone())];
        wanted.extend(baseline.as_ref().map(|program| (Subject::Baseline, program, common)));
        wanted.extend([
            (Subject::TwoCommits, &program, two_commits),
            (Subject::FullTelemetry, &program, full_telemetry),
            (Subject::NoTelemetry, &program, no_telemetry),
        ]);
        let mut gateways = BTreeMap::new();
        for (subject, program, settings) in wanted {
            let folder = folder.join(format!("{subject:?}"));
            let gateway = Gateway::start(program, folder, upstream.environment(), &settings).await;
            gateways.insert(subject, gateway.with_context(|| format!("{subject:?}"))?);
        }
        Ok(Self {
            upstream,
            nginx,
            gateways,
            telemetry,
        })
    }

    /// The gateway with its defaults.
    pub(crate) fn default_gateway(&self) -> &Gateway {
        &self.gateways[&Subject::Gateway]
    }

    /// `None` if the subject does not run.
    pub(crate) fn endpoint(&self, subject: Subject) -> Option<Endpoint> {
        match subject {
            Subject::Direct => Some(self.upstream.endpoint()),
            Subject::Nginx => Some(self.nginx.as_ref()?.endpoint(&self.upstream)),
            _ => Some(self.gateways.get(&subject)?.endpoint()),
        }
    }

    /// The processes that spend CPU time in a turn of `subject`.
    pub(crate) fn cpu_sources(&self, subject: Subject) -> Vec<(&'static str, CpuSource)> {
        let own_pid = i32::try_from(std::process::id()).unwrap_or_default();
        let mut sources = vec![
            ("load", CpuSource::Process(own_pid)),
            ("upstream", CpuSource::Process(self.upstream.process.pid)),
        ];
        if subject == Subject::Nginx {
            let pid = self.nginx.as_ref().map(|nginx| nginx.process.pid);
            sources.extend(pid.map(|pid| ("nginx", CpuSource::WithChildren(pid))));
        }
        let gateway = self.gateways.get(&subject);
        sources.extend(gateway.into_iter().flat_map(Gateway::cpu_sources));
        sources
    }
}
