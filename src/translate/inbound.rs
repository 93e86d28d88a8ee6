//! The other way round: a SCIM user that a client wrote, as an employee.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::hr::{Address, Employee, Employment, ManagerRef, OrgUnit, Problem, Status, field};
use crate::scim::{ENTERPRISE, Object};

/// A SCIM user as a record of a connection.
///
/// The user's id is the source id, what the client calls it the remote id; `active` decides whether the person has left.
/// `chosen` are the optional fields that are read; the others are left out. userName, nickName, profileUrl and the names
/// of the user's groups are custom fields: `user_name`, `profile_url`, `groups`. A manager is named by the id of
/// another user or by an e-mail address; anything else is a problem, never a guess.
#[must_use]
pub fn employee(
    (id, active): (&str, bool),
    object: &Object,
    external_id: Option<&str>,
    groups: &[String],
    chosen: &[String],
) -> (Employee, Vec<Problem>) {
    let user = Read(object);
    let mut problems = Vec::new();
    let manager = user.manager().unwrap_or_else(|message| {
        problems.push(Problem {
            source_id: Some(id.to_owned()),
            field: "manager".to_owned(),
            message,
        });
        None
    });
    let chosen = |name: &str| chosen.iter().any(|one| one == name);
    let is_read = |name: &str| chosen(name) || field(name).is_some_and(|field| !field.sensitive);
    let kind = user.text("userType");
    let employee = Employee {
        source_id: id.to_owned(),
        remote_id: external_id.map(str::to_owned),
        employee_number: user.enterprise("employeeNumber"),
        given_name: user.part("name", "givenName"),
        family_name: user.part("name", "familyName"),
        middle_name: user.part("name", "middleName"),
        preferred_name: user.text("nickName"),
        display_name: user.text("displayName"),
        work_email: user.email(),
        private_email: user
            .of_type("emails", "home", "value")
            .filter(|_| is_read("private_email")),
        work_phone: user.of_type("phoneNumbers", "work", "value"),
        mobile_phone: user.of_type("phoneNumbers", "mobile", "value"),
        title: user.text("title"),
        department: user.unit("department", false),
        division: user.unit("division", false),
        cost_center: user.unit("costCenter", true),
        entity: user.unit("organization", false),
        address: user.address().filter(|_| is_read("address")),
        photo: user
            .of_type("photos", "photo", "value")
            .filter(|_| is_read("photo")),
        manager,
        employments: kind
            .map(|kind| Employment {
                kind: Some(kind),
                ..Employment::default()
            })
            .into_iter()
            .collect(),
        status: if active { Status::Active } else { Status::Left },
        locale: user.text("locale").or_else(|| user.text("preferredLanguage")),
        time_zone: user.text("timezone"),
        custom: user.custom(groups),
        ..Employee::default()
    };
    (employee, problems)
}

struct Read<'o>(&'o Object);

fn text(value: Option<&Value>) -> Option<String> {
    value
        .and_then(Value::as_str)
        .filter(|text| !text.trim().is_empty())
        .map(str::to_owned)
}

impl<'o> Read<'o> {
    fn text(&self, name: &str) -> Option<String> {
        text(self.0.get(name))
    }

    fn part(&self, name: &str, sub: &str) -> Option<String> {
        text(self.0.get(name)?.get(sub))
    }

    fn enterprise(&self, name: &str) -> Option<String> {
        text(self.0.get(ENTERPRISE)?.get(name))
    }

    fn elements(&self, name: &str) -> &'o [Value] {
        self.0
            .get(name)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    fn element(&self, name: &str, kind: &str) -> Option<&'o Value> {
        self.elements(name).iter().find(|element| {
            let of = element.get("type").and_then(Value::as_str);
            of.is_some_and(|of| of.eq_ignore_ascii_case(kind))
        })
    }

    fn of_type(&self, name: &str, kind: &str, sub: &str) -> Option<String> {
        text(self.element(name, kind)?.get(sub))
    }

    /// The address at work: the one that says so, else the primary one, else the only one without a type.
    fn email(&self) -> Option<String> {
        let all = self.elements("emails");
        let primary = all
            .iter()
            .find(|one| one.get("primary") == Some(&Value::Bool(true)) && !is_home(one));
        let bare = all.iter().find(|one| one.get("type").is_none());
        let one = self.element("emails", "work").or(primary).or(bare)?;
        text(one.get("value"))
    }

    fn unit(&self, name: &str, is_code: bool) -> Option<OrgUnit> {
        let text = self.enterprise(name)?;
        let (code, name) = if is_code {
            (Some(text), None)
        } else {
            (None, Some(text))
        };
        Some(OrgUnit { id: None, code, name })
    }

    fn address(&self) -> Option<Address> {
        let home = self.element("addresses", "home")?;
        let part = |name: &str| text(home.get(name));
        let address = Address {
            street: part("streetAddress"),
            city: part("locality"),
            region: part("region"),
            postal_code: part("postalCode"),
            country: part("country"),
        };
        (address != Address::default()).then_some(address)
    }

    fn manager(&self) -> Result<Option<ManagerRef>, String> {
        let Some(manager) = self.0.get(ENTERPRISE).and_then(|part| part.get("manager")) else {
            return Ok(None);
        };
        let Some(value) = text(manager.get("value")) else {
            return Ok(None);
        };
        if value.parse::<crate::base::ResourceId>().is_ok() {
            Ok(Some(ManagerRef::SourceId(value.to_ascii_lowercase())))
        } else if value.contains('@') {
            Ok(Some(ManagerRef::Email(value)))
        } else {
            Err(
                "manager.value is neither the id of a user nor an e-mail address: the manager is left out"
                    .to_owned(),
            )
        }
    }

    fn custom(&self, groups: &[String]) -> BTreeMap<String, Value> {
        let mut custom = BTreeMap::new();
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                custom.insert(name.to_owned(), Value::from(value));
            }
        };
        add("user_name", self.text("userName"));
        add("profile_url", self.text("profileUrl"));
        if !groups.is_empty() {
            custom.insert("groups".to_owned(), json!(groups));
        }
        custom
    }
}

fn is_home(element: &Value) -> bool {
    element
        .get("type")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("home"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0192f0c1-2b3c-7def-8a01-23456789abcd";

    fn read(object: &Value, active: bool, chosen: &[&str]) -> (Employee, Vec<Problem>) {
        let chosen: Vec<String> = chosen.iter().map(|one| (*one).to_owned()).collect();
        let groups = ["Staff".to_owned()];
        employee(
            (ID, active),
            object.as_object().unwrap(),
            Some("hr-7"),
            &groups,
            &chosen,
        )
    }

    /// Covers: item 9
    #[test]
    fn every_attribute_has_its_field_and_sensitive_ones_are_read_by_choice() {
        let object = json!({
            "userName": "ada", "name": {"givenName": "Ada", "familyName": "L", "middleName": "K"},
            "nickName": "A", "displayName": "Ada L", "title": "Eng", "userType": "contractor",
            "locale": "en-GB", "timezone": "Europe/London",
            "emails": [{"value": "ada@home", "type": "home", "primary": true}, {"value": "ada@work", "type": "Work"}],
            "phoneNumbers": [{"value": "+1", "type": "work"}, {"value": "+2", "type": "mobile"}],
            "addresses": [{"type": "home", "locality": "London"}],
            ENTERPRISE: {"employeeNumber": "007", "department": "D", "division": "V", "costCenter": "C",
                         "organization": "O", "manager": {"value": ID.to_uppercase()}},
        });
        let (employee, problems) = read(&object, true, &[]);
        assert!(problems.is_empty());
        let unit = |name: &str| {
            Some(OrgUnit {
                name: Some(name.into()),
                ..OrgUnit::default()
            })
        };
        assert_eq!(employee.source_id, ID);
        assert_eq!(employee.remote_id.as_deref(), Some("hr-7"));
        assert_eq!(employee.employee_number.as_deref(), Some("007"));
        assert_eq!(employee.work_email.as_deref(), Some("ada@work"));
        assert_eq!(employee.private_email, None, "sensitive");
        assert_eq!(
            (employee.department, employee.division, employee.entity),
            (unit("D"), unit("V"), unit("O"))
        );
        assert_eq!(employee.cost_center.unwrap().code.as_deref(), Some("C"));
        assert_eq!(employee.manager, Some(ManagerRef::SourceId(ID.into())));
        assert_eq!(employee.employments[0].kind.as_deref(), Some("contractor"));
        assert_eq!(employee.status, Status::Active);
        assert_eq!(
            json!(employee.custom),
            json!({"user_name": "ada", "groups": ["Staff"]})
        );
        let (employee, _) = read(&object, false, &["private_email", "address"]);
        assert_eq!(employee.status, Status::Left);
        assert_eq!(employee.private_email.as_deref(), Some("ada@home"));
        assert_eq!(employee.address.unwrap().city.as_deref(), Some("London"));
    }

    /// Covers: item 9
    #[test]
    fn an_address_is_never_guessed_from_a_private_one_nor_a_manager_from_a_name() {
        let mails = |mails: Value| read(&json!({ "emails": mails }), true, &[]).0.work_email;
        assert_eq!(
            mails(json!([{"value": "a@home", "type": "home", "primary": true}])),
            None
        );
        assert_eq!(
            mails(json!([{"value": "a@x", "primary": true}])).as_deref(),
            Some("a@x")
        );
        assert_eq!(mails(json!([{"value": "a@x"}])).as_deref(), Some("a@x"));
        assert_eq!(
            read(&json!({"userName": "ada@work"}), true, &[]).0.work_email,
            None
        );
        let manager = |value: &str| read(&json!({ENTERPRISE: {"manager": {"value": value}}}), true, &[]);
        assert_eq!(
            manager("boss@acme").0.manager,
            Some(ManagerRef::Email("boss@acme".into()))
        );
        let (employee, problems) = manager("Grace Hopper");
        assert_eq!((employee.manager, problems[0].field.as_str()), (None, "manager"));
        assert!(!problems[0].message.contains("Grace"), "never the value");
    }
}
