//! Every set of instructions beside plain code, bit for bit.

use super::*;

/// Numbers of every kind: a walk through the bit patterns, and the special ones.
fn numbers(n: usize, salt: u32) -> Vec<f32> {
    let special = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e-40, f32::MAX, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
    let walk = |i: usize| f32::from_bits((i as u32).wrapping_mul(2_654_435_761).wrapping_add(salt));
    (0..n).map(|i| if i % 7 == 3 { special[(i + salt as usize) % special.len()] } else { walk(i) }).collect()
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Add,
    Sub,
    Mul,
    Div,
    MulAdd,
    Sqrt,
    Abs,
    Larger,
    Smaller,
    SelectLess,
    Round,
}

const ALL: [Operation; 11] = [
    Operation::Add,
    Operation::Sub,
    Operation::Mul,
    Operation::Div,
    Operation::MulAdd,
    Operation::Sqrt,
    Operation::Abs,
    Operation::Larger,
    Operation::Smaller,
    Operation::SelectLess,
    Operation::Round,
];

#[inline(always)]
fn apply_with<S: Simd>(s: S, operation: Operation, a: &[f32], b: &[f32], c: &[f32], out: &mut [f32]) {
    let (a, b, c) = (a.as_chunks().0, b.as_chunks().0, c.as_chunks().0);
    for (((a, b), c), out) in a.iter().zip(b).zip(c).zip(out.as_chunks_mut().0) {
        let (a, b, c) = (s.load(a), s.load(b), s.load(c));
        let result = match operation {
            Operation::Add => a + b,
            Operation::Sub => a - b,
            Operation::Mul => a * b,
            Operation::Div => a / b,
            Operation::MulAdd => a.mul_add(b, c),
            Operation::Sqrt => a.sqrt(),
            Operation::Abs => a.abs(),
            Operation::Larger => a.larger(b),
            Operation::Smaller => a.smaller(b),
            Operation::SelectLess => b.select(a.less(b), c),
            Operation::Round => a.round(),
        };
        result.store(out);
    }
}
dispatched!(fn apply(operation: Operation, a: &[f32], b: &[f32], c: &[f32], out: &mut [f32]) = apply_with);

fn plain(operation: Operation, a: f32, b: f32, c: f32) -> f32 {
    match operation {
        Operation::Add => a + b,
        Operation::Sub => a - b,
        Operation::Mul => a * b,
        Operation::Div => a / b,
        Operation::MulAdd => a.mul_add(b, c),
        Operation::Sqrt => a.sqrt(),
        Operation::Abs => a.abs(),
        Operation::Larger => {
            if a > b {
                a
            } else {
                b
            }
        }
        Operation::Smaller => {
            if a < b {
                a
            } else {
                b
            }
        }
        Operation::SelectLess => {
            if a < b {
                b
            } else {
                c
            }
        }
        Operation::Round => a.round_ties_even(),
    }
}

#[test]
fn every_operation_is_that_of_plain_code() {
    let n = 1 << 14;
    let (a, b, c) = (numbers(n, 1), numbers(n, 77_777), numbers(n, 123_456_789));
    for isa in Isa::all() {
        for operation in ALL {
            let mut out = vec![0.0; n];
            apply(isa, operation, &a, &b, &c, &mut out);
            for i in 0..n {
                let expected = plain(operation, a[i], b[i], c[i]);
                let same = out[i].to_bits() == expected.to_bits() || out[i].is_nan() && expected.is_nan();
                assert!(same, "{} {operation:?}({}, {}, {}): {}, not {expected}", isa.name(), a[i], b[i], c[i], out[i]);
            }
        }
    }
}

#[inline(always)]
fn parts_with<S: Simd>(s: S, from: &[f32], to: &mut [f32]) {
    s.load_part(from).store_part(to);
}
dispatched!(fn parts(from: &[f32], to: &mut [f32]) = parts_with);

#[test]
fn a_part_of_a_vector_reads_zeros_and_writes_nothing_behind_itself() {
    let from: Vec<f32> = (1..=16_u8).map(f32::from).collect();
    for isa in Isa::all() {
        for read in 0..=LANES {
            for written in 0..=LANES {
                let mut to = [-1.0; LANES + 1];
                parts(isa, &from[..read], &mut to[..written]);
                for (i, &value) in to.iter().enumerate() {
                    let expected = if i >= written { -1.0 } else { from[..read].get(i).copied().unwrap_or(0.0) };
                    assert_eq!(value, expected, "{}: {read} read, {written} written, lane {i}", isa.name());
                }
            }
        }
    }
}

#[inline(always)]
fn bits_with<S: Simd>(s: S, numbers: &[f32; LANES], exponents: &[f32; LANES], out: &mut [[f32; LANES]; 3]) {
    s.load(exponents).power_of_two().store(&mut out[0]);
    let (m, e) = s.load(numbers).split();
    m.store(&mut out[1]);
    e.store(&mut out[2]);
}
dispatched!(fn bits(numbers: &[f32; LANES], exponents: &[f32; LANES], out: &mut [[f32; LANES]; 3]) = bits_with);

#[test]
fn powers_of_two_and_the_parts_of_a_number_are_exact() {
    for isa in Isa::all() {
        for start in (1..=240_u8).step_by(15) {
            let numbers: [f32; LANES] = std::array::from_fn(|i| f32::from(start) + i as f32);
            let exponents = numbers.map(|number| number - 127.0);
            let mut out = [[0.0; LANES]; 3];
            bits(isa, &numbers, &exponents, &mut out);
            for i in 0..LANES {
                if exponents[i] >= -126.0 {
                    assert_eq!(out[0][i], 2.0_f32.powi(exponents[i] as i32), "{} 2^{}", isa.name(), exponents[i]);
                }
                assert_eq!(out[1][i] * 2.0_f32.powi(out[2][i] as i32), numbers[i]);
                let range = std::f32::consts::FRAC_1_SQRT_2 * 0.999_999..=std::f32::consts::SQRT_2;
                assert!(range.contains(&out[1][i]), "{}", out[1][i]);
            }
        }
    }
}

#[inline(always)]
fn turned_with<S: Simd>(s: S, square: &mut [[f32; LANES]; LANES]) {
    let mut vectors = [s.splat(0.0); LANES];
    for (vector, row) in vectors.iter_mut().zip(&*square) {
        *vector = s.load(row);
    }
    s.turn(&mut vectors);
    for (vector, row) in vectors.iter().zip(square) {
        vector.store(row);
    }
}
dispatched!(fn turned(square: &mut [[f32; LANES]; LANES]) = turned_with);

#[test]
fn a_square_is_turned() {
    for isa in Isa::all() {
        let mut square: [[f32; LANES]; LANES] = std::array::from_fn(|r| std::array::from_fn(|c| (100 * r + c) as f32));
        turned(isa, &mut square);
        for (r, row) in square.iter().enumerate() {
            for (c, &number) in row.iter().enumerate() {
                assert_eq!(number, (100 * c + r) as f32, "{}: row {r}, column {c}", isa.name());
            }
        }
    }
}
