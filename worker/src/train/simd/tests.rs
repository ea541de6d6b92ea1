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
fn bits_with<S: Simd>(s: S, bytes: &[u8; LANES], exponents: &[f32; LANES], out: &mut [[f32; LANES]; 4]) {
    s.load_bytes(bytes).store(&mut out[0]);
    s.load(exponents).power_of_two().store(&mut out[1]);
    let (m, e) = s.load_bytes(bytes).split();
    m.store(&mut out[2]);
    e.store(&mut out[3]);
}
dispatched!(fn bits(bytes: &[u8; LANES], exponents: &[f32; LANES], out: &mut [[f32; LANES]; 4]) = bits_with);

#[test]
fn bytes_powers_of_two_and_the_parts_of_a_number_are_exact() {
    for isa in Isa::all() {
        for start in (1..=240_u8).step_by(15) {
            let bytes: [u8; LANES] = std::array::from_fn(|i| start + i as u8);
            let exponents = bytes.map(|byte| f32::from(byte) - 127.0);
            let mut out = [[0.0; LANES]; 4];
            bits(isa, &bytes, &exponents, &mut out);
            for i in 0..LANES {
                assert_eq!(out[0][i], f32::from(bytes[i]));
                if exponents[i] >= -126.0 {
                    assert_eq!(out[1][i], 2.0_f32.powi(exponents[i] as i32), "{} 2^{}", isa.name(), exponents[i]);
                }
                assert_eq!(out[2][i] * 2.0_f32.powi(out[3][i] as i32), f32::from(bytes[i]));
                let range = std::f32::consts::FRAC_1_SQRT_2 * 0.999_999..=std::f32::consts::SQRT_2;
                assert!(range.contains(&out[2][i]), "{}", out[2][i]);
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

#[inline(always)]
fn found_with<S: Simd>(s: S, bytes: &[u8], first: u32, to: &mut [u32; LANES]) -> (u64, u16) {
    let (bits, quads) = s.filled(bytes);
    s.positions(bits as u16, first, to);
    (bits, quads)
}
dispatched!(fn found(bytes: &[u8], first: u32, to: &mut [u32; LANES]) -> (u64, u16) = found_with);

#[test]
fn the_bytes_that_are_not_0_are_found_in_order() {
    for isa in Isa::all() {
        for bits in 0..=u16::MAX {
            // All values between 1 and 255, also those with only the highest bit.
            let bytes: [u8; LANES] =
                std::array::from_fn(|i| if bits >> i & 1 == 1 { 1 << (i % 8) | i as u8 } else { 0 });
            let set: Vec<u32> = (0..LANES as u32).filter(|i| bits >> i & 1 == 1).collect();
            let mut to = [u32::MAX; LANES];
            let (got, quads) = found(isa, &bytes, 1000, &mut to);
            assert_eq!(got, u64::from(bits), "{}", isa.name());
            let expected = (0..4).fold(0, |quads, i| quads | u16::from(bits >> (4 * i) & 15 != 0) << i);
            assert_eq!(quads, expected, "{}: {bits:b}", isa.name());
            let expected: Vec<u32> = set.iter().map(|i| 1000 + i).collect();
            assert_eq!(to[..set.len()], expected, "{}: {bits:b}", isa.name());
        }
        for length in 0..=64 {
            let bytes: Vec<u8> = (0..length).map(|i| if i * i % 7 < 3 { i as u8 | 128 } else { 0 }).collect();
            let expected = bytes.iter().enumerate().fold(0, |bits, (i, &byte)| bits | u64::from(byte != 0) << i);
            let quads = bytes
                .chunks(4)
                .enumerate()
                .fold(0, |quads, (i, quad)| quads | u16::from(quad.iter().any(|&byte| byte != 0)) << i);
            let got = found(isa, &bytes, 0, &mut [0; LANES]);
            assert_eq!(got, (expected, quads), "{}: {length} bytes", isa.name());
        }
    }
}
