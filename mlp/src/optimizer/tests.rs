//! Every step beside Keras's, and options that Keras's traces leave out beside formulas in `f64`.

use besom_sweep::Params;

use super::*;

/// The rule of a job with these hyperparameters.
fn rule(params: serde_json::Value) -> Rule {
    let serde_json::Value::Object(params) = params else { panic!("not an object") };
    Rule::new(&Hyperparameters::from_params(&params).unwrap())
}

/// Twelve parameters: a kernel of 3 x 3 and a bias of 3.
fn layout() -> Layout {
    Layout::new(3, &[], 3).unwrap()
}

#[derive(Deserialize)]
struct Trace {
    optimizer: String,
    config: Params,
    initial: Vec<f32>,
    gradients: Vec<Vec<f32>>,
    parameters_after_each_step: Vec<Vec<f32>>,
}

fn traces() -> Vec<Trace> {
    #[derive(Deserialize)]
    struct File {
        traces: Vec<Trace>,
    }
    let file: File = serde_json::from_str(include_str!("../../tests/data/keras_optimizers.json")).unwrap();
    file.traces
}

#[test]
fn every_step_is_that_of_keras() {
    let traces = traces();
    assert_eq!(traces.len(), 16);
    for trace in traces {
        let mut config = trace.config.clone();
        config.insert("optimizer".to_owned(), trace.optimizer.to_lowercase().into());
        let learning_rate = config["learning_rate"].as_f64().unwrap();
        let rule = rule(config.into());
        let mut params = trace.initial.clone();
        let mut state = OptimizerState::new(rule.optimizer, params.len());
        let mut largest = 0.0_f32;
        for (step, (gradient, expected)) in trace.gradients.iter().zip(&trace.parameters_after_each_step).enumerate() {
            state.step(&rule, &layout(), learning_rate, &mut params, &mut gradient.clone());
            for (i, (&a, &b)) in params.iter().zip(expected).enumerate() {
                let error = (a - b).abs();
                largest = largest.max(error);
                assert!(
                    error <= 1e-7 + 1e-5 * b.abs(),
                    "{:?} step {step} parameter {i}: {a}, Keras {b}",
                    rule.optimizer
                );
            }
        }
        println!("{} {:?}: largest error {largest:e}", trace.optimizer, trace.config);
    }
}

/// Every rule with every vector of state that it may have.
fn rules() -> Vec<Rule> {
    [
        serde_json::json!({"optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.01}),
        serde_json::json!({"optimizer": "rmsprop", "momentum": 0.5, "centered": true, "rho": 0.8}),
        serde_json::json!({"optimizer": "adam", "beta_2": 0.9, "clipvalue": 0.5}),
        serde_json::json!({"optimizer": "adamw", "amsgrad": true, "beta_2": 0.9}),
        serde_json::json!({"optimizer": "adadelta", "rho": 0.9}),
        serde_json::json!({"optimizer": "adagrad", "initial_accumulator_value": 0.3}),
        serde_json::json!({"optimizer": "adamax", "beta_2": 0.9}),
        serde_json::json!({"optimizer": "nadam", "beta_2": 0.9, "clipnorm": 1.0}),
        serde_json::json!({"optimizer": "ftrl", "learning_rate_power": -0.7, "l1_regularization_strength": 0.01}),
        serde_json::json!({"optimizer": "lion", "global_clipnorm": 1.0}),
    ]
    .map(rule)
    .to_vec()
}

/// One parameter's steps in `f64`, from the formulas of the papers and Keras's documentation;
/// `state` is zero at first.
fn formula(optimizer: Optimizer, lr: f64, t: i32, w: &mut f64, g: f64, state: &mut [f64; 4]) {
    let [a, b, c, d] = state;
    match optimizer {
        Optimizer::Sgd { momentum, nesterov } => {
            *a = momentum * *a - lr * g;
            *w += if nesterov { momentum * *a - lr * g } else { *a };
        }
        Optimizer::Rmsprop { rho, momentum, epsilon, centered } => {
            *a = rho * *a + (1.0 - rho) * g * g;
            *b = rho * *b + (1.0 - rho) * g;
            *c = momentum * *c + lr * g / (*a - if centered { *b * *b } else { 0.0 } + epsilon).sqrt();
            *w -= *c;
        }
        Optimizer::Adam { beta_1, beta_2, epsilon, amsgrad }
        | Optimizer::Adamw { beta_1, beta_2, epsilon, amsgrad } => {
            *a = beta_1 * *a + (1.0 - beta_1) * g;
            *b = beta_2 * *b + (1.0 - beta_2) * g * g;
            *c = c.max(*b);
            let square = if amsgrad { *c } else { *b };
            *w -= lr * (1.0 - beta_2.powi(t)).sqrt() / (1.0 - beta_1.powi(t)) * *a / (square.sqrt() + epsilon);
        }
        Optimizer::Adadelta { rho, epsilon } => {
            *a = rho * *a + (1.0 - rho) * g * g;
            let delta = ((*b + epsilon) / (*a + epsilon)).sqrt() * g;
            *b = rho * *b + (1.0 - rho) * delta * delta;
            *w -= lr * delta;
        }
        Optimizer::Adagrad { initial_accumulator_value, epsilon } => {
            *a += g * g;
            *w -= lr * g / (initial_accumulator_value + *a + epsilon).sqrt();
        }
        Optimizer::Adamax { beta_1, beta_2, epsilon } => {
            *a = beta_1 * *a + (1.0 - beta_1) * g;
            *b = (beta_2 * *b).max(g.abs());
            *w -= lr / (1.0 - beta_1.powi(t)) * *a / (*b + epsilon);
        }
        Optimizer::Nadam { beta_1, beta_2, epsilon } => {
            let mu = |t: i32| beta_1 * (1.0 - 0.5 * 0.96_f64.powi(t));
            // The logarithm of the product, which is zero at first.
            *c += mu(t).ln();
            *a = beta_1 * *a + (1.0 - beta_1) * g;
            *b = beta_2 * *b + (1.0 - beta_2) * g * g;
            let mean = mu(t + 1) * *a / (1.0 - c.exp() * mu(t + 1)) + (1.0 - mu(t)) * g / (1.0 - c.exp());
            *w -= lr * mean / ((*b / (1.0 - beta_2.powi(t))).sqrt() + epsilon);
        }
        Optimizer::Ftrl {
            learning_rate_power,
            initial_accumulator_value,
            l1_regularization_strength: l1,
            l2_regularization_strength: l2,
        } => {
            let sum = |squares: f64| (initial_accumulator_value + squares).powf(-learning_rate_power);
            *b += g - (sum(*a + g * g) - sum(*a)) / lr * *w;
            *a += g * g;
            *w = if b.abs() <= l1 { 0.0 } else { (l1 * b.signum() - *b) / (sum(*a) / lr + 2.0 * l2) };
        }
        Optimizer::Lion { beta_1, beta_2 } => {
            let direction = beta_1 * *d + (1.0 - beta_1) * g;
            *w -= lr * if direction == 0.0 { 0.0 } else { direction.signum() };
            *d = beta_2 * *d + (1.0 - beta_2) * g;
        }
    }
}

/// The gradient after bounding, in `f64`: the first nine components are a kernel, the last three a
/// bias.
fn bounded(clipping: Clipping, gradient: &[f32]) -> Vec<f64> {
    let gradient: Vec<f64> = gradient.iter().copied().map(f64::from).collect();
    let shrunk = |part: &[f64], bound: f64| {
        let norm = part.iter().map(|g| g * g).sum::<f64>().sqrt();
        part.iter().map(|g| if norm > bound { g * bound / norm } else { *g }).collect::<Vec<_>>()
    };
    match clipping {
        Clipping::None => gradient,
        Clipping::Value(bound) => gradient.iter().map(|g| g.clamp(-bound, bound)).collect(),
        Clipping::Norm(bound) => [shrunk(&gradient[..9], bound), shrunk(&gradient[9..], bound)].concat(),
        Clipping::GlobalNorm(bound) => shrunk(&gradient, bound),
    }
}

#[test]
fn options_outside_the_traces_follow_their_formulas() {
    let trace = traces().remove(0);
    let mut cases = rules();
    for options in [
        serde_json::json!({"optimizer": "ftrl", "learning_rate_power": -1.0, "l2_regularization_strength": 0.3}),
        serde_json::json!({"optimizer": "ftrl", "learning_rate_power": 0.0}),
        serde_json::json!({"optimizer": "sgd", "clipnorm": 0.7}),
        serde_json::json!({"optimizer": "sgd", "clipvalue": 0.3, "weight_decay": 0.2}),
        serde_json::json!({"optimizer": "sgd", "global_clipnorm": 0.9}),
        serde_json::json!({"optimizer": "rmsprop", "centered": true}),
        serde_json::json!({"optimizer": "lion", "beta_1": 0.5, "beta_2": 0.7, "weight_decay": 0.1}),
        serde_json::json!({"optimizer": "adam", "amsgrad": true, "global_clipnorm": 2.0}),
    ] {
        cases.push(rule(options));
    }
    for rule in cases {
        let lr = 0.02;
        let mut params = trace.initial.clone();
        let mut exact: Vec<f64> = params.iter().copied().map(f64::from).collect();
        let mut memory = vec![[0.0; 4]; params.len()];
        let mut state = OptimizerState::new(rule.optimizer, params.len());
        // Without the huge and the tiny gradients, where the roundings of f32 outweigh the formula.
        for (t, gradient) in (1..).zip(&trace.gradients[..5]) {
            state.step(&rule, &layout(), lr, &mut params, &mut gradient.clone());
            let gradient = bounded(rule.clipping, gradient);
            for (i, (w, g)) in exact.iter_mut().zip(gradient).enumerate() {
                *w -= *w * rule.weight_decay * lr;
                formula(rule.optimizer, lr, t, w, g, &mut memory[i]);
                let got = f64::from(params[i]);
                assert!((got - *w).abs() <= 2e-6 + 2e-5 * w.abs(), "{rule:?} step {t} parameter {i}: {got}, not {w}");
            }
        }
    }
}

#[test]
fn decaying_state_becomes_zero_and_never_subnormal() {
    for rule in rules() {
        // Sums of squares do not decay, nor does a largest value; ftrl's linear term is pulled to
        // no end.
        let lasting = match rule.optimizer {
            Optimizer::Adagrad { .. } | Optimizer::Ftrl { .. } => continue,
            Optimizer::Adamw { amsgrad: true, .. } => 1,
            _ => 0,
        };
        let mut params = vec![1.0; 12];
        let mut state = OptimizerState::new(rule.optimizer, 12);
        let mut step = |state: &mut OptimizerState, g| state.step(&rule, &layout(), 0.01, &mut params, &mut [g; 12]);
        step(&mut state, 1.0);
        assert!(state.vectors.iter().all(|v| v[0] != 0.0));
        for _ in 0..8000 {
            step(&mut state, 0.0);
            assert!(!state.product.is_subnormal() && state.vectors.iter().all(|v| !v[0].is_subnormal()));
        }
        let decaying = &state.vectors[..state.vectors.len() - lasting];
        assert!(decaying.iter().all(|v| v[0] == 0.0), "{rule:?} {state:?}");
    }
}

#[test]
fn every_set_of_instructions_gives_the_same_bits() {
    // Not a multiple of any vector, and with exact zeros as blank pixels give them.
    let layout = Layout::new(30, &[], 33).unwrap();
    let number = |i: usize, salt: usize| match (i * 7919 + salt * 104_729) % 1009 {
        n if n % 5 == 0 => 0.0,
        n => (n as f32 - 504.0) / 300.0,
    };
    let plain = [serde_json::json!({"optimizer": "sgd"}), serde_json::json!({"optimizer": "ftrl"})].map(rule);
    for rule in rules().into_iter().chain(plain) {
        let mut results = Isa::all().into_iter().map(|isa| {
            let mut params: Vec<f32> = (0..layout.parameters()).map(|i| number(i, 99)).collect();
            let mut state = OptimizerState::new(rule.optimizer, params.len());
            for salt in 0..6 {
                let mut gradient: Vec<f32> = (0..params.len()).map(|i| number(i, salt)).collect();
                state.count_step();
                step(isa, &mut state, &rule, &layout, 0.01, &mut params, &mut gradient);
            }
            let vectors = state.vectors.concat();
            params.iter().chain(&vectors).map(|value| value.to_bits()).collect::<Vec<_>>()
        });
        let first = results.next().unwrap();
        assert!(results.all(|other| other == first), "{:?}", rule.optimizer);
    }
}

#[test]
fn adam_by_vectors_is_that_of_plain_code() {
    // Whole vectors without any gradient, with one in some lanes, with tiny ones, with none after a
    // while; and a rest.
    let n = 16 * 5 + 7;
    let layout = Layout::new(1, &[], n as u32).unwrap();
    assert!(layout.parameters() > n);
    let gradient_at = |t: u64, i: usize| match i / 16 {
        0 => 0.0,
        1 if !i.is_multiple_of(3) => 0.0,
        2 => 1e-29 / (i + 1) as f32,
        3 if t > 2 => 0.0,
        4 if i == 70 && t == 900 => f32::NAN,
        _ => ((i * 31 + t as usize * 17) % 23) as f32 / 11.0 - 1.0,
    };
    for isa in Isa::all() {
        let rule = rule(serde_json::json!({"optimizer": "adam", "beta_1": 0.5, "beta_2": 0.75}));
        let mut params: Vec<f32> = (0..n).map(|i| i as f32 / 50.0 - 1.0).collect();
        let (mut expected, mut m, mut v) = (params.clone(), vec![0.0_f32; n], vec![0.0_f32; n]);
        let mut state = OptimizerState::new(rule.optimizer, n);
        for t in 1..=900 {
            let mut gradient: Vec<f32> = (0..n).map(|i| gradient_at(t, i)).collect();
            let alpha = 0.01 * (1.0 - power(0.75, t)).sqrt() / (1.0 - power(0.5, t));
            for i in 0..n {
                m[i] = flush(m[i] + (gradient[i] - m[i]) * 0.5);
                v[i] = flush(v[i] + (gradient[i] * gradient[i] - v[i]) * 0.25);
                expected[i] -= (m[i] * alpha) / (v[i].sqrt() + 1e-7);
            }
            state.step += 1;
            step(isa, &mut state, &rule, &layout, 0.01, &mut params, &mut gradient);
            let same = |a: &[f32], b: &[f32]| {
                a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
            };
            assert!(same(&params, &expected), "{}, step {t}: {params:?}, not {expected:?}", isa.name());
            assert!(same(&state.vectors[0], &m) && same(&state.vectors[1], &v), "{}, step {t}", isa.name());
        }
        assert!(params[70].is_nan() && params[71].is_finite());
    }
}
