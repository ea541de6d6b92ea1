//! Texts that no person reads to their end, shortened.

/// Letters of a text, at most: any name is shorter. CSV and JSON have the whole text.
pub(crate) const LONGEST: usize = 500;

/// A long text's beginning and how long it is.
pub(crate) fn cut(text: String) -> String {
    cut_at(text, LONGEST)
}

/// The first `most` letters of a longer text and how long it is.
pub(crate) fn cut_at(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_says_how_long_it_is_and_a_short_one_stays() {
        assert_eq!(cut_at("ä".repeat(9), 2), "ää… (9 characters)");
        assert_eq!(cut("x".repeat(500)), "x".repeat(500));
    }
}
