//! What tells a few points of a sweep apart, in words: only the hyperparameters in which they
//! differ, each by its name.

use crate::values::{Parameter, Values};

/// Some points, compared.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Differences {
    /// For each point, `name value` of the hyperparameters in which not all agree.
    pub(crate) each: Vec<Vec<String>>,
    /// The same of those in which all agree.
    pub(crate) shared: Vec<String>,
}

/// Compares the points. A single point has nothing to agree with: all that it has is named.
pub(crate) fn of(parameters: &[Parameter], points: &[&Values]) -> Differences {
    let mut differences = Differences { each: vec![Vec::new(); points.len()], shared: Vec::new() };
    let Some(first) = points.first() else { return differences };
    for (at, parameter) in parameters.iter().enumerate() {
        let text = |values: &Values| match values[at] {
            Some(value) => format!("{} {}", parameter.name, parameter.text(value)),
            None => format!("no {}", parameter.name),
        };
        if points.len() > 1 && points.iter().all(|values| values[at] == first[at]) {
            differences.shared.push(text(first));
        } else {
            for (items, values) in differences.each.iter_mut().zip(points) {
                items.push(text(values));
            }
        }
    }
    differences
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_named_of_each_point() {
        let parameters = [
            Parameter::new("optimizer", [json!("sgd"), json!("adam")], []),
            Parameter::new("learning_rate", [json!(0.1), json!(0.2)], []),
            Parameter::new("momentum", [json!(0.9)], []),
        ];
        let points = [vec![Some(1), Some(0), None], vec![Some(1), Some(1), Some(0)]];
        let found = of(&parameters, &points.iter().collect::<Vec<_>>());
        assert_eq!(
            found.each,
            [["learning_rate 0.1", "no momentum"], ["learning_rate 0.2", "momentum 0.9"]]
                .map(|it| it.map(str::to_owned))
        );
        assert_eq!(found.shared, ["optimizer adam"]);
        assert_eq!(of(&parameters, &[&points[1]]).each[0].len(), 3, "a single point is named in full");
        assert_eq!(of(&parameters, &[]), Differences::default());
    }
}
