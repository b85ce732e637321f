//! One gateway with its upstream, honest callers and attackers.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinSet;

use super::attack::{Attack, Target, repeat};
use super::report::{Part, Row};
use super::windows::Windows;
use crate::gateway::Gateway;
use crate::http::Endpoint;
use crate::load::{Load, Pace};
use crate::options::Protocol;
use crate::process::peak_rss_mib;
use crate::scratch;
use crate::upstream::Upstream;

/// The connections of the honest callers, each with one request at a time.
const HONEST: usize = 16;

pub(crate) struct Stage {
    gateway: Gateway,
    upstream: Upstream,
    /// Another key of the same company.
    attacker_key: String,
    _folder: TempDir,
}

impl Stage {
    pub(crate) async fn start(program: &Path, protocol: Protocol, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let program = program.canonicalize()?;
        let folder = scratch::directory()?;
        let upstream = Upstream::start(protocol, folder.path()).await?;
        let gateway = Gateway::start(
            &program,
            folder.path().join("gateway"),
            upstream.environment(),
            &[&[("DBT_GATEWAY__LOG__FILTER", "warn")], settings].concat(),
        )
        .await?;
        let attacker_key = gateway.create_key("attacker").await?;
        Ok(Self {
            gateway,
            upstream,
            attacker_key,
            _folder: folder,
        })
    }

    /// Measures the honest callers before, during and after the attack.
    pub(crate) async fn measure(&self, attack: &'static Attack, windows: Windows) -> anyhow::Result<Row> {
        let before = self.honest(windows.before).await?;
        let calm_mib = peak_rss_mib(self.gateway.process.pid)?;
        let target = Target {
            address: self.gateway.endpoint().address,
            authorization: format!("Bearer {}", self.attacker_key),
            from: Ipv4Addr::new(127, 0, 0, 2),
        };
        // On threads of their own, so that the attack does not slow down the measurement more than it must.
        let attackers = std::thread::spawn({
            let until = windows.settle + windows.during;
            move || attack_for(attack, &target, until)
        });
        tokio::time::sleep(windows.settle).await;
        let during = self.honest(windows.during).await?;
        let _ = tokio::task::spawn_blocking(move || attackers.join()).await?;
        let after = self.honest(windows.after).await?;
        let peak_mib = peak_rss_mib(self.gateway.process.pid)?;
        let honest = before.responses + during.responses + after.responses;
        let (rows, _) = self.gateway.rows().await?;
        Ok(Row {
            name: attack.name,
            before,
            during,
            after,
            calm_mib,
            peak_mib,
            missing_rows: honest.saturating_sub(rows),
        })
    }

    /// Sets the upstream's delay.
    pub(crate) async fn delay(&self, delay: Duration) -> anyhow::Result<()> {
        self.upstream.set_delay(delay).await
    }

    /// The request of the honest callers.
    pub(crate) fn endpoint(&self) -> Endpoint {
        self.gateway.endpoint()
    }

    async fn honest(&self, measured: Duration) -> anyhow::Result<Part> {
        let load = Load {
            connections: HONEST,
            pace: Pace::Closed,
            warm_up: Duration::from_millis(300),
            measured,
        };
        let tally = load.run(&self.gateway.endpoint(), load.window()).await?;
        Ok(Part::new(&tally, measured))
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.gateway.process.stop().await?;
        self.upstream.process.stop().await
    }
}

/// Attacks from a runtime of its own, for that time.
fn attack_for(attack: &'static Attack, target: &Target, time: Duration) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    runtime.block_on(async {
        let mut attackers = JoinSet::new();
        for number in 0..attack.attackers {
            let mut target = target.clone();
            if attack.many_addresses {
                let [_, _, high, low] = u32::try_from(number + 1).unwrap_or(1).to_be_bytes();
                target.from = Ipv4Addr::new(127, 1, high, low);
            }
            attackers.spawn(repeat(attack, target, number));
        }
        tokio::time::sleep(time).await;
        attackers.shutdown().await;
    });
}
