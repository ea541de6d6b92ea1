//! What to say where a statement names a view or a column that does not exist: the nearest names
//! that do.
//!
//! The databases tell the columns of the views themselves, so no list of them stands here.

use besom_sweep::nearest_names;

use super::views::{VIEWS, views_hint};

/// A view and its columns.
pub(super) type View = (&'static str, Vec<String>);

/// For a name that is no view.
pub(super) fn view_hint(name: &str) -> String {
    match &nearest_names(name, VIEWS)[..] {
        [] => views_hint(),
        near => format!("did you mean {}? {}", listed(near), views_hint()),
    }
}

/// For a name that is no column of the views that the statement reads, which are among the names in
/// lower case that stand there as tables. `name` may have that of a view, or an alias, in front.
pub(super) fn column_hint(name: &str, tables: &[String], views: &[View]) -> Option<String> {
    let name = parts(name).pop()?;
    let read: Vec<&View> = views.iter().filter(|(view, _)| tables.iter().any(|table| table == view)).collect();
    let is_it = |column: &String| column.eq_ignore_ascii_case(&name);
    let names = read.iter().flat_map(|(_, columns)| columns).filter(|column| !is_it(column));
    let near = nearest_names(&name, names.map(String::as_str));
    let mut owners = views.iter().filter(|(_, columns)| columns.iter().any(is_it)).map(|(view, _)| *view).peekable();
    let mut hints = Vec::new();
    if !near.is_empty() {
        hints.push(format!("did you mean {}?", listed(&near)));
    }
    if owners.peek().is_some() {
        hints.push(format!("{name} is a column of {}", owners.collect::<Vec<_>>().join(", ")));
    }
    if hints.is_empty() {
        let all = read.iter().map(|(view, columns)| format!("{view} has the columns {}", columns.join(", ")));
        hints.push(all.collect::<Vec<_>>().join(", and "));
    }
    Some(hints.join(" ")).filter(|hint| !hint.is_empty())
}

/// The name, with dots, that begins at this character of the statement (from 0).
pub(super) fn name_at(sql: &str, index: usize) -> String {
    let mut quoted = false;
    let of_name = |character: &char| {
        quoted ^= *character == '"';
        quoted || matches!(character, '"' | '.' | '_' | '$') || character.is_alphanumeric()
    };
    sql.chars().skip(index).take_while(of_name).collect()
}

/// The parts of a name with dots, without their quotes.
pub(super) fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for character in name.chars() {
        match character {
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            character => parts.last_mut().into_iter().for_each(|part| part.push(character)),
        }
    }
    parts
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn views() -> Vec<View> {
        let view = |name, columns: &str| (name, columns.split(' ').map(str::to_owned).collect());
        vec![
            view("runs", "sweep job optimizer final_val_accuracy best_val_accuracy"),
            view("history", "sweep job epoch val_accuracy"),
        ]
    }

    #[test]
    fn a_slip_finds_its_column_among_those_of_the_views_that_are_read() {
        let hint = |name, table: &str| column_hint(name, &[table.to_owned()], &views());
        assert_eq!(hint("optimzer", "runs").as_deref(), Some("did you mean optimizer?"));
        assert_eq!(hint("r.\"Optimzer\"", "runs").as_deref(), Some("did you mean optimizer?"));
        assert_eq!(
            hint("val_accuracy", "runs").as_deref(),
            Some("did you mean best_val_accuracy or final_val_accuracy? val_accuracy is a column of history")
        );
        assert_eq!(hint("zzz", "history").as_deref(), Some("history has the columns sweep, job, epoch, val_accuracy"));
        assert_eq!(hint("zzz", "x"), None);
    }

    #[test]
    fn a_slip_finds_its_view_and_anything_else_the_list() {
        assert!(view_hint("rnus").starts_with("did you mean runs"), "{}", view_hint("rnus"));
        assert!(view_hint("sweeps").starts_with("did you mean sweep_progress?"), "{}", view_hint("sweeps"));
        assert!(view_hint("zzz").starts_with("the views are runs, "), "{}", view_hint("zzz"));
    }

    #[test]
    fn a_name_is_read_from_its_first_character_on() {
        let sql = "SELECT ä, r.\"a b\".c, x FROM runs";
        assert_eq!(name_at(sql, 10), "r.\"a b\".c");
        assert_eq!(parts("r.\"a.b\".c"), ["r", "a.b", "c"]);
        assert_eq!(name_at(sql, 1_000), "");
    }
}
