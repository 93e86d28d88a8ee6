//! The decision, for one read.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::NaiveDate;

use super::known::{Candidate, Decision, Known, KnownRecord, Traits};
use super::outcome::{By, Correlated, Correlation, Review};
use super::rules::{Key, KeyRule, Rules};
use crate::base::PersonId;

/// So many new records with one address are not compared with each other: nobody has so many rows.
const MANY: usize = 50;

/// Says for each record of a read whose it is. `known` must hold the stored records that share a source id, a key or an
/// address with a candidate, and all decided reviews of the connection.
#[must_use]
pub fn correlate(candidates: &[Candidate], known: &Known, rules: &Rules) -> Correlated {
    let mut read = Read::new(candidates, known);
    read.join_decided();
    for key in &rules.by {
        read.join_by_key(*key);
    }
    for key in &rules.suggest {
        read.suggest(*key);
    }
    for key in &rules.unique {
        read.refuse_doubles(*key);
    }
    read.finish()
}

/// A record that takes part: of the read, or known and not in the read.
#[derive(Clone, Copy)]
struct Node<'a> {
    source_id: &'a str,
    traits: &'a Traits,
    left: bool,
    /// By its source id.
    person: Option<PersonId>,
    /// Of the read; else only known.
    candidate: bool,
    /// Of the read, or there in the last one and unchanged since.
    present: bool,
    same_connection: bool,
}

/// By what people were found: by record where a human decided (the last decision counts), by group and person else.
#[derive(Default)]
struct Found {
    decided: HashMap<usize, PersonId>,
    by: HashMap<(usize, PersonId), By>,
}

struct Read<'a> {
    nodes: Vec<Node<'a>>,
    candidates: usize,
    /// Union-find over nodes.
    parent: Vec<usize>,
    /// Reviews by the nodes they hold.
    reviews: Vec<(String, BTreeSet<usize>, BTreeSet<PersonId>)>,
    /// Links that were found for nodes beside their own source id.
    links: Vec<(usize, PersonId, By)>,
    known: &'a Known,
    apart: HashSet<(&'a str, &'a str)>,
    not_person: HashSet<(&'a str, PersonId)>,
    decided_one: HashSet<(&'a str, &'a str)>,
    /// Records about which anything was decided.
    decided_ids: HashSet<&'a str>,
}

impl<'a> Read<'a> {
    fn new(candidates: &'a [Candidate], known: &'a Known) -> Self {
        let mut stored: HashMap<&str, &KnownRecord> = HashMap::new();
        for record in known.records.iter().filter(|record| record.same_connection) {
            stored.insert(&record.source_id, record);
        }
        let own: HashSet<&str> = candidates.iter().map(|one| one.source_id.as_str()).collect();
        let of_read = candidates.iter().map(|one| Node {
            source_id: &one.source_id,
            traits: &one.traits,
            left: one.left,
            person: stored
                .get(one.source_id.as_str())
                .and_then(|record| record.person),
            candidate: true,
            present: true,
            same_connection: true,
        });
        let mut others: Vec<&KnownRecord> = known
            .records
            .iter()
            .filter(|record| !(record.same_connection && own.contains(record.source_id.as_str())))
            .collect();
        others.sort_by_key(|record| (!record.same_connection, &record.source_id, record.person));
        let of_store = others.into_iter().map(|record| Node {
            source_id: &record.source_id,
            traits: &record.traits,
            left: record.left,
            person: record.person,
            candidate: false,
            present: record.present,
            same_connection: record.same_connection,
        });
        let nodes: Vec<Node<'a>> = of_read.chain(of_store).collect();
        let mut read = Self {
            parent: (0..nodes.len()).collect(),
            nodes,
            candidates: candidates.len(),
            reviews: Vec::new(),
            links: Vec::new(),
            known,
            apart: HashSet::new(),
            not_person: HashSet::new(),
            decided_one: HashSet::new(),
            decided_ids: known
                .decided
                .iter()
                .flat_map(|decided| decided.source_ids.iter().map(String::as_str))
                .collect(),
        };
        read.join_same_source_ids();
        read
    }

    fn node(&self, index: usize) -> Option<&Node<'a>> {
        self.nodes.get(index)
    }

    fn root(&self, mut index: usize) -> usize {
        while let Some(parent) = self.parent.get(index).copied() {
            if parent == index {
                break;
            }
            index = parent;
        }
        index
    }

    fn union(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        let (low, high) = (a.min(b), a.max(b));
        if let Some(parent) = self.parent.get_mut(high) {
            *parent = low;
        }
    }

    /// A source that gives an id twice speaks of one record.
    fn join_same_source_ids(&mut self) {
        let mut first: HashMap<&str, usize> = HashMap::new();
        for index in 0..self.candidates {
            let Some(source_id) = self.node(index).map(|node| node.source_id) else {
                continue;
            };
            match first.get(source_id) {
                Some(earlier) => self.union(*earlier, index),
                None => {
                    first.insert(source_id, index);
                }
            }
        }
    }

    fn join_decided(&mut self) {
        let known = self.known;
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (index, node) in self
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.same_connection)
        {
            places.entry(node.source_id).or_insert(index);
        }
        for decided in &known.decided {
            let here: Vec<usize> = decided
                .source_ids
                .iter()
                .filter_map(|source_id| places.get(source_id.as_str()).copied())
                .collect();
            let pairs = || {
                decided
                    .source_ids
                    .iter()
                    .flat_map(|a| decided.source_ids.iter().map(move |b| (a.as_str(), b.as_str())))
            };
            match decided.decision {
                Decision::Separate => {
                    self.apart.extend(pairs().filter(|(a, b)| a != b));
                    for source_id in &decided.source_ids {
                        self.not_person.extend(
                            decided
                                .candidates
                                .iter()
                                .map(|person| (source_id.as_str(), *person)),
                        );
                    }
                }
                Decision::OnePerson | Decision::Person(_) => {
                    self.decided_one.extend(pairs());
                    for pair in here.windows(2) {
                        if let [a, b] = pair {
                            self.union(*a, *b);
                        }
                    }
                    if let Decision::Person(person) = decided.decision {
                        self.links
                            .extend(here.iter().map(|index| (*index, person, By::Decision)));
                    }
                }
            }
        }
    }

    /// Nodes by the value of a key, in order.
    fn buckets(&self, key: KeyRule, keep: impl Fn(&Node<'a>) -> bool) -> Vec<Vec<usize>> {
        let mut buckets: BTreeMap<(Cow<'a, str>, Cow<'a, str>), Vec<usize>> = BTreeMap::new();
        for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| keep(node)) {
            if let Some(value) = node.traits.key(key) {
                buckets.entry(value).or_default().push(index);
            }
        }
        buckets
            .into_values()
            .filter(|bucket| bucket.len() > 1 && bucket.iter().any(|index| *index < self.candidates))
            .collect()
    }

    fn join_by_key(&mut self, key: KeyRule) {
        for bucket in self.buckets(key, |node| node.same_connection) {
            // Who was in the last read and is gone now speaks only to records that are new.
            let (there, gone): (Vec<usize>, Vec<usize>) = bucket
                .iter()
                .partition(|index| self.node(**index).is_some_and(|node| node.present));
            self.join_bucket(&there, key.key);
            let new: Vec<usize> = there
                .into_iter()
                .filter(|index| self.node(*index).is_some_and(|node| node.person.is_none()))
                .collect();
            for new in new {
                for old in &gone {
                    self.join_bucket(&[new, *old], key.key);
                }
            }
        }
    }

    /// Joins records that share an exact key, unless some of them contradict each other.
    fn join_bucket(&mut self, bucket: &[usize], key: Key) {
        if bucket.len() < 2 || !bucket.iter().any(|index| *index < self.candidates) {
            return;
        }
        if self.contradictory(bucket) {
            self.review(
                format!("the records share {key} but agree on neither name nor birth date"),
                bucket,
            );
            return;
        }
        let pairs: Vec<(usize, usize)> = self.may_join(bucket).collect();
        for (a, b) in pairs {
            self.union(a, b);
        }
        let people: BTreeSet<PersonId> = bucket
            .iter()
            .filter_map(|index| self.node(*index)?.person)
            .collect();
        if let (1, Some(person)) = (people.len(), people.first()) {
            let links: Vec<_> = bucket
                .iter()
                .filter(|index| !self.barred(**index, *person))
                .map(|index| (*index, *person, By::Key(key)))
                .collect();
            self.links.extend(links);
        }
    }

    fn contradictory(&self, bucket: &[usize]) -> bool {
        // Records that say the same need to be compared once.
        let mut said: HashSet<(&Option<String>, Option<NaiveDate>)> = HashSet::new();
        let kinds: Vec<usize> = bucket
            .iter()
            .copied()
            .filter(|index| {
                self.node(*index).is_some_and(|node| {
                    self.decided_ids.contains(node.source_id)
                        || said.insert((&node.traits.name, node.traits.birth_date))
                })
            })
            .collect();
        kinds.iter().enumerate().any(|(place, a)| {
            kinds
                .iter()
                .skip(place + 1)
                .any(|b| match (self.node(*a), self.node(*b)) {
                    (Some(a), Some(b)) => {
                        a.traits.contradicts(b.traits)
                            && !self.apart.contains(&(a.source_id, b.source_id))
                            && !self.decided_one.contains(&(a.source_id, b.source_id))
                            && !self.linked_as_decided(a, b)
                    }
                    _ => false,
                })
        })
    }

    /// One of the two was decided to be the other's person, or not to be.
    fn linked_as_decided(&self, a: &Node<'a>, b: &Node<'a>) -> bool {
        let apart = |one: &Node<'a>, other: &Node<'a>| {
            other
                .person
                .is_some_and(|person| self.not_person.contains(&(one.source_id, person)))
        };
        let one = |one: &Node<'a>, other: &Node<'a>| {
            other.person.is_some_and(|person| {
                self.known.decided.iter().any(|decided| {
                    decided.decision == Decision::Person(person)
                        && decided.source_ids.iter().any(|id| id == one.source_id)
                })
            })
        };
        apart(a, b) || apart(b, a) || one(a, b) || one(b, a)
    }

    fn barred(&self, index: usize, person: PersonId) -> bool {
        self.node(index)
            .is_some_and(|node| self.not_person.contains(&(node.source_id, person)))
    }

    /// Pairs of a bucket that nobody decided to be two, enough of them to join all that may be joined: records about which
    /// nothing was decided are a chain, the others are compared with each.
    fn may_join(&self, bucket: &[usize]) -> impl Iterator<Item = (usize, usize)> {
        let is_decided = |index: &usize| {
            self.node(*index)
                .is_some_and(|node| self.decided_ids.contains(node.source_id))
        };
        let (decided, plain): (Vec<usize>, Vec<usize>) = bucket.iter().partition(|index| is_decided(index));
        let next: Vec<usize> = plain.iter().skip(1).copied().collect();
        let all: Vec<usize> = decided.iter().chain(&plain).copied().collect();
        let compared = decided.into_iter().enumerate().flat_map(move |(place, a)| {
            let others: Vec<usize> = all.iter().skip(place + 1).copied().collect();
            others.into_iter().map(move |b| (a, b))
        });
        plain
            .into_iter()
            .zip(next)
            .chain(compared.filter(|(a, b)| self.is_free(*a, *b)))
    }

    /// Whether nobody decided that two records are two people's.
    fn is_free(&self, a: usize, b: usize) -> bool {
        let (Some(a), Some(b)) = (self.node(a), self.node(b)) else {
            return false;
        };
        let is_not = |one: &Node<'a>, other: &Node<'a>| {
            other
                .person
                .is_some_and(|person| self.not_person.contains(&(one.source_id, person)))
        };
        !self.apart.contains(&(a.source_id, b.source_id)) && !is_not(a, b) && !is_not(b, a)
    }

    fn review(&mut self, reason: impl Into<String>, nodes: &[usize]) {
        let people = nodes
            .iter()
            .filter_map(|index| self.node(*index)?.person)
            .collect();
        self.reviews
            .push((reason.into(), nodes.iter().copied().collect(), people));
    }

    /// Whom a component is known to be.
    fn people(&self) -> HashMap<usize, BTreeSet<PersonId>> {
        let mut people: HashMap<usize, BTreeSet<PersonId>> = HashMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            if let Some(person) = node.person.filter(|_| node.same_connection) {
                people.entry(self.root(index)).or_default().insert(person);
            }
        }
        for (index, person, _) in &self.links {
            people.entry(self.root(*index)).or_default().insert(*person);
        }
        people
    }

    fn suggest(&mut self, key: KeyRule) {
        let people = self.people();
        let person_of = |read: &Self, index: usize| -> Option<PersonId> {
            let own = read.node(index).and_then(|node| node.person);
            own.or_else(|| {
                people
                    .get(&read.root(index))
                    .and_then(|people| people.first().copied())
            })
        };
        for bucket in self.buckets(key, |_| true) {
            let (linked, new): (Vec<usize>, Vec<usize>) = bucket
                .iter()
                .copied()
                .partition(|index| person_of(self, *index).is_some());
            let new: Vec<usize> = new.into_iter().filter(|index| *index < self.candidates).collect();
            let others: BTreeSet<PersonId> = linked
                .iter()
                .filter_map(|index| person_of(self, *index))
                .collect();
            match (new.is_empty(), others.len()) {
                (true, _) => {}
                (false, 0) => self.suggest_among(&new),
                (false, 1) => {
                    for index in &new {
                        self.suggest_person(*index, &linked, &others, key.key);
                    }
                }
                (false, _) => self.suggest_several(&new, &others),
            }
        }
    }

    /// New records that share an address.
    fn suggest_among(&mut self, new: &[usize]) {
        let roots: BTreeSet<usize> = new.iter().map(|index| self.root(*index)).collect();
        if roots.len() < 2 {
            return;
        }
        if roots.len() > MANY {
            self.review("many new records share an address", new);
            return;
        }
        let pairs: Vec<(usize, usize)> = new
            .iter()
            .enumerate()
            .flat_map(|(place, a)| new.iter().skip(place + 1).map(move |b| (*a, *b)))
            .filter(|(a, b)| self.root(*a) != self.root(*b))
            .filter(|(a, b)| match (self.node(*a), self.node(*b)) {
                (Some(a), Some(b)) => !self.apart.contains(&(a.source_id, b.source_id)),
                _ => false,
            })
            .collect();
        let sure = pairs.iter().all(|(a, b)| match (self.node(*a), self.node(*b)) {
            (Some(a), Some(b)) => a.traits.agrees(b.traits) && !a.left && !b.left,
            _ => false,
        });
        if pairs.is_empty() {
            return;
        }
        if sure {
            for (a, b) in pairs {
                self.union(a, b);
            }
        } else {
            let unsure: BTreeSet<usize> = pairs.iter().flat_map(|(a, b)| [*a, *b]).collect();
            let unsure: Vec<usize> = unsure.into_iter().collect();
            self.review(
                "new records share an address; name and birth date do not confirm that they are one",
                &unsure,
            );
        }
    }

    /// A new record that shares an address with one person.
    fn suggest_person(&mut self, index: usize, linked: &[usize], others: &BTreeSet<PersonId>, key: Key) {
        let Some(person) = others
            .first()
            .copied()
            .filter(|person| !self.barred(index, *person))
        else {
            return;
        };
        let Some(node) = self.node(index).copied() else {
            return;
        };
        let confirmed = linked.iter().filter_map(|other| self.node(*other)).any(|other| {
            other.traits.agrees(node.traits)
                && !other.left
                && !self.apart.contains(&(node.source_id, other.source_id))
        });
        if confirmed {
            self.links.push((index, person, By::Suggestion(key)));
        } else {
            let reason =
                "the record has the address of somebody who has left or whose name and birth date differ";
            self.reviews
                .push((reason.to_owned(), BTreeSet::from([index]), others.clone()));
        }
    }

    fn suggest_several(&mut self, new: &[usize], others: &BTreeSet<PersonId>) {
        for index in new {
            let left: BTreeSet<PersonId> = others
                .iter()
                .copied()
                .filter(|person| !self.barred(*index, *person))
                .collect();
            if !left.is_empty() {
                self.reviews.push((
                    "the record has an address that several people share".to_owned(),
                    BTreeSet::from([*index]),
                    left,
                ));
            }
        }
    }

    /// Records that are there now and share a key that must be one human's, without being one human's.
    fn refuse_doubles(&mut self, key: KeyRule) {
        for bucket in self.buckets(key, |node| node.same_connection && node.present) {
            let roots: BTreeSet<usize> = bucket.iter().map(|index| self.root(*index)).collect();
            let is_open = roots.len() > 1
                && self.may_join(&bucket).any(|(a, b)| {
                    let person = |index: usize| self.node(index).and_then(|node| node.person);
                    self.root(a) != self.root(b) && !(person(a).is_some() && person(a) == person(b))
                });
            if is_open {
                self.review(
                    format!("the records share {}, which must be unique", key.key),
                    &bucket,
                );
            }
        }
    }

    fn finish(mut self) -> Correlated {
        let people = self.people();
        let by_root = self.by_root();
        // A group that is known as several people cannot be written as one.
        for (root, several) in people.iter().filter(|(_, people)| people.len() > 1) {
            let members: BTreeSet<usize> = by_root.get(root).into_iter().flatten().copied().collect();
            if members.iter().any(|index| *index < self.candidates) && !self.all_decided(&members) {
                self.reviews.push((
                    "the records belong together but are known as several people".to_owned(),
                    members,
                    several.clone(),
                ));
            }
        }
        let reviews = self.joined_reviews(&by_root);
        let mut in_review: HashMap<usize, usize> = HashMap::new();
        for (place, (nodes, _)) in reviews.iter().enumerate() {
            in_review.extend(nodes.iter().map(|index| (*index, place)));
        }
        let found = self.found();
        let mut new_people: HashMap<usize, usize> = HashMap::new();
        let mut order: Vec<(&str, usize)> = (0..self.candidates)
            .filter_map(|index| Some((self.node(index)?.source_id, index)))
            .collect();
        order.sort_unstable();
        let mut outcomes = vec![Correlation::New(0); self.candidates];
        for (_, index) in order {
            let outcome = self.outcome(index, &in_review, &people, &found, &mut new_people);
            if let Some(slot) = outcomes.get_mut(index) {
                *slot = outcome;
            }
        }
        let reviews = reviews.into_iter().map(|(_, review)| review).collect();
        Correlated {
            outcomes,
            reviews,
            new_people: new_people.len(),
        }
    }

    fn found(&self) -> Found {
        let mut found = Found::default();
        for (index, person, by) in &self.links {
            if *by == By::Decision {
                found.decided.insert(*index, *person);
            }
            let best = found.by.entry((self.root(*index), *person)).or_insert(*by);
            *best = (*best).min(*by);
        }
        found
    }

    fn all_decided(&self, members: &BTreeSet<usize>) -> bool {
        members
            .iter()
            .filter_map(|index| self.node(*index))
            .all(|node| self.decided_ids.contains(node.source_id))
    }

    fn outcome(
        &self,
        index: usize,
        in_review: &HashMap<usize, usize>,
        people: &HashMap<usize, BTreeSet<PersonId>>,
        found: &Found,
        new_people: &mut HashMap<usize, usize>,
    ) -> Correlation {
        if let Some(review) = in_review.get(&index) {
            return Correlation::Review(*review);
        }
        if let Some(person) = found.decided.get(&index) {
            return Correlation::Linked(*person, By::Decision);
        }
        if let Some(person) = self.node(index).and_then(|node| node.person) {
            return Correlation::Linked(person, By::Key(Key::SourceId));
        }
        let root = self.root(index);
        if let Some(person) = people.get(&root).and_then(|people| people.first()) {
            let by = found.by.get(&(root, *person)).copied();
            return Correlation::Linked(*person, by.unwrap_or(By::Key(Key::SourceId)));
        }
        let next = new_people.len();
        Correlation::New(*new_people.entry(root).or_insert(next))
    }

    /// The nodes of each group, by its root.
    fn by_root(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut by_root: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for index in 0..self.nodes.len() {
            by_root.entry(self.root(index)).or_default().push(index);
        }
        by_root
    }

    /// Reviews whose records belong together are one; a group is reviewed as a whole. A record that is linked already
    /// takes part in a review only when the review is about its own keys.
    fn joined_reviews(&mut self, by_root: &BTreeMap<usize, Vec<usize>>) -> Vec<(BTreeSet<usize>, Review)> {
        type Joined = (BTreeSet<usize>, BTreeSet<PersonId>, BTreeSet<String>);
        let mut joined: Vec<Option<Joined>> = Vec::new();
        // In which of them a node is.
        let mut place_of: HashMap<usize, usize> = HashMap::new();
        for (reason, nodes, people) in std::mem::take(&mut self.reviews) {
            let mut whole: BTreeSet<usize> = nodes
                .iter()
                .flat_map(|index| by_root.get(&self.root(*index)).into_iter().flatten().copied())
                .collect();
            let (mut all_people, mut reasons) = (people, BTreeSet::from([reason]));
            let touching: BTreeSet<usize> = whole
                .iter()
                .filter_map(|index| place_of.get(index).copied())
                .collect();
            for place in touching {
                if let Some((mut nodes, people, why)) = joined.get_mut(place).and_then(Option::take) {
                    whole.append(&mut nodes);
                    all_people.extend(people);
                    reasons.extend(why);
                }
            }
            place_of.extend(whole.iter().map(|index| (*index, joined.len())));
            joined.push(Some((whole, all_people, reasons)));
        }
        let mut out: Vec<(BTreeSet<usize>, Review)> = joined
            .into_iter()
            .flatten()
            .filter(|(nodes, _, _)| nodes.iter().any(|index| *index < self.candidates))
            .map(|(nodes, mut people, reasons)| {
                people.extend(nodes.iter().filter_map(|index| self.node(*index)?.person));
                let ids: BTreeSet<&str> = nodes
                    .iter()
                    .filter_map(|index| self.node(*index))
                    .filter(|node| node.candidate || (node.same_connection && node.present))
                    .map(|node| node.source_id)
                    .collect();
                let review = Review {
                    reason: reasons.into_iter().collect::<Vec<_>>().join("; "),
                    source_ids: ids.into_iter().map(str::to_owned).collect(),
                    candidates: people.into_iter().collect(),
                };
                (nodes, review)
            })
            .collect();
        out.sort_by(|(_, a), (_, b)| a.source_ids.cmp(&b.source_ids));
        out
    }
}
