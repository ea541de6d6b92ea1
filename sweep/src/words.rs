//! What to say about a word that nobody knows: the nearest known one, or all of them.

/// `; did you mean batch_size?`, or the known words where none is near.
pub(crate) fn hint(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("known: {}", known.join(", ")),
    }
}

/// The known word that `word` most likely stands for: at most a third of its letters differ.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // Longer than any known word can be near to; the distance is quadratic in the length.
    if word.len() > 100 {
        return None;
    }
    let word = word.to_lowercase().replace(['-', ' '], "_");
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        // Of equally near words, the one of the same length: values, not value, for valuse.
        .min_by_key(|(distance, candidate)| (*distance, candidate.len().abs_diff(word.len())))
        .map(|(_, candidate)| candidate)
}

/// At most three of the known names, the nearest first, that `name` may stand for: it is misspelt,
/// or it is a part of them.
pub fn nearest_names<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    const NEAR: f64 = 0.82;
    const MOST: usize = 3;
    if name.len() > 100 {
        return Vec::new();
    }
    let name = name.to_lowercase();
    let likeness = |known: &str| {
        let part = if format!("_{known}_").contains(&format!("_{name}_")) { 0.9 } else { 0.0 };
        strsim::jaro_winkler(&name, known).max(part)
    };
    let mut near: Vec<(f64, &str)> = known.into_iter().map(|known| (likeness(known), known)).collect();
    near.retain(|(likeness, _)| *likeness >= NEAR);
    near.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    near.dedup_by_key(|(_, known)| *known);
    near.truncate(MOST);
    near.into_iter().map(|(_, known)| known).collect()
}

/// Whether a terminal obeys this character rather than shows it: control characters, those that
/// begin a new line, and those that reverse the order in which what follows is shown.
pub fn steers_terminal(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// At most 60 characters of what somebody wrote, fit for one line of a message.
pub(crate) fn shorten(text: &str) -> String {
    let line: String = text.chars().map(|c| if steers_terminal(c) { ' ' } else { c }).collect();
    if line.chars().count() <= 60 {
        return line;
    }
    let start: String = line.chars().take(57).collect();
    format!("{start}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_steers_no_terminal() {
        assert_eq!(shorten("a\u{202e}b\u{2066}c\u{2028}d\te\u{1b}"), "a b c d e ");
        // The marks of scripts that are written from right to left reverse nothing.
        assert_eq!(shorten("א\u{200f}!"), "א\u{200f}!");
    }

    #[test]
    fn names_are_found_by_a_slip_and_by_a_part() {
        let known = ["loss", "final_loss", "final_val_loss", "best_val_loss", "learning_rate", "batch_size", "loss"];
        assert_eq!(nearest_names("learning", known), ["learning_rate"]);
        assert_eq!(nearest_names("Batchsize", known), ["batch_size"]);
        assert_eq!(nearest_names("loss", known), ["loss", "best_val_loss", "final_loss"]);
        assert!(nearest_names("zzz", known).is_empty());
        assert!(nearest_names(&"loss".repeat(100), known).is_empty());
    }

    #[test]
    fn a_slip_of_the_keyboard_finds_its_word() {
        let known = ["batch_size", "epochs", "learning_rate", "l1", "l2"];
        assert_eq!(nearest("batchsize", &known), Some("batch_size"));
        assert_eq!(nearest("Batch-Size", &known), Some("batch_size"));
        assert_eq!(nearest("learnign_rate", &known), Some("learning_rate"));
        assert_eq!(nearest("l3", &known), Some("l1"));
        assert_eq!(nearest("zebra", &known), None);
    }
}
