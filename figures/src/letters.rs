//! Which letters a figure can draw, and what stands in the place of those that it cannot.
//!
//! The embedded font has Latin, Greek, Cyrillic, Arabic, Hebrew and more, but no Chinese, Japanese,
//! Korean, Thai or Indian script. A reader of an SVG may lack them too, and a missing letter
//! becomes an empty box, so that all such names look alike. They are written in Latin letters
//! instead, in the SVG as in the PNG; the SVG shows the own letters as a tooltip.

use std::{borrow::Cow, collections::HashMap, fmt::Write, sync::LazyLock};

use deunicode::AsciiChars;
use skrifa::{
    FontRef, GlyphId, MetadataProvider,
    instance::{LocationRef, Size},
};

/// DejaVu Sans, whole: PNGs need no font of the machine. What letters it lacks are written in those
/// that it has.
pub(crate) const FONT: &[u8] = include_bytes!("../fonts/DejaVuSans.ttf");

static FACE: LazyLock<Option<FontRef<'static>>> = LazyLock::new(|| FontRef::new(FONT).ok());

/// The text as it is drawn: its own letters where the font has them, Latin ones for the others, and
/// the number of a character that has neither.
pub(crate) fn drawn(text: &str) -> Cow<'_, str> {
    let Some(characters) = FACE.as_ref().map(|face| face.charmap()) else { return Cow::Borrowed(text) };
    let has = |c: char| c.is_ascii() || characters.map(c).is_some_and(|glyph| glyph != GlyphId::NOTDEF);
    if text.chars().all(has) {
        return Cow::Borrowed(text);
    }
    let mut drawn = String::with_capacity(2 * text.len());
    for (own, latin) in text.chars().zip(text.ascii_chars()) {
        match latin {
            _ if has(own) => drawn.push(own),
            Some(latin) => drawn.push_str(latin),
            None => {
                let _ = write!(drawn, "U+{:04X} ", u32::from(own));
            }
        }
    }
    drawn.truncate(drawn.trim_end().len());
    Cow::Owned(drawn)
}

/// How wide the text is as it is drawn at `size`.
pub(crate) fn width(text: &str, size: u32) -> f64 {
    // A glyph that the font lacks comes from elsewhere: a square is assumed.
    let square = f64::from(size);
    let text = drawn(text);
    let Some(face) = &*FACE else { return text.chars().count() as f64 * square };
    let (characters, metrics) = (face.charmap(), face.glyph_metrics(Size::new(size as f32), LocationRef::default()));
    let advance = |c: char| characters.map(c).and_then(|glyph| metrics.advance_width(glyph));
    text.chars().map(|c| advance(c).map_or(square, f64::from)).sum()
}

/// The names of classes, with the label's number behind those that are drawn alike: many Chinese
/// words share one transliteration, and a figure must not show two classes as one.
pub(crate) fn distinct(names: &[String]) -> Vec<String> {
    let mut counts: HashMap<Cow<'_, str>, usize> = HashMap::new();
    for name in names {
        *counts.entry(drawn(name)).or_default() += 1;
    }
    let is_shared = |name: &str| counts.get(&drawn(name)).is_some_and(|count| *count > 1);
    let labelled = |(label, name): (usize, &String)| {
        if is_shared(name) { format!("{name} ({label})") } else { name.clone() }
    };
    names.iter().enumerate().map(labelled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_the_font_has_stay_and_the_others_become_latin_ones() {
        for own in ["Ünïcödé", "Китайская стена", "η γάτα", "سور الصين", "חומה", "✓ ✗ × …", "", "plain"]
        {
            assert_eq!(drawn(own), own);
        }
        for (own, latin) in [("長城", "Chang Cheng"), ("고양이", "goyangi"), ("Ünï 猫", "Ünï Mao")] {
            assert_eq!(drawn(own), latin);
        }
        for own in ["แมว", "बिल्ली", "ねこ", "カメラ", "ድመት", "猫Кошка", "👩\u{200d}🚀\u{fe0f}", "🇩🇪"]
        {
            let seen = drawn(own);
            assert!(seen.chars().any(char::is_alphanumeric) && drawn(&seen) == seen, "{own}: {seen}");
        }
    }

    #[test]
    fn a_character_without_any_letters_is_named_by_its_number() {
        assert_eq!(drawn("a\u{2ffff}"), "aU+2FFFF");
        assert_ne!(drawn("\u{f0000}"), drawn("\u{f0001}"));
    }

    #[test]
    fn a_text_is_as_wide_as_what_is_drawn_of_it() {
        assert_eq!(width("長城", 12), width("Chang Cheng", 12));
        assert!(width("長城", 12) > width("長", 12));
    }

    #[test]
    fn classes_that_are_drawn_alike_are_told_apart_by_their_numbers() {
        let names = ["長", "常", "cat", "猫"].map(str::to_owned);
        let named = distinct(&names);
        assert_eq!(named, ["長 (0)", "常 (1)", "cat", "猫"]);
        assert_eq!(drawn(&named[0]), "Chang (0)");
    }
}
