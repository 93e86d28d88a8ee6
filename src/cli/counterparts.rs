//! `app counterparts`: whether the values of an attribute have counterparts in an app.

use serde_json::Value;

use super::{Client, Error, Exit, Output};

/// Prints the values with how many users bring each; exits with 1 when some have no counterpart.
pub(super) async fn run(client: &Client, name: &str, attribute: &str, output: Output) -> Result<Exit, Error> {
    let path = format!("/apps/{name}/counterparts");
    let body = client.get(&path, &[("attribute", attribute)]).await?;
    let values = |member: &str| {
        let counted = body.get(member).and_then(Value::as_object).into_iter().flatten();
        counted.map(|(value, users)| (value.clone(), users.to_string()))
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (member, said) in [("without", "not in the app"), ("with", "in both")] {
        rows.extend(values(member).map(|(value, users)| vec![value, users, said.to_owned()]));
    }
    let unused = body.get("unused").and_then(Value::as_array).into_iter().flatten();
    rows.extend(
        unused
            .filter_map(Value::as_str)
            .map(|value| vec![value.to_owned(), "0".to_owned(), "only in the app".to_owned()]),
    );
    if let Some(doubt) = body.get("doubt").and_then(Value::as_str) {
        eprintln!("the app's values are not whole: {doubt}");
    }
    let good = values("without").next().is_none() && body.get("doubt").is_none();
    output.table(&body, &[attribute, "users", "where"], &rows)?;
    Ok(if good { Exit::Done } else { Exit::Failed })
}
