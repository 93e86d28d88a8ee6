//! What to do about what a run has to say of a record.

/// The advice for an outcome's word and field: one sentence, without personal data.
pub(super) fn advice(outcome: &str, field: Option<&str>) -> String {
    let field_or = |otherwise: &str| field.map_or_else(|| otherwise.to_owned(), str::to_owned);
    match outcome {
        "skipped" => format!(
            "fill in {} for this person in the HR system; the next run takes it up",
            field_or("what is missing")
        ),
        "held" => match field {
            Some("filter") => "fill in the field that filter.include reads, or change the filter".to_owned(),
            Some("status") => {
                "give the status word a meaning in the connection's status words, or correct it in the HR system".to_owned()
            }
            Some(field) => format!("decide about {field} with `scim-bridge hold list`"),
            None => "correct the status or the dates of this record in the HR system".to_owned(),
        },
        "review" => "say whose record it is with `scim-bridge review list` and `review decide`".to_owned(),
        "conflict" => format!(
            "give one of the two people another {} in the HR system, or delete the other user",
            field_or("name")
        ),
        "doubled" => "give each record its own id in the HR system or the file".to_owned(),
        "unreadable" => format!("correct {} of this record at its source", field_or("the record")),
        "problem" | "mapping" => format!(
            "correct {} in the HR system, or the connection's rule for it; the rest of the person came through",
            field_or("the value")
        ),
        "missing" => "if the person has left, mark it in the HR system instead of deleting the record".to_owned(),
        "waits" => "repair what made the read partial, and run again".to_owned(),
        "manager" => "name a manager in the HR system who is read by this connection and has not left".to_owned(),
        "deleted" => "release the user with `scim-bridge user release` if it is to come back".to_owned(),
        "would_reactivate" => "enable the account by hand, or set lifecycle.reactivate".to_owned(),
        "disabled_by_others" => "see `scim-bridge user explain` for who holds it disabled, and release it there".to_owned(),
        _ => "see `scim-bridge user explain` for what is known of this person".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::advice;

    #[test]
    fn rg_20_every_word_has_its_advice_and_names_the_field() {
        assert!(advice("skipped", Some("work_email")).contains("work_email"));
        assert!(advice("held", Some("emails")).contains("hold list"));
        for word in ["review", "doubled", "missing", "manager", "new word"] {
            assert!(!advice(word, None).is_empty());
        }
    }
}
