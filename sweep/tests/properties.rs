//! What holds for any right sweep file, tried on random ones.

use std::collections::HashSet;

use besom_sweep::{Engine, Expansion, Hyperparameters, JobConfig, Params, SweepSpec, parse};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// The name and values of a parameter, as JSON, which is YAML.
fn parameter() -> impl Strategy<Value = (&'static str, Vec<Value>)> {
    fn several<T: Into<Value> + std::fmt::Debug + Clone>(
        name: &'static str,
        value: impl Strategy<Value = T> + 'static,
    ) -> BoxedStrategy<(&'static str, Vec<Value>)> {
        vec(value, 1..5).prop_map(move |values| (name, values.into_iter().map(Into::into).collect())).boxed()
    }
    prop_oneof![
        several("optimizer", select(vec!["sgd", "adam", "adadelta", "Adam", "lion"])),
        several("learning_rate", prop_oneof![Just(json!(1)), Just(json!(1.0)), (1e-9..10.0).prop_map(|v| json!(v))]),
        several("momentum", prop_oneof![Just(0.0), Just(0.9), 0.0..1.0]),
        several("rho", prop_oneof![Just(0.95), 0.0..1.0]),
        several("epsilon", prop_oneof![Just(1e-7), 1e-12..1.0]),
        several("nesterov", any::<bool>()),
        several("schedule", select(vec!["constant", "step", "cosine"])),
        several("decay_rate", prop_oneof![Just(0.5), 1e-3..1.0]),
        several("min_delta", prop_oneof![Just(0.0), Just(0.01)]),
        several("batch_size", prop_oneof![Just(json!(32)), Just(json!(32.0)), (1_u32..10_000).prop_map(|v| json!(v))]),
        several("hidden", vec(1_u32..100, 0..4)),
        several("patience", prop_oneof![Just(json!(null)), (0_u32..5).prop_map(|v| json!(v))]),
        several("dropout", prop_oneof![Just(json!(0)), Just(json!(0.0)), Just(json!(0.5))]),
    ]
}

/// A right sweep file.
fn file() -> impl Strategy<Value = String> {
    let parameters = vec(parameter(), 1..5);
    (parameters, any::<bool>(), 1_u64..4, proptest::option::of(1_u64..200)).prop_map(
        |(mut parameters, grid, seeds, run_cap)| {
            let mut names = HashSet::new();
            parameters.retain(|(name, _)| names.insert(*name));
            let listed: Vec<_> =
                parameters.iter().map(|(name, values)| format!("{}: {}", json!(name), json!({"values": values}))).collect();
            let base: Vec<_> =
                parameters.iter().map(|(name, values)| format!("{}: {}", json!(name), values[values.len() / 2])).collect();
            // A constant is checked against its base; so the base of a one-valued parameter is that
            // value.
            let (method, base) = match grid {
                true => ("grid", String::new()),
                false => ("one_at_a_time", format!(r#""base": {{{}}},"#, base.join(", "))),
            };
            let run_cap = run_cap.map_or(String::new(), |cap| format!(r#""run_cap": {cap},"#));
            format!(
                r#"{{"method": "{method}", {run_cap} "parameters": {{{}}}, "besom": {{{base} "seeds": {seeds}, "dataset": {{"source": "x.npz"}}}}}}"#,
                listed.join(", ")
            )
        },
    )
}

/// Every point by the plainest way: all combinations as JSON, options that do not apply removed,
/// equal ones skipped.
fn plainly(spec: &SweepSpec) -> Vec<Hyperparameters> {
    let mut points: Vec<Params> = vec![spec.model.clone()];
    if spec.method.as_str() == "grid" {
        let mut parameters: Vec<_> = spec.parameters.iter().collect();
        parameters.sort_by_key(|parameter| parameter.name.clone());
        for parameter in parameters {
            points = points
                .iter()
                .flat_map(|point| {
                    parameter.values.iter().map(|value| {
                        let mut point = point.clone();
                        point.insert(parameter.name.clone(), value.clone());
                        point
                    })
                })
                .collect();
        }
    } else {
        let mut base = spec.model.clone();
        base.extend(spec.base.clone());
        for parameter in &spec.parameters {
            base.entry(parameter.name.clone()).or_insert(parameter.values[0].clone());
        }
        points.clear();
        for parameter in spec.parameters.iter().filter(|parameter| parameter.values.len() > 1) {
            for value in &parameter.values {
                let mut point = base.clone();
                point.insert(parameter.name.clone(), value.clone());
                points.push(point);
            }
        }
        if points.is_empty() {
            points.push(base);
        }
    }
    let mut distinct: Vec<Hyperparameters> = Vec::new();
    for mut point in points {
        let optimizer = point.get("optimizer").and_then(Value::as_str).unwrap_or("sgd").to_owned();
        let foreign: &[&str] = match optimizer.as_str() {
            "sgd" => &["beta_1", "beta_2", "rho", "epsilon"],
            "adam" => &["momentum", "nesterov", "rho"],
            "lion" => &["momentum", "nesterov", "rho", "epsilon"],
            _ => &["momentum", "nesterov", "beta_1", "beta_2"],
        };
        for name in foreign {
            point.remove(*name);
        }
        if point.get("schedule").and_then(Value::as_str) != Some("step") {
            point.remove("decay_rate");
        }
        if point.get("patience").is_none_or(Value::is_null) {
            point.remove("min_delta");
        }
        let point = Hyperparameters::from_params(&point).expect("a right point");
        if !distinct.contains(&point) {
            distinct.push(point);
        }
    }
    distinct
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn an_expansion_has_every_distinct_point_once_in_order(text in file()) {
        let spec = parse(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        let expansion = Expansion::new(&spec, None).expect("few points");
        let points = plainly(&spec);
        let plan = expansion.plan();
        prop_assert_eq!(plan.points, points.len() as u64, "{}", text);
        let wanted = plan.points * spec.seeds.len() as u64;
        prop_assert_eq!(plan.jobs, wanted.min(spec.run_cap.unwrap_or(u64::MAX)));
        prop_assert_eq!(plan.jobs_cut, wanted - plan.jobs);
        for (index, point) in points.iter().enumerate() {
            prop_assert_eq!(&expansion.point(index as u64), point, "{}", text);
        }
        let mut jobs = HashSet::new();
        // From the end, so that no job is computed from the one before.
        for index in (0..plan.jobs).rev() {
            let job = expansion.job(index, "digest");
            prop_assert_eq!(&job.config.hyperparameters, &points[(index % plan.points) as usize]);
            prop_assert_eq!(job.seed, spec.seeds[(index / plan.points) as usize]);
            prop_assert!(jobs.insert((job.config.config_hash(), job.seed)), "{}", text);
        }
    }

    #[test]
    fn a_configuration_survives_its_canonical_form(text in file()) {
        let expansion = Expansion::new(&parse(&text).expect("a right file"), None).expect("few points");
        for index in 0..expansion.jobs_total() {
            let config = expansion.job(index, "digest").config;
            let json = config.canonical_json();
            let read = JobConfig::from_canonical_json(&json).expect("what was written");
            prop_assert_eq!(&read, &config);
            prop_assert_eq!(read.canonical_json(), json);
            prop_assert_eq!(read.config_hash(), config.config_hash());
            prop_assert_eq!(&Hyperparameters::from_params(&config.params()).expect("complete"), &config.hyperparameters);
        }
    }

    #[test]
    fn a_specification_survives_its_canonical_form(text in file()) {
        let spec = parse(&text).expect("a right file");
        let json = spec.canonical_json();
        let read = SweepSpec::from_canonical_json(&json).expect("what was written");
        prop_assert_eq!(&read, &spec);
        prop_assert_eq!(read.canonical_json(), json);
        let digest = |spec: &SweepSpec| Expansion::new(spec, None).expect("few points").sweep_digest("digest");
        prop_assert_eq!(digest(&read), digest(&spec));
    }

    #[test]
    fn any_float_survives_to_the_last_bit(bits in any::<u64>()) {
        let learning_rate = f64::from_bits(bits).abs();
        prop_assume!(learning_rate > 0.0 && learning_rate <= 1e6);
        let hyperparameters = Hyperparameters {
            learning_rate,
            ..Hyperparameters::from_params(&Params::new()).expect("the defaults")
        };
        let config = JobConfig { hyperparameters, dataset: "d".to_owned(), engine: Engine::Candle };
        let read = JobConfig::from_canonical_json(&config.canonical_json()).expect("what was written");
        prop_assert_eq!(read.hyperparameters.learning_rate.to_bits(), learning_rate.to_bits());
        // The way of a sweep file.
        let text = format!("method: grid\nparameters: {{lr: {{value: {learning_rate:?}}}}}\nbesom: {{dataset: {{source: x}}}}");
        let point = Expansion::new(&parse(&text).expect("a right file"), None).expect("one point").point(0);
        prop_assert_eq!(point.learning_rate.to_bits(), learning_rate.to_bits());
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-z0-9_:{}\\[\\], \n.&*<>!|-]{0,200}") {
        let _ = parse(&text);
    }
}
