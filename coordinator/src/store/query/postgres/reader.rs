//! The role that statements of readers log in as: it can select from the views and do nothing else.
//!
//! A role that the coordinator's own session only puts on is no wall: `set_config('role', 'none',
//! true)` takes it off within one SELECT. So there is a login. Its password stands in a table that
//! only the owner of the store can read.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgConnectOptions};

use super::super::{error::QueryError, views::VIEWS};
use crate::store::{
    OpenError,
    error::plain,
    postgres::connect,
    url::{hide_password, postgres_options},
};

/// A host that does not answer at all must not look like a long statement.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Held while the role is made: several coordinators may start at once. Any number that nothing
/// else uses.
const LOCK: i64 = 0x6265_736f_6d72_6472;

/// Coordinators of copies of one store make one role, from databases that share no lock. One of
/// them then has to try again.
const TRIES: u32 = 5;

/// What the role of a reader would need, and did not get.
pub(super) struct Missing {
    /// Why the coordinator could not make it.
    why: String,
    /// What it would be called.
    role: String,
    /// Whether there is such a role, which only cannot log in.
    exists: bool,
}

/// Finds the role or makes it, and says how to log in as it.
pub(super) async fn make(url: &str) -> Result<Result<PgConnectOptions, Missing>, QueryError> {
    let own = postgres_options(url)?;
    let mut tries = 0;
    loop {
        let bounded = own.clone().options([("statement_timeout", "10s")]);
        let mut connection = connect(url, &bounded, CONNECT_TIMEOUT).await?;
        let made = make_once(&mut connection, tries > 0).await;
        let _ = connection.close().await;
        match made {
            Ok((role, password)) => {
                let reader = own.clone().username(&role).password(&password);
                match log_in(&reader).await {
                    Ok(()) => return Ok(Ok(reader)),
                    // The password may be that of a copy of the store; it is set again.
                    Err(_) if tries == 0 => tries += 1,
                    Err(why) => return Ok(Err(Missing { why, role, exists: true })),
                }
            }
            Err((role, error)) => {
                let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
                let again = matches!(code.as_deref(), Some("42710" | "23505" | "XX000" | "40001" | "40P01"));
                if again && tries < TRIES {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(50) * tries).await;
                    continue;
                }
                return match (error, role) {
                    (sqlx::Error::Database(error), Some(role)) => {
                        Ok(Err(Missing { why: error.message().to_owned(), role, exists: false }))
                    }
                    (error, _) => Err(QueryError::Unavailable(plain(&error).into())),
                };
            }
        }
    }
}

type Made = Result<(String, String), (Option<String>, sqlx::Error)>;

async fn make_once(connection: &mut PgConnection, set_password: bool) -> Made {
    let unnamed = |error| (None, error);
    let mut transaction = connection.begin().await.map_err(unnamed)?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await.map_err(unnamed)?;
    let identity: String =
        sqlx::query_scalar("SELECT identity FROM store").fetch_one(&mut *transaction).await.map_err(unnamed)?;
    let role = role_of(&identity);
    let named = |error| (Some(role.clone()), error);
    let new = password().map_err(|error| named(sqlx::Error::Io(error)))?;
    let password: String = sqlx::query_scalar(include_str!("../../sql/postgres/reader_password.sql"))
        .bind(new)
        .fetch_one(&mut *transaction)
        .await
        .map_err(named)?;
    let (exists, database, schema, is_superuser): (bool, String, String, bool) =
        sqlx::query_as(include_str!("../../sql/postgres/reader_role.sql"))
            .bind(&role)
            .fetch_one(&mut *transaction)
            .await
            .map_err(named)?;
    let mut statements = Vec::new();
    if !exists {
        statements.push(format!("CREATE ROLE {role} LOGIN NOINHERIT PASSWORD '{password}'"));
    } else if set_password {
        statements.push(format!("ALTER ROLE {role} PASSWORD '{password}'"));
    }
    if is_superuser {
        // Only a superuser may bound the files that a sort writes.
        statements.push(format!("ALTER ROLE {role} SET temp_file_limit = '1GB'"));
    }
    statements.push(format!("GRANT CONNECT ON DATABASE {} TO {role}", quoted(&database)));
    statements.push(format!("GRANT USAGE ON SCHEMA {} TO {role}", quoted(&schema)));
    statements.push(format!("GRANT SELECT ON {} TO {role}", VIEWS.join(", ")));
    for statement in statements {
        // Names are quoted or made of letters and digits, and the password is hexadecimal.
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *transaction).await.map_err(named)?;
    }
    transaction.commit().await.map_err(named)?;
    Ok((role, password))
}

/// Whether the role can log in, and can read nothing but what everybody's statements may.
pub(super) async fn log_in(reader: &PgConnectOptions) -> Result<(), String> {
    use sqlx::ConnectOptions;
    let late = || format!("the server did not answer within {} s", CONNECT_TIMEOUT.as_secs());
    let asked = async {
        let mut connection = reader.connect().await?;
        let rights: (bool, Option<String>) = sqlx::query_as(include_str!("../../sql/postgres/reader_rights.sql"))
            .bind(&VIEWS[..])
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(rights)
    };
    let (is_more, table) =
        tokio::time::timeout(CONNECT_TIMEOUT, asked).await.map_err(|_| late())?.map_err(|error| plain(&error))?;
    let role = reader.get_username();
    match table {
        _ if is_more => Err(format!(
            "the role {role} is a superuser, owns something, or is a member of other roles; a reader may only select from the views"
        )),
        Some(table) => Err(format!("the role {role} can also read {table}; a reader may only select from the views")),
        None => Ok(()),
    }
}

impl Missing {
    /// What to tell, with the lines of SQL that make the role.
    pub(super) fn told(&self, url: &str) -> QueryError {
        let database = postgres_options(url).ok().and_then(|options| options.get_database().map(str::to_owned));
        let database = database.unwrap_or_else(|| "besom".to_owned());
        QueryError::NoReader(format!(
            "statements of readers run as a role that can only select from the views, and the coordinator cannot make it ({}); let somebody \
             who may run this, and start the coordinator with --reader-url postgres://{role}:PASSWORD@HOST/{database}:\n\
             {} ROLE {role} LOGIN NOINHERIT PASSWORD '...';\n\
             GRANT CONNECT ON DATABASE {} TO {role};\n\
             GRANT SELECT ON {} TO {role};",
            self.why,
            if self.exists { "ALTER" } else { "CREATE" },
            quoted(&database),
            VIEWS.join(", "),
            role = self.role,
        ))
    }
}

/// Roles are those of the whole server, which may have several stores.
fn role_of(identity: &str) -> String {
    let letters: String = identity.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
    format!("besom_reader_{}", letters.to_ascii_lowercase())
}

fn password() -> std::io::Result<String> {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A URL that names the role of readers.
pub(super) async fn named(url: &str) -> Result<PgConnectOptions, QueryError> {
    let reader = postgres_options(url)?;
    match log_in(&reader).await {
        Ok(()) => Ok(reader),
        Err(problem) => {
            let problem = format!("{problem} (--reader-url)");
            Err(OpenError::Unavailable { store: hide_password(url), problem }.into())
        }
    }
}
