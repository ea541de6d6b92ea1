//! Finds what the authorizer cannot see: names as they stand in the statement.
//!
//! The authorizer lets tables be read within a view, which SQLite tells by its name alone. `WITH
//! runs AS (SELECT * FROM workers)` would pass for the view `runs`. So no table expression may have
//! the name of a view; its definition is a name, maybe a list of columns, `AS`, maybe `[NOT]
//! MATERIALIZED`, and a parenthesis, which stands nowhere else but in a WINDOW clause.
//!
//! Nor is the authorizer asked about everything: the columns of `g FULL JOIN workers USING
//! (secret)` are put together without it. So no table may be named where a table stands.

use super::super::views::VIEWS;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A word of the language or a name.
    Word(String),
    /// A name in quotes of any kind. SQLite takes a text in single quotes for a name where one must
    /// stand.
    Quoted(String),
    /// Any other character.
    Other(char),
}

impl Token {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Word(name) | Self::Quoted(name) => Some(name),
            Self::Other(_) => None,
        }
    }

    /// Whether it is one of these words, which are no names unless they stand in quotes.
    fn is_word(&self, words: &[&str]) -> bool {
        matches!(self, Self::Word(word) if words.iter().any(|one| one.eq_ignore_ascii_case(word)))
    }
}

/// The view whose name the statement gives to a table expression.
pub(super) fn shadowed_view(sql: &str) -> Option<&'static str> {
    let tokens = tokens(sql);
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is_word(&[word]));
    let other = |at: usize, character: char| tokens.get(at) == Some(&Token::Other(character));
    (0..tokens.len()).find_map(|at| {
        let name = tokens[at].name()?;
        let view = VIEWS.iter().find(|view| view.eq_ignore_ascii_case(name))?;
        let mut next = at + 1;
        if other(next, '(') {
            // A list of columns has no parentheses within it.
            while next < tokens.len() && !other(next, ')') {
                next += 1;
            }
            next += 1;
        }
        if !is(next, "AS") {
            return None;
        }
        next += 1;
        next += usize::from(is(next, "NOT"));
        next += usize::from(is(next, "MATERIALIZED"));
        other(next, '(').then_some(*view)
    })
}

/// Words that end a list of tables. Each is a word of the language wherever it stands without
/// quotes.
const END_OF_TABLES: [&str; 9] =
    ["SELECT", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT"];

/// The names, in lower case, that stand where a table may stand. It finds rather one too many than
/// one too few.
pub(in crate::store::query) fn named_tables(sql: &str) -> Vec<String> {
    let tokens = tokens(sql);
    let mut named = Vec::new();
    // For each open parenthesis: whether what stands there is a list of tables.
    let mut lists = vec![false];
    let mut may_come = false;
    for (at, token) in tokens.iter().enumerate() {
        let is_list = lists.last().copied().unwrap_or_default();
        match token {
            Token::Other('(') => lists.push(is_list && may_come),
            Token::Other(')') => {
                lists.pop();
                may_come = false;
            }
            Token::Other(',') => may_come = is_list,
            // Behind the name of the database.
            Token::Other('.') => {}
            Token::Other(_) => may_come = false,
            token if token.is_word(&["FROM", "JOIN"]) => {
                if let Some(list) = lists.last_mut() {
                    *list = true;
                }
                may_come = true;
            }
            token if token.is_word(&["IN"]) => may_come = true,
            token if token.is_word(&END_OF_TABLES) => {
                if let Some(list) = lists.last_mut() {
                    *list = false;
                }
                may_come = false;
            }
            token => {
                if may_come {
                    named.extend(token.name().map(str::to_ascii_lowercase));
                }
                may_come = may_come && tokens.get(at + 1) == Some(&Token::Other('.'));
            }
        }
    }
    named
}

/// As SQLite's own tokenizer cuts it, as far as names, quotes, comments and parentheses go.
fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut characters = sql.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\'' | '"' | '`' | '[' => {
                let end = if character == '[' { ']' } else { character };
                let mut name = String::new();
                while let Some(next) = characters.next() {
                    if next == end {
                        if end == ']' || characters.peek() != Some(&end) {
                            break;
                        }
                        characters.next();
                    }
                    name.push(next);
                }
                tokens.push(Token::Quoted(name));
            }
            '-' if characters.peek() == Some(&'-') => {
                for next in characters.by_ref() {
                    if next == '\n' {
                        break;
                    }
                }
            }
            '/' if characters.peek() == Some(&'*') => {
                characters.next();
                let mut before = ' ';
                for next in characters.by_ref() {
                    if before == '*' && next == '/' {
                        break;
                    }
                    before = next;
                }
            }
            // A space where a token begins, and part of a word within one.
            '\u{feff}' => {}
            character if is_of_a_word(character) => {
                let mut name = String::from(character);
                while let Some(next) = characters.next_if(|next| is_of_a_word(*next)) {
                    name.push(next);
                }
                tokens.push(Token::Word(name));
            }
            character if character.is_ascii_whitespace() => {}
            character => tokens.push(Token::Other(character)),
        }
    }
    tokens
}

fn is_of_a_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '$') || !character.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_expression_with_the_name_of_a_view_is_found() {
        for sql in [
            "WITH runs AS (SELECT * FROM workers) SELECT * FROM runs",
            "with RECURSIVE \"Runs\"(a, b) as (select 1, 2) select * from runs",
            "WITH x AS (SELECT 1), [runs] AS NOT MATERIALIZED (SELECT secret FROM workers) SELECT * FROM runs",
            "WITH 'runs' AS MATERIALIZED (SELECT 1) SELECT * FROM runs",
            "WITH `runs`/* a comment */AS--another\n(SELECT 1) SELECT * FROM runs",
            "SELECT (WITH runs(\"a)\", 'b)') AS (SELECT 1, 2) SELECT a FROM runs)",
            "/**/WITH runs AS (SELECT 1) SELECT 1",
            "/*/**/WITH runs AS (SELECT 1) SELECT 1",
            "WITH \"runs\"\u{feff}AS (SELECT 1) SELECT 1",
        ] {
            assert_eq!(shadowed_view(sql), Some("runs"), "{sql}");
        }
    }

    #[test]
    fn names_are_found_where_tables_stand() {
        let named = named_tables;
        assert_eq!(
            named(
                "SELECT count(*) AS sweeps, epochs FROM runs r, main.\"Workers\" JOIN (jobs, 'x') ON f(a, attempts), store"
            ),
            ["runs", "main", "workers", "jobs", "x", "store"]
        );
        assert_eq!(named("SELECT a FROM runs \"where\", workers"), ["runs", "workers"]);
        assert_eq!(
            named("SELECT a FROM runs window, workers WHERE a IN attempts ORDER BY a, epochs"),
            ["runs", "workers", "attempts"]
        );
        assert_eq!(named("SELECT r.job, epochs FROM runs r JOIN history USING (job)"), ["runs", "history"]);
        assert_eq!(
            named("SELECT (SELECT max(a, epochs) FROM [jobs]) FROM (SELECT epochs, jobs FROM runs), workers"),
            ["jobs", "runs", "workers"]
        );
        assert_eq!(named("WITH g(x) AS (VALUES (1)) SELECT x FROM g FULL JOIN/**/workers USING (x)"), ["g", "workers"]);
    }

    #[test]
    fn other_uses_of_the_name_are_none() {
        for sql in [
            "SELECT * FROM runs AS r",
            "SELECT count(*) AS runs FROM (SELECT * FROM runs)",
            "WITH best AS (SELECT * FROM runs) SELECT * FROM best",
            "SELECT 'WITH runs AS (' || state FROM runs -- WITH runs AS (SELECT 1)",
            "SELECT CAST(runs.job AS TEXT) FROM runs /* runs AS ( */",
            "SELECT history.job AS job FROM history WHERE (1)",
        ] {
            assert_eq!(shadowed_view(sql), None, "{sql}");
        }
    }
}
