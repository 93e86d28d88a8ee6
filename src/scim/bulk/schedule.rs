//! In which order the operations of a Bulk can be done: as listed, but for those that refer to a resource which a
//! later one makes. They wait for it, and what waits for itself is a circle.

use std::collections::HashMap;

use super::reference;
use super::request::{Method, Operation, Request, Wish};
use crate::scim::error::Error;

/// What is to be done next. Operations are named by their place in the request, from 0.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// An operation whose references are resolved; tell [`Schedule::done`] or [`Schedule::failed`].
    Do(usize, Wish),
    /// An operation that cannot be done; it counts as failed already.
    Refuse(usize, Error),
    /// Creations that refer to each other, or to themselves; tell the fate of each.
    Together(Vec<Circle>),
}

/// One creation among several that refer to each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Circle {
    /// Which operation.
    pub at: usize,
    /// What others call it.
    pub name: String,
    /// The creation without what is not there yet.
    pub first: Wish,
    whole: Wish,
}

impl Circle {
    /// The creation with all that it refers to, once `id_of` knows all of the circle.
    #[must_use]
    pub fn whole(&self, id_of: &dyn Fn(&str) -> Option<String>) -> Wish {
        let mut whole = self.whole.clone();
        reference::resolve(&mut whole.data, id_of);
        whole
    }
}

/// What became of a creation.
#[derive(Debug)]
enum Fate {
    Made(String),
    Failed,
}

/// The operations that are still to be done.
#[derive(Debug)]
pub struct Schedule {
    waiting: Vec<Waiting>,
    /// Creations by their names: where they stand, and what became of them.
    makers: HashMap<String, (usize, Option<Fate>)>,
    names: HashMap<usize, String>,
    errors_left: u64,
}

#[derive(Debug)]
struct Waiting {
    at: usize,
    wish: Result<Wish, Error>,
    /// What it refers to and is not known to be made.
    open: Vec<String>,
}

/// How an operation stands.
enum State {
    Ready,
    Waits,
    Hopeless(Error),
}

impl Schedule {
    /// All of them.
    #[must_use]
    pub fn new(request: Request) -> Self {
        let mut makers = HashMap::new();
        let mut names = HashMap::new();
        let waiting = request.operations.into_iter().enumerate().map(|(at, operation)| {
            let Operation { bulk_id, wish, .. } = operation;
            let makes = wish.as_ref().is_ok_and(|wish| wish.method == Method::Post);
            if let Some(name) = bulk_id.filter(|_| makes) {
                makers.insert(name.clone(), (at, None));
                names.insert(at, name);
            }
            let open = wish.as_ref().map_or_else(|_| Vec::new(), references);
            Waiting { at, wish, open }
        });
        Self {
            waiting: waiting.collect(),
            makers,
            names,
            errors_left: request.fail_on_errors.unwrap_or(u64::MAX),
        }
    }

    /// What is to be done next; `None` when all is done or as many failed as are allowed.
    #[expect(
        clippy::should_implement_trait,
        reason = "the fate of a step is told before the next is asked for"
    )]
    pub fn next(&mut self) -> Option<Step> {
        if self.errors_left == 0 {
            return None;
        }
        for index in 0..self.waiting.len() {
            match self.state(index) {
                State::Waits => {}
                State::Ready => {
                    let Waiting { at, wish, .. } = self.waiting.remove(index);
                    return Some(match wish {
                        Ok(wish) => Step::Do(at, self.resolved(wish)),
                        Err(error) => self.refuse(at, error),
                    });
                }
                State::Hopeless(error) => {
                    let at = self.waiting.remove(index).at;
                    return Some(self.refuse(at, error));
                }
            }
        }
        if let Some((index, error)) = self.hopeless() {
            let at = self.waiting.remove(index).at;
            return Some(self.refuse(at, error));
        }
        let circle = self.circle();
        (!circle.is_empty()).then(|| self.together(&circle))
    }

    /// Tells that an operation was done; `id` is what it made.
    pub fn done(&mut self, at: usize, id: &str) {
        self.settle(at, Fate::Made(id.to_owned()));
    }

    /// Tells that an operation failed.
    pub fn failed(&mut self, at: usize) {
        self.errors_left = self.errors_left.saturating_sub(1);
        self.settle(at, Fate::Failed);
    }

    fn settle(&mut self, at: usize, fate: Fate) {
        let name = self.names.get(&at);
        if let Some((_, known)) = name.and_then(|name| self.makers.get_mut(name)) {
            *known = Some(fate);
        }
    }

    fn refuse(&mut self, at: usize, error: Error) -> Step {
        self.failed(at);
        Step::Refuse(at, error)
    }

    fn state(&mut self, index: usize) -> State {
        let Some(waiting) = self.waiting.get_mut(index) else {
            return State::Waits;
        };
        while let Some(name) = waiting.open.last() {
            match fate(&self.makers, name) {
                Ok(true) => waiting.open.pop(),
                Ok(false) => return State::Waits,
                Err(error) => return State::Hopeless(error),
            };
        }
        State::Ready
    }

    /// The first of those that wait whose references cannot all be resolved.
    fn hopeless(&self) -> Option<(usize, Error)> {
        self.waiting.iter().enumerate().find_map(|(index, one)| {
            let mut fates = one.open.iter().map(|name| fate(&self.makers, name));
            fates.find_map(Result::err).map(|error| (index, error))
        })
    }

    fn id_of(&self, name: &str) -> Option<String> {
        match self.makers.get(name) {
            Some((_, Some(Fate::Made(id)))) => Some(id.clone()),
            _ => None,
        }
    }

    fn resolved(&self, mut wish: Wish) -> Wish {
        reference::resolve(&mut wish.data, &|name| self.id_of(name));
        if let Some(id) = wish
            .id
            .as_deref()
            .and_then(reference::of_id)
            .and_then(|name| self.id_of(name))
        {
            wish.id = Some(id);
        }
        wish
    }

    /// Creations that wait for each other and for nothing else: the first strongly connected part that Tarjan's walk
    /// closes.
    fn circle(&self) -> Vec<usize> {
        let mut walk = Walk {
            waiting: self.waiting.iter().map(|one| (one.at, one)).collect(),
            makers: &self.makers,
            reached: HashMap::new(),
            path: Vec::new(),
        };
        self.waiting
            .first()
            .and_then(|first| walk.visit(first.at).err())
            .unwrap_or_default()
    }

    fn together(&mut self, circle: &[usize]) -> Step {
        let (mut parts, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|one| circle.contains(&one.at));
        self.waiting = rest;
        parts.sort_by_key(|one| one.at);
        let makes = parts.into_iter().filter_map(|one| {
            let name = self.names.get(&one.at)?.clone();
            let whole = self.resolved(one.wish.ok()?);
            let mut first = whole.clone();
            reference::strip(&mut first.data, &|name| self.makers.contains_key(name));
            Some(Circle {
                at: one.at,
                name,
                first,
                whole,
            })
        });
        Step::Together(makes.collect())
    }
}

/// Whether what a name stands for is made already.
fn fate(makers: &HashMap<String, (usize, Option<Fate>)>, name: &str) -> Result<bool, Error> {
    let detail = match makers.get(name) {
        Some((_, Some(Fate::Made(_)))) => return Ok(true),
        Some((_, None)) => return Ok(false),
        Some((_, Some(Fate::Failed))) => "it refers to a resource whose creation failed",
        None => "it refers to a bulkId that no POST of this request has",
    };
    Err(Error::new(409, detail))
}

/// What an operation refers to.
fn references(wish: &Wish) -> Vec<String> {
    let mut names = reference::names(&wish.data);
    names.extend(wish.id.as_deref().and_then(reference::of_id).map(str::to_owned));
    names.sort_unstable();
    names.dedup();
    names
}

/// Tarjan's walk along references.
struct Walk<'a> {
    waiting: HashMap<usize, &'a Waiting>,
    makers: &'a HashMap<String, (usize, Option<Fate>)>,
    /// In which order operations were reached.
    reached: HashMap<usize, usize>,
    path: Vec<usize>,
}

impl Walk<'_> {
    /// How far back one can get from an operation, or the part that is closed. As deep as there are operations.
    fn visit(&mut self, at: usize) -> Result<usize, Vec<usize>> {
        let order = self.reached.len();
        self.reached.insert(at, order);
        let start = self.path.len();
        self.path.push(at);
        let mut back = order;
        let open = self
            .waiting
            .get(&at)
            .map(|one| one.open.as_slice())
            .unwrap_or_default();
        for name in open {
            let Some((next, None)) = self.makers.get(name) else {
                continue;
            };
            back = back.min(match self.reached.get(next) {
                Some(order) => *order,
                None => self.visit(*next)?,
            });
        }
        if back == order {
            return Err(self.path.split_off(start));
        }
        Ok(back)
    }
}

#[cfg(test)]
mod tests;
