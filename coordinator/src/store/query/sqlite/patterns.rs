//! Patterns of LIKE and GLOB, matched within a number of steps.

use std::str::Chars;

/// One part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Any characters, also none.
    Any,
    /// One character, whichever.
    One,
    /// This one. With the flag, the letters of ASCII match in either case.
    Exactly(char, bool),
    /// One of these ranges, or with the flag none of them.
    Of(Vec<(char, char)>, bool),
    /// A pattern that is not complete: it matches nothing.
    Never,
}

/// `%`, `_` and the escape character, as LIKE has them.
pub(super) fn like(pattern: &str, escape: Option<char>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        parts.push(match character {
            _ if Some(character) == escape => {
                characters.next().map_or(Part::Never, |character| Part::Exactly(character, true))
            }
            '%' => Part::Any,
            '_' => Part::One,
            character => Part::Exactly(character, true),
        });
    }
    parts
}

/// `*`, `?` and sets in brackets, as GLOB has them.
pub(super) fn glob(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        parts.push(match character {
            '*' => Part::Any,
            '?' => Part::One,
            '[' => {
                let none_of = characters.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                // A closing bracket at the beginning stands for itself.
                if characters.next_if_eq(&']').is_some() {
                    ranges.push((']', ']'));
                }
                let mut before = None;
                loop {
                    match (characters.next(), before) {
                        (None, _) => break Part::Never,
                        (Some(']'), _) => break Part::Of(ranges, none_of),
                        (Some('-'), Some(start)) if characters.peek().is_some_and(|next| *next != ']') => {
                            if let Some(end) = characters.next() {
                                ranges.push((start, end));
                            }
                            before = None;
                        }
                        (Some(character), _) => {
                            ranges.push((character, character));
                            before = Some(character);
                        }
                    }
                }
            }
            character => Part::Exactly(character, false),
        });
    }
    parts
}

/// Whether the whole text matches. `None` where that takes more steps than there may be.
pub(super) fn matches(pattern: &[Part], text: &str, most: usize) -> Option<bool> {
    let (mut part, mut rest, mut steps) = (0, text.chars(), 0);
    // Where the last `Any` stood, and what is behind that to which it reaches so far.
    let mut retry: Option<(usize, Chars<'_>)> = None;
    loop {
        steps += 1;
        if steps > most {
            return None;
        }
        match pattern.get(part) {
            Some(Part::Any) => {
                retry = Some((part, rest.clone()));
                part += 1;
                continue;
            }
            Some(one) if rest.clone().next().is_some_and(|character| fits(one, character)) => {
                rest.next();
                part += 1;
                continue;
            }
            None if rest.as_str().is_empty() => return Some(true),
            _ => {}
        }
        let Some((any, reached)) = &mut retry else { return Some(false) };
        if reached.next().is_none() {
            return Some(false);
        }
        (part, rest) = (*any + 1, reached.clone());
    }
}

fn fits(part: &Part, character: char) -> bool {
    match part {
        Part::Any | Part::Never => false,
        Part::One => true,
        Part::Exactly(wanted, true) => wanted.eq_ignore_ascii_case(&character),
        Part::Exactly(wanted, false) => *wanted == character,
        Part::Of(ranges, none_of) => ranges.iter().any(|(start, end)| (*start..=*end).contains(&character)) != *none_of,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_sqlite() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("%", "", true),
            ("_", "", false),
            ("a%c", "abbbc", true),
            ("A%C", "abbbc", true),
            ("a%b%c", "aXbXbXc", true),
            ("a%b%d", "aXbXbXc", false),
            ("ä_", "äö", true),
            ("Ä_", "äö", false),
        ] {
            assert_eq!(matches(&like(pattern, None), text, 1_000), Some(expected), "{pattern} {text}");
        }
        for (pattern, text, expected) in [
            ("*", "anything", true),
            ("a?c", "abc", true),
            ("A?c", "abc", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[]x]y", "]y", true),
            ("[a", "a", false),
            ("[a-]", "-", true),
            ("*[0-9]", "run 7", true),
        ] {
            assert_eq!(matches(&glob(pattern), text, 1_000), Some(expected), "{pattern} {text}");
        }
    }

    #[test]
    fn a_match_that_takes_too_many_steps_is_given_up() {
        assert_eq!(matches(&like("%aaaaaaaab", None), &"a".repeat(10_000), 1_000), None);
    }
}
