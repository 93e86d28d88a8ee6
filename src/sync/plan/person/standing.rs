//! Where a person stands by the records that are in.

use super::{DECIDING, Deciding};
use crate::expression::Truth;
use crate::hr::Employee;
use crate::identity::Resolved;
use crate::lifecycle::{Facts, Verdict, judge_all};
use crate::sync::plan::effect::Effect;
use crate::sync::plan::remark::Message;
use crate::sync::plan::surroundings::RecordNow;

/// Where a person stands, before anything is written.
pub(super) enum Standing<'a> {
    /// By the records that are in, with what of them decides when access begins and ends.
    Judged(Box<(Verdict, Resolved, Facts)>, &'a RecordNow),
    /// Nobody can say.
    Held,
    /// Without a record that is in: filtered or missing for long enough.
    Out(&'static str),
}

impl<'a> Deciding<'a> {
    /// Sorts the records by the filter and judges those that are in.
    pub(super) fn standing(&mut self) -> Standing<'a> {
        let mut inside: Vec<&'a RecordNow> = Vec::new();
        let mut unclear = false;
        for record in self.records {
            if self.view.cut.is_some() && record.ours {
                continue;
            }
            match self.view.live.includes(&record.employee) {
                Truth::True => inside.push(record),
                Truth::False => {
                    self.filtered.insert(record.source_id.as_str());
                }
                Truth::Undefined => unclear = true,
            }
        }
        if inside.is_empty() && unclear {
            self.messages.push(Message::error(
                "held",
                Some("filter"),
                "a field that the filter needs is empty: fill it in, or change filter.include; nothing was changed for this person",
            ));
            return Standing::Held;
        }
        if inside.is_empty() {
            return Standing::Out(if self.view.cut.is_some() {
                "the connection was cut"
            } else if self.records.is_empty() {
                "missing from complete reads for long enough"
            } else {
                "outside the filter"
            });
        }
        let unreadable = inside
            .iter()
            .flat_map(|record| &record.problems)
            .any(|problem| DECIDING.contains(&problem.field.as_str()));
        if unreadable {
            self.messages.push(Message::error(
                "held",
                None,
                "a date or status that decides cannot be read: nothing was changed for this person",
            ));
            return Standing::Held;
        }
        let employees: Vec<Employee> = inside.iter().map(|record| record.employee.clone()).collect();
        let previous: Option<Verdict> = self
            .stored
            .and_then(|stored| stored.lifecycle.clone())
            .and_then(|verdict| serde_json::from_value(verdict).ok());
        let zoned = self.view.live.zoned(&employees);
        let (verdict, leading) = judge_all(
            &zoned,
            &self.view.live.file.lifecycle,
            previous.as_ref(),
            self.view.now,
        );
        let Some(record) = inside.get(leading).or_else(|| inside.first()).copied() else {
            return Standing::Held;
        };
        let facts = self.facts(&inside, &zoned);
        let verdict = facts.end_by_hand(verdict, self.view.now);
        let resolved = Resolved {
            person: self.person,
            employees,
            leading,
        };
        Standing::Judged(Box::new((verdict, resolved, facts)), record)
    }

    /// What of the records, with the zones that count for them, decides when access begins and ends.
    fn facts(&self, inside: &[&RecordNow], zoned: &[Employee]) -> Facts {
        let ending = self
            .stored
            .and_then(|stored| stored.ending.clone())
            .and_then(|ending| serde_json::from_value(ending).ok());
        let records = inside.iter().map(|record| record.source_id.as_str()).zip(zoned);
        let before = self.view.around.facts.get(&self.person);
        Facts {
            ending,
            ..Facts::of(records, &self.view.live.file.lifecycle, before, self.view.now)
        }
    }

    /// Has facts stored, if they are others than before. Who never had any and is out needs none.
    pub(super) fn keep_facts(&self, facts: Facts, effect: &mut Effect) {
        let before = self.view.around.facts.get(&self.person);
        let is_same = before.map_or(facts.records.is_empty(), |before| *before == facts);
        effect.withheld = facts.stays_disabled && !before.is_some_and(|before| before.stays_disabled);
        effect.facts = (!is_same).then_some(facts);
    }
}
