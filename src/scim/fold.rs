//! Comparing text without regard to case.

/// Folds a text so that two texts that differ only in case come out equal. Works character by character (so a part
/// of a text folds to a part of the folded text) and folding twice changes nothing.
///
/// Upper and then lower case is Unicode's full folding but for the Turkish dotless ı, which stays what it is, and the capital
/// ẞ, which has no other upper case and goes the way of ß.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'ı' => folded.push(c),
            'ẞ' => folded.push_str("ss"),
            _ => folded.extend(c.to_uppercase().flat_map(char::to_lowercase)),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::fold;

    #[test]
    fn case_does_not_matter() {
        for (one, other) in [
            ("ANN@X.test", "ann@x.TEST"),
            ("Ärger", "äRGER"),
            ("STRASSE", "straße"),
            ("GROẞ", "groß"),
            ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
            ("ﬁx", "FIX"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        assert_ne!(fold("ısı"), fold("isi"));
    }

    #[test]
    fn every_character_folds_once_and_for_all() {
        for c in '\0'..=char::MAX {
            let once = fold(&c.to_string());
            assert_eq!(fold(&once), once, "{c}");
        }
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in "\\PC*") {
            prop_assert_eq!(fold(&fold(&text)), fold(&text));
        }

        #[test]
        fn parts_fold_to_parts(head in "\\PC*", tail in "\\PC*") {
            prop_assert_eq!(fold(&format!("{head}{tail}")), fold(&head) + &fold(&tail));
        }
    }
}
