//! A bounded queue that is fair between people: whoever asks ten things waits behind whoever
//! asks one, and each person's questions keep their order.

use std::collections::{BTreeMap, VecDeque};

/// Items by person, taken in turn.
#[derive(Clone, Debug)]
pub struct FairQueue<T> {
    /// What each person waits for.
    waiting: BTreeMap<String, VecDeque<T>>,
    /// Whose turn it is, each waiting person once.
    turns: VecDeque<String>,
    length: usize,
    most: usize,
}

/// The queue holds as much as it may; the item comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full<T>(pub T);

impl<T> FairQueue<T> {
    /// Holds at most `most` items.
    pub fn new(most: usize) -> Self {
        Self {
            waiting: BTreeMap::new(),
            turns: VecDeque::new(),
            length: 0,
            most,
        }
    }

    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Puts `newcomer` behind what `person` waits for already. Gives back how many items come
    /// before it if nobody else asks meanwhile.
    pub fn push(&mut self, person: &str, newcomer: T) -> Result<usize, Full<T>> {
        if self.length >= self.most {
            return Err(Full(newcomer));
        }
        Ok(self.push_again(person, newcomer))
    }

    /// As [`FairQueue::push`], for what had its place before: it is never turned away.
    pub fn push_again(&mut self, person: &str, newcomer: T) -> usize {
        let own = self.waiting.entry(person.to_owned()).or_default();
        own.push_back(newcomer);
        let round = own.len();
        if round == 1 {
            self.turns.push_back(person.to_owned());
        }
        self.length += 1;
        self.before(person, round)
    }

    /// Items that are taken before the `round`th of `person`.
    fn before(&self, person: &str, round: usize) -> usize {
        let mut passed = false;
        let others = self.turns.iter().map(|other| {
            if other == person {
                passed = true;
                return round - 1;
            }
            let waits = self.waiting.get(other).map_or(0, VecDeque::len);
            // Whoever is due later in a round has one turn less before ours.
            waits.min(if passed { round - 1 } else { round })
        });
        others.sum()
    }

    /// The next item: of the person whose turn it is.
    pub fn pop(&mut self) -> Option<T> {
        let person = self.turns.pop_front()?;
        let own = self.waiting.get_mut(&person)?;
        let next = own.pop_front();
        if own.is_empty() {
            self.waiting.remove(&person);
        } else {
            self.turns.push_back(person);
        }
        self.length -= usize::from(next.is_some());
        next
    }

    /// Takes out the items that `unwanted` names, in no particular order.
    pub fn remove(&mut self, unwanted: impl Fn(&T) -> bool) -> Vec<T> {
        let mut gone = Vec::new();
        for own in self.waiting.values_mut() {
            let (out, stay) = own.drain(..).partition::<VecDeque<_>, _>(&unwanted);
            gone.extend(out);
            *own = stay;
        }
        self.waiting.retain(|_, own| !own.is_empty());
        let waiting = &self.waiting;
        self.turns.retain(|person| waiting.contains_key(person));
        self.length -= gone.len();
        gone
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn people_take_turns_and_each_keeps_their_order() {
        let mut queue = FairQueue::new(10);
        for (person, item) in [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("b", 6)] {
            queue.push(person, item).unwrap();
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [1, 4, 5, 2, 6, 3]);
        assert!(queue.is_empty());
    }

    #[test]
    fn who_had_a_place_before_keeps_it() {
        let mut queue = FairQueue::new(1);
        for number in 0..3 {
            assert_eq!(queue.push_again("a", number), number);
        }
        assert_eq!(queue.push("b", 3), Err(Full(3)));
        assert_eq!(queue.len(), 3);
    }

    #[test]
    fn a_full_queue_gives_the_item_back() {
        let mut queue = FairQueue::new(1);
        queue.push("a", 1).unwrap();
        assert_eq!(queue.push("b", 2), Err(Full(2)));
        queue.pop();
        assert_eq!(queue.push("b", 2), Ok(0));
    }

    #[test]
    fn what_is_not_wanted_any_more_leaves_no_gap() {
        let mut queue = FairQueue::new(10);
        for (person, item) in [("a", 1), ("b", 2), ("a", 3)] {
            queue.push(person, item).unwrap();
        }
        assert_eq!(queue.remove(|item| *item == 2), [2]);
        assert_eq!(queue.len(), 2);
        assert_eq!(queue.pop(), Some(1));
        assert_eq!(queue.pop(), Some(3));
        assert_eq!(queue.pop(), None);
    }

    proptest! {
        #[test]
        fn the_place_that_is_told_is_the_place_that_is_taken(
            people in proptest::collection::vec(0_u8..5, 1..40),
        ) {
            let mut queue = FairQueue::new(100);
            let mut told = 0;
            for (number, person) in people.iter().enumerate() {
                told = queue.push(&person.to_string(), number).unwrap();
            }
            let last = people.len() - 1;
            let taken = std::iter::from_fn(|| queue.pop()).position(|item| item == last);
            prop_assert_eq!(taken, Some(told));
        }
    }
}
