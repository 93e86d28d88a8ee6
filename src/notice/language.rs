//! In which language somebody is told.

use serde::{Deserialize, Serialize};

/// A language that texts are there in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// German.
    De,
    /// English.
    #[default]
    En,
    /// French.
    Fr,
    /// Dutch.
    Nl,
}

impl Language {
    /// All of them.
    pub const ALL: &[Self] = &[Self::De, Self::En, Self::Fr, Self::Nl];

    /// Its code (ISO 639-1).
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::De => "de",
            Self::En => "en",
            Self::Fr => "fr",
            Self::Nl => "nl",
        }
    }

    /// The language of a tag such as `de-CH` (BCP 47) or `de_CH`; none when no text is there in it.
    #[must_use]
    pub fn of(tag: &str) -> Option<Self> {
        let first = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL
            .iter()
            .copied()
            .find(|language| language.code().eq_ignore_ascii_case(first.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_gives_its_language() {
        for (tag, expected) in [
            ("de", Some(Language::De)),
            ("de-CH", Some(Language::De)),
            ("FR_be", Some(Language::Fr)),
            ("nl", Some(Language::Nl)),
            ("en-GB", Some(Language::En)),
            ("den", None),
            ("", None),
        ] {
            assert_eq!(Language::of(tag), expected, "{tag}");
        }
    }
}
