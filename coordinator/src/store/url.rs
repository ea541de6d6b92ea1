//! Where a store is: the URL as it is given, as it is printed, and as the driver takes it.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use sqlx::{ConnectOptions, postgres::PgConnectOptions};

use super::error::{OpenError, plain};

/// What is wrong with a path that is a folder's.
pub(super) const IS_FOLDER: &str = "this is a folder; name the file in it, as in sqlite:DIR/besom.db";

/// The place of a store.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// The database's path.
    Sqlite(PathBuf),
    /// The whole URL, with its password.
    Postgres(String),
}

impl StoreUrl {
    /// Of a SQLite file.
    pub fn of_file(database: &Path) -> Self {
        Self::Sqlite(database.to_owned())
    }

    /// Reads `sqlite:PATH`, `postgres://...` or `postgresql://...`.
    ///
    /// # Errors
    /// `BadUrl`, without the password.
    pub fn parse(text: &str) -> Result<Self, OpenError> {
        let bad = |problem: &str| OpenError::BadUrl { url: hide_password(text), problem: problem.to_owned() };
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" => Err(bad("a path is missing, as in sqlite:besom.db")),
                ":memory:" => Err(bad("a database in memory keeps nothing; give a path, as in sqlite:besom.db")),
                _ if path.ends_with('/') => Err(bad(IS_FOLDER)),
                _ => Ok(Self::Sqlite(PathBuf::from(path))),
            };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            postgres_options(text)?;
            return Ok(Self::Postgres(text.to_owned()));
        }
        Err(bad("neither sqlite:PATH nor postgres://USER@HOST/DATABASE"))
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => f.write_str(&hide_password(url)),
        }
    }
}

/// As `Display`, so that no log shows a password.
impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How to connect to the Postgres server of this URL.
pub(super) fn postgres_options(url: &str) -> Result<PgConnectOptions, OpenError> {
    let bad = |problem| OpenError::BadUrl { url: hide_password(url), problem };
    if let Some(problem) = unknown_parameter(url) {
        return Err(bad(problem));
    }
    let options: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| bad(plain(&error)))?;
    // The log is besom's own: no statements, and no notices such as that the table of migrations is there already.
    Ok(options.application_name("besom").options([("client_min_messages", "warning")]).disable_statement_logging())
}

/// Parameters of a Postgres URL whose values are no secrets. The driver knows these, `password` and `options[NAME]`.
const PARAMETERS: [&str; 17] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "application_name",
    "options",
];

/// What is wrong with the names of a Postgres URL's parameters. The driver would print those that it does not know with
/// their values, and a password with a slip in its name is one.
fn unknown_parameter(url: &str) -> Option<String> {
    let query = url.split_once('?')?.1;
    let query = query.split('#').next().unwrap_or_default();
    let known = |name: &str| {
        PARAMETERS.contains(&name) || name == "password" || (name.starts_with("options[") && name.ends_with(']'))
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let (unknown, value) =
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).find(|(name, _)| !known(name))?;
    // Without a value, or with an @ behind a question mark that should have been escaped, it may be (part of) a password.
    let named = match is_word(unknown) && !value.is_empty() && !query.contains('@') {
        true => format!("parameter {unknown}"),
        false => "a parameter".to_owned(),
    };
    Some(format!(
        "{named} is not known; there are host, port, dbname, user, password, sslmode, sslrootcert, sslcert, sslkey, options"
    ))
}

fn is_word(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Between the user's colon and the last `@`, and the values of the query but those that are known to be no secrets.
pub(super) fn hide_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // A password may hold a slash or a question mark that should have been escaped: rather hide too much.
    let rest = match rest.rsplit_once('@') {
        Some((user, place)) if user.contains(':') => {
            format!("{}:***@{place}", user.split(':').next().unwrap_or_default())
        }
        _ => rest.to_owned(),
    };
    let (rest, query) = rest.split_once('?').map_or((rest.as_str(), None), |(rest, query)| (rest, Some(query)));
    let query = query.map(|query| {
        let hidden = |pair: &str| match pair.split_once('=') {
            Some((key, _)) if PARAMETERS.contains(&key) => pair.to_owned(),
            Some((key, _)) if is_word(key) => format!("{key}=***"),
            Some(_) | None => "***".to_owned(),
        };
        format!("?{}", query.split('&').map(hidden).collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{rest}{}", query.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_file_or_a_server() {
        for (text, path) in [
            ("sqlite:besom.db", "besom.db"),
            ("sqlite:/var/lib/besom/besom.db", "/var/lib/besom/besom.db"),
            ("sqlite:///var/lib/besom.db", "/var/lib/besom.db"),
        ] {
            assert_eq!(StoreUrl::parse(text).unwrap(), StoreUrl::Sqlite(path.into()));
        }
        for text in ["postgres://host/besom", "postgresql://me:secret@host:5432/besom?sslmode=require"] {
            assert_eq!(StoreUrl::parse(text).unwrap(), StoreUrl::Postgres(text.to_owned()));
        }
    }

    #[test]
    fn texts_that_name_no_store_are_refused_with_what_would() {
        for (text, says) in [
            ("besom.db", "sqlite:PATH"),
            ("", "sqlite:PATH"),
            ("mysql://host/besom", "postgres://"),
            ("sqlite:", "a path is missing"),
            ("sqlite::memory:", "keeps nothing"),
            ("sqlite:/var/lib/", "this is a folder"),
            ("postgres://me:secret@host:notaport/besom", "port"),
            ("postgres://me@host/besom?pasword=secret", "parameter pasword is not known"),
            ("postgres://me@host/besom?sslmode=require&passwd=secret", "parameter passwd is not known"),
            ("postgres://me:x?secret@host/besom", "a parameter is not known"),
            ("postgres://me@host/besom?secret", "not known; there are host"),
        ] {
            let message = StoreUrl::parse(text).unwrap_err().to_string();
            assert!(message.contains(says), "{text}: {message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn passwords_are_never_printed() {
        for (url, shown) in [
            ("postgres://me:secret@host/besom", "postgres://me:***@host/besom"),
            ("postgres://me:se/cr@et@host/besom", "postgres://me:***@host/besom"),
            ("postgres://me:se?cret@host/besom", "postgres://me:***@host/besom"),
            ("postgres://me@host/besom", "postgres://me@host/besom"),
            ("postgres://host:5432/besom", "postgres://host:5432/besom"),
            (
                "postgres://host/besom?sslmode=require&password=secret&user=me",
                "postgres://host/besom?sslmode=require&password=***&user=me",
            ),
            ("postgres://me@host/besom?pasword=secret", "postgres://me@host/besom?pasword=***"),
        ] {
            let url = StoreUrl::Postgres(url.to_owned());
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), shown);
        }
    }
}
