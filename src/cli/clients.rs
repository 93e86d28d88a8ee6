//! `client`: SCIM clients and what is particular about each, over the API.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{Client, Error, Exit, Output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List SCIM clients with their settings
    List,
    /// Show one client
    Show {
        /// Its name or id
        name: String,
    },
    /// Change settings of a client; `none` drops one
    Set(Set),
}

#[derive(Debug, Args)]
pub(super) struct Set {
    /// Its name or id
    name: String,
    /// Which way of speaking SCIM it expects: standard, entra, strict
    #[arg(long)]
    dialect: Option<String>,
    /// The id of the user that /Me leads to
    #[arg(long)]
    user: Option<String>,
    /// How fast it may ask: requests per second, or PER_SECOND:BURST
    #[arg(long)]
    rate: Option<String>,
    /// What it may do to users in 24 hours before it is frozen, such as delete=5%:100,disable=off; deeds that are not
    /// named get their defaults
    #[arg(long)]
    caps: Option<String>,
    /// What a PATCH is answered with: resource, nothing
    #[arg(long)]
    patch_answer: Option<String>,
    /// What becomes of group members that do not exist: refuse, leave_out
    #[arg(long)]
    unknown_members: Option<String>,
}

pub(super) async fn run(command: Command, output: Output) -> Result<Exit, Error> {
    let client = Client::from_env()?;
    match command {
        Command::List => list(&client, output).await?,
        Command::Show { name } => shown(&client.get(&path(&name), &[]).await?, output)?,
        Command::Set(set) => {
            let body = json!({ "profile": set.profile()? });
            shown(&client.patch(&path(&set.name), &body).await?, output)?;
        }
    }
    Ok(Exit::Done)
}

fn path(name: &str) -> String {
    let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!("/clients/{}", name.replace('+', "%20"))
}

impl Set {
    fn profile(&self) -> Result<Map<String, Value>, Error> {
        let word = |text: &str| match text {
            "none" => Value::Null,
            text => Value::from(text),
        };
        let mut profile = Map::new();
        if let Some(dialect) = &self.dialect {
            profile.insert("dialect".to_owned(), word(dialect));
        }
        if let Some(user) = &self.user {
            profile.insert("user".to_owned(), word(user));
        }
        for (name, text) in [
            ("patch_answer", &self.patch_answer),
            ("unknown_members", &self.unknown_members),
        ] {
            if let Some(text) = text {
                profile.insert(name.to_owned(), word(text));
            }
        }
        if let Some(rate) = &self.rate {
            profile.insert("rate".to_owned(), read_rate(rate)?);
        }
        if let Some(caps) = &self.caps {
            profile.insert("caps".to_owned(), read_caps(caps)?);
        }
        if profile.is_empty() {
            return Err(Error::Usage(
                "name what to change: --dialect, --user, --rate, --caps, --patch-answer or --unknown-members"
                    .to_owned(),
            ));
        }
        Ok(profile)
    }
}

fn read_rate(text: &str) -> Result<Value, Error> {
    if text == "none" {
        return Ok(Value::Null);
    }
    let number = |text: &str| {
        text.parse::<u32>()
            .map_err(|_| Error::Usage("a rate is a number such as 25, or 25:100, or none".to_owned()))
    };
    Ok(match text.split_once(':') {
        Some((rate, burst)) => json!({ "per_second": number(rate)?, "burst": number(burst)? }),
        None => json!({ "per_second": number(text)? }),
    })
}

fn read_caps(text: &str) -> Result<Value, Error> {
    if text == "none" {
        return Ok(Value::Null);
    }
    let wrong = || {
        Error::Usage(
            "caps are create, disable, delete and clear, each with a percentage, a count or both, or off: \
             delete=5%:100,disable=off; or none"
                .to_owned(),
        )
    };
    let mut caps = Map::new();
    for one in text.split(',') {
        let (deed, limits) = one.split_once('=').ok_or_else(wrong)?;
        let mut cap = Map::new();
        for limit in limits.split(':').filter(|limit| *limit != "off") {
            let (name, number) = match limit.strip_suffix('%') {
                Some(percent) => ("percent", percent),
                None => ("count", limit),
            };
            let number: u64 = number.parse().map_err(|_| wrong())?;
            cap.insert(name.to_owned(), number.into());
        }
        caps.insert(deed.trim().to_owned(), cap.into());
    }
    Ok(caps.into())
}

async fn list(client: &Client, output: Output) -> Result<(), Error> {
    let items = client.all("/clients", &[]).await?;
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            ["id", "name", "profile"]
                .map(|member| match item.get(member) {
                    Some(Value::String(text)) => text.clone(),
                    Some(other) => other.to_string(),
                    None => String::new(),
                })
                .to_vec()
        })
        .collect();
    output.table(&json!({ "items": items }), &["id", "name", "profile"], &rows)
}

fn shown(item: &Value, output: Output) -> Result<(), Error> {
    output.show(item, || {
        let text = |member: &str| item.get(member).and_then(Value::as_str).unwrap_or_default();
        let profile = item.get("profile").map(Value::to_string).unwrap_or_default();
        format!("{}  {}\n{profile}", text("id"), text("name"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_one_number_or_two() {
        assert_eq!(read_rate("25").unwrap(), json!({ "per_second": 25 }));
        assert_eq!(
            read_rate("25:100").unwrap(),
            json!({ "per_second": 25, "burst": 100 })
        );
        assert_eq!(read_rate("none").unwrap(), Value::Null);
        assert!(read_rate("fast").is_err() && read_rate("-1").is_err() && read_rate("1:2:3").is_err());
    }

    #[test]
    fn a_name_with_blanks_and_slashes_stays_one_part_of_the_path() {
        assert_eq!(path("Okta of A/B"), "/clients/Okta%20of%20A%2FB");
    }
}
