//! How fast the trainer is: epochs of both engines beside the multiply-adds that the core can do,
//! in one run.
//!
//!     BESOM_BENCH_DATA=quickdraw10.npz cargo bench --workspace --bench train
//!
//! Without the variable the data are drawn (`builtin:sketches`). Everything runs on one thread but
//! the last part. Each figure is the best of several interleaved runs; what the core's
//! multiply-adds reach is measured between them. An epoch is what [`train`] does for all but one of
//! the samples: shuffling, scaling, loss, correct count and update, validated on that one.

#![allow(clippy::print_stdout, reason = "the table is what a benchmark is for")]

use std::time::Instant;

use besom_dataset::{Dataset, load_local};
use besom_mlp::{Control, Observer, TrainJob, set_single_threaded, train};
use besom_sweep::{
    DatasetSpec, Engine, EpochRecord, Goal, Hyperparameters, JobConfig, Metric, MetricName, ScoredEpoch,
};
use serde_json::json;

const SAMPLES: u64 = 40_000;
/// Epochs of a run, of which the fastest counts.
const EPOCHS: u32 = 4;

fn main() {
    // SAFETY: no other thread exists yet.
    #[allow(unsafe_code, reason = "this is the first thing that the program does")]
    unsafe {
        set_single_threaded();
    }
    // `cargo test --benches` and `cargo clippy --all-targets` only want to know that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let whole = data(0.2);
    let train_only = data(0.5 / SAMPLES as f64);
    println!(
        "data: {}; {} and {} training samples of {} values\n",
        std::env::var("BESOM_BENCH_DATA").map_or("builtin:sketches (drawn)", |_| "BESOM_BENCH_DATA"),
        whole.header().train,
        train_only.header().train,
        whole.header().features
    );
    epochs(&train_only);
    validation(&whole, &train_only);
    two_slots(&train_only);
}

/// The data with this share of test samples.
fn data(test_fraction: f64) -> Dataset {
    let source = std::env::var("BESOM_BENCH_DATA");
    let spec = DatasetSpec {
        samples: source.is_err().then_some(SAMPLES),
        source: source.unwrap_or_else(|_| "builtin:sketches".to_owned()),
        test_fraction: Some(test_fraction),
        ..DatasetSpec::new("")
    };
    let base_dir = std::env::current_dir().expect("there is a current folder");
    match load_local(&spec, &base_dir) {
        Ok(loaded) => std::sync::Arc::into_inner(loaded.dataset).expect("nobody else has it"),
        Err(error) => panic!("BESOM_BENCH_DATA: {error}"),
    }
}

/// One configuration.
#[derive(Clone)]
struct Case {
    name: String,
    config: JobConfig,
    /// Of dense layers: samples x weights x 2 x (forward, weight gradient and, behind the first
    /// layer, input gradient). What an engine leaves out, because a pixel is 0, counts as done.
    operations: f64,
    engine: Engine,
}

fn case(data: &Dataset, engine: Engine, optimizer: &str, batch_size: u32, hidden: &[u32]) -> Case {
    let params = json!({"optimizer": optimizer, "batch_size": batch_size, "epochs": EPOCHS, "hidden": hidden});
    let hyperparameters =
        Hyperparameters::from_params(params.as_object().expect("an object")).expect("right hyperparameters");
    let header = data.header();
    let mut widths = vec![header.features];
    widths.extend_from_slice(hidden);
    widths.push(header.classes.len() as u32);
    let products = widths.windows(2).enumerate().map(|(layer, pair)| {
        let passes = if layer == 0 { 2.0 } else { 3.0 };
        f64::from(pair[0]) * f64::from(pair[1]) * passes
    });
    let operations = 2.0 * f64::from(header.train) * products.sum::<f64>();
    let name = format!("{:6} {optimizer:4} {hidden:?} batch {batch_size}", engine.as_str());
    let config = JobConfig { hyperparameters, dataset: data.digest().to_owned(), engine };
    Case { name, config, operations, engine }
}

/// Seconds of the fastest epoch.
fn fastest(case: &Case, data: &Dataset) -> f64 {
    struct Silent;
    impl Observer for Silent {
        fn control(&mut self) -> Control {
            Control::Continue
        }
        fn epoch(&mut self, _job: usize, _record: &EpochRecord) {}
    }
    let metric = Metric { name: MetricName::of("val_accuracy"), goal: Goal::Maximize };
    let job = TrainJob { config: &case.config, seed: 1, metric: &metric, scored_epoch: ScoredEpoch::Final };
    let trained = train(&[job], data, &mut Silent).expect("trains").remove(0);
    trained.records.iter().filter_map(|record| record.seconds).fold(f64::INFINITY, f64::min)
}

fn epochs(data: &Dataset) {
    let classic = [32, 32];
    let mut cases = Vec::new();
    for optimizer in ["sgd", "adam"] {
        cases.extend([8, 32, 512, 4096].map(|batch| case(data, Engine::Native, optimizer, batch, &classic)));
    }
    cases.extend([8, 32, 512].map(|batch| case(data, Engine::Native, "sgd", batch, &[128, 64])));
    cases.extend([8, 32, 512].map(|batch| case(data, Engine::Candle, "sgd", batch, &classic)));
    let mut best = vec![f64::INFINITY; cases.len()];
    let mut peaks = Peaks::default();
    for round in 0..8 {
        for (case, best) in cases.iter().zip(&mut best) {
            // candle takes ten times as long, and matters only as a yardstick.
            if case.engine == Engine::Native || round < 2 {
                peaks.measure();
                *best = best.min(fastest(case, data));
            }
        }
    }
    println!("multiply-adds of one core at best, measured between the runs, GFLOP/s:");
    println!(
        "    numbers in registers, a burst: {:.1}; for {} ms: {:.1}",
        peaks.burst / 1e9,
        LONG_MS,
        peaks.long / 1e9
    );
    println!("    factors from the first-level cache, for {} ms: {:.1}\n", LONG_MS, peaks.fed / 1e9);
    println!(
        "{:40} {:>9} {:>9} {:>9} {:>7} {:>10}",
        "an epoch, without validation", "ms", "GFLOP/s", "of burst", "of long", "of fed"
    );
    for (case, &seconds) in cases.iter().zip(&best) {
        let rate = case.operations / seconds;
        let [burst, long, fed] = [peaks.burst, peaks.long, peaks.fed].map(|peak| rate / peak * 100.0);
        let (name, ms) = (&case.name, seconds * 1e3);
        println!("{name:40} {ms:9.1} {:9.1} {burst:8.1}% {long:6.1}% {fed:9.1}%", rate / 1e9);
    }
    println!("\nadam's time over sgd's at batch 8, 32, 512, 4096:");
    println!("{}", (0..4).map(|i| format!("{:.2}", best[4 + i] / best[i])).collect::<Vec<_>>().join("  "));
    println!("candle's time over native's at batch 8, 32, 512:");
    println!("{}\n", (0..3).map(|i| format!("{:.1}", best[11 + i] / best[i])).collect::<Vec<_>>().join("  "));
}

/// What validating the test split adds to an epoch.
fn validation(whole: &Dataset, train_only: &Dataset) {
    let mut best = [f64::INFINITY; 2];
    // Per training sample, since the splits differ in size.
    for _ in 0..8 {
        for (best, data) in best.iter_mut().zip([whole, train_only]) {
            let seconds = fastest(&case(data, Engine::Native, "sgd", 32, &[32, 32]), data);
            *best = best.min(seconds / f64::from(data.header().train));
        }
    }
    println!(
        "validation of {} samples: {:.1}% of the epoch at batch 32",
        whole.header().test,
        (1.0 - best[1] / best[0]) * 100.0
    );
}

/// Two jobs at once beside one, as two slots do it.
fn two_slots(data: &Dataset) {
    if std::thread::available_parallelism().map_or(1, std::num::NonZero::get) < 2 {
        println!("two slots: this machine has one core");
        return;
    }
    let case = case(data, Engine::Native, "sgd", 32, &[32, 32]);
    let wall = |slots: u32| {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..slots {
                scope.spawn(|| fastest(&case, data));
            }
        });
        start.elapsed().as_secs_f64()
    };
    let ratio = (0..5).map(|_| 2.0 * wall(1) / wall(2)).fold(0.0, f64::max);
    println!("two slots on two cores: {ratio:.2} times the throughput of one (best of five pairs)");
}

/// About as long as an epoch takes.
const LONG_MS: u64 = 25;

/// Floating-point operations a second of one core in loops of independent multiply-adds: the best
/// of many runs.
#[derive(Default)]
struct Peaks {
    /// All numbers in registers, for a fraction of a millisecond.
    burst: f64,
    /// The same for [`LONG_MS`].
    long: f64,
    /// The inner loop of a matrix product whose factors lie in the first-level cache, for
    /// [`LONG_MS`]: loads cost power, and with it clock rate.
    fed: f64,
}

impl Peaks {
    fn measure(&mut self) {
        let rate = |loops: fn(u32) -> f64, milliseconds: u64| {
            let (start, mut operations) = (Instant::now(), 0.0);
            while operations == 0.0 || start.elapsed() < std::time::Duration::from_millis(milliseconds) {
                operations += loops(20_000);
            }
            operations / start.elapsed().as_secs_f64()
        };
        self.burst = (0..20).map(|_| rate(peak::multiply_add, 0)).fold(self.burst, f64::max);
        self.long = self.long.max(rate(peak::multiply_add, LONG_MS));
        self.fed = self.fed.max(rate(peak::fed_multiply_add, LONG_MS));
    }
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "calls code for instructions whose presence is checked first")]
mod peak {
    use std::arch::x86_64::{
        _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps,
    };
    use std::hint::black_box;

    /// Independent sums: enough for any number of multiply-add units and their latency.
    const SUMS: usize = 12;

    /// Rows of the left matrix, and inputs, of the product in [`fed_multiply_add`].
    const ROWS: usize = 12;
    const INPUTS: usize = 96;

    /// Runs so many rounds; gives the operations done.
    pub(super) fn multiply_add(rounds: u32) -> f64 {
        let lanes = if is_x86_feature_detected!("avx512f") {
            // SAFETY: checked in the line above.
            unsafe { wide(rounds) };
            16
        } else if is_x86_feature_detected!("fma") {
            // SAFETY: checked in the line above; it implies AVX.
            unsafe { half(rounds) };
            8
        } else {
            panic!("this CPU has no fused multiply-add");
        };
        f64::from(rounds) * (2 * SUMS * lanes) as f64
    }

    #[target_feature(enable = "avx512f")]
    fn wide(rounds: u32) {
        let mut sums = black_box([_mm512_set1_ps(1.0); SUMS]);
        let (factor, addend) = black_box((_mm512_set1_ps(0.999), _mm512_set1_ps(0.001)));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, factor, addend);
            }
        }
        black_box(sums);
    }

    /// About so many rounds of a product of matrices in the first-level cache; gives the operations
    /// done.
    pub(super) fn fed_multiply_add(rounds: u32) -> f64 {
        let x = black_box([[0.001_f32; INPUTS]; ROWS]);
        let w = black_box([[0.999_f32; 32]; INPUTS]);
        let products = rounds / (INPUTS as u32);
        let lanes = if is_x86_feature_detected!("avx512f") {
            // SAFETY: checked in the line above.
            unsafe { wide_product(products, &x, &w) };
            32
        } else if is_x86_feature_detected!("fma") {
            // SAFETY: checked in the line above; it implies AVX.
            unsafe { half_product(products, &x, &w) };
            8
        } else {
            panic!("this CPU has no fused multiply-add");
        };
        f64::from(products) * (2 * INPUTS * ROWS * lanes) as f64
    }

    #[target_feature(enable = "avx512f")]
    fn wide_product(products: u32, x: &[[f32; INPUTS]; ROWS], w: &[[f32; 32]; INPUTS]) {
        for _ in 0..products {
            let mut sums = [[_mm512_set1_ps(0.0); 2]; ROWS];
            for (k, w) in w.iter().enumerate() {
                // SAFETY: both halves of a row of 32 numbers.
                let w = unsafe { [_mm512_loadu_ps(w.as_ptr()), _mm512_loadu_ps(w.as_ptr().add(16))] };
                for (sums, x) in sums.iter_mut().zip(x) {
                    let x = _mm512_set1_ps(x[k]);
                    *sums = [_mm512_fmadd_ps(x, w[0], sums[0]), _mm512_fmadd_ps(x, w[1], sums[1])];
                }
            }
            black_box(sums);
        }
    }

    #[target_feature(enable = "avx,fma")]
    fn half_product(products: u32, x: &[[f32; INPUTS]; ROWS], w: &[[f32; 32]; INPUTS]) {
        for _ in 0..products {
            let mut sums = [_mm256_set1_ps(0.0); ROWS];
            for (k, w) in w.iter().enumerate() {
                // SAFETY: the first 8 of 32 numbers.
                let w = unsafe { _mm256_loadu_ps(w.as_ptr()) };
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum = _mm256_fmadd_ps(_mm256_set1_ps(x[k]), w, *sum);
                }
            }
            black_box(sums);
        }
    }

    #[target_feature(enable = "avx,fma")]
    fn half(rounds: u32) {
        let mut sums = black_box([_mm256_set1_ps(1.0); SUMS]);
        let (factor, addend) = black_box((_mm256_set1_ps(0.999), _mm256_set1_ps(0.001)));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, factor, addend);
            }
        }
        black_box(sums);
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod peak {
    use std::hint::black_box;

    /// Runs so many rounds of what the compiler makes of plain code; gives the operations done.
    pub(super) fn multiply_add(rounds: u32) -> f64 {
        let mut sums = black_box([[1.0_f32; 16]; 6]);
        let (factor, addend) = black_box((0.999_f32, 0.001_f32));
        for _ in 0..rounds {
            for sum in sums.as_flattened_mut() {
                *sum = sum.mul_add(factor, addend);
            }
        }
        black_box(sums);
        f64::from(rounds) * (2 * 6 * 16) as f64
    }

    /// So many rounds with one factor from memory; gives the operations done.
    pub(super) fn fed_multiply_add(rounds: u32) -> f64 {
        let factors = black_box([[0.999_f32; 16]; 64]);
        let mut sums = [[1.0_f32; 16]; 6];
        for round in 0..rounds as usize {
            for sum in &mut sums {
                for (sum, factor) in sum.iter_mut().zip(&factors[round % 64]) {
                    *sum = sum.mul_add(*factor, 0.001);
                }
            }
        }
        black_box(sums);
        f64::from(rounds) * (2 * 6 * 16) as f64
    }
}
