//! How much each owner uses, and the rule that grants more.

use std::collections::HashMap;

use crate::owner::Label;

/// For owners of one and of two levels: which multiple of what is free on the level above an owner may use, as a fraction.
/// Alone, a key may so use 0.9 of the capacity and its company 11/12, which leaves room for other keys. A host, which many
/// companies use, may use 0.975.
const THRESHOLDS: [&[(u128, u128)]; 2] = [&[(39, 1)], &[(11, 1), (9, 2)]];

/// The tree of owners that use something.
#[derive(Debug, Default)]
pub(crate) struct Node {
    used: u64,
    children: HashMap<Label, Node>,
}

/// Which part is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// The whole capacity.
    Capacity,
    /// The share of the owner's label with this index.
    Level(usize),
}

impl Node {
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// Grants `amount` more to the owner, or says what is used up.
    pub(crate) fn grant(&mut self, capacity: u64, owner: &[Label], amount: u64) -> Result<(), Full> {
        self.room(capacity, owner, amount)?;
        self.add(owner, amount);
        Ok(())
    }

    /// Whether the owner may have `amount` more.
    ///
    /// What is free on a level is its limit less its use, `amount` included. An owner that uses nothing is granted its
    /// first amount wherever the levels above have room.
    pub(crate) fn room(&self, capacity: u64, owner: &[Label], amount: u64) -> Result<(), Full> {
        let free = capacity
            .checked_sub(self.used.saturating_add(amount))
            .ok_or(Full::Capacity)?;
        // In thousandths, so that the fractions are exact enough.
        let mut free = u128::from(free) * 1000;
        let mut parent = Some(self);
        let thresholds = THRESHOLDS[owner.len().clamp(1, THRESHOLDS.len()) - 1];
        for (level, (label, (times, parts))) in owner.iter().zip(thresholds).enumerate() {
            let node = parent.and_then(|parent| parent.children.get(label));
            let used = node.map_or(0, Node::used);
            let limit = free.saturating_mul(*times) / parts;
            let left = limit.checked_sub(u128::from(used.saturating_add(amount)) * 1000);
            free = match (left, used) {
                (Some(left), _) => left,
                (None, 0) => 0,
                (None, _) => return Err(Full::Level(level)),
            };
            parent = node;
        }
        Ok(())
    }

    /// Adds to the owner's use, without a limit.
    pub(crate) fn add(&mut self, owner: &[Label], amount: u64) {
        self.used = self.used.saturating_add(amount);
        let mut node = self;
        for label in owner {
            if !node.children.contains_key(label) {
                node.children.insert(label.clone(), Self::default());
            }
            let Some(child) = node.children.get_mut(label) else {
                return;
            };
            child.used = child.used.saturating_add(amount);
            node = child;
        }
    }

    /// Takes `amount` from the owner's use. Owners without use are forgotten.
    pub(crate) fn subtract(&mut self, owner: &[Label], amount: u64) {
        self.used = self.used.saturating_sub(amount);
        let Some((label, rest)) = owner.split_first() else {
            return;
        };
        if let Some(child) = self.children.get_mut(label) {
            child.subtract(rest, amount);
            if child.used == 0 {
                self.children.remove(label);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: u64 = 2000;

    fn key(company: i64, key: i64) -> [Label; 2] {
        [Label::Company(company), Label::Key(key)]
    }

    /// Takes single units in turn for all owners, until none is granted another. Returns what each holds.
    fn fill(capacity: u64, owners: &[[Label; 2]]) -> Vec<u64> {
        let mut root = Node::default();
        let mut held = vec![0; owners.len()];
        loop {
            let mut granted = false;
            for (owner, held) in owners.iter().zip(&mut held) {
                if root.grant(capacity, owner, 1).is_ok() {
                    *held += 1;
                    granted = true;
                }
            }
            if !granted {
                return held;
            }
        }
    }

    /// Takes as much as is granted for the first owner, then for the next.
    fn fill_in_turn(capacity: u64, owners: &[[Label; 2]]) -> Vec<u64> {
        let mut root = Node::default();
        let mut fill = |owner: &[Label; 2]| (0..=capacity).find(|_| root.grant(capacity, owner, 1).is_err());
        owners.iter().filter_map(&mut fill).collect()
    }

    #[test]
    fn a_single_key_may_use_all_but_the_last_tenth() {
        assert_eq!(fill(100, &[key(1, 1)]), [90]);
        let [one, other] = fill_in_turn(CAPACITY, &[key(1, 1), key(1, 2)])[..] else {
            panic!("two owners")
        };
        assert_eq!((one, other), (1800, 32), "another key of the company has room");
        let [held] = fill(CAPACITY, &[key(1, 1)])[..] else {
            panic!("one owner")
        };
        assert_eq!(held, 1800);
    }

    #[test]
    fn busy_companies_converge_to_equal_parts_however_many_keys_they_use() {
        let owners = [key(1, 1), key(1, 2), key(1, 3), key(2, 4)];
        let mut root = Node::default();
        let mut held = [0; 4];
        // Each gives back one unit and asks for two, in turn.
        for index in (0..4).cycle().take(40_000) {
            root.subtract(&owners[index], held[index].min(1));
            held[index] = held[index].saturating_sub(1);
            for _ in 0..2 {
                held[index] += u64::from(root.grant(CAPACITY, &owners[index], 1).is_ok());
            }
        }
        let first: u64 = held[..3].iter().sum();
        assert!(first * 100 / held[3] <= 120, "{held:?}");
        assert!(held[0].abs_diff(held[2]) <= CAPACITY / 20, "{held:?}");
    }

    #[test]
    fn a_company_that_holds_too_much_gets_nothing_until_the_parts_are_equal() {
        let mut root = Node::default();
        while root.grant(CAPACITY, &key(1, 1), 1).is_ok() {}
        let mut newcomer = 0;
        for _ in 0..CAPACITY {
            // The first company gives back one unit and asks for it again; so does the second.
            root.subtract(&key(1, 1), 1);
            newcomer += u64::from(root.grant(CAPACITY, &key(2, 2), 1).is_ok());
            let _ = root.grant(CAPACITY, &key(1, 1), 1);
        }
        let first = root.children[&Label::Company(1)].used;
        assert!(first.abs_diff(newcomer) <= CAPACITY / 50, "{first} {newcomer}");
    }

    #[test]
    fn an_owner_without_use_is_granted_the_last_unit() {
        let mut root = Node::default();
        assert_eq!(root.grant(2, &key(1, 1), 1), Ok(()));
        assert_eq!(root.grant(2, &key(1, 1), 1), Err(Full::Level(0)));
        assert_eq!(root.grant(2, &key(1, 2), 1), Err(Full::Level(0)));
        assert_eq!(root.grant(2, &key(2, 3), 1), Ok(()));
        assert_eq!(root.grant(2, &key(3, 4), 1), Err(Full::Capacity));
    }

    #[test]
    fn an_amount_above_the_capacity_is_never_granted_and_overflow_is_no_room() {
        let mut root = Node::default();
        assert_eq!(root.grant(100, &key(1, 1), 101), Err(Full::Capacity));
        root.add(&key(1, 1), u64::MAX);
        assert_eq!(root.grant(100, &key(2, 2), u64::MAX), Err(Full::Capacity));
    }

    #[test]
    fn what_is_given_back_is_forgotten() {
        let mut root = Node::default();
        for owner in [key(1, 1), key(1, 2), key(2, 3)] {
            root.grant(100, &owner, 3).unwrap();
        }
        root.subtract(&key(1, 1), 3);
        root.subtract(&key(2, 3), 2);
        assert_eq!((root.used(), root.children.len()), (4, 2));
        root.subtract(&key(2, 3), 1);
        root.subtract(&key(1, 2), 3);
        assert_eq!((root.used(), root.children.len()), (0, 0));
    }
}
