//! The encoder of multilingual-e5-small: a BERT, forward only, on candle's matrix product.
//!
//! Everything between two matrix products is one pass over the numbers (bias and GELU; bias,
//! residual and layer norm; softmax), in plain loops over eight lanes that the compiler turns
//! into vector instructions: done with tensor operations, these passes cost as much as the
//! products themselves. `exp` and `erf` are short polynomials, right to six digits.

use std::path::Path;

use candle_core::safetensors::BufferedSafetensors;
use candle_core::{
    CpuStorage, DType, Device, InplaceOp1, InplaceOp2, Layout, Result, Tensor, bail,
};

/// Weights in memory.
pub(super) struct Encoder {
    words: Tensor,
    /// Position and token type together: there is only one type.
    places: Tensor,
    entry: Norm,
    layers: Vec<Layer>,
    width: usize,
    positions: usize,
}

struct Layer {
    /// Query, key and value side by side: one product instead of three.
    asked: Linear,
    attended: Tensor,
    after_attention: Norm,
    widened: Tensor,
    gelu: BiasGelu,
    narrowed: Tensor,
    after_feed: Norm,
}

struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Encoder {
    const HEAD: usize = 32;

    /// Reads the tensors that `saseo models pull` writes.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let stored = Stored(BufferedSafetensors::new(std::fs::read(file)?)?);
        let words = stored.0.load("emb.word", &Device::Cpu)?;
        let places = stored.tensor("emb.pos")?;
        let kind = stored.tensor("emb.type")?.narrow(0, 0, 1)?;
        let (positions, width) = places.dims2()?;
        let count = (0..)
            .take_while(|n| stored.0.get(&format!("l{n}.q.w")).is_ok())
            .count();
        if count == 0 || width % Self::HEAD != 0 {
            bail!("the file holds no encoder");
        }
        let zeros = Tensor::zeros(width, DType::F32, &Device::Cpu)?;
        Ok(Self {
            words,
            places: places.broadcast_add(&kind)?,
            entry: stored.norm("emb.ln", &zeros)?,
            layers: (0..count).map(|n| stored.layer(n)).collect::<Result<_>>()?,
            width,
            positions,
        })
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Longest text, in tokens.
    pub(super) fn positions(&self) -> usize {
        self.positions
    }

    /// The mean of the tokens' vectors, not yet of length one.
    pub(super) fn encode(&self, tokens: &[u32]) -> Result<Vec<f32>> {
        let ids = Tensor::new(tokens, &Device::Cpu)?;
        let words = self.words.index_select(&ids, 0)?.to_dtype(DType::F32)?;
        let places = self.places.narrow(0, 0, tokens.len())?;
        words.inplace_op2(&places, &self.entry)?;
        let mut state = words;
        for layer in &self.layers {
            state = layer.pass(state)?;
        }
        state.mean(0)?.to_vec1()
    }
}

impl Layer {
    fn pass(&self, state: Tensor) -> Result<Tensor> {
        let (tokens, width) = state.dims2()?;
        let heads = width / Encoder::HEAD;
        let asked = state
            .matmul(&self.asked.weight)?
            .broadcast_add(&self.asked.bias)?
            .reshape((tokens, 3, heads, Encoder::HEAD))?
            .permute((1, 2, 0, 3))?
            .contiguous()?;
        let (query, key, value) = (asked.get(0)?, asked.get(1)?, asked.get(2)?);
        let weights = query.matmul(&key.t()?)?;
        weights.inplace_op1(&Softmax)?;
        let mixed = weights.matmul(&value)?;
        let mixed = mixed.transpose(0, 1)?.reshape((tokens, width))?;
        state.inplace_op2(&mixed.matmul(&self.attended)?, &self.after_attention)?;
        let wide = state.matmul(&self.widened)?;
        wide.inplace_op1(&self.gelu)?;
        state.inplace_op2(&wide.matmul(&self.narrowed)?, &self.after_feed)?;
        Ok(state)
    }
}

struct Stored(BufferedSafetensors);

impl Stored {
    fn tensor(&self, name: &str) -> Result<Tensor> {
        self.0.load(name, &Device::Cpu)?.to_dtype(DType::F32)
    }

    /// As the product wants it: one column per output.
    fn weight(&self, name: &str) -> Result<Tensor> {
        self.tensor(name)?.t()?.contiguous()
    }

    fn norm(&self, name: &str, bias: &Tensor) -> Result<Norm> {
        Ok(Norm {
            bias: bias.to_vec1()?,
            weight: self.tensor(&format!("{name}.w"))?.to_vec1()?,
            shift: self.tensor(&format!("{name}.b"))?.to_vec1()?,
        })
    }

    fn layer(&self, n: usize) -> Result<Layer> {
        let of = |name: &str| format!("l{n}.{name}");
        Ok(Layer {
            asked: self.asked(n)?,
            attended: self.weight(&of("ao.w"))?,
            after_attention: self.norm(&of("aln"), &self.tensor(&of("ao.b"))?)?,
            widened: self.weight(&of("fi.w"))?,
            gelu: BiasGelu(self.tensor(&of("fi.b"))?.to_vec1()?),
            narrowed: self.weight(&of("fo.w"))?,
            after_feed: self.norm(&of("oln"), &self.tensor(&of("fo.b"))?)?,
        })
    }

    /// The scale of the attention goes into the query's weights.
    fn asked(&self, n: usize) -> Result<Linear> {
        #[expect(clippy::cast_precision_loss, reason = "32")]
        let scale = (Encoder::HEAD as f64).powf(-0.5);
        let of = |name: &str| self.tensor(&format!("l{n}.{name}"));
        let weight = Tensor::cat(&[(of("q.w")? * scale)?, of("k.w")?, of("v.w")?], 0)?;
        Ok(Linear {
            weight: weight.t()?.contiguous()?,
            bias: Tensor::cat(&[(of("q.b")? * scale)?, of("k.b")?, of("v.b")?], 0)?,
        })
    }
}

/// `norm(state + bias + other)`, in place.
struct Norm {
    bias: Vec<f32>,
    weight: Vec<f32>,
    shift: Vec<f32>,
}

impl InplaceOp2 for Norm {
    fn name(&self) -> &'static str {
        "add-and-norm"
    }

    fn cpu_fwd(
        &self,
        state: &mut CpuStorage,
        state_layout: &Layout,
        other: &CpuStorage,
        other_layout: &Layout,
    ) -> Result<()> {
        let width = self.bias.len();
        let other = other.as_slice::<f32>()?;
        let other = other.get(other_layout.start_offset()..).unwrap_or(&[]);
        let rows = whole(state, state_layout)?.chunks_exact_mut(width);
        for (row, other) in rows.zip(other.chunks_exact(width)) {
            self.row(row, other);
        }
        Ok(())
    }
}

impl Norm {
    const EPSILON: f32 = 1e-12;

    fn row(&self, row: &mut [f32], other: &[f32]) {
        for ((x, y), bias) in row.iter_mut().zip(other).zip(&self.bias) {
            *x += y + bias;
        }
        #[expect(clippy::cast_precision_loss, reason = "384")]
        let width = row.len() as f32;
        let mean = sum(row, |x| x) / width;
        let variance = sum(row, |x| (x - mean) * (x - mean)) / width;
        let scale = (variance + Self::EPSILON).sqrt().recip();
        for ((x, weight), shift) in row.iter_mut().zip(&self.weight).zip(&self.shift) {
            *x = (*x - mean) * scale * weight + shift;
        }
    }
}

/// `gelu(x + bias)`, in place.
struct BiasGelu(Vec<f32>);

impl InplaceOp1 for BiasGelu {
    fn name(&self) -> &'static str {
        "bias-and-gelu"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        for row in whole(storage, layout)?.chunks_exact_mut(self.0.len()) {
            for (x, bias) in row.iter_mut().zip(&self.0) {
                *x = gelu(*x + bias);
            }
        }
        Ok(())
    }
}

/// Softmax over the last dimension, in place.
struct Softmax;

impl InplaceOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let width = layout.dims().last().copied().unwrap_or(1);
        for row in whole(storage, layout)?.chunks_exact_mut(width) {
            let most = row.iter().copied().fold(f32::MIN, f32::max);
            for x in row.iter_mut() {
                *x = exp(*x - most);
            }
            let scale = sum(row, |x| x).recip();
            for x in row.iter_mut() {
                *x *= scale;
            }
        }
        Ok(())
    }
}

fn whole<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    let CpuStorage::F32(numbers) = storage else {
        bail!("only f32 is passed on here");
    };
    match layout.contiguous_offsets() {
        Some((start, end)) => match numbers.get_mut(start..end) {
            Some(whole) => Ok(whole),
            None => bail!("a layout beyond its storage"),
        },
        None => bail!("only contiguous tensors are passed on here"),
    }
}

/// Adds up eight lanes at a time: a plain sum may not be reordered, so it stays scalar.
fn sum(row: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let chunks = row.chunks_exact(8);
    let rest: f32 = chunks.remainder().iter().map(|x| term(*x)).sum();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += term(*x);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// `x * Φ(x)`, with the error function by Abramowitz and Stegun 7.1.26.
#[inline]
fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / 0.327_591_1_f32.mul_add(z, 1.0);
    let series = 1.061_405_4_f32
        .mul_add(t, -1.453_152)
        .mul_add(t, 1.421_413_8)
        .mul_add(t, -0.284_496_72)
        .mul_add(t, 0.254_829_6);
    let erf = (series * t).mul_add(-exp(-z * z), 1.0);
    0.5 * x * (1.0 + erf.copysign(x))
}

/// `e^x` for `x` of at most zero.
#[inline]
fn exp(x: f32) -> f32 {
    // Adding this rounds to a whole number, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let power = (x * std::f32::consts::LOG2_E).max(-126.0);
    let rounded = power + ROUND;
    let whole = rounded - ROUND;
    let part = power - whole;
    let series = 0.001_333_355_8_f32
        .mul_add(part, 0.009_618_129)
        .mul_add(part, 0.055_504_11)
        .mul_add(part, 0.240_226_51)
        .mul_add(part, 0.693_147_2)
        .mul_add(part, 1.0);
    let exponent = rounded
        .to_bits()
        .wrapping_sub(ROUND.to_bits())
        .wrapping_add(127)
        << 23;
    series * f32::from_bits(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_right_to_six_digits() {
        for step in 0..8_000_u16 {
            let x = -f32::from(step) / 100.0;
            assert!((exp(x) - x.exp()).abs() <= 3e-6 * x.exp(), "{x}");
        }
        assert!(exp(-1e9) < 1e-37);
    }

    #[test]
    fn gelu_is_right_to_six_digits() {
        let scores: Vec<f32> = (-800..800_i16).map(|n| f32::from(n) / 100.0).collect();
        let exact = Tensor::new(scores.as_slice(), &Device::Cpu).unwrap();
        let exact: Vec<f32> = exact.gelu_erf().unwrap().to_vec1().unwrap();
        for (x, exact) in scores.into_iter().zip(exact) {
            assert!((gelu(x) - exact).abs() < 1e-6, "{x}: {} {exact}", gelu(x));
        }
    }

    #[test]
    fn a_norm_is_the_one_candle_has() {
        let norm = Norm {
            bias: vec![0.5, -1.0, 0.0, 2.0, 1.0, 1.0, 0.0, 0.25, 3.0],
            weight: vec![1.0, 2.0, 0.5, 1.0, 1.0, 1.5, 1.0, 1.0, 0.1],
            shift: vec![0.0, 1.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.5],
        };
        let of = |numbers: &[f32]| Tensor::from_slice(numbers, (2, 9), &Device::Cpu).unwrap();
        let row = |numbers: &[f32]| Tensor::from_slice(numbers, 9, &Device::Cpu).unwrap();
        let numbers: Vec<f32> = (0..18_i16).map(|n| f32::from(n * n % 7)).collect();
        let (x, y) = (of(&numbers), of(&numbers));
        let whole = (&x + &y).unwrap().broadcast_add(&row(&norm.bias)).unwrap();
        let (weight, shift) = (row(&norm.weight), row(&norm.shift));
        let exact = candle_nn::ops::layer_norm(&whole, &weight, &shift, 1e-12).unwrap();

        let x = x.copy().unwrap();
        x.inplace_op2(&y, &norm).unwrap();

        let off = (x - exact).unwrap().abs().unwrap().max_all().unwrap();
        assert!(off.to_scalar::<f32>().unwrap() < 1e-5);
    }
}
