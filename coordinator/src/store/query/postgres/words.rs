//! Looks through the words of a statement for what a reader has no business with.
//!
//! The reader's role cannot read a table. But everybody in a Postgres server may read lists of
//! sessions, roles and settings, take locks that others wait for, and end other sessions of the
//! same role. So a statement may name no object of the catalogue and use no function but those that
//! compute. This is the second wall, not the first: the role holds also where a word is missed.

use super::super::error::QueryError;

/// With these words a statement that only reads begins.
const FIRST: [&str; 4] = ["SELECT", "WITH", "VALUES", "TABLE"];

/// What may stand before a parenthesis: words of the language, types with a length, and functions
/// that compute (numbers, texts, times, lists and JSON, aggregates and windows).
const ALLOWED: &str = "
    all and any array as between bit by case cast char character cube decimal distinct else end except exists
    filter from group groups having ilike in intersect interval is isnull join lateral like limit materialized
    not notnull numeric offset on or order over only escape zone partition precision range rollup row rows
    select sets similar some then time timestamp union using values varchar varying when where window with
    within fetch first next
    abs acos asin atan atan2 cbrt ceil ceiling cos degrees div exp floor gcd greatest lcm least ln log log10
    mod pi power radians random round sign sin sinh cosh tanh sqrt tan trunc width_bucket
    ascii btrim char_length character_length chr coalesce concat concat_ws decode encode format initcap left
    length lower lpad ltrim md5 nullif octet_length overlay position quote_ident quote_literal quote_nullable
    regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array
    regexp_split_to_table regexp_substr repeat replace reverse right rpad rtrim sha256 split_part starts_with
    string_to_array string_to_table strpos substr substring to_char to_number translate trim upper
    age clock_timestamp date date_bin date_part date_trunc extract justify_interval make_date make_interval
    make_timestamp make_timestamptz now statement_timestamp to_date to_timestamp transaction_timestamp
    array_agg array_append array_cat array_length array_position array_remove array_to_json array_to_string
    cardinality generate_series generate_subscripts json_agg json_array_elements json_array_elements_text
    json_array_length json_build_array json_build_object json_each json_each_text json_extract_path
    json_extract_path_text json_object json_object_agg json_object_keys json_strip_nulls json_to_record
    json_to_recordset json_typeof jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length
    jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text
    jsonb_object jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_query jsonb_path_query_array
    jsonb_path_query_first jsonb_pretty jsonb_set jsonb_strip_nulls jsonb_to_record jsonb_to_recordset
    jsonb_typeof row_to_json to_json to_jsonb unnest
    avg bit_and bit_or bool_and bool_or corr count covar_pop covar_samp cume_dist dense_rank every first_value
    lag last_value lead max min mode nth_value ntile percent_rank percentile_cont percentile_disc rank
    regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope row_number stddev stddev_pop stddev_samp
    string_agg sum var_pop var_samp variance
";

/// Names that tell of the server and not of sweeps, wherever they stand.
const HIDDEN: &str = "
    information_schema current_user session_user current_role system_user current_catalog current_schema xml
    regclass regcollation regconfig regdictionary regnamespace regoper regoperator regproc regprocedure
    regrole regtype txid_snapshot refcursor
";

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A word of the language or a name, in lower case, as Postgres reads them.
    Word(String),
    /// A name in quotes, as it stands there.
    Quoted(String),
    /// A text, a number or a parameter.
    Value,
    /// A name in quotes with escapes, which may spell anything.
    Escaped,
    /// Any other character.
    Other(char),
}

/// The first word behind spaces, comments, parentheses and semicolons has to begin a statement that
/// only reads.
pub(super) fn check_first(sql: &str, more: &[&str]) -> Result<(), QueryError> {
    let tokens = tokens(sql);
    match tokens.iter().find(|token| !matches!(token, Token::Other('(' | ';'))) {
        None => Err(QueryError::nothing()),
        Some(Token::Word(word)) if FIRST.iter().chain(more).any(|first| first.eq_ignore_ascii_case(word)) => Ok(()),
        Some(_) => Err(QueryError::writes()),
    }
}

/// Refuses a statement of a reader that names what is none of the reader's business.
pub(super) fn check(sql: &str) -> Result<(), QueryError> {
    let tokens = tokens(sql);
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Escaped => {
                return Err(QueryError::Refused(
                    "names with escapes (U&\"...\") cannot be used here; write them plainly".to_owned(),
                ));
            }
            Token::Word(name) | Token::Quoted(name) => {
                let lower = name.to_lowercase();
                if lower.starts_with("pg_") || is_one_of(HIDDEN, &lower) {
                    return Err(QueryError::hidden(name));
                }
                let is_called = tokens.get(at + 1) == Some(&Token::Other('('));
                if is_called && !is_one_of(ALLOWED, name) && !names_columns(&tokens, at) {
                    return Err(QueryError::function(name));
                }
            }
            Token::Value | Token::Other(_) => {}
        }
    }
    Ok(())
}

fn is_one_of(words: &str, name: &str) -> bool {
    words.split_ascii_whitespace().any(|word| word == name)
}

/// Whether a parenthesis behind this name lists columns: behind `AS`, where no function can stand,
/// or in front of the `AS (` of a table expression.
fn names_columns(tokens: &[Token], at: usize) -> bool {
    let is = |at: usize, word: &str| tokens.get(at) == Some(&Token::Word(word.to_owned()));
    if at > 0 && is(at - 1, "as") {
        return true;
    }
    let Some(length) = tokens[at..].iter().position(|token| *token == Token::Other(')')) else { return false };
    let mut next = at + length + 1;
    if !is(next, "as") {
        return false;
    }
    next += 1;
    next += usize::from(is(next, "not"));
    next += usize::from(is(next, "materialized"));
    // `f(x) AS (` is a function with a list of columns where it stands in FROM: a table expression
    // stands behind WITH, RECURSIVE or a comma.
    let behind_with = at > 0 && (is(at - 1, "with") || is(at - 1, "recursive") || is_behind_expression(tokens, at));
    tokens.get(next) == Some(&Token::Other('(')) && behind_with && begins_statement(tokens, next + 1)
}

/// Behind the closing parenthesis of another table expression and a comma.
fn is_behind_expression(tokens: &[Token], at: usize) -> bool {
    at > 1 && tokens[at - 1] == Token::Other(',') && tokens[at - 2] == Token::Other(')')
}

/// What stands in the parentheses of a table expression, and not in a list of columns with their
/// types.
fn begins_statement(tokens: &[Token], at: usize) -> bool {
    match tokens.get(at) {
        Some(Token::Word(word)) => FIRST.iter().any(|first| first.eq_ignore_ascii_case(word)),
        Some(Token::Other('(')) => true,
        _ => false,
    }
}

/// As Postgres cuts it, with standard strings, as far as names, texts and comments go.
fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(character) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.find(['\n', '\r']).map_or("", |end| &comment[end..]);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = behind_comment(comment);
        } else if let Some(text) = rest.strip_prefix('\'') {
            rest = behind_quote(text, '\'', false).1;
            tokens.push(Token::Value);
        } else if let Some(name) = rest.strip_prefix('"') {
            let (name, behind) = behind_quote(name, '"', false);
            tokens.push(Token::Quoted(name.replace("\"\"", "\"")));
            rest = behind;
        } else if let Some(behind) = behind_dollars(rest) {
            rest = behind;
            tokens.push(Token::Value);
        } else if begins_word(character) {
            let end = rest
                .find(|next: char| !begins_word(next) && !next.is_ascii_digit() && next != '$')
                .unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            rest = behind;
            if let Some(name) = behind.strip_prefix("&\"").filter(|_| word.eq_ignore_ascii_case("u")) {
                rest = behind_quote(name, '"', false).1;
                tokens.push(Token::Escaped);
            } else if let Some(text) = behind.strip_prefix('\'').filter(|_| word.eq_ignore_ascii_case("e")) {
                rest = behind_quote(text, '\'', true).1;
                tokens.push(Token::Value);
            } else {
                tokens.push(Token::Word(word.to_ascii_lowercase()));
            }
        } else if character.is_ascii_digit() || character == '$' {
            let end = rest[1..].find(|next: char| !next.is_ascii_digit()).map_or(rest.len(), |end| end + 1);
            rest = &rest[end..];
            tokens.push(Token::Value);
        } else {
            if !character.is_ascii_whitespace() && character != '\x0b' {
                tokens.push(Token::Other(character));
            }
            rest = &rest[character.len_utf8()..];
        }
    }
    tokens
}

fn begins_word(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_' || !character.is_ascii()
}

/// Comments of Postgres nest.
fn behind_comment(comment: &str) -> &str {
    let (mut depth, mut rest) = (1, comment);
    while depth > 0 {
        let Some(at) = rest.find(['*', '/']) else { return "" };
        rest = &rest[at..];
        if let Some(inner) = rest.strip_prefix("/*") {
            (depth, rest) = (depth + 1, inner);
        } else if let Some(outer) = rest.strip_prefix("*/") {
            (depth, rest) = (depth - 1, outer);
        } else {
            rest = &rest[1..];
        }
    }
    rest
}

/// What stands in the quotes, and what behind them. A quote is doubled within, and in an escaped
/// text stands behind a backslash.
fn behind_quote(text: &str, quote: char, has_escapes: bool) -> (&str, &str) {
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if has_escapes && character == '\\' {
            characters.next();
        } else if character == quote {
            if characters.peek().is_none_or(|(_, next)| *next != quote) {
                return (&text[..at], &text[at + 1..]);
            }
            characters.next();
        }
    }
    (text, "")
}

/// Behind a text in `$$` or `$tag$`.
fn behind_dollars(rest: &str) -> Option<&str> {
    let tag = rest.strip_prefix('$')?;
    let end = tag.find('$')?;
    let is_tag = tag[..end]
        .chars()
        .enumerate()
        .all(|(index, character)| begins_word(character) || (index > 0 && character.is_ascii_digit()));
    let delimiter = &rest[..end + 2];
    is_tag.then(|| rest[end + 2..].split_once(delimiter).map_or("", |(_, behind)| behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_stands_behind_comments() {
        for sql in [
            "SELECT 1",
            "  -- a comment\n /* another /* nested */ one */ (\n(select 1))",
            "with x as (select 1) select * from x",
            "VALUES (1)",
        ] {
            assert!(check_first(sql, &[]).is_ok(), "{sql}");
        }
        for sql in [
            "/* SELECT */ DROP TABLE x",
            "-- only this",
            "/* never closed",
            " ;",
            "\"quoted\"",
            "EXPLAIN SELECT 1",
            "'SELECT'",
        ] {
            assert!(check_first(sql, &[]).is_err(), "{sql}");
        }
        assert!(check_first("EXPLAIN SELECT 1", &["EXPLAIN"]).is_ok());
    }

    #[test]
    fn what_computes_is_allowed() {
        for sql in [
            "SELECT count(*) FILTER (WHERE state = 'failed') AS n FROM runs GROUP BY (optimizer)",
            "WITH best(job, place) AS NOT MATERIALIZED (SELECT job, rank FROM best_runs), b(x) AS (SELECT 1) SELECT * FROM best",
            "SELECT * FROM (SELECT 1, 2) AS t(a, b)",
            "SELECT 'pg_sleep(10)', $$pg_sleep(1)$$, $a$ pg_sleep(1) $a$, E'\\'pg_sleep(1)' FROM runs",
            "SELECT CAST(params->>'x' AS DOUBLE PRECISION), round(1.5::numeric(10, 2), 1) FROM runs -- pg_sleep(1)",
            "SELECT rank() OVER (PARTITION BY sweep ORDER BY objective), $1::text FROM runs WHERE job IN (1, 2)",
        ] {
            assert!(check(sql).is_ok(), "{sql}: {:?}", check(sql));
        }
    }

    #[test]
    fn what_reaches_further_is_refused() {
        for sql in [
            "SELECT pg_sleep(10)",
            "SELECT \"pg_sleep\"(10)",
            "SELECT PG_Sleep/**/(10)",
            "SELECT U&\"pg\\005Fsleep\"(10)",
            "SELECT * FROM pg_catalog.pg_stat_activity",
            "SELECT set_config('role', 'none', true)",
            "SELECT query_to_xml('SELECT 1', true, false, '')",
            "SELECT DISTINCT ON (1) lo_import('/etc/passwd')",
            "SELECT current_setting('data_directory')",
            "SELECT 'x'::regclass",
            "SELECT E'\\\\', set_config('a', 'b', true) --'",
            "SELECT $1$, set_config('a', 'b', true), $1$",
            "SELECT * FROM dblink('dbname=x', 'SELECT 1') AS (a text)",
            "SELECT * FROM (SELECT 1) x, dblink('dbname=x', 'SELECT 1') AS (a text)",
            "SELECT 'a' 'b', \"lo_get\"(1)",
            "SELECT * FROM generate_series(1, 2), dblink('x', 'SELECT 1') AS (\"select\" text)",
        ] {
            assert!(check(sql).is_err(), "{sql}");
        }
    }
}
