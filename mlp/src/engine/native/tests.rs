//! Every kernel beside plain code, bit for bit, and the engine beside candle's and the slope of the
//! loss.

use besom_sweep::{Initializer, Params};
use proptest::prelude::*;
use serde_json::json;

use super::strips::Strips;
use super::*;
use crate::engine::candle::CandleEngine;
use crate::engine::traces::follow;
use crate::optimizer::descend;
use crate::trainer::support;
use besom_dataset::Rows as Values;

/// A stream of numbers in [-1, 1), with zeros among them.
fn numbers(mut seed: u64) -> impl FnMut() -> f32 {
    move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = (seed >> 40) as f32 / 8_388_608.0 - 1.0;
        if number.abs() < 0.1 { 0.0 } else { number }
    }
}

fn vector(n: usize, next: &mut impl FnMut() -> f32) -> Vec<f32> {
    (0..n).map(|_| next()).collect()
}

fn rows(n: usize, width: usize, next: &mut impl FnMut() -> f32) -> Rows {
    let mut rows = Rows::new(n, width);
    for row in 0..n {
        rows.padded_mut(row)[..width].fill_with(&mut *next);
    }
    rows
}

fn assert_same(what: &str, isa: Isa, got: &[f32], expected: &[f32]) {
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(got), bits(expected), "{what} with {}", isa.name());
}

/// `x weights (+ bias)`, cut at 0 with `relu`.
fn plain_product(x: &[Vec<f32>], weights: &[f32], bias: &[f32], relu: bool) -> Vec<f32> {
    let order: Vec<usize> = (0..weights.len() / bias.len()).collect();
    plain_product_in(&order, x, weights, bias, relu)
}

/// [`plain_product`] with sums over the inputs in the order `order`.
fn plain_product_in(order: &[usize], x: &[Vec<f32>], weights: &[f32], bias: &[f32], relu: bool) -> Vec<f32> {
    let outputs = bias.len();
    let mut results = Vec::new();
    for x in x {
        for o in 0..outputs {
            let sum = order.iter().fold(bias[o], |sum, &i| x[i].mul_add(weights[i * outputs + o], sum));
            results.push(if relu && sum < 0.0 { 0.0 } else { sum });
        }
    }
    results
}

/// The order of the sums of the first layer: where four features fit in a line and lines in pairs,
/// blocks of four by two.
fn first_order(shape: &[u32]) -> Vec<usize> {
    let features = shape.iter().product::<u32>() as usize;
    let side = features.isqrt();
    let line = match shape {
        [_] if side * side != features => return (0..features).collect(),
        [_] => side,
        _ => shape[shape.len() - 1] as usize,
    };
    if !line.is_multiple_of(4) || !(features / line).is_multiple_of(2) {
        return (0..features).collect();
    }
    let mut order: Vec<usize> = (0..features).collect();
    order.sort_by_key(|&at| (at / line / 2, at % line / 4, at / line % 2, at));
    order
}

/// `before + xT delta`
fn plain_gradient(x: &[Vec<f32>], delta: &Rows, before: &[f32], outputs: usize) -> Vec<f32> {
    let mut gradient = before.to_vec();
    for (at, sum) in gradient.iter_mut().enumerate() {
        for (row, x) in x.iter().enumerate() {
            *sum = x[at / outputs].mul_add(delta.row(row, outputs)[at % outputs], *sum);
        }
    }
    gradient
}

fn ascent(go_on: bool, gradient: &mut [f32]) -> Sums<'_> {
    if go_on { Sums::GoOn(gradient) } else { Sums::Start(gradient) }
}

fn descent<'a>(go_on: bool, params: &'a mut [f32], gradient: &'a [f32]) -> Sums<'a> {
    let lr = 0.3;
    if go_on { Sums::EndDescent { params, lr, gradient } } else { Sums::Descend { params, lr } }
}

/// Shapes of samples, with and without lines of strips.
fn shapes() -> impl Strategy<Value = Vec<u32>> {
    let line = (1_u32..200).prop_map(|features| vec![features]);
    let square = (1_u32..15).prop_map(|side| vec![side * side]);
    let image = (1_u32..9, 1_u32..7, 1_u32..5).prop_map(|(height, width, step)| vec![height, width * step]);
    prop_oneof![line, square, image]
}

/// Rows of a matrix as the other kernels read them.
fn split(x: &Rows, n: usize, width: usize) -> Vec<Vec<f32>> {
    (0..n).map(|row| x.row(row, width).to_vec()).collect()
}

fn results(out: &Rows, n: usize, width: usize) -> Vec<f32> {
    split(out, n, width).concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn products_are_those_of_plain_code(
        n in 1_usize..60, inputs in 1_usize..120, outputs in 1_usize..70, seed: u64, relu: bool, biased: bool,
        padding in 0_usize..4,
    ) {
        let next = &mut numbers(seed);
        let stride = outputs + padding;
        let (x, weights) = (rows(n, inputs, next), vector(inputs * stride, next));
        let bias = if biased { vector(outputs, next) } else { vec![0.0; outputs] };
        let dense: Vec<f32> = weights.chunks(stride).flat_map(|weights| weights[..outputs].to_vec()).collect();
        let expected = plain_product(&split(&x, n, inputs), &dense, &bias, relu);
        for isa in Isa::all() {
            let bias = biased.then_some(bias.as_slice());
            let factors = Factors { x: &x, rows: n, inputs, weights: &weights, stride, outputs, bias, relu };
            let mut out = rows(n, outputs, &mut || 9.0);
            product(isa, &factors, &mut out);
            assert_same("product", isa, &results(&out, n, outputs), &expected);
        }
    }

    #[test]
    fn gradients_are_those_of_plain_code(
        n in 1_usize..60, inputs in 1_usize..80, outputs in 1_usize..70, seed: u64, go_on: bool,
    ) {
        let next = &mut numbers(seed);
        let (x, delta) = (rows(n, inputs, next), rows(n, outputs, next));
        let (before, params) = (vector(inputs * outputs, next), vector(inputs * outputs, next));
        let start = if go_on { before.clone() } else { vec![0.0; inputs * outputs] };
        let expected = plain_gradient(&split(&x, n, inputs), &delta, &start, outputs);
        for isa in Isa::all() {
            let bias: Vec<f32> =
                (0..outputs).map(|o| (0..n).fold(start[o], |sum, row| sum + delta.row(row, outputs)[o])).collect();
            let outer = Outer { x: &x, rows: n, inputs, delta: &delta, outputs };
            let mut got = before.clone();
            outer_product(isa, &outer, &mut ascent(go_on, &mut got));
            assert_same("gradient", isa, &got, &expected);
            let mut got = before[..outputs].to_vec();
            column_sums(isa, &delta, n, outputs, &mut ascent(go_on, &mut got));
            assert_same("bias", isa, &got, &bias);
            let moved = |gradient: &[f32]| params.iter().zip(gradient).map(|(w, g)| w - g * 0.3).collect::<Vec<f32>>();
            let mut got = params.clone();
            outer_product(isa, &outer, &mut descent(go_on, &mut got, &before));
            assert_same("descent", isa, &got, &moved(&expected));
            let mut got = params[..outputs].to_vec();
            column_sums(isa, &delta, n, outputs, &mut descent(go_on, &mut got, &before[..outputs]));
            assert_same("descent of the bias", isa, &got, &moved(&bias)[..outputs]);
            let mut turned = rows(outputs, inputs, &mut || 9.0);
            transpose(isa, &before, outputs, &mut turned);
            let expected: Vec<f32> =
                (0..outputs).flat_map(|o| (0..inputs).map(move |i| i * outputs + o)).map(|at| before[at]).collect();
            assert_same("turned kernel", isa, &results(&turned, outputs, inputs), &expected);
        }
    }

    #[test]
    fn the_first_layer_is_that_of_plain_code_whatever_it_leaves_out(
        shape in shapes(), n in 1_usize..=inputs::MOST_ROWS, outputs in 1_usize..70, filled in 0.0_f32..1.0, seed: u64,
        relu: bool,
    ) {
        check_first_layer(&shape, n, outputs, filled, seed, relu);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_first_layer_of_large_samples_is_that_of_plain_code(
        shape in prop_oneof![Just(vec![28, 28]), Just(vec![784]), Just(vec![40, 32]), (250_u32..1100).prop_map(|n| vec![n])],
        n in 1_usize..=inputs::MOST_ROWS, outputs in 1_usize..20, filled in 0.0_f32..0.6, seed: u64,
    ) {
        check_first_layer(&shape, n, outputs, filled, seed, true);
    }
}

/// Compares both products of the first layer with plain code, on `n` rows of which about the share
/// `filled` is not 0.
fn check_first_layer(shape: &[u32], n: usize, outputs: usize, filled: f32, seed: u64, relu: bool) {
    let features = shape.iter().product::<u32>() as usize;
    let next = &mut numbers(seed);
    // Some rows and columns have more zeros than others, as drawings have, and rows begin with
    // different numbers of them.
    let shares: Vec<f32> = (0..n + features).map(|_| next().abs().max(filled)).collect();
    let begins: Vec<usize> = (0..n).map(|_| (next().max(0.0) * 0.7 * features as f32) as usize).collect();
    let mut bytes = vec![0_u8; (n + 3) * features];
    for (at, byte) in bytes.iter_mut().enumerate() {
        let (row, column) = (at / features % n, at % features);
        if column >= begins[row] && next().abs() < filled * shares[row] * shares[n + column] {
            *byte = (next() * 120.0 + 130.0) as u8;
        }
    }
    let chosen: Vec<u32> = (0..n as u32).map(|row| (row * 7 + 2) % (n as u32 + 3)).collect();
    let scale = 1.0 / 255.0;
    let numbers_of = |row: &u32| {
        let bytes = &bytes[*row as usize * features..][..features];
        bytes.iter().map(|&byte| f32::from(byte) * scale).collect()
    };
    let x: Vec<Vec<f32>> = chosen.iter().map(numbers_of).collect();
    let (weights, bias) = (vector(features * outputs, next), vector(outputs, next));
    let (delta, before) = (rows(n, outputs, next), vector(features * outputs, next));
    let expected = plain_product_in(&first_order(shape), &x, &weights, &bias, relu);
    let floats: Vec<[u8; 4]> = bytes.iter().map(|&byte| (f32::from(byte) * scale).to_le_bytes()).collect();
    let strips = Strips::new(shape, Values::Bytes(&bytes));
    let begun = plain_gradient(&x, &delta, &vec![0.0; before.len()], outputs);
    let gone_on = plain_gradient(&x, &delta, &before, outputs);
    let moved = |gradient: &[f32]| weights.iter().zip(gradient).map(|(w, g)| w - g * 0.3).collect::<Vec<f32>>();
    let kinds = [Values::Bytes(&bytes), Values::Floats(&floats)];
    for (isa, values) in Isa::all().into_iter().flat_map(|isa| kinds.map(|values| (isa, values))) {
        let mut inputs = Inputs::new(inputs::MOST_ROWS, features, &strips);
        // After other rows, more and fewer, of which nothing may be left.
        for others in [inputs::MOST_ROWS, 1, 20] {
            gather(isa, values, &strips, &vec![1; others], scale, &mut inputs);
        }
        gather(isa, values, &strips, &chosen, scale, &mut inputs);
        // What is there must be written over.
        let mut out = rows(n, outputs, &mut || 9.0);
        let factors = FirstFactors { inputs: &inputs, weights: &weights, bias: &bias, outputs, relu };
        first_product(isa, &factors, &mut out, &mut Ahead::none());
        assert_same("product", isa, &results(&out, n, outputs), &expected);
        let outer = FirstOuter { inputs: &inputs, delta: &delta, outputs };
        let gradient = |sums: &mut Sums<'_>| first_gradient(isa, &outer, sums, &mut Ahead::none());
        let mut got = before.clone();
        gradient(&mut Sums::Start(&mut got));
        assert_same("gradient", isa, &got, &begun);
        got.copy_from_slice(&before);
        gradient(&mut Sums::GoOn(&mut got));
        assert_same("gradient that goes on", isa, &got, &gone_on);
        let mut got = weights.clone();
        gradient(&mut Sums::Descend { params: &mut got, lr: 0.3 });
        assert_same("descent", isa, &got, &moved(&begun));
        got.copy_from_slice(&weights);
        gradient(&mut Sums::EndDescent { params: &mut got, lr: 0.3, gradient: &before });
        assert_same("end of a descent", isa, &got, &moved(&gone_on));
    }
}

#[test]
fn numbers_that_are_not_finite_reach_the_rows_and_strips_that_are_filled_and_no_others() {
    // Rows with their first and with their second strip filled take turns.
    let filled = |row: usize, feature: usize| (row + feature / 8).is_multiple_of(2);
    let bytes: Vec<u8> = (0..9 * 16).map(|at| if filled(at / 16, at % 16) { 3 } else { 0 }).collect();
    let values = Values::Bytes(&bytes);
    let strips = Strips::new(&[4, 4], values);
    let mut delta = rows(9, 3, &mut numbers(5));
    delta.padded_mut(0)[0] = f32::INFINITY;
    delta.padded_mut(1)[1] = f32::NEG_INFINITY;
    let mut weights = vector(16 * 3, &mut numbers(6));
    weights[0] = f32::INFINITY;
    for isa in Isa::all() {
        // All in one company, and each alone.
        for company in [9, 1] {
            let mut inputs = Inputs::new(9, 16, &strips);
            let mut gradient = vec![0.0; 16 * 3];
            for (chunk, samples) in (0..9).collect::<Vec<u32>>().chunks(company).enumerate() {
                gather(isa, values, &strips, samples, 1.0, &mut inputs);
                let factors =
                    FirstFactors { inputs: &inputs, weights: &weights, bias: &[0.5; 3], outputs: 3, relu: false };
                let mut out = rows(company, 3, &mut || 9.0);
                first_product(isa, &factors, &mut out, &mut Ahead::none());
                let mut own = rows(company, 3, &mut || 0.0);
                for (row, &sample) in samples.iter().enumerate() {
                    own.padded_mut(row)
                        .copy_from_slice(&delta.values[sample as usize * delta.stride..][..delta.stride]);
                    for (output, value) in out.row(row, 3).iter().enumerate() {
                        let infinite = output == 0 && filled(sample as usize, 0);
                        assert_eq!(value.is_finite(), !infinite, "{}: sample {sample}, output {output}", isa.name());
                    }
                }
                let outer = FirstOuter { inputs: &inputs, delta: &own, outputs: 3 };
                let mut to = ascent(chunk > 0, &mut gradient);
                first_gradient(isa, &outer, &mut to, &mut Ahead::none());
            }
            for (at, value) in gradient.iter().enumerate() {
                let (feature, output) = (at / 3, at % 3);
                let infinite = output < 2 && filled(output, feature);
                assert_eq!(value.is_finite(), !infinite, "{}: feature {feature}, output {output}: {value}", isa.name());
            }
        }
    }
}

/// A random model and what it is trained with.
#[derive(Debug, Clone)]
struct Case {
    hidden: Vec<u32>,
    batch: usize,
    params: Params,
    /// Of a sample, with most values 0 if it has two dimensions.
    shape: Vec<u32>,
    /// Whether the data are floats, some below 0, instead of bytes.
    floats: bool,
    seed: i64,
}

impl Case {
    fn data(&self) -> Dataset {
        let bytes = match self.shape[..] {
            [features] => support::data(features, 4),
            _ => support::drawings(&self.shape, 4),
        };
        if self.floats { support::floats(&bytes, |byte| byte / 97.0 * (1.3 - byte / 64.0)) } else { bytes }
    }

    fn layout(&self) -> Layout {
        Layout::new(self.shape.iter().product(), &self.hidden, 4).unwrap()
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let activation = prop::sample::select(vec!["relu", "tanh", "sigmoid", "gelu", "elu"]);
    let hidden = prop::collection::vec(1_u32..50, 0..4);
    let chance = |value: f64| prop::sample::select(vec![0.0, value]);
    let options = (activation, chance(0.3), chance(0.1), chance(1e-3));
    let line = (3_u32..40).prop_map(|features| vec![features]);
    let image = (2_u32..8, 1_u32..9).prop_map(|(height, width)| vec![height * 2, width * 4]);
    (hidden, 1_usize..130, options, prop_oneof![line, image], any::<bool>(), 0_i64..1000).prop_map(
        |(hidden, batch, (activation, dropout, smoothing, l2), shape, floats, seed)| {
            let params = json!({
                "activation": activation, "dropout": dropout, "label_smoothing": smoothing, "l2": l2, "l1": l2 / 2.0,
            });
            let serde_json::Value::Object(params) = params else { unreachable!() };
            Case { hidden, batch, params, shape, floats, seed }
        },
    )
}

/// Loss, correct predictions and gradient of a case's first batch, and the logits of the test
/// split.
fn step_of(engine: &mut dyn Engine, layout: &Layout, case: &Case, dropout: f64) -> (Score, Vec<f32>, Vec<f32>) {
    let params = layout.initial_parameters(Initializer::GlorotUniform, case.seed);
    let next = &mut numbers(case.seed.cast_unsigned());
    let rows: Vec<u32> = (0..case.batch).map(|_| ((next() + 1.0) * 124.0) as u32).collect();
    let keep = |number: f32| if number < 0.3 { 1.0 / 0.7 } else { 0.0 };
    let mask = |width: usize| (0..case.batch * width).map(|_| keep(next())).collect::<Vec<f32>>();
    let masks: Vec<Vec<f32>> = if dropout > 0.0 { layout.hidden().map(mask).collect() } else { Vec::new() };
    let mut gradient = vec![7.0; params.len()];
    let batch = Batch { rows: &rows, next: &[3, 4], masks: &masks };
    let score = engine.loss_gradient(&params, &batch, &mut gradient).unwrap();
    let mut logits = Vec::new();
    engine.logits(&params, &(250..325).collect::<Vec<_>>(), &mut logits).unwrap();
    (score, gradient, logits)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_engines_agree_to_rounding(case in cases()) {
        let data = case.data();
        let hyperparameters = Hyperparameters::from_params(&case.params).unwrap();
        let layout = case.layout();
        let dropout = hyperparameters.dropout;
        let mut native = NativeEngine::new(&data, layout.clone(), &hyperparameters);
        let mut candle = CandleEngine::new(&data, layout.clone(), &hyperparameters).unwrap();
        let (a, a_gradient, a_logits) = step_of(&mut native, &layout, &case, dropout);
        let (b, b_gradient, b_logits) = step_of(&mut candle, &layout, &case, dropout);
        prop_assert!((a.loss_sum - b.loss_sum).abs() <= 1e-5 * b.loss_sum.abs() + 1e-6, "{a:?} {b:?}");
        prop_assert_eq!(a.n, b.n);
        // A tie of two logits may fall either way.
        prop_assert!(a.correct.abs_diff(b.correct) <= 1, "{a:?} {b:?}");
        let largest = b_gradient.iter().fold(0.0_f32, |most, g| most.max(g.abs()));
        for (i, (&a, &b)) in a_gradient.iter().zip(&b_gradient).enumerate() {
            prop_assert!((a - b).abs() <= 1e-5 * largest.max(0.01), "gradient {i}: native {a}, candle {b}");
        }
        for (&a, &b) in a_logits.iter().zip(&b_logits) {
            prop_assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "logits: native {a}, candle {b}");
        }
    }

    #[test]
    fn a_step_has_the_same_bits_with_every_set_of_instructions_and_chunk(case in cases()) {
        let data = case.data();
        let hyperparameters = Hyperparameters::from_params(&case.params).unwrap();
        let layout = case.layout();
        let mut expected = None;
        for isa in Isa::all() {
            for chunk in [1, 7, 8, 9, 16, 17, 32, 33, CHUNK] {
                let mut engine = NativeEngine::with(isa, chunk, &data, layout.clone(), &hyperparameters);
                let (score, gradient, logits) = step_of(&mut engine, &layout, &case, hyperparameters.dropout);
                let expected = expected.get_or_insert_with(|| (score, gradient.clone(), logits.clone()));
                prop_assert_eq!(score, expected.0, "{} {}", isa.name(), chunk);
                assert_same("gradient", isa, &gradient, &expected.1);
                assert_same("logits", isa, &logits, &expected.2);
            }
        }
    }

    #[test]
    fn a_descent_is_the_gradient_and_then_the_step_bit_for_bit(case in cases()) {
        let data = case.data();
        let hyperparameters = Hyperparameters::from_params(&case.params).unwrap();
        let layout = case.layout();
        let params = layout.initial_parameters(Initializer::GlorotUniform, case.seed);
        let rows: Vec<u32> = (0..case.batch as u32).collect();
        let masks: Vec<Vec<f32>> = layout.hidden().map(|width| vec![1.5; case.batch * width]).collect();
        let masks = if hyperparameters.dropout > 0.0 { &masks[..] } else { &[] };
        let batch = Batch { rows: &rows, next: &[], masks };
        let mut engine = NativeEngine::new(&data, layout, &hyperparameters);
        let mut gradient = vec![0.0; params.len()];
        let mut expected = params.clone();
        let score = engine.loss_gradient(&params, &batch, &mut gradient).unwrap();
        descend(engine.isa, &mut expected, &gradient, 0.1);
        let mut moved = params;
        gradient.fill(f32::NAN);
        prop_assert_eq!(engine.descend(&mut moved, &batch, 0.1, &mut gradient).unwrap(), score);
        assert_same("parameters", engine.isa, &moved, &expected);
    }
}

#[test]
fn losses_gradients_and_weights_are_those_of_keras() {
    let layout = Layout::new(8, &[6, 5], 3).unwrap();
    let data = support::data(8, 3);
    let hyperparameters = Hyperparameters::from_params(&Params::new()).unwrap();
    let mut engine = NativeEngine::new(&data, layout.clone(), &hyperparameters);
    follow(&layout, |params, x, y, gradient| {
        assert!(x.len() <= CHUNK);
        engine.inputs.set(x);
        engine.labels[..y.len()].copy_from_slice(y);
        engine.turn(params);
        let pass = Pass { rows: y.len(), training: true, masks: &[], from: 0 };
        engine.step_chunk(&mut Target::Gradient(params, gradient), &pass, y.len(), &mut Ahead::none())
    });
}
