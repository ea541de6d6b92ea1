//! What a sweep is called: the name that a person gave it, and the handle that is made from the
//! name.
//!
//! The handle is what commands, SQL, paths and addresses use, so it consists of a few ASCII
//! characters only. A name that consists of those already is its own handle.

use crate::words::{shorten, steers_terminal};

/// The longest name, in characters, and the longest handle.
const MAX_CHARS: usize = 100;

/// A checked name with its handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepName {
    title: String,
    handle: String,
}

impl SweepName {
    /// Checks a name, wherever it comes from: the file, its stem or the command line.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn new(text: &str) -> Result<Self, String> {
        let title = text.trim();
        let chars = title.chars().count();
        // A leading dot hides files, a leading hyphen looks like a flag; a slash parts a sweep from
        // its job.
        if chars == 0 || chars > MAX_CHARS || title.starts_with(['.', '-']) || title.contains(forbidden) {
            let problem = "must be 1 to 100 letters, digits, spaces and other signs, no slash or control character, \
                           and no dot or hyphen first";
            return Err(format!("{problem}, not \"{}\"", shorten(text)));
        }
        let handle = handle(title);
        if handle.is_empty() {
            return Err(format!("must hold a letter or a digit, got \"{}\"", shorten(text)));
        }
        if handle.chars().all(|c| c.is_ascii_digit()) {
            return Err("must not be a number: sweeps are called by name or by number".to_owned());
        }
        Ok(Self { title: title.to_owned(), handle })
    }

    /// The name as it was given.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What commands, SQL and paths call the sweep. Two sweeps of one store never share it.
    pub fn handle(&self) -> &str {
        &self.handle
    }
}

/// The handle of a sweep that somebody calls `text`, by its name or by its handle. Empty where no
/// sweep can be meant.
pub fn handle(text: &str) -> String {
    let text = text.trim();
    if text.len() <= MAX_CHARS && !text.starts_with(['.', '-']) && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let mut handle = String::new();
    for c in deunicode::deunicode_with_tofu(text, "-").chars() {
        match c.to_ascii_lowercase() {
            c if is_plain(c) && c != '-' => handle.push(c),
            // An apostrophe stands within a word.
            '\'' => {}
            _ if handle.ends_with('-') => {}
            _ => handle.push('-'),
        }
    }
    let mut handle = handle.trim_start_matches(['.', '-']);
    if let Some(cut) = handle.get(..MAX_CHARS) {
        handle = cut;
    }
    handle.trim_end_matches('-').to_owned()
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

fn forbidden(c: char) -> bool {
    c == '/' || steers_terminal(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_name_is_its_own_handle() {
        for name in ["quickdraw10", "My-Sweep_1.5", "a", "2024-05"] {
            let checked = SweepName::new(name).unwrap();
            assert_eq!((checked.title(), checked.handle()), (name, name));
        }
    }

    #[test]
    fn other_names_are_transliterated() {
        for (name, handle) in [
            ("My first sweep", "my-first-sweep"),
            ("Größe & Rate", "grosse-rate"),
            ("Снег 2", "sneg-2"),
            ("学習率", "xue-xi-lu"),
            ("lr = 0.1 (again)", "lr-0.1-again"),
            ("  don't --- stop!  ", "dont-stop"),
            ("café\u{301} au lait", "cafe-au-lait"),
        ] {
            assert_eq!(SweepName::new(name).unwrap().handle(), handle, "{name}");
            assert_eq!(super::handle(handle), handle, "a handle is its own handle");
        }
        let long = SweepName::new(&"學".repeat(100)).unwrap();
        assert!(long.handle().len() <= 100 && !long.handle().ends_with('-'), "{}", long.handle());
    }

    #[test]
    fn what_could_not_be_a_path_a_flag_or_a_number_apart_is_refused() {
        for name in ["", "  ", "a/b", "-x", ".x", "a\nb", "a\u{202e}b", "17", " 17 ", "！？", "１７", &"x".repeat(101)]
        {
            SweepName::new(name).expect_err(name);
        }
    }
}
