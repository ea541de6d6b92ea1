//! Files of drawings, made by hand.

/// A .npy array of bytes.
pub(crate) fn npy(shape: &[usize], values: &[u8]) -> Vec<u8> {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let mut header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({sizes}), }}");
    header.push_str(&" ".repeat((64 - (10 + header.len() + 1) % 64) % 64));
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(values);
    file
}

/// A grey PNG.
pub(crate) fn png(width: u32, height: u32, values: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().expect("a header").write_image_data(values).expect("pixels");
    file
}

/// `count` drawings of 784 values that differ from each other.
pub(crate) fn drawings(count: usize) -> Vec<u8> {
    (0..count * 784).map(|at| ((at * 7919 + at / 784 * 131) % 256) as u8).collect()
}
