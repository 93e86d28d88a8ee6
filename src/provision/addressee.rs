//! To whom a mail to a user goes, and by which names.

use serde_json::{Map, Value};

use crate::notice::{self, Language};
use crate::scim::Object;

/// What a mail to a user needs: `to`, `name`, `given_name`, `user_name`, `language`, as far as it is known. It goes to the
/// work address, or, to somebody who may no longer read that, to a private one where there is one.
#[must_use]
pub fn addressee(user: &Object, has_left: bool) -> Map<String, Value> {
    let text = |pointer: &str| {
        let (first, rest) = pointer.split_once('/').unwrap_or((pointer, ""));
        let value = user.get(first)?;
        let value = if rest.is_empty() { value } else { value.get(rest)? };
        value.as_str().map(str::to_owned).filter(|text| !text.is_empty())
    };
    let mails = || user.get("emails").and_then(Value::as_array).into_iter().flatten();
    let value_of = |mail: &Value| mail.get("value").and_then(Value::as_str).map(str::to_owned);
    let of_kind = |kind: &str| mails().find(|mail| mail.get("type").and_then(Value::as_str) == Some(kind));
    let private = of_kind("home").filter(|_| has_left);
    let user_name = text("userName");
    let to = private
        .or_else(|| of_kind("work"))
        .or_else(|| mails().next())
        .and_then(value_of)
        .or_else(|| user_name.clone())
        .filter(|to| notice::is_address(to));
    let language = text("preferredLanguage")
        .or_else(|| text("locale"))
        .as_deref()
        .and_then(Language::of);
    let name = text("displayName")
        .or_else(|| text("name/formatted"))
        .or_else(|| {
            Some(format!(
                "{} {}",
                text("name/givenName")?,
                text("name/familyName")?
            ))
        })
        .or_else(|| user_name.clone());
    let parts = [
        ("to", to),
        ("name", name),
        ("given_name", text("name/givenName")),
        ("user_name", user_name),
        ("language", language.map(|language| language.code().to_owned())),
    ];
    parts
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?))))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_mail_goes_to_the_work_address_in_the_users_language() {
        let user = object(json!({
            "userName": "ada", "preferredLanguage": "nl-BE", "name": { "givenName": "Ada", "familyName": "Brook" },
            "emails": [{ "value": "ada@home.example", "type": "home" }, { "value": "ada@acme.example", "type": "work" }],
        }));
        assert_eq!(
            Value::Object(addressee(&user, false)),
            json!({
                "to": "ada@acme.example", "name": "Ada Brook", "given_name": "Ada", "user_name": "ada", "language": "nl",
            })
        );
        assert_eq!(addressee(&user, true)["to"], "ada@home.example");
        let by_name = addressee(&object(json!({ "userName": "ada@acme.example" })), true);
        assert_eq!(by_name["to"], "ada@acme.example");
        assert!(!addressee(&object(json!({ "userName": "ada" })), false).contains_key("to"));
    }
}
