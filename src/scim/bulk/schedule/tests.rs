//! The order against a model that knows nothing but who refers to whom.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// An operation that refers to others by their places; it fails when it is tried, or not.
#[derive(Debug, Clone)]
struct Draft {
    makes: bool,
    refers: BTreeSet<usize>,
    fails: bool,
}

fn request(drafts: &[Draft], fail_on_errors: Option<u64>) -> Request {
    let operations = drafts.iter().enumerate().map(|(at, draft)| {
        let members: Vec<Value> = draft
            .refers
            .iter()
            .map(|other| json!({ "value": format!("bulkId:{other}") }))
            .collect();
        Operation {
            method: String::new(),
            bulk_id: Some(at.to_string()),
            wish: Ok(Wish {
                method: if draft.makes { Method::Post } else { Method::Put },
                endpoint: "Groups".to_owned(),
                id: (!draft.makes).then(|| "x".to_owned()),
                version: None,
                data: json!({ "members": members }),
            }),
        }
    });
    Request {
        fail_on_errors,
        operations: operations.collect(),
    }
}

use serde_json::Value;

/// What became of each operation, in the order of doing; true is done.
fn run(drafts: &[Draft], fail_on_errors: Option<u64>) -> Vec<(usize, bool)> {
    let mut schedule = Schedule::new(request(drafts, fail_on_errors));
    let (mut log, mut made) = (Vec::new(), BTreeSet::new());
    while let Some(step) = schedule.next() {
        match step {
            Step::Do(at, wish) => {
                assert!(reference::names(&wish.data).is_empty(), "unresolved: {wish:?}");
                assert!(
                    drafts[at].refers.is_subset(&made),
                    "{at} before what it refers to"
                );
                settle(&mut schedule, drafts, &mut log, &mut made, at, !drafts[at].fails);
            }
            Step::Refuse(at, error) => {
                assert_eq!(error.status, 409);
                log.push((at, false));
            }
            Step::Together(circle) => {
                let inside: BTreeSet<usize> = circle.iter().map(|one| one.at).collect();
                let fails = circle.iter().any(|one| drafts[one.at].fails);
                for one in &circle {
                    assert!(reference::names(&one.first.data).is_empty());
                    let outside: BTreeSet<usize> =
                        drafts[one.at].refers.difference(&inside).copied().collect();
                    assert!(outside.is_subset(&made), "{} before what it refers to", one.at);
                    let whole = one.whole(&|name| Some(format!("id-{name}")));
                    assert!(reference::names(&whole.data).is_empty());
                }
                for at in inside {
                    settle(&mut schedule, drafts, &mut log, &mut made, at, !fails);
                }
            }
        }
    }
    log
}

fn settle(
    schedule: &mut Schedule,
    drafts: &[Draft],
    log: &mut Vec<(usize, bool)>,
    made: &mut BTreeSet<usize>,
    at: usize,
    good: bool,
) {
    log.push((at, good));
    if good {
        schedule.done(at, &format!("id-{at}"));
        if drafts[at].makes {
            made.insert(at);
        }
    } else {
        schedule.failed(at);
    }
}

/// All that an operation refers to, at whatever distance.
fn reach(drafts: &[Draft], at: usize) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let mut todo = vec![at];
    while let Some(next) = todo.pop() {
        for other in drafts
            .get(next)
            .map(|draft| draft.refers.clone())
            .unwrap_or_default()
        {
            if seen.insert(other) {
                todo.push(other);
            }
        }
    }
    seen
}

/// Whether an operation can be done: all that it needs is made by somebody and does not fail, and neither does what
/// forms a circle with it.
fn possible(drafts: &[Draft], at: usize) -> bool {
    let needs = reach(drafts, at);
    let good = |other: &usize| {
        drafts
            .get(*other)
            .is_some_and(|draft| draft.makes && !draft.fails)
    };
    needs.iter().all(good) && !drafts[at].fails
}

fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    let draft = (
        prop::bool::weighted(0.8),
        prop::collection::btree_set(0..12_usize, 0..3),
        prop::bool::weighted(0.1),
    );
    prop::collection::vec(
        draft.prop_map(|(makes, refers, fails)| Draft { makes, refers, fails }),
        0..10,
    )
}

proptest! {
    /// Covers: rfc 7.3, 7.4, 7.8; item 6
    #[test]
    fn rfc_7_3_all_that_can_be_done_is_done_and_nothing_else(drafts in drafts()) {
        let log = run(&drafts, None);
        let places: BTreeSet<usize> = log.iter().map(|(at, _)| *at).collect();
        prop_assert_eq!((log.len(), places.len()), (drafts.len(), drafts.len()), "each once");
        for (at, good) in log {
            prop_assert_eq!(good, possible(&drafts, at), "operation {}", at);
        }
    }

    /// Covers: rfc 7.5; item 6
    #[test]
    fn rfc_7_5_no_more_is_done_once_enough_failed(drafts in drafts(), most in 1..4_u64) {
        let (all, some) = (run(&drafts, None), run(&drafts, Some(most)));
        prop_assert_eq!(&all[..some.len()], &some[..], "the same order");
        let failed = some.iter().filter(|(_, good)| !good).count();
        let circles = drafts.len();
        prop_assert!(failed <= usize::try_from(most).unwrap() + circles);
        if some.len() < all.len() {
            prop_assert!(failed >= usize::try_from(most).unwrap());
            let before = some[..some.len() - 1].iter().filter(|(_, good)| !good).count();
            prop_assert!(before < usize::try_from(most).unwrap() || !some[some.len() - 1].1);
        }
    }

    #[test]
    fn without_references_the_order_is_that_of_the_list(count in 0..20_usize) {
        let drafts = vec![Draft { makes: true, refers: BTreeSet::new(), fails: false }; count];
        let order: Vec<usize> = run(&drafts, None).into_iter().map(|(at, _)| at).collect();
        prop_assert_eq!(order, (0..count).collect::<Vec<_>>());
    }
}

/// Covers: rfc 7.4; item 6, item 10
#[test]
fn a_long_chain_backwards_and_a_large_circle_are_no_trouble() {
    let draft = |refers: usize| Draft {
        makes: true,
        refers: [refers].into(),
        fails: false,
    };
    let mut chain: Vec<Draft> = (0..999).map(|at| draft(at + 1)).collect();
    chain.push(Draft {
        makes: true,
        refers: BTreeSet::new(),
        fails: false,
    });
    assert_eq!(run(&chain, None).first(), Some(&(999, true)));
    let circle: Vec<Draft> = (0..1000).map(|at| draft((at + 1) % 1000)).collect();
    assert_eq!(run(&circle, None).len(), 1000);
}
