//! Ten times the load that can be served: how much is still served, how fast the rest is refused.

use std::path::Path;
use std::time::Duration;

use hyper::StatusCode;

use super::stage::Stage;
use super::windows::Windows;
use crate::latencies::Latencies;
use crate::load::{Load, Pace};
use crate::options::Protocol;

pub(crate) const NAME: &str = "ten times the load";
/// With these, dbt Cloud's delay decides what can be served.
const PLACES: usize = 40;
const SETTINGS: &[(&str, &str)] = &[
    ("DBT_GATEWAY__LIMITS__MAX_CONCURRENT_REQUESTS", "50"),
    ("DBT_GATEWAY__LIMITS__MAX_CONNECTIONS_PER_ADDRESS", "0"),
];
const DELAY: Duration = Duration::from_millis(200);

/// The measured overload.
#[derive(Debug)]
pub(crate) struct Overload {
    peak: f64,
    goodput: f64,
    refused: u64,
    refusal_p99_ms: f64,
    recovered: f64,
    other: u64,
    first_failure: Option<String>,
}

pub(crate) async fn measure(program: &Path, protocol: Protocol, windows: Windows) -> anyhow::Result<Overload> {
    let stage = Stage::start(program, protocol, SETTINGS).await?;
    stage.delay(DELAY).await?;
    let closed = Load {
        connections: PLACES,
        pace: Pace::Closed,
        warm_up: Duration::from_millis(300),
        measured: windows.before,
    };
    let served = |latencies: &Latencies, window: Duration| per_second(latencies.count(), window);
    let endpoint = stage.endpoint();
    let peak = closed.run(&endpoint, closed.window()).await?;
    let peak = served(&peak.latencies, windows.before);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate of some thousands"
    )]
    let open = Load {
        connections: PLACES * 10,
        pace: Pace::Open((peak * 10.0) as u32),
        warm_up: windows.settle,
        measured: windows.during,
    };
    let overloaded = open.run(&endpoint, open.window()).await?;
    let after = Load {
        measured: windows.after,
        ..closed
    };
    let recovered = after.run(&endpoint, after.window()).await?;
    let refused = overloaded.refused.get(&StatusCode::SERVICE_UNAVAILABLE);
    let overload = Overload {
        peak,
        goodput: served(&overloaded.latencies, windows.during),
        refused: refused.map_or(0, Latencies::count),
        refusal_p99_ms: refused.map_or(0.0, |latencies| latencies.percentile_ms(99.0)),
        recovered: served(&recovered.latencies, windows.after),
        other: overloaded.failures - refused.map_or(0, Latencies::count) + recovered.failures,
        first_failure: recovered.first_failure.or(overloaded.first_failure),
    };
    stage.stop().await?;
    Ok(overload)
}

impl Overload {
    pub(crate) fn text(&self) -> String {
        format!(
            "\nTen times the load that can be served ({:.0}/s): served {:.2} of the peak (goal 0.8), {} refused with 503 \
             (p99 {:.1} ms), afterwards {:.2} of the peak.\n",
            self.peak,
            self.goodput / self.peak,
            self.refused,
            self.refusal_p99_ms,
            self.recovered / self.peak
        )
    }

    /// What must not happen, however slow the machine is.
    pub(crate) fn failure(&self) -> Option<String> {
        (self.other > 0).then(|| {
            let first = self.first_failure.as_deref().unwrap_or("-");
            format!("{NAME}: {} requests failed without a 503 ({first})", self.other)
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "requests of seconds")]
fn per_second(count: u64, window: Duration) -> f64 {
    count as f64 / window.as_secs_f64()
}
