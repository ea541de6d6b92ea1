//! Commands that a hint names, so that a person can paste them into a shell and they do what the hint says.

use std::path::Path;

use besom_coordinator::store::StoreUrl;

use crate::sweep_file::FileArgs;

/// `besom run` with what makes it mean the same sweep in the same store as these arguments did.
pub(super) fn run(file: &FileArgs, store: Option<&str>, allow_private_hosts: bool) -> String {
    let mut flags = String::new();
    if let Some(name) = &file.name {
        flags += &format!(" --name {}", quoted(name));
    }
    if let Some(engine) = file.engine {
        flags += &format!(" --engine {}", engine.as_str());
    }
    if allow_private_hosts {
        flags += " --allow-private-hosts";
    }
    run_file(&file.file, &flags, store)
}

/// `besom run` of a file that says all by itself.
pub(super) fn run_file(file: &Path, flags: &str, store: Option<&str>) -> String {
    let (condition, store) = store_flag(store);
    format!("`besom run {}{flags}{store}`{condition}", quoted(&file.to_string_lossy()))
}

/// What must be set before a command means the store, and the flag of the command. A store's password is not repeated.
pub(super) fn store_flag(store: Option<&str>) -> (&'static str, String) {
    match store {
        None => ("", String::new()),
        Some(store) if StoreUrl::parse(store).is_ok_and(|url| url.to_string() != store) => {
            (" (with BESOM_STORE set to the URL of the store)", String::new())
        }
        Some(store) => ("", format!(" --store {}", quoted(store))),
    }
}

/// The word as a shell reads it as one word.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./:@%+=,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use besom_sweep::Engine;

    use super::*;

    #[test]
    fn a_hint_repeats_what_makes_the_command_mean_the_same_sweep() {
        let plain = FileArgs { file: "long.yaml".into(), name: None, engine: None, plan: false, json: false };
        assert_eq!(run(&plain, None, false), "`besom run long.yaml`");
        let file = FileArgs { name: Some("Ana's sweep".to_owned()), engine: Some(Engine::Candle), ..plain.clone() };
        assert_eq!(
            run(&file, Some("sqlite:a b.db"), true),
            r"`besom run long.yaml --name 'Ana'\''s sweep' --engine candle --allow-private-hosts --store 'sqlite:a b.db'`"
        );
        let spaced = FileArgs { file: "$HOME & co.yaml".into(), ..plain };
        assert_eq!(run(&spaced, None, false), "`besom run '$HOME & co.yaml'`");
    }

    #[test]
    fn a_hint_does_not_repeat_a_password() {
        for store in ["postgres://boss:PW@host/db", "postgres://host/db?user=boss&password=PW"] {
            let (condition, flag) = store_flag(Some(store));
            assert!(flag.is_empty() && condition.contains("BESOM_STORE"), "{condition}{flag}");
        }
    }
}
