use std::time::Duration;

use tokio::task::JoinHandle;

use super::*;
use crate::Resource;

const ROOMS: Resource = Resource {
    name: "rooms",
    what: "rooms",
    setting: "limits.rooms",
    levels: "company, key",
    when_full: "503",
};
const LONG: Duration = Duration::from_mins(1);

/// A request that waits for an amount.
fn start(rooms: &Shares, owner: Owner, amount: u64) -> JoinHandle<Result<Share, Exhausted>> {
    let rooms = rooms.clone();
    tokio::spawn(async move { rooms.take(&owner, amount, LONG).await })
}

fn shares(capacity: u64) -> Shares {
    Shares::new(ROOMS, capacity)
}

#[tokio::test(start_paused = true)]
async fn a_dropped_share_is_granted_to_the_request_that_waits() {
    let rooms = shares(1);
    let (first, second) = (Owner::key(1, 1), Owner::key(2, 2));
    let held = rooms.try_take(&first, 1).unwrap();
    let waiting = tokio::spawn({
        let rooms = rooms.clone();
        async move { rooms.take(&second, 1, LONG).await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(held);
    let share = waiting.await.unwrap().unwrap();
    assert_eq!((share.amount(), rooms.usage().used), (1, 1));
    drop(share);
    assert_eq!(rooms.usage().used, 0);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_name_of_the_share_that_is_used_up() {
    let rooms = shares(10);
    let owner = Owner::key(1, 7);
    let _held = rooms.try_take(&owner, 9).unwrap();
    let error = rooms.take(&owner, 1, LONG).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the share of this company in the rooms is used up (limits.rooms)"
    );
    let error = rooms.take(&Owner::key(2, 8), 2, LONG).await.unwrap_err();
    assert_eq!(error.to_string(), "all rooms of this process are in use (limits.rooms)");
    assert_eq!(rooms.usage().refused, 2);
}

#[tokio::test(start_paused = true)]
async fn a_large_amount_is_not_overtaken_by_later_small_ones() {
    let rooms = shares(100);
    let held = rooms.try_take(&Owner::key(1, 1), 60).unwrap();
    let large = start(&rooms, Owner::key(2, 2), 80);
    tokio::task::yield_now().await;
    let small = start(&rooms, Owner::key(3, 3), 10);
    tokio::task::yield_now().await;
    assert!(
        !small.is_finished(),
        "there is room for it, but the large one was first"
    );
    drop(held);
    let (large, small) = (large.await.unwrap().unwrap(), small.await.unwrap().unwrap());
    assert_eq!((large.amount(), small.amount()), (80, 10));
}

#[tokio::test(start_paused = true)]
async fn a_request_above_its_own_share_does_not_hold_up_others() {
    let rooms = shares(10);
    let busy = Owner::key(1, 1);
    let _held = rooms.try_take(&busy, 9).unwrap();
    let waiting = tokio::spawn({
        let (rooms, busy) = (rooms.clone(), busy.clone());
        async move { rooms.take(&busy, 1, LONG).await }
    });
    tokio::task::yield_now().await;
    let other = rooms.take(&Owner::key(2, 2), 1, LONG).await.unwrap();
    assert_eq!(other.amount(), 1);
    assert!(!waiting.is_finished());
    waiting.abort();
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_wait_frees_those_behind_it_and_keeps_nothing() {
    let rooms = shares(100);
    let _held = rooms.try_take(&Owner::key(1, 1), 60).unwrap();
    let large = start(&rooms, Owner::key(2, 2), 80);
    tokio::task::yield_now().await;
    let small = start(&rooms, Owner::key(3, 3), 10);
    tokio::task::yield_now().await;
    large.abort();
    assert!(large.await.unwrap_err().is_cancelled());
    assert_eq!(small.await.unwrap().unwrap().amount(), 10);
    assert_eq!(rooms.usage().used, 60);
}

#[tokio::test(start_paused = true)]
async fn requests_of_several_owners_are_granted_in_the_order_of_their_arrival() {
    let rooms = shares(10);
    let held = rooms.take_beyond(&Owner::key(9, 9), 10);
    let granted = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut waiting = Vec::new();
    for (index, key) in [1, 2, 1, 3, 2, 1].into_iter().enumerate() {
        let (rooms, granted) = (rooms.clone(), granted.clone());
        waiting.push(tokio::spawn(async move {
            let _share = rooms.take(&Owner::key(key, key), 9, LONG).await.unwrap();
            granted.lock().unwrap().push(index);
        }));
        tokio::task::yield_now().await;
    }
    waiting.remove(2).abort();
    drop(held);
    for request in waiting {
        request.await.unwrap();
    }
    assert_eq!(*granted.lock().unwrap(), [0, 1, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_share_grows_within_the_limits_or_beyond_them_and_gives_a_part_back() {
    let rooms = shares(100);
    let owner = Owner::company(1);
    let mut share = rooms.try_take(&owner, 50).unwrap();
    share.try_grow(40).unwrap();
    assert_eq!(share.try_grow(10).unwrap_err().whose, "company");
    share.absorb(rooms.take_beyond(&owner, 1000));
    assert_eq!(rooms.usage().used, 1090);
    assert_eq!(
        rooms.try_take(&Owner::company(2), 1).unwrap_err().whose,
        "process",
        "what is held beyond the capacity counts"
    );
    drop(share.split(1060));
    assert_eq!((share.amount(), rooms.usage().used), (30, 30));
}

#[tokio::test]
async fn many_tasks_take_and_give_back_and_nothing_is_lost() {
    let rooms = shares(20);
    let tasks: Vec<_> = (0..200)
        .map(|index| {
            let rooms = rooms.clone();
            tokio::spawn(async move {
                let owner = Owner::key(index % 5, index);
                for amount in 1..=4 {
                    let share = rooms.take(&owner, amount, LONG).await.unwrap();
                    assert!(rooms.usage().used <= 20);
                    tokio::task::yield_now().await;
                    drop(share);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(rooms.usage().used, 0);
}
