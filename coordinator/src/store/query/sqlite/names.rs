//! Finds what the authorizer cannot see: names as they stand in the statement.
//!
//! The authorizer lets tables be read within a view, which SQLite tells by its name alone. `WITH runs AS (SELECT * FROM workers)`
//! would pass for the view `runs`. So no table expression may have the name of a view; its definition is a name, maybe a list of columns,
//! `AS`, maybe `[NOT] MATERIALIZED`, and a parenthesis, which stands nowhere else but in a WINDOW clause.

use std::collections::HashSet;

use super::super::VIEWS;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A word, or a name in quotes of any kind. SQLite takes a text in single quotes for a name where one must stand.
    Name(String),
    /// Any other character.
    Other(char),
}

/// The view whose name the statement gives to a table expression.
pub(super) fn shadowed_view(sql: &str) -> Option<&'static str> {
    let tokens = tokens(sql);
    let is =
        |at: usize, word: &str| matches!(tokens.get(at), Some(Token::Name(name)) if name.eq_ignore_ascii_case(word));
    let other = |at: usize, character: char| tokens.get(at) == Some(&Token::Other(character));
    (0..tokens.len()).find_map(|at| {
        let Some(Token::Name(name)) = tokens.get(at) else { return None };
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

/// The names, in lower case, that stand where a table may stand: the authorizer is asked about a table of which no column is read in the same way
/// whether the statement names it or a view does.
pub(super) fn named_tables(sql: &str) -> HashSet<String> {
    let tokens = tokens(sql);
    let may_precede = |token: &Token| match token {
        Token::Name(word) => ["from", "join", "in"].iter().any(|before| before.eq_ignore_ascii_case(word)),
        Token::Other(character) => [',', '(', '.'].contains(character),
    };
    let named = tokens.windows(2).filter_map(|pair| match pair {
        [before, Token::Name(name)] if may_precede(before) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    named.collect()
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
                tokens.push(Token::Name(name));
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
                tokens.push(Token::Name(name));
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
        let sql =
            "SELECT count(*) AS sweeps, 'x' AS jobs FROM runs r, main.\"Workers\" JOIN (epochs) ON r.job IN attempts";
        let named = named_tables(sql);
        for table in ["runs", "workers", "epochs", "attempts"] {
            assert!(named.contains(table), "{table}");
        }
        for name in ["sweeps", "jobs"] {
            assert!(!named.contains(name), "{name}");
        }
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
