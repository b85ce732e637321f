//! Triggers at real gateway processes: lost answers, repeats, `kill -9` in every state of an attempt. The simulator's own list
//! of runs is the truth.

mod callers;
mod cost;
mod dice;
mod gateways;
mod kills;
mod report;

use std::path::Path;
use std::time::{Duration, SystemTime};

use futures::future::try_join_all;
use tokio::time::{Instant, sleep};

use self::callers::{Seen, call};
use self::dice::Dice;
use self::gateways::GATEWAYS;
use self::kills::{Killed, State};
pub(crate) use self::report::Triggers;
use super::cluster::Cluster;
use crate::progress;

pub(crate) const NAME: &str = "triggers whose answers are lost";
/// Jobs of the simulator's seed, one for each caller, and one for the kills.
const JOBS: [&str; 6] = [
    "70403103940001",
    "70403103940002",
    "70403103940003",
    "70403103940005",
    "70403103940006",
    "70403103940007",
];
const KILLED_JOB: &str = "70403103940008";
/// Between two kills while callers call.
const PAUSE: Duration = Duration::from_millis(1500);

/// How much is done.
struct Extent {
    kills_of_a_state: usize,
    callers: Duration,
    requests: u32,
}

pub(crate) async fn measure(program: &Path, postgres: &str, is_short: bool) -> anyhow::Result<Triggers> {
    let extent = if is_short {
        Extent {
            kills_of_a_state: 1,
            callers: Duration::from_secs(6),
            requests: 30,
        }
    } else {
        Extent {
            kills_of_a_state: 10,
            callers: Duration::from_mins(3),
            requests: 300,
        }
    };
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
    let seed = u64::try_from(seed)?;
    let cluster = Cluster::start(program, postgres, gateways::plan()).await?;
    let measured = with_gateways(&cluster, &extent, seed).await;
    let log = cluster.log();
    cluster.stop().await?;
    let (states, told, kills) = measured.map_err(|error| error.context(log))?;
    progress::print("  cost of an attempt");
    let costs = cost::measure(program, extent.requests).await?;
    Ok(Triggers {
        seed,
        kills,
        seen: told,
        states,
        costs,
    })
}

async fn with_gateways(cluster: &Cluster, extent: &Extent, seed: u64) -> anyhow::Result<(Vec<Killed>, Seen, u64)> {
    let mut states = Vec::new();
    for state in State::ALL {
        progress::print(&format!("  kill -9 {}", state.name()));
        let mut killed = Killed::new(state);
        for round in 0..extent.kills_of_a_state {
            killed.run(cluster, KILLED_JOB, &format!("{state:?} {round}")).await?;
        }
        states.push(killed);
    }
    progress::print("  callers, faults and kills");
    let dice = Dice::new(seed);
    let until = Instant::now() + extent.callers;
    let callers = try_join_all(JOBS.map(async |job| {
        let mut own = Seen::new();
        call(cluster, job, &dice, until, &mut own).await?;
        anyhow::Ok(own)
    }));
    let (all, kills) = futures::try_join!(callers, kill_sometimes(cluster, &dice, until))?;
    let mut sum = Seen::new();
    for each in all {
        sum.add(each);
    }
    Ok((states, sum, kills))
}

/// Kills one gateway after the other and starts it again. Returns the number of kills.
async fn kill_sometimes(cluster: &Cluster, dice: &Dice, until: Instant) -> anyhow::Result<u64> {
    let mut kills = 0;
    while Instant::now() + PAUSE < until {
        sleep(PAUSE).await;
        let index = dice.below(GATEWAYS);
        cluster.kill(index).await?;
        kills += 1;
        sleep(Duration::from_millis(300)).await;
        cluster.start_gateway(index).await?;
    }
    Ok(kills)
}
