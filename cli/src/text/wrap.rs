//! Texts cut into lines that a terminal need not wrap.

use console::{measure_text_width, truncate_str};

/// `text` with line feeds where a terminal of so many cells would wrap it, between words where that
/// is possible.
pub(crate) fn wrapped(text: &str, width: usize) -> String {
    let lines = text.lines().flat_map(|line| pieces(line, width)).map(str::trim_end);
    lines.collect::<Vec<_>>().join("\n")
}

/// One line cut into pieces of at most so many cells, which together are the line. A space at the
/// end of a piece may be one more.
pub(crate) fn pieces(mut text: &str, width: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    while measure_text_width(text) > width {
        let fitting = truncate_str(text, width, "").len();
        let one = text.chars().next().map_or(0, char::len_utf8);
        let end = match text[..fitting].rfind(' ') {
            _ if text[fitting..].starts_with(' ') => fitting + 1,
            Some(space) => space + 1,
            None => fitting.max(one),
        };
        let (piece, rest) = text.split_at(end);
        pieces.push(piece);
        text = rest;
    }
    if !text.is_empty() || pieces.is_empty() {
        pieces.push(text);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_else_anywhere() {
        assert_eq!(wrapped("one two three\nfour", 7), "one two\nthree\nfour");
        assert_eq!(wrapped("abcdefgh ij", 4), "abcd\nefgh\nij");
        assert_eq!(wrapped("学习率扫描", 4), "学习\n率扫\n描");
        assert_eq!(wrapped("学", 1), "学");
        assert_eq!(wrapped("", 4), "");
    }

    #[test]
    fn pieces_are_the_whole_text() {
        let text = "a {\"long\": [1, 2, 3]}  with   spaces 学习率 and an end ";
        for width in 1..40 {
            let pieces = pieces(text, width);
            assert_eq!(pieces.concat(), text);
            let fits = |piece: &&str| measure_text_width(piece.trim_end()) <= width.max(2);
            assert!(pieces.iter().all(fits), "{width}: {pieces:?}");
        }
    }
}
