//! Commands that a hint names, so that a person can paste them into a shell and they do what the
//! hint says.

use std::path::Path;

use besom_coordinator::store::StoreUrl;

use crate::{settings::Where, sweep_file::FileArgs};

/// Where a command of a hint finds its sweep: what the command line of this process said.
#[derive(Debug, Clone, Default)]
pub(crate) struct At {
    /// For the end of the command.
    pub(crate) flags: String,
    /// What must be set before, for behind it. A store's password is not repeated.
    pub(crate) condition: &'static str,
}

impl At {
    /// The place that these flags named.
    pub(crate) fn of(flags: &Where) -> Self {
        match &flags.coordinator {
            Some(url) => Self { flags: format!(" --coordinator {}", quoted(url)), condition: "" },
            None => Self::of_store(flags.store.as_deref()),
        }
    }

    /// The store that `--store` named.
    pub(crate) fn of_store(store: Option<&str>) -> Self {
        match store {
            None => Self::default(),
            Some(store) if StoreUrl::parse(store).is_ok_and(|url| url.to_string() != store) => {
                Self { flags: String::new(), condition: " (with BESOM_STORE set to the URL of the store)" }
            }
            Some(store) => Self { flags: format!(" --store {}", quoted(store)), condition: "" },
        }
    }

    /// A command for a hint: `retry may` becomes `besom retry may --store a.db`.
    pub(crate) fn hint(&self, command: &str) -> String {
        format!("`besom {command}{}`{}", self.flags, self.condition)
    }

    /// `besom run` with what makes it mean the same sweep as these arguments did.
    pub(crate) fn run(&self, file: &FileArgs, allow_private_hosts: bool) -> String {
        let mut command = run(&file.file);
        if let Some(name) = &file.name {
            command += &format!(" --name {}", quoted(name));
        }
        if let Some(engine) = file.engine {
            command += &format!(" --engine {}", engine.as_str());
        }
        if allow_private_hosts {
            command += " --allow-private-hosts";
        }
        self.hint(&command)
    }
}

/// `run FILE`, for [`At::hint`].
pub(crate) fn run(file: &Path) -> String {
    format!("run {}", quoted(&file.to_string_lossy()))
}

/// The word as a shell reads it as one word.
pub(crate) fn quoted(word: &str) -> String {
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
        assert_eq!(At::default().run(&plain, false), "`besom run long.yaml`");
        let file = FileArgs { name: Some("Ana's sweep".to_owned()), engine: Some(Engine::Candle), ..plain.clone() };
        assert_eq!(
            At::of_store(Some("sqlite:a b.db")).run(&file, true),
            r"`besom run long.yaml --name 'Ana'\''s sweep' --engine candle --allow-private-hosts --store 'sqlite:a b.db'`"
        );
        let spaced = FileArgs { file: "$HOME & co.yaml".into(), ..plain };
        assert_eq!(At::default().run(&spaced, false), "`besom run '$HOME & co.yaml'`");
        let at = At::of(&Where { coordinator: Some("http://10.0.0.1:7070".to_owned()), store: None });
        assert_eq!(at.hint("retry may"), "`besom retry may --coordinator http://10.0.0.1:7070`");
    }

    #[test]
    fn a_hint_does_not_repeat_a_password() {
        for store in ["postgres://boss:PW@host/db", "postgres://host/db?user=boss&password=PW"] {
            let hint = At::of_store(Some(store)).hint("retry may");
            assert_eq!(hint, "`besom retry may` (with BESOM_STORE set to the URL of the store)");
        }
    }
}
