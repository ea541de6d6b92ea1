//! The columns of a table: which one holds the labels, which ones are features, and which ones are
//! only row numbers.

use super::form::{Form, Precision, Seen};

/// Names of label columns, in any case, in the order in which they count.
const LABELS: [&str; 4] = ["label", "class", "target", "y"];
/// Names of row numbers, in lower case: a table that pandas wrote, and was read from one that it
/// wrote, has several.
const ROW_NUMBERS: [&str; 11] =
    ["", "index", "id", "idx", "rowid", "row_id", "row_number", "row number", "rownum", "level_0", "__index_level_0__"];
/// Columns that are left out with a note each; the others are counted.
const NOTES: usize = 8;
/// So many rows make a running number of what may be chance.
const RUNNING: u64 = 8;

/// What the cells of a column have in common, gathered row by row.
#[derive(Default, Clone)]
pub(super) struct Facts {
    pub(super) seen: Seen,
    numbers: Numbers,
    rows: u64,
    missing: u64,
    /// The place and the fault of the first cell that is no value of a sample.
    problem: Option<String>,
}

/// Sums that tell a run of whole numbers, in order or shuffled.
#[derive(Clone)]
struct Numbers {
    whole: bool,
    min: i64,
    max: i64,
    /// The sum of all numbers, each mixed so that other numbers do not add up to the same.
    mixed: u64,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { whole: true, min: i64::MAX, max: i64::MIN, mixed: 0 }
    }
}

impl Facts {
    /// Adds the number of the next row, which stands at `place`.
    pub(super) fn add(&mut self, value: f64, precision: Precision, place: impl FnOnce() -> String) {
        self.rows += 1;
        if let Err(problem) = self.seen.add(value, precision) {
            self.problem.get_or_insert_with(|| format!("{}: the value {problem}", place()));
        }
        let numbers = &mut self.numbers;
        // Row numbers are far smaller, and the sums of larger ones might overflow.
        numbers.whole = numbers.whole && value.fract() == 0.0 && value.abs() < 1e12;
        if numbers.whole {
            let value = value as i64;
            numbers.min = numbers.min.min(value);
            numbers.max = numbers.max.max(value);
            numbers.mixed = numbers.mixed.wrapping_add(mix(value));
        }
    }

    /// Adds a row whose cell is empty.
    pub(super) fn add_missing(&mut self, place: impl FnOnce() -> String) {
        self.missing += 1;
        self.add_problem(|| format!("{}: the value is missing: fill it, or leave the row or column out", place()));
    }

    /// Adds a row whose cell is no number.
    pub(super) fn add_problem(&mut self, problem: impl FnOnce() -> String) {
        self.rows += 1;
        self.numbers.whole = false;
        self.problem.get_or_insert_with(problem);
    }

    /// Whether the column counts the rows from some number on, in order or shuffled: its numbers
    /// reach as far as there are rows, and all of them are there.
    fn is_running(&self) -> bool {
        let Numbers { whole, min, max, mixed } = self.numbers;
        if !whole || self.rows < RUNNING || i128::from(max) - i128::from(min) != i128::from(self.rows) - 1 {
            return false;
        }
        mixed == (min..=max).map(mix).fold(0, u64::wrapping_add)
    }
}

/// The finaliser of SplitMix64: every bit of its input changes every bit of its output.
fn mix(value: i64) -> u64 {
    let bits = value.cast_unsigned().wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The feature columns of a table and what was left out.
pub(super) struct Features {
    pub(super) columns: Vec<usize>,
    pub(super) form: Form,
}

/// Chooses the features among columns, all but that of the labels; `names` are theirs where the
/// table has some.
///
/// # Errors
/// Where a feature is no number somewhere, or none is left.
pub(super) fn features(
    what: &str,
    names: Option<&[String]>,
    facts: &[Facts],
    label: usize,
    notes: &mut Vec<String>,
) -> Result<Features, String> {
    let mut columns = Vec::new();
    let mut seen = Seen::default();
    let mut left_out = 0;
    for (column, facts) in facts.iter().enumerate().filter(|(column, _)| *column != label) {
        let name = names.map(|names| names[column].as_str());
        if let Some(why) = row_numbers(name, facts) {
            left_out += 1;
            if left_out <= NOTES {
                notes.push(format!("{what}: {} {why}: it is left out", title(names, column)));
            }
            continue;
        }
        if let Some(problem) = &facts.problem {
            return Err(problem.clone());
        }
        seen.join(facts.seen);
        columns.push(column);
    }
    if left_out > NOTES {
        notes.push(format!("{what}: {} more columns of row numbers are left out", left_out - NOTES));
    }
    if columns.is_empty() {
        return Err("has no column of values beside the labels".to_owned());
    }
    Ok(Features { columns, form: seen.form() })
}

/// Why a column says nothing of a sample.
fn row_numbers(name: Option<&str>, facts: &Facts) -> Option<&'static str> {
    if facts.missing == facts.rows && name.is_none_or(str::is_empty) {
        return Some("is empty");
    }
    let name = name.map(str::to_lowercase);
    match name.as_deref() {
        Some("") => return Some("holds row numbers, as columns without a name do"),
        Some(name) if ROW_NUMBERS.contains(&name) || name.starts_with("unnamed: ") => {
            return Some("holds row numbers, as its name says");
        }
        _ => {}
    }
    facts.is_running().then_some("only numbers the rows")
}

/// How messages call a column.
pub(super) fn title(names: Option<&[String]>, column: usize) -> String {
    match names.map(|names| names[column].as_str()) {
        Some("") => format!("column {column} (without a name)"),
        Some(name) => format!("column `{}`", short(name)),
        None => format!("column {column}"),
    }
}

/// What a message shows of a cell.
pub(super) fn short(cell: &str) -> String {
    cell.chars().take(40).collect()
}

/// The label column of a table with `count` columns: the one `wanted` by its name or number, or one
/// with a usual name.
///
/// # Errors
/// Where there is none, or there are several.
pub(super) fn label(
    names: Option<&[String]>,
    count: usize,
    wanted: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<usize, String> {
    let all = names.unwrap_or_default();
    let matching = |matches: &dyn Fn(&str) -> bool| -> Vec<usize> {
        all.iter().enumerate().filter(|(_, name)| matches(name)).map(|(column, _)| column).collect()
    };
    let several = |columns: &[usize]| {
        let shown =
            columns.iter().map(|&column| format!("`{}`", short(&all[column]))).collect::<Vec<_>>().join(" and ");
        Err(format!("{shown} may all be the labels: say which as label_column"))
    };
    if let Some(wanted) = wanted {
        let exact = matching(&|name| name == wanted);
        let alike = matching(&|name| name.to_lowercase() == wanted.to_lowercase());
        return match (&exact[..], &alike[..], wanted.parse::<i64>()) {
            ([column], _, _) => Ok(*column),
            ([_, _, ..], _, _) => Err(format!("has two columns `{wanted}`")),
            ([], [column], _) => Ok(*column),
            ([], [], Ok(number)) => numbered(number, count),
            ([], [_, _, ..], _) => several(&alike),
            ([], [], Err(_)) => Err(match names {
                Some(names) => format!("has no label column `{wanted}`; {}", listed(names)),
                None => no_header(),
            }),
        };
    }
    let Some(names) = names else { return Err(no_header()) };
    let exact = matching(&|name| name == LABELS[0]);
    match exact[..] {
        [column] => return Ok(column),
        [] => {}
        _ => return Err("has two columns `label`".to_owned()),
    }
    let alike = matching(&|name| LABELS.contains(&name.to_lowercase().as_str()));
    match alike[..] {
        [column] => {
            notes.push(format!("the labels are those of {}", title(Some(names), column)));
            Ok(column)
        }
        [] => Err(format!(
            "has no label column `label` (nor class, target or y in any case); {}: name it as label_column, or add a header \
             line; where the first line is a sample, say label_column: 0 for the first column or -1 for the last",
            listed(names)
        )),
        _ => several(&alike),
    }
}

fn numbered(number: i64, count: usize) -> Result<usize, String> {
    let from_end = if number < 0 { number + count as i64 } else { number };
    usize::try_from(from_end)
        .ok()
        .filter(|&column| column < count)
        .ok_or_else(|| format!("has columns 0 to {} (or -1 to -{count} from the end), not {number}", count - 1))
}

fn no_header() -> String {
    "has no header line (its first line holds numbers): say which column holds the labels, as label_column: 0 for the first \
     or -1 for the last, or add a header line with a column `label`"
        .to_owned()
}

/// The first and the last names: labels stand at one end.
fn listed(names: &[String]) -> String {
    let show = |names: &[String]| names.iter().map(|name| short(name)).collect::<Vec<_>>().join(", ");
    match names.len() {
        0..=12 => format!("its columns are {}", show(names)),
        count => format!("its {count} columns are {}, ..., {}", show(&names[..8]), show(&names[count - 3..])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(values: impl IntoIterator<Item = f64>) -> Facts {
        let mut facts = Facts::default();
        values.into_iter().for_each(|value| facts.add(value, Precision::Text, String::new));
        facts
    }

    #[test]
    fn running_numbers_are_known_in_order_and_shuffled() {
        let shuffled = (0..100).map(|i| f64::from(i * 37 % 100 + 5));
        assert!(facts((0..20).map(f64::from)).is_running());
        assert!(facts((-3..20).map(f64::from)).is_running());
        assert!(facts((1000..2000).map(f64::from)).is_running());
        assert!(facts(shuffled).is_running());
        assert!(!facts((0..5).map(f64::from)).is_running(), "so few may be chance");
        assert!(!facts((0..20).map(|i| f64::from(i * 2))).is_running());
        assert!(!facts((0..20).map(|i| f64::from(i % 10))).is_running());
        assert!(!facts((0..20).map(|i| f64::from(i) + 0.5)).is_running());
        assert!(!facts([0.0, 7.0, 2.0, 3.0, 4.0, 2.0, 3.0, 7.0]).is_running());
        assert!(!facts([0.0, 9.0, 4.0, 4.0, 4.0, 5.0, 5.0, 5.0, 4.0, 5.0]).is_running());
    }

    #[test]
    fn the_label_column_is_found_by_its_usual_names_or_by_number() {
        let find = |names: &str, wanted: Option<&str>| {
            let names: Vec<String> = names.split(',').map(str::to_owned).collect();
            label(Some(&names), names.len(), wanted, &mut Vec::new())
        };
        assert_eq!(find("a,label,b", None), Ok(1));
        assert_eq!(find("a,Label,b", None), Ok(1));
        assert_eq!(find("TARGET,b", None), Ok(0));
        assert_eq!(find("a,b,Y", None), Ok(2));
        assert_eq!(find("label,x,y", None), Ok(0), "y is a coordinate here");
        assert_eq!(find("a,kind", Some("Kind")), Ok(1));
        assert_eq!(find("a,b,c", Some("0")), Ok(0));
        assert_eq!(find("a,b,c", Some("-1")), Ok(2));
        assert_eq!(find("5,0,1", Some("0")), Ok(1), "a name counts before a number");
        for (names, wanted, words) in [
            ("Class,target,a", None, "`Class` and `target` may all be the labels"),
            ("a,b,c", Some("3"), "columns 0 to 2 (or -1 to -3"),
            ("a,b,c", Some("-4"), "not -4"),
            ("a,b", None, "no label column `label`"),
            ("a,b", Some("kind"), "no label column `kind`; its columns are a, b"),
        ] {
            let error = find(names, wanted).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        let many: Vec<String> = (0..20).map(|i| format!("c{i}")).collect();
        let error = label(Some(&many), 20, None, &mut Vec::new()).unwrap_err();
        assert!(error.contains("c0, c1, c2, c3, c4, c5, c6, c7, ..., c17, c18, c19"), "{error}");
    }
}
