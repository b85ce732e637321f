//! Watched runs and their events: leases with fences, and numbers without a gap, whatever replicas do at the same time.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{AccountId, CompanyId, InstanceId, RunId};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use storage::{
    Claim, EventFilter, EventKind, Interest, NewRunEvent, RunEvents, RunKey, RunWatches, Seen, StreamKey, WatchGroup,
    WatchedRun,
};

use crate::support::Db;

const LEASE: Duration = Duration::from_mins(10);

fn stream() -> StreamKey {
    StreamKey {
        company_id: CompanyId(1),
        host: "cloud.getdbt.com".to_owned(),
        account_id: AccountId(70_403_103_932_111),
    }
}

fn group() -> WatchGroup {
    WatchGroup {
        stream: stream(),
        credential: "production".to_owned(),
    }
}

fn run(id: i64) -> RunKey {
    RunKey {
        stream: stream(),
        run_id: RunId(id),
    }
}

fn watches(db: &Db, instance: i64) -> RunWatches {
    RunWatches::new(&db.database, Some(InstanceId(instance)))
}

async fn watch(of: &RunWatches, id: i64) {
    let interest = Interest {
        watched: Duration::from_hours(1),
        ..Interest::default()
    };
    of.watch(&run(id), "production", interest).await.unwrap();
}

async fn claim(of: &RunWatches) -> Claim {
    of.claim(group(), Duration::ZERO, LEASE).await.unwrap()
}

/// What a look has seen: one event, whose text names the look.
fn seen(of: &WatchedRun, text: &str, is_over: bool) -> Seen {
    Seen {
        lease: of.lease,
        status: Some(if is_over { 10 } else { 3 }),
        run: format!(r#"{{"id":{}}}"#, of.run_id),
        job_id: None,
        project_id: None,
        environment_id: None,
        steps: None,
        log_bytes: 0,
        is_over,
        run_secs: None,
        next_look: Duration::ZERO,
        events: vec![NewRunEvent {
            kind: EventKind::Status,
            run_id: of.run_id,
            project_id: None,
            job_id: None,
            environment_id: None,
            credential: "production".to_owned(),
            data: format!("\"{text}\""),
        }],
    }
}

/// Numbers and texts of all events.
async fn events(db: &Db) -> Vec<(i64, String)> {
    let events = RunEvents::new(&db.database);
    let position = events.position(&stream()).await.unwrap();
    let page = events
        .page(position.id, &EventFilter::default(), (0, i64::MAX), 10_000)
        .await
        .unwrap();
    page.events
        .into_iter()
        .map(|event| (event.seq, event.event.data))
        .collect()
}

#[tokio::test]
async fn a_watch_belongs_to_one_process_until_its_lease_lapses_and_what_the_first_then_writes_counts_for_nothing() {
    let db = Db::new().await;
    RunEvents::new(&db.database).make_partitions().await.unwrap();
    let (one, other) = (watches(&db, 1), watches(&db, 2));
    watch(&one, 7).await;
    let first = claim(&one).await;
    assert_eq!(first.runs.len(), 1);
    assert!(claim(&other).await.runs.is_empty());
    assert!(other.due_groups(10, &[]).await.unwrap().is_empty());
    db.run("UPDATE run_watch SET lease_until = clock_timestamp()").await;
    assert_eq!(other.due_groups(10, &[]).await.unwrap(), [group()]);
    assert!(other.due_groups(10, &[group()]).await.unwrap().is_empty(), "it is busy");
    let second = claim(&other).await;
    assert!(
        !one.record(&stream(), &[seen(&first.runs[0], "late", true)])
            .await
            .unwrap()
    );
    one.postpone(&[(first.runs[0].lease, Duration::from_hours(1))])
        .await
        .unwrap();
    assert!(
        other
            .record(&stream(), &[seen(&second.runs[0], "in time", true)])
            .await
            .unwrap()
    );
    assert_eq!(events(&db).await, [(1, "\"in time\"".to_owned())]);
    assert!(other.due_groups(10, &[]).await.unwrap().is_empty(), "it has ended");
    assert!(other.find(&run(7)).await.unwrap().unwrap().is_over);
}

#[tokio::test]
async fn events_of_concurrent_writers_have_numbers_in_the_order_of_their_commits() {
    let db = Db::new().await;
    RunEvents::new(&db.database).make_partitions().await.unwrap();
    let all = watches(&db, 1);
    for id in 1..=40 {
        watch(&all, id).await;
    }
    let claimed = claim(&all).await;
    let reader = async {
        let reader = RunEvents::new(&db.database);
        let mut position = reader.position(&stream()).await.unwrap();
        position.last_seq = 0;
        let mut read = Vec::new();
        while read.len() < 40 {
            for (_, event) in reader.newest(&[position], 7).await.unwrap() {
                position.last_seq = event.seq;
                read.push(event.seq);
            }
        }
        read
    };
    let writers = futures::future::join_all(claimed.runs.iter().map(|watched| {
        let all = &all;
        async move { all.record(&stream(), &[seen(watched, "x", false)]).await.unwrap() }
    }));
    let reader = tokio::time::timeout(Duration::from_secs(30), reader);
    let (read, written) = tokio::join!(reader, writers);
    assert!(written.iter().all(|written| *written));
    assert_eq!(read.unwrap(), (1..=40).collect::<Vec<i64>>());
}

#[tokio::test]
async fn partitions_of_the_events_are_made_ahead_and_dropped_when_all_of_them_are_too_old() {
    let db = Db::new().await;
    let events = RunEvents::new(&db.database);
    events.make_partitions().await.unwrap();
    events.make_partitions().await.unwrap();
    db.run("SELECT run_event_ensure_partition('2026-03-04'), run_event_ensure_partition('2026-03-05')")
        .await;
    let kept = Duration::from_hours(72);
    for expected in [Some("run_event_20260304"), Some("run_event_20260305"), None] {
        assert_eq!(events.drop_expired(kept).await.unwrap().as_deref(), expected);
    }
    events.drop_expired(Duration::from_mins(1)).await.unwrap_err();
}

/// What happens to the watches of three runs.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A process takes what is due.
    Claim(usize),
    /// A process records what it has taken; the last one ends the runs.
    Record(usize, bool),
    /// A process could not read the runs.
    Postpone(usize),
    /// A process dies: what it has taken is lost.
    Die(usize),
    /// All leases lapse.
    Lapse,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2_usize).prop_map(Step::Claim),
        4 => (0..2_usize, prop::bool::weighted(0.2)).prop_map(|(process, ends)| Step::Record(process, ends)),
        1 => (0..2_usize).prop_map(Step::Postpone),
        1 => (0..2_usize).prop_map(Step::Die),
        2 => Just(Step::Lapse),
    ]
}

/// Who holds each run, by the model: the owner, and whether its lease has lapsed.
#[derive(Default)]
struct Model {
    held: BTreeMap<i64, (usize, u64, bool)>,
    ended: Vec<i64>,
    claims: u64,
    events: Vec<String>,
}

async fn play(db: &Db, steps: &[Step]) {
    db.run("TRUNCATE run_watch, run_stream RESTART IDENTITY; DELETE FROM run_event")
        .await;
    let processes = [watches(db, 1), watches(db, 2)];
    for id in 1..=3 {
        watch(&processes[0], id).await;
    }
    let mut model = Model::default();
    // What each process believes that it holds: the number of the claim, and the watches.
    let mut taken: [Vec<(u64, WatchedRun)>; 2] = Default::default();
    for step in steps {
        match *step {
            Step::Claim(process) => {
                let claimed = claim(&processes[process]).await;
                model.claims += 1;
                let mut ids: Vec<i64> = claimed.runs.iter().map(|run| run.run_id.0).collect();
                ids.sort_unstable();
                let free = |id: &i64| !model.ended.contains(id) && model.held.get(id).is_none_or(|held| held.2);
                assert_eq!(ids, (1..=3).filter(free).collect::<Vec<i64>>(), "after {steps:?}");
                for id in ids {
                    model.held.insert(id, (process, model.claims, false));
                }
                taken[process].extend(claimed.runs.into_iter().map(|run| (model.claims, run)));
            }
            Step::Record(process, ends) => {
                let mut all = Vec::new();
                for (number, watched) in taken[process].drain(..) {
                    let id = watched.run_id.0;
                    let text = format!("{number}:{id}");
                    all.push(seen(&watched, &text, ends));
                    if model
                        .held
                        .get(&id)
                        .is_some_and(|held| (held.0, held.1) == (process, number))
                    {
                        model.held.remove(&id);
                        model.events.push(format!("\"{text}\""));
                        if ends {
                            model.ended.push(id);
                        }
                    }
                }
                processes[process].record(&stream(), &all).await.unwrap();
            }
            Step::Postpone(process) => {
                let all: Vec<_> = taken[process]
                    .iter()
                    .map(|(_, run)| (run.lease, Duration::ZERO))
                    .collect();
                processes[process].postpone(&all).await.unwrap();
                for (number, watched) in taken[process].drain(..) {
                    if model.held.get(&watched.run_id.0).is_some_and(|held| held.1 == number) {
                        model.held.remove(&watched.run_id.0);
                    }
                }
            }
            Step::Die(process) => taken[process].clear(),
            Step::Lapse => {
                db.run("UPDATE run_watch SET lease_until = clock_timestamp() WHERE ended_at IS NULL")
                    .await;
                model.held.values_mut().for_each(|held| held.2 = true);
            }
        }
    }
    let mut written: Vec<String> = Vec::new();
    for (number, (seq, text)) in events(db).await.into_iter().enumerate() {
        assert_eq!(
            seq,
            i64::try_from(number).unwrap() + 1,
            "a gap or a repeat after {steps:?}"
        );
        written.push(text);
    }
    written.sort_unstable();
    model.events.sort_unstable();
    assert_eq!(written, model.events, "after {steps:?}");
}

#[test]
fn no_event_is_lost_or_doubled_whatever_two_processes_do() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let db = runtime.block_on(async {
        let db = Db::new().await;
        RunEvents::new(&db.database).make_partitions().await.unwrap();
        db
    });
    let config = Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 1..25), |steps| {
            runtime.block_on(play(&db, &steps));
            Ok(())
        })
        .unwrap();
    runtime.block_on(async { drop(db) });
}
