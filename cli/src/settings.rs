//! Arguments, environment and file become settings, once: flag > environment >
//! `$BESOM_HOME/config.toml` > default.
//!
//! Nothing else in the program reads an environment variable, but for `BESOM_LOG`, which logging
//! reads.

use std::{ffi::OsString, fmt, fs, io, path::PathBuf, sync::Once};

use anyhow::Context;
use serde::Deserialize;

use crate::output::{say, usage};

/// Where a worker looks for a coordinator that nobody named.
pub(crate) const DEFAULT_COORDINATOR: &str = "http://127.0.0.1:7070";
/// Most jobs that a worker trains at once.
const MAX_SLOTS: u32 = 1024;
/// Where a coordinator listens.
pub(crate) const DEFAULT_LISTEN: &str = "127.0.0.1:7070";

/// Where state lives or who serves it; shared by all clients.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Where {
    /// Talk to the coordinator at this URL [env: BESOM_COORDINATOR]
    #[arg(long, value_name = "URL")]
    pub(crate) coordinator: Option<String>,
    /// Open this store instead: sqlite:PATH or postgres://... [env: BESOM_STORE] [default:
    /// sqlite:$BESOM_HOME/besom.db]
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
}

/// What a client talks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A coordinator, by URL.
    Coordinator(String),
    /// A store, opened in this process unless another one holds it.
    Store(String),
}

/// One source of settings: the environment or the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    coordinator: Option<String>,
    store: Option<String>,
    slots: Option<u32>,
    listen: Option<String>,
    reader_url: Option<String>,
}

/// Settings of this process, below the flags.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// BESOM_HOME: the local store, artifacts and the dataset cache.
    pub(crate) home: PathBuf,
    environment: Layer,
    file: Layer,
}

impl Settings {
    /// Reads the environment and `config.toml`.
    ///
    /// # Errors
    /// No home folder can be told, or the file or a variable is wrong.
    pub(crate) fn load() -> anyhow::Result<Self> {
        Self::from_environment(|name| std::env::var_os(name))
    }

    /// The folder for figures of a sweep.
    pub(crate) fn figures(&self, sweep: &str) -> PathBuf {
        self.home.join("figures").join(sweep)
    }

    fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> anyhow::Result<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let text = |name: &str| -> anyhow::Result<Option<String>> {
            set(name).map(|value| value.into_string().map_err(|_| usage(format_args!("{name}: not UTF-8")))).transpose()
        };
        let slots = text("BESOM_SLOTS")?
            .map(|text| text.parse().ok().filter(may_be).ok_or_else(|| wrong_slots("BESOM_SLOTS", text)))
            .transpose()?;
        let environment = Layer {
            coordinator: text("BESOM_COORDINATOR")?,
            store: text("BESOM_STORE")?,
            slots,
            listen: text("BESOM_LISTEN")?,
            reader_url: text("BESOM_READER_URL")?,
        };
        let home = match set("BESOM_HOME") {
            Some(home) => home.to_str().map_or_else(|| PathBuf::from(&home), besom_dataset::expand),
            None => data_dir(set)?,
        };
        let home = std::path::absolute(&home).with_context(|| home.display().to_string())?;
        let file = read_file(&home)?;
        Ok(Self { home, environment, file })
    }

    /// What a client talks to: the first source that names a coordinator or a store decides; one
    /// that names both means the coordinator. Without any: the local store.
    ///
    /// # Errors
    /// Both as flags.
    pub(crate) fn target(&self, flags: &Where) -> anyhow::Result<Target> {
        if flags.coordinator.is_some() && flags.store.is_some() {
            return Err(usage("--coordinator and --store exclude each other: a coordinator has its own store"));
        }
        let sources = [
            (&flags.coordinator, &flags.store),
            (&self.environment.coordinator, &self.environment.store),
            (&self.file.coordinator, &self.file.store),
        ];
        for (index, (coordinator, store)) in sources.into_iter().enumerate() {
            if let Some(url) = coordinator {
                if store.is_some() {
                    say_once(match index {
                        1 => "BESOM_COORDINATOR counts here, and BESOM_STORE does not; --store names a store",
                        _ => {
                            "config.toml names a coordinator and a store: the coordinator counts here; --store names a store"
                        }
                    });
                }
                return Ok(Target::Coordinator(url.clone()));
            }
            if let Some(url) = store {
                return Ok(Target::Store(expanded(url)));
            }
        }
        Ok(Target::Store(self.local_store()))
    }

    /// The store that `run` opens, whatever coordinator is named elsewhere.
    pub(crate) fn store_of_run(&self, flag: Option<&str>) -> String {
        let store = self.store(flag);
        if flag.is_none() && self.environment.coordinator.is_some() {
            let set = if self.environment.store.is_some() { "BESOM_STORE counts here, and " } else { "" };
            say_once(&format!(
                "{set}BESOM_COORDINATOR does not count for `besom run`, which trains on this machine; `besom submit` hands a sweep \
                 to a coordinator"
            ));
        }
        store
    }

    /// The store that a coordinator serves, and the others open.
    pub(crate) fn store(&self, flag: Option<&str>) -> String {
        let named = flag.or(self.environment.store.as_deref()).or(self.file.store.as_deref());
        named.map_or_else(|| self.local_store(), expanded)
    }

    /// The coordinator that a worker joins.
    pub(crate) fn coordinator(&self, flag: Option<&str>) -> String {
        let named = flag.or(self.environment.coordinator.as_deref()).or(self.file.coordinator.as_deref());
        named.unwrap_or(DEFAULT_COORDINATOR).to_owned()
    }

    /// How many jobs to train at once; `None`: as many as cores may be used.
    pub(crate) fn slots(&self, flag: Option<u32>) -> Option<u32> {
        flag.or(self.environment.slots).or(self.file.slots)
    }

    /// Where a coordinator listens.
    pub(crate) fn listen(&self, flag: Option<&str>) -> String {
        let named = flag.or(self.environment.listen.as_deref()).or(self.file.listen.as_deref());
        named.unwrap_or(DEFAULT_LISTEN).to_owned()
    }

    /// The role that statements of readers log in as.
    pub(crate) fn reader_url(&self, flag: Option<&str>) -> Option<String> {
        flag.or(self.environment.reader_url.as_deref()).or(self.file.reader_url.as_deref()).map(str::to_owned)
    }

    fn local_store(&self) -> String {
        format!("sqlite:{}", self.home.join("besom.db").display())
    }
}

/// The URL of a store with the home folder for a `~`: no shell expands it in a file or behind
/// `sqlite:`.
fn expanded(url: &str) -> String {
    match url.strip_prefix("sqlite:") {
        Some(path) if path.starts_with('~') => format!("sqlite:{}", besom_dataset::expand(path).display()),
        _ => url.to_owned(),
    }
}

/// A remark that is worth making once, however often a command asks for its settings.
fn say_once(text: &str) {
    static SAID: Once = Once::new();
    SAID.call_once(|| say(text));
}

/// `--slots`.
///
/// # Errors
/// No number, or one out of range, in plain words.
pub(crate) fn parse_slots(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(may_be).ok_or_else(|| format!("a whole number from 1 to {MAX_SLOTS} is meant"))
}

fn may_be(slots: &u32) -> bool {
    (1..=MAX_SLOTS).contains(slots)
}

fn wrong_slots(place: impl fmt::Display, given: impl fmt::Display) -> anyhow::Error {
    usage(format_args!("{place}: {given} is no number of slots: 1 to {MAX_SLOTS}"))
}

/// The platform's place for data of programs.
fn data_dir(set: impl Fn(&str) -> Option<OsString>) -> anyhow::Result<PathBuf> {
    let xdg = set("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(data) = xdg {
        return Ok(data.join("besom"));
    }
    let home = set("HOME").map(PathBuf::from).context("neither BESOM_HOME nor HOME is set: say where data may live")?;
    let below = if cfg!(target_os = "macos") { "Library/Application Support/besom" } else { ".local/share/besom" };
    Ok(home.join(below))
}

fn read_file(home: &std::path::Path) -> anyhow::Result<Layer> {
    let path = home.join("config.toml");
    match fs::read_to_string(&path) {
        Ok(text) => {
            // Without the line itself, which may hold the password of a store.
            let layer: Layer = toml::from_str(&text).map_err(|error| {
                let before = &text[..error.span().map_or(0, |span| span.start)];
                let line = 1 + before.matches('\n').count();
                usage(format_args!("{}: line {line}: {}", path.display(), error.message()))
            })?;
            match layer.slots.filter(|slots| !may_be(slots)) {
                Some(slots) => Err(wrong_slots(format_args!("{}: slots", path.display()), slots)),
                None => Ok(layer),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Layer::default()),
        Err(error) => Err(anyhow::Error::new(error).context(path.display().to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)], file: Option<&str>) -> anyhow::Result<Settings> {
        let home = tempfile::tempdir().unwrap();
        if let Some(text) = file {
            fs::write(home.path().join("config.toml"), text).unwrap();
        }
        Settings::from_environment(|name| match name {
            "BESOM_HOME" => Some(home.path().as_os_str().to_owned()),
            _ => variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()),
        })
    }

    fn flags(coordinator: Option<&str>, store: Option<&str>) -> Where {
        Where { coordinator: coordinator.map(str::to_owned), store: store.map(str::to_owned) }
    }

    #[test]
    fn a_flag_beats_the_environment_and_the_environment_beats_the_file() {
        let file = Some("store = 'sqlite:file.db'\nslots = 3\nlisten = '127.0.0.1:1'");
        let both = settings(&[("BESOM_STORE", "sqlite:env.db"), ("BESOM_SLOTS", "2")], file).unwrap();
        assert_eq!(both.store(Some("sqlite:flag.db")), "sqlite:flag.db");
        assert_eq!(both.store(None), "sqlite:env.db");
        assert_eq!((both.slots(Some(1)), both.slots(None)), (Some(1), Some(2)));
        let only_file = settings(&[], file).unwrap();
        assert_eq!(only_file.store(None), "sqlite:file.db");
        assert_eq!(only_file.slots(None), Some(3));
        assert_eq!(only_file.listen(None), "127.0.0.1:1");
        let nothing = settings(&[], None).unwrap();
        assert_eq!(nothing.store(None), format!("sqlite:{}/besom.db", nothing.home.display()));
        assert_eq!(nothing.coordinator(None), DEFAULT_COORDINATOR);
        assert_eq!(nothing.listen(None), DEFAULT_LISTEN);
    }

    #[test]
    fn a_store_flag_beats_a_coordinator_of_the_environment() {
        let settings = settings(&[("BESOM_COORDINATOR", "http://a:1")], None).unwrap();
        let target = |flags| settings.target(&flags).unwrap();
        assert_eq!(target(flags(None, Some("sqlite:x"))), Target::Store("sqlite:x".into()));
        assert_eq!(target(flags(Some("http://b:2"), None)), Target::Coordinator("http://b:2".into()));
        assert_eq!(target(flags(None, None)), Target::Coordinator("http://a:1".into()));
        assert!(settings.target(&flags(Some("http://b:2"), Some("sqlite:x"))).is_err());
    }

    #[test]
    fn the_role_of_readers_is_named_by_flag_variable_or_file() {
        let of = |variables: &[(&str, &str)], file: Option<&str>, flag: Option<&str>| {
            settings(variables, file).unwrap().reader_url(flag)
        };
        let (variable, file) = (("BESOM_READER_URL", "postgres://b@h/d"), Some("reader_url = 'postgres://c@h/d'"));
        assert_eq!(of(&[variable], file, Some("postgres://a@h/d")).as_deref(), Some("postgres://a@h/d"));
        assert_eq!(of(&[variable], file, None).as_deref(), Some("postgres://b@h/d"));
        assert_eq!(of(&[], file, None).as_deref(), Some("postgres://c@h/d"));
        assert_eq!(of(&[], None, None), None);
    }

    #[test]
    fn a_store_of_the_environment_beats_a_coordinator_of_the_file() {
        let settings = settings(&[("BESOM_STORE", "sqlite:x")], Some("coordinator = 'http://a:1'")).unwrap();
        assert_eq!(settings.target(&flags(None, None)).unwrap(), Target::Store("sqlite:x".into()));
    }

    #[test]
    fn an_empty_variable_counts_as_unset_and_a_wrong_one_is_named() {
        assert_eq!(settings(&[("BESOM_SLOTS", "")], None).unwrap().slots(None), None);
        let error = settings(&[("BESOM_SLOTS", "many")], None).unwrap_err().to_string();
        assert!(error.contains("BESOM_SLOTS") && error.contains("many"), "{error}");
    }

    #[test]
    fn a_number_of_slots_that_no_flag_would_take_is_refused() {
        for slots in ["0", "1025", "-1"] {
            let error = settings(&[("BESOM_SLOTS", slots)], None).unwrap_err().to_string();
            assert!(error.contains("BESOM_SLOTS") && error.contains("1 to 1024"), "{error}");
        }
        let error = settings(&[], Some("slots = 0")).unwrap_err().to_string();
        assert!(error.contains("config.toml: slots") && error.contains("1 to 1024"), "{error}");
    }

    #[test]
    fn an_unknown_key_of_the_file_is_refused_by_name() {
        let error = settings(&[], Some("stroe = 'sqlite:x'")).unwrap_err().to_string();
        assert!(error.contains("stroe") && error.contains("config.toml: line 1"), "{error}");
        let error = settings(&[], Some("\nstroe = 'postgres://boss:PW@host'")).unwrap_err().to_string();
        assert!(error.contains("config.toml: line 2") && !error.contains("PW"), "{error}");
    }

    #[test]
    fn a_tilde_is_the_home_folder() {
        let home = std::env::home_dir().unwrap();
        let tilde = Settings::from_environment(|name| (name == "BESOM_HOME").then(|| "~/none/besom".into())).unwrap();
        assert_eq!(tilde.home, home.join("none/besom"));
        assert_eq!(tilde.store(Some("sqlite:~/x.db")), format!("sqlite:{}", home.join("x.db").display()));
        let target = tilde.target(&Where { coordinator: None, store: Some("sqlite:~/x.db".to_owned()) }).unwrap();
        assert_eq!(target, Target::Store(format!("sqlite:{}", home.join("x.db").display())));
    }

    #[test]
    fn the_home_defaults_to_the_data_folder() {
        let xdg = Settings::from_environment(|name| (name == "XDG_DATA_HOME").then(|| "/data".into())).unwrap();
        assert_eq!(xdg.home, PathBuf::from("/data/besom"));
        assert!(Settings::from_environment(|_| None).is_err());
    }
}
