//! What of the desired state may be written over what the app holds: the policies per field.
//!
//! | policy | new account | app has none | app has another value | ours is empty |
//! | --- | --- | --- | --- | --- |
//! | `overwrite` | sent | sent | sent | see `clear_when_empty` |
//! | `fill` | sent | sent | kept | kept |
//! | `hold` | sent | sent | asked, or decided by a rule | as `overwrite`, but asked |
//! | `ignore` | never sent | kept | kept | kept |
//!
//! userName and e-mails that move together are one decision: who holds back a new address holds back the login that
//! follows it, unless the login has a line of its own that says otherwise.

use serde_json::{Map, Value, json};

use super::approval::{HeldChange, folded, texts};
use super::desired::{CompiledLine, HeldValue, Rules};
use super::settings::Policy;
use super::target::Target;
use crate::guard;
use crate::scim::Object;

/// The desired state after the policies.
#[derive(Debug, Clone, PartialEq)]
pub struct Allowed {
    /// What the app may be brought to hold.
    pub object: Object,
    /// Attributes that are sent even where the app is known to hold them: paths of `unverify`.
    pub again: Vec<String>,
    /// Values that wait for a human.
    pub held: Vec<HeldValue>,
    /// Values that a rule approved, each with the rule's name.
    pub ruled: Vec<(HeldValue, String)>,
    /// Fields whose value takes another one's place and is thereby unverified.
    pub unverified: Vec<String>,
}

/// How one field is treated, for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FieldPolicy {
    /// The attribute; `*` stands for all that have no line.
    pub field: String,
    /// The expression; none: the user's own attribute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// `overwrite`, `fill`, `hold` or `ignore`.
    pub policy: String,
    /// What an empty value of ours does: `keeps`, `clears`, or `as the user` (the connection's line decided).
    pub when_empty: String,
    /// The attribute that says that the value is verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unverify: Option<String>,
}

/// A value of a login that would change.
struct Moving {
    key: String,
    target: Target,
    old: Value,
    new: Option<Value>,
}

impl Rules {
    /// How each field is treated; the last line stands for all that have none.
    #[must_use]
    pub fn policies(&self) -> Vec<FieldPolicy> {
        let mut lines: Vec<FieldPolicy> = self
            .lines
            .iter()
            .map(|line| FieldPolicy {
                field: line.key.clone(),
                from: line.from.as_ref().map(|from| from.text().to_owned()),
                policy: line.policy().word().to_owned(),
                when_empty: match (line.clear_when_empty, &line.from) {
                    _ if matches!(line.policy(), Policy::Fill | Policy::Ignore) => "keeps",
                    (Some(true), _) => "clears",
                    (Some(false), _) | (None, Some(_)) => "keeps",
                    (None, None) => "as the user",
                }
                .to_owned(),
                unverify: line.unverify.as_ref().map(|(path, _)| path.clone()),
            })
            .collect();
        lines.push(FieldPolicy {
            field: "*".to_owned(),
            from: None,
            policy: Policy::Overwrite.word().to_owned(),
            when_empty: "as the user".to_owned(),
            unverify: None,
        });
        lines
    }

    /// Applies the policies: what of `wanted` may be written over `known`, and what waits for a human.
    /// `decided` says what a human said about a value.
    pub fn settle(
        &self,
        wanted: Object,
        known: Option<&Object>,
        decided: impl Fn(&HeldValue) -> Option<guard::Decision>,
    ) -> Allowed {
        let mut out = Allowed {
            object: wanted,
            again: Vec::new(),
            held: Vec::new(),
            ruled: Vec::new(),
            unverified: Vec::new(),
        };
        let mut logins = Vec::new();
        for line in &self.lines {
            let old = known.and_then(|known| line.target.get(known)).cloned();
            let new = line.target.get(&out.object).cloned();
            let keeps = match (line.policy(), &old, &new) {
                (Policy::Ignore, ..) => true,
                (_, None, _) => false,
                (Policy::Fill, Some(_), _) => true,
                (_, Some(_), None) => !line.clears(),
                _ => false,
            };
            if keeps {
                line.target.set(&mut out.object, old);
                continue;
            }
            let Some(old) = old.filter(|old| Some(old) != new.as_ref()) else {
                continue;
            };
            if line.policy() != Policy::Hold {
                continue;
            }
            let moving = Moving {
                key: line.key.clone(),
                target: line.target.clone(),
                old,
                new,
            };
            if !line.target.is_login() {
                ask(&mut out, vec![moving], self, &decided);
            } else if is_same_login(&moving) {
                line.target.set(&mut out.object, Some(moving.old));
            } else {
                logins.push(moving);
            }
        }
        if !logins.is_empty() {
            logins.extend(self.following(&logins, known, &out.object));
            logins.sort_by_key(|moving| moving.key == "userName");
            ask(&mut out, logins, self, &decided);
        }
        self.unverify(known, &mut out);
        out
    }

    /// The login that follows a held address, or the address that follows a held login.
    fn following(&self, held: &[Moving], known: Option<&Object>, wanted: &Object) -> Option<Moving> {
        let is_name = |moving: &Moving| moving.target.attribute() == "userName";
        let other = if held.iter().any(|moving| !is_name(moving)) {
            "userName"
        } else {
            "emails"
        };
        if held.iter().any(|moving| moving.target.attribute() == other)
            || self
                .lines
                .iter()
                .any(|line| line.target.attribute() == other && line.policy.is_some())
        {
            return None;
        }
        let target = Target::parse(other)?;
        let (old, new) = (target.get(known?)?.clone(), target.get(wanted).cloned());
        let shares = |one: &Value, side: fn(&Moving) -> Option<&Value>| {
            let own = texts(Some(one));
            held.iter().any(|moving| {
                texts(side(moving))
                    .iter()
                    .any(|text| own.iter().any(|own| folded(own) == folded(text)))
            })
        };
        let moves = shares(&old, |moving| Some(&moving.old))
            && new
                .as_ref()
                .is_some_and(|new| shares(new, |moving| moving.new.as_ref()));
        (moves && Some(&old) != new.as_ref()).then(|| Moving {
            key: other.to_owned(),
            target,
            old,
            new,
        })
    }

    /// A value that takes another one's place is not verified: its flag goes out as false. What the app says in the flag
    /// is its own at any other time.
    fn unverify(&self, known: Option<&Object>, out: &mut Allowed) {
        for line in &self.lines {
            let Some((path, flag)) = &line.unverify else {
                continue;
            };
            let old = known.and_then(|known| line.target.get(known));
            let new = line.target.get(&out.object);
            let is_replaced = old.is_some() && new.is_some() && old != new;
            let said = known.and_then(|known| flag.get(known)).cloned();
            if is_replaced {
                flag.set(&mut out.object, Some(json!(false)));
                out.again.push(path.clone());
                out.unverified.push(line.key.clone());
            } else {
                flag.set(&mut out.object, said);
            }
        }
    }

    /// The user with the values that a connection holds back, as far as this app takes them at once: it says
    /// `overwrite` outright about one of them. `waiting` are the two sides of a connection's hold, by path.
    #[must_use]
    pub fn overrule(&self, object: &Object, old: &Value, new: &Value) -> Option<Object> {
        let (old, new) = (old.as_object()?, new.as_object()?);
        let paths: Vec<&String> = old
            .keys()
            .chain(new.keys().filter(|path| !old.contains_key(*path)))
            .collect();
        let line = |path: &str| {
            let target = Target::parse(path)?;
            self.lines
                .iter()
                .find(|line| line.target.attribute() == target.attribute())
        };
        let takes = paths
            .iter()
            .any(|path| line(path).is_some_and(|line| line.policy == Some(Policy::Overwrite)));
        if !takes {
            return None;
        }
        let mut object = object.clone();
        for path in paths {
            if line(path).is_none_or(|line| line.policy() == Policy::Overwrite)
                && let Some(target) = Target::parse(path)
            {
                target.set(&mut object, new.get(path).cloned());
            }
        }
        Some(object)
    }

    /// Whether any line takes at once what a connection holds back.
    #[must_use]
    pub fn overrules(&self) -> bool {
        self.lines
            .iter()
            .any(|line| line.policy == Some(Policy::Overwrite))
    }
}

impl CompiledLine {
    pub(super) fn policy(&self) -> Policy {
        self.policy.unwrap_or_default()
    }

    /// Whether an empty value of ours empties the app's.
    fn clears(&self) -> bool {
        self.clear_when_empty.unwrap_or(self.from.is_none())
    }
}

/// Only upper and lower case differ, or the order, or what stands beside the addresses.
fn is_same_login(moving: &Moving) -> bool {
    let side = |value: Option<&Value>| {
        let mut texts: Vec<String> = texts(value).iter().map(|text| folded(text)).collect();
        texts.sort_unstable();
        texts
    };
    side(Some(&moving.old)) == side(moving.new.as_ref())
}

fn ask(
    out: &mut Allowed,
    moving: Vec<Moving>,
    rules: &Rules,
    decided: &impl Fn(&HeldValue) -> Option<guard::Decision>,
) {
    let value = held_value(&moving);
    let keeps = match decided(&value) {
        Some(guard::Decision::Approve) => false,
        Some(guard::Decision::Reject) => true,
        None => match rules.approvals.covers(HeldChange {
            field: &value.field,
            old: value.old.as_ref(),
            new: value.new.as_ref(),
            by_path: moving.len() > 1,
        }) {
            Some(rule) => {
                let rule = rule.to_owned();
                out.ruled.push((value, rule));
                false
            }
            None => {
                out.held.push(value);
                true
            }
        },
    };
    if keeps {
        for one in moving {
            one.target.set(&mut out.object, Some(one.old));
        }
    }
}

fn held_value(moving: &[Moving]) -> HeldValue {
    if let [one] = moving {
        return HeldValue {
            field: one.key.clone(),
            old: Some(one.old.clone()),
            new: one.new.clone(),
        };
    }
    let keys: Vec<&str> = moving.iter().map(|one| one.key.as_str()).collect();
    let old: Map<String, Value> = moving
        .iter()
        .map(|one| (one.key.clone(), one.old.clone()))
        .collect();
    let new: Map<String, Value> = moving
        .iter()
        .filter_map(|one| Some((one.key.clone(), one.new.clone()?)))
        .collect();
    HeldValue {
        field: keys.join("+"),
        old: Some(Value::Object(old)),
        new: Some(Value::Object(new)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::Settings;
    use crate::scim::Registry;

    fn rules(more: &str) -> Rules {
        let text = format!("name = \"a\"\nbase_url = \"https://a.example/scim\"\n{more}");
        let user = Registry::builtin().kind("User").unwrap().clone();
        Rules::compile(Settings::from_toml(&text).unwrap(), &user).unwrap()
    }

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    fn settled(rules: &Rules, ours: &Value, theirs: Option<&Value>) -> Allowed {
        let theirs = theirs.map(|theirs| object(theirs.clone()));
        rules.settle(object(ours.clone()), theirs.as_ref(), |_| None)
    }

    /// Every policy against a new account, an update, an account that was found, and an empty value of ours; in the
    /// first run and in any later one, which look alike here: nothing but the two sides is read.
    ///
    /// Covers: PAYH-6
    #[test]
    fn each_policy_does_the_same_in_the_first_run_and_in_all_later_ones() {
        for (line, new_account, other_value, app_has_none, ours_is_empty) in [
            ("", Some("N"), Some("N"), Some("N"), None),
            (
                "title = { policy = \"overwrite\" }",
                Some("N"),
                Some("N"),
                Some("N"),
                None,
            ),
            (
                "title = { clear_when_empty = false }",
                Some("N"),
                Some("N"),
                Some("N"),
                Some("O"),
            ),
            (
                "title = { from = \"user.title\" }",
                Some("N"),
                Some("N"),
                Some("N"),
                Some("O"),
            ),
            (
                "title = { from = \"user.title\", clear_when_empty = true }",
                Some("N"),
                Some("N"),
                Some("N"),
                None,
            ),
            (
                "title = { policy = \"fill\" }",
                Some("N"),
                Some("O"),
                Some("N"),
                Some("O"),
            ),
            (
                "title = { policy = \"fill\", clear_when_empty = true }",
                Some("N"),
                Some("O"),
                Some("N"),
                Some("O"),
            ),
            (
                "title = { policy = \"hold\" }",
                Some("N"),
                Some("O"),
                Some("N"),
                Some("O"),
            ),
            (
                "title = { policy = \"hold\", clear_when_empty = false }",
                Some("N"),
                Some("O"),
                Some("N"),
                Some("O"),
            ),
            (
                "title = { policy = \"ignore\" }",
                None,
                Some("O"),
                None,
                Some("O"),
            ),
        ] {
            let rules = rules(&format!("[mapping]\n{line}"));
            let title = |ours: &Value, theirs: Option<&Value>| {
                let allowed = settled(&rules, ours, theirs);
                let title = allowed
                    .object
                    .get("title")
                    .and_then(Value::as_str)
                    .map(str::to_owned);
                // Asked again about what came of it, nothing more is to do.
                let again = rules.settle(object(ours.clone()), Some(&allowed.object), |_| {
                    Some(guard::Decision::Reject)
                });
                assert_eq!(again.object, allowed.object, "{line}");
                (title, allowed.held.len())
            };
            let (ours, empty) = (json!({"userName": "a", "title": "N"}), json!({"userName": "a"}));
            let (theirs, none) = (json!({"userName": "a", "title": "O"}), json!({"userName": "a"}));
            let text = |value: Option<&str>| value.map(str::to_owned);
            assert_eq!(title(&ours, None).0, text(new_account), "{line}: new account");
            assert_eq!(
                title(&ours, Some(&none)).0,
                text(app_has_none),
                "{line}: the app has none"
            );
            let (there, held) = title(&ours, Some(&theirs));
            assert_eq!(there, text(other_value), "{line}: another value");
            assert_eq!(held, usize::from(line.contains("hold")), "{line}: asked");
            let (there, held) = title(&empty, Some(&theirs));
            assert_eq!(there, text(ours_is_empty), "{line}: ours is empty");
            let asks = line.contains("hold") && !line.contains("false");
            assert_eq!(held, usize::from(asks), "{line}: asked about an empty one");
        }
    }

    #[test]
    fn a_login_that_follows_the_address_is_one_decision_with_it() {
        let rules = rules("[mapping]\nemails = { policy = \"hold\" }");
        let mail = |address: &str| json!([{"value": address, "type": "work"}]);
        let ours = json!({"userName": "new@x", "emails": mail("New@x"), "title": "T"});
        let theirs = json!({"userName": "OLD@x", "emails": mail("old@x"), "title": "S"});
        let allowed = settled(&rules, &ours, Some(&theirs));
        assert_eq!(allowed.held.len(), 1);
        assert_eq!(allowed.held[0].field, "emails+userName");
        assert_eq!(
            allowed.held[0].new,
            Some(json!({"emails": mail("New@x"), "userName": "new@x"}))
        );
        let expected = json!({"userName": "OLD@x", "emails": mail("old@x"), "title": "T"});
        assert_eq!(Value::Object(allowed.object), expected);
        // A login of its own is not held with it.
        let own = json!({"userName": "u2", "emails": mail("new@x")});
        let allowed = settled(
            &rules,
            &own,
            Some(&json!({"userName": "u1", "emails": mail("old@x")})),
        );
        assert_eq!(
            (allowed.held[0].field.as_str(), &allowed.object["userName"]),
            ("emails", &json!("u2"))
        );
        // Nor one whose line says otherwise.
        let rules =
            self::rules("[mapping]\nemails = { policy = \"hold\" }\nuserName = { policy = \"overwrite\" }");
        let allowed = settled(&rules, &ours, Some(&theirs));
        assert_eq!(
            (allowed.held[0].field.as_str(), &allowed.object["userName"]),
            ("emails", &json!("new@x"))
        );
        // Case and spaces are no other address.
        let same = json!({"userName": "old@x", "emails": mail("Old@X ")});
        let allowed = settled(
            &rules,
            &same,
            Some(&json!({"userName": "old@x", "emails": mail("old@x")})),
        );
        assert!(allowed.held.is_empty());
        assert_eq!(allowed.object["emails"], mail("old@x"));
    }

    #[test]
    fn a_held_value_is_decided_by_people_or_by_a_rule_that_is_named() {
        let rules = rules(
            "[mapping]\nemails = { policy = \"hold\" }\n[[approve]]\nname = \"we are called b now\"\nrule = \"same_local_part_new_domain\"\nto = \"b.example\"",
        );
        let mail = |address: &str| json!([{"value": address, "type": "work"}]);
        let ours = json!({"userName": "u@b.example", "emails": mail("u@b.example")});
        let theirs = json!({"userName": "u@a.example", "emails": mail("u@a.example")});
        let allowed = settled(&rules, &ours, Some(&theirs));
        assert!(allowed.held.is_empty());
        assert_eq!(allowed.ruled[0].1, "we are called b now");
        assert_eq!(Value::Object(allowed.object), ours);
        for (decision, expected) in [
            (guard::Decision::Approve, &ours),
            (guard::Decision::Reject, &theirs),
        ] {
            let allowed = rules.settle(object(ours.clone()), Some(&object(theirs.clone())), |_| {
                Some(decision)
            });
            assert_eq!(Value::Object(allowed.object), *expected);
            assert!(allowed.held.is_empty() && allowed.ruled.is_empty());
        }
    }

    #[test]
    fn a_value_in_anothers_place_goes_out_unverified_and_the_flag_is_the_apps_otherwise() {
        let rules = rules("[mapping]\nphoneNumbers = { unverify = \"userType\" }");
        let phone = |number: &str| json!([{"value": number, "type": "mobile"}]);
        let theirs = json!({"phoneNumbers": phone("1"), "userType": true});
        let allowed = settled(&rules, &json!({"phoneNumbers": phone("2")}), Some(&theirs));
        assert_eq!(
            (&allowed.object["userType"], allowed.again.len()),
            (&json!(false), 1)
        );
        assert_eq!(allowed.unverified, ["phoneNumbers"]);
        for (ours, theirs) in [
            (json!({"phoneNumbers": phone("1")}), Some(theirs.clone())),
            (
                json!({"phoneNumbers": phone("1")}),
                Some(json!({"userType": true})),
            ),
            (json!({"phoneNumbers": phone("1")}), None),
        ] {
            let allowed = settled(&rules, &ours, theirs.as_ref());
            assert!(allowed.again.is_empty());
            assert_eq!(
                allowed.object.get("userType"),
                theirs.as_ref().and_then(|theirs| theirs.get("userType"))
            );
        }
    }

    #[test]
    fn what_the_connection_holds_back_goes_to_the_app_that_says_overwrite() {
        let (old, new) = (
            json!({"userName": "a@x", "emails.work": "a@x"}),
            json!({"userName": "b@x", "emails.work": "b@x"}),
        );
        let user = object(json!({"userName": "a@x", "emails": [{"value": "a@x", "type": "work"}]}));
        assert_eq!(rules("[mapping]\nemails = {}").overrule(&user, &old, &new), None);
        let taken = rules("[mapping]\nemails = { policy = \"overwrite\" }").overrule(&user, &old, &new);
        let expected = json!({"userName": "b@x", "emails": [{"value": "b@x", "type": "work"}]});
        assert_eq!(taken.map(Value::Object), Some(expected));
        let held = rules("[mapping]\nemails = { policy = \"overwrite\" }\nuserName = { policy = \"hold\" }");
        assert_eq!(held.overrule(&user, &old, &new).unwrap()["userName"], "a@x");
    }
}
