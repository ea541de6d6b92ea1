//! What all figures have in common: colours, line styles, sizes, and how wide a text is.
//!
//! Colours are those of Okabe and Ito without the yellow, which white paper swallows, and a colour
//! never speaks alone: a dash, a marker or a word says the same. Texts are measured with the font
//! that PNGs are drawn with.

pub(crate) use crate::letters::width;

/// What an SVG asks its reader for; whichever it has, none is wider than the first.
pub(crate) const FAMILIES: &str = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif";

/// Red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Color(pub(crate) u8, pub(crate) u8, pub(crate) u8);

pub(crate) const INK: Color = Color(34, 34, 34);
pub(crate) const SOFT: Color = Color(95, 95, 95);
pub(crate) const RULE: Color = Color(170, 170, 170);
pub(crate) const GRID: Color = Color(232, 232, 232);
pub(crate) const PALE: Color = Color(242, 242, 242);
pub(crate) const WHITE: Color = Color(255, 255, 255);
pub(crate) const BLUE: Color = Color(0, 114, 178);
pub(crate) const VERMILLION: Color = Color(213, 94, 0);
pub(crate) const GREEN: Color = Color(0, 158, 115);
pub(crate) const PURPLE: Color = Color(170, 83, 140);
pub(crate) const ORANGE: Color = Color(230, 159, 0);
pub(crate) const SKY: Color = Color(86, 180, 233);

/// Lines in order of their values. Neighbours differ in lightness as well as in hue.
const LINES: [Color; 7] = [BLUE, ORANGE, GREEN, VERMILLION, SKY, PURPLE, INK];
/// Their dashes, so that 28 lines differ in colour or dash and neighbours in both.
const DASHES: [Option<&str>; 4] = [None, Some("7 3"), Some("2 2.5"), Some("9 3 2 3")];

/// More lines than this in one panel are drawn thin and alike, and only the best stand out.
pub(crate) const MANY: usize = 11;
/// How many stand out then.
pub(crate) const BEST: usize = 5;

pub(crate) const TITLE: u32 = 17;
pub(crate) const HEADING: u32 = 13;
pub(crate) const LABEL: u32 = 12;
pub(crate) const SMALL: u32 = 11;

/// More marks of one kind than this in a panel add bytes and no insight.
const MARKS: usize = 2000;

/// Every how many of `count` marks one is drawn, where they are too many.
pub(crate) fn thinned(count: usize) -> usize {
    count.div_ceil(MARKS).max(1)
}

/// The look of the `index`-th line.
pub(crate) fn line(index: usize) -> (Color, Option<&'static str>) {
    (LINES[index % LINES.len()], DASHES[index % DASHES.len()])
}

/// From dark blue (0) to yellow (1), of even steps in lightness, the same to all kinds of colour
/// vision: cividis.
pub(crate) fn sequential(share: f64) -> Color {
    const STOPS: [Color; 9] = [
        Color(0, 34, 78),
        Color(26, 56, 112),
        Color(65, 77, 107),
        Color(92, 99, 110),
        Color(119, 121, 119),
        Color(147, 143, 119),
        Color(178, 168, 112),
        Color(212, 195, 97),
        Color(254, 232, 56),
    ];
    let at = share.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let below = (at.floor() as usize).min(STOPS.len() - 2);
    let part = at - below as f64;
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
    let (a, b) = (STOPS[below], STOPS[below + 1]);
    Color(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// Black or white, whichever reads better on `paper`.
pub(crate) fn ink_on(paper: Color) -> Color {
    let lightness = 0.299 * f64::from(paper.0) + 0.587 * f64::from(paper.1) + 0.114 * f64::from(paper.2);
    if lightness > 125.0 { Color(0, 0, 0) } else { WHITE }
}

/// `text`, or so much of its beginning and end that it is no wider than `room`, with an ellipsis
/// between.
pub(crate) fn fit(text: &str, size: u32, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    let keeping = |kept: usize| -> String {
        let (head, tail) = (kept - kept / 3, kept / 3);
        letters[..head].iter().chain(&['…']).chain(&letters[letters.len() - tail..]).copied().collect()
    };
    // The more letters, the wider: halving finds the most that fit, also of a very long text.
    let (mut fits, mut too_wide) = (0, letters.len());
    while too_wide - fits > 1 {
        let kept = fits.midpoint(too_wide);
        if width(&keeping(kept), size) <= room { fits = kept } else { too_wide = kept }
    }
    keeping(fits)
}

/// `text` in lines of at most `room`, broken at spaces.
pub(crate) fn wrap(text: &str, size: u32, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}"), size) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// `items` with commas between them, in lines of at most `room`, broken between items only. Where
/// that makes more than `most` lines, the last one says how many items are left out.
pub(crate) fn listed(items: &[String], size: u32, room: f64, most: usize) -> Vec<String> {
    let mut lines: Vec<(String, usize)> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let comma = if at + 1 < items.len() { "," } else { "" };
        let item = format!("{}{comma}", fit(item, size, room - width(",", size)));
        match lines.last_mut() {
            Some((line, count)) if width(&format!("{line} {item}"), size) <= room => {
                line.push(' ');
                line.push_str(&item);
                *count += 1;
            }
            _ => lines.push((item, 1)),
        }
    }
    if lines.len() > most {
        let left: usize = lines.drain(most.saturating_sub(1)..).map(|(_, count)| count).sum();
        lines.push((format!("and {left} more"), left));
    }
    lines.into_iter().map(|(line, _)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_font_measures_texts() {
        assert!(width("mmmm", 10) > 2.0 * width("iiii", 10));
        assert!((width("accuracy", 20) - 2.0 * width("accuracy", 10)).abs() < 0.01);
        assert_eq!(width("", 10), 0.0);
    }

    #[test]
    fn a_long_text_keeps_its_beginning_and_its_end() {
        let long = "a_hyperparameter_with_a_very_long_name_indeed";
        let short = fit(long, 12, 120.0);
        assert!(width(&short, 12) <= 120.0 && short.starts_with("a_hyper") && short.ends_with("deed"), "{short}");
        assert_eq!(fit("short", 12, 120.0), "short");
        assert_eq!([fit("ab", 12, 1.0), fit("a", 12, 1.0)], ["…", "…"]);
        let huge = "x".repeat(1 << 16);
        assert!(width(&fit(&huge, 12, 120.0), 12) > 110.0, "as many letters as fit");
    }

    #[test]
    fn a_list_is_broken_between_its_items_and_says_what_it_leaves_out() {
        let items: Vec<String> = (0..9).map(|n| format!("dropout 0.{n}")).collect();
        let room = width("dropout 0.1, dropout 0.2,", 11) + 1.0;
        let lines = listed(&items, 11, room, 9);
        assert_eq!(
            (lines.len(), lines[0].as_str(), lines[4].as_str()),
            (5, "dropout 0.0, dropout 0.1,", "dropout 0.8")
        );
        let few = listed(&items, 11, room, 2);
        assert_eq!(few, ["dropout 0.0, dropout 0.1,", "and 7 more"]);
        assert_eq!(listed(&[], 11, room, 2), Vec::<String>::new());
    }

    #[test]
    fn the_first_lines_differ_from_each_other() {
        let looks: Vec<_> = (0..28).map(line).collect();
        for (index, look) in looks.iter().enumerate() {
            assert!(!looks[..index].contains(look), "line {index}");
        }
    }
}
