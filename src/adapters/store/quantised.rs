//! Vectors in one signed byte per dimension, with a scale each.
//!
//! A scan is bound by memory, so a quarter of the bytes is four times the speed. What the bytes
//! lose is little, and the best candidates are scored again from the full vectors.

const TOP: f32 = 127.0;

/// A vector in bytes: `bytes * scale` is about the vector.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quantised {
    pub(super) scale: f32,
    pub(super) bytes: Vec<i8>,
}

impl Quantised {
    pub(super) fn of(vector: &[f32]) -> Self {
        let largest = vector.iter().fold(0.0_f32, |top, x| top.max(x.abs()));
        let scale = if largest > 0.0 { largest / TOP } else { 1.0 };
        Self {
            scale,
            bytes: vector.iter().map(|x| nearest(x / scale)).collect(),
        }
    }

    /// About the cosine to a vector of the same length in the same form.
    pub(super) fn cosine(&self, bytes: &[i8], scale: f32) -> f32 {
        real(dot(&self.bytes, bytes)) * self.scale * scale
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the largest is scaled to 127, and a float's cast to a byte saturates"
)]
fn nearest(x: f32) -> i8 {
    x.round() as i8
}

#[expect(
    clippy::cast_precision_loss,
    reason = "rounding a sum of thousands is far below what the bytes themselves lose"
)]
fn real(sum: i32) -> f32 {
    sum as f32
}

/// Integer sums may be added in any order, so the compiler turns this into SIMD.
fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter()
        .zip(b)
        .map(|(x, y)| i32::from(*x) * i32::from(*y))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosine_in_bytes_is_near_the_exact_one() {
        let a: Vec<f32> = (0_u8..96)
            .map(|n| (f32::from(n) * 0.7).sin() / 7.0)
            .collect();
        let b: Vec<f32> = (0_u8..96)
            .map(|n| (f32::from(n) * 0.9).cos() / 7.0)
            .collect();
        let exact: f32 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
        let row = Quantised::of(&b);
        let about = Quantised::of(&a).cosine(&row.bytes, row.scale);
        assert!((exact - about).abs() < 0.01, "{exact} {about}");
    }

    #[test]
    fn a_zero_vector_is_near_nothing() {
        let row = Quantised::of(&[0.0; 8]);
        assert!(Quantised::of(&[0.3; 8]).cosine(&row.bytes, row.scale).abs() < f32::EPSILON);
    }
}
