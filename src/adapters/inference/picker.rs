//! Picks the next token where the engine lets us: in a logits processor.
//!
//! Two things mistral.rs 0.8.1 cannot do by itself are done here. A request cannot be withdrawn:
//! the only ways are a flag for *all* sequences of *all* engines in the process, and dropping
//! the receiver, which makes the engine's thread panic when that step happens to fail. But the
//! picker can say "the end" as the next token, and the sequence then ends like any other. And a
//! seed belongs to the engine, not to a request, so the second answer of a process would depend
//! on the first; here the noise depends on seed, position and token only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::{Result, Tensor};
use mistralrs::CustomLogitsProcessor;

use crate::ports::Sampling;

/// Ends one request at its next token.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Turns the model's scores so that the likeliest token is the one wanted.
pub(super) struct Picker {
    pub(super) stop: Stop,
    /// The token that ends an answer; `None` where the model names none, and then a request
    /// that nobody waits for runs to its longest length.
    pub(super) end: Option<u32>,
    pub(super) sampling: Sampling,
}

impl CustomLogitsProcessor for Picker {
    fn apply(&self, scores: &Tensor, context: &[u32]) -> Result<Tensor> {
        match self.end {
            Some(end) if self.stop.is_set() => only(end, scores),
            _ if self.sampling.temperature > 0.0 => self.drawn(scores, context.len()),
            _ => Ok(scores.clone()),
        }
    }
}

impl Picker {
    /// The Gumbel trick: the likeliest token after adding this noise is a draw from the
    /// distribution itself.
    fn drawn(&self, scores: &Tensor, position: usize) -> Result<Tensor> {
        let Sampling {
            temperature,
            seed,
            longest: _,
        } = self.sampling;
        let drawn: Vec<f32> = scores
            .to_vec1::<f32>()?
            .into_iter()
            .zip(0_u64..)
            .map(|(score, token)| {
                let place = (position as u64) << 32 | token;
                let noise = -(-even(mixed(seed) ^ place).ln()).ln();
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "scores are f32: more is lost anyway"
                )]
                let sum = (f64::from(score) / temperature + noise) as f32;
                sum
            })
            .collect();
        let count = drawn.len();
        Tensor::from_vec(drawn, count, scores.device())
    }
}

fn only(end: u32, scores: &Tensor) -> Result<Tensor> {
    let count = scores.elem_count();
    let one: Vec<f32> = (0..)
        .map(|token: u32| if token == end { 0.0 } else { -1e9 })
        .take(count)
        .collect();
    Tensor::from_vec(one, count, scores.device())
}

/// A number strictly between 0 and 1 for every `place`, spread evenly.
fn even(place: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "52 bits fit")]
    let high = (mixed(place) >> 12) as f64;
    (high + 0.5) / (1_u64 << 52) as f64
}

/// The finaliser of `SplitMix64`: neighbours come out far apart.
fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use candle_core::{D, Device};

    use super::*;

    fn picked(temperature: f64, seed: u64, position: usize) -> u32 {
        let scores = Tensor::new(&[0.0_f32, 2.0, 1.0, 1.9], &Device::Cpu).unwrap();
        let picker = Picker {
            stop: Stop::default(),
            end: Some(2),
            sampling: Sampling {
                temperature,
                seed,
                longest: 1,
            },
        };
        let turned = picker.apply(&scores, &vec![0; position]).unwrap();
        turned.argmax(D::Minus1).unwrap().to_scalar().unwrap()
    }

    #[test]
    fn at_temperature_zero_the_likeliest_is_taken() {
        for seed in 0..50 {
            assert_eq!(picked(0.0, seed, 3), 1);
        }
    }

    #[test]
    fn a_draw_can_be_repeated_and_follows_the_scores() {
        let mut counts = [0_u32; 4];
        for seed in 0..4_000 {
            let token = picked(1.0, seed, 3);
            assert_eq!(token, picked(1.0, seed, 3));
            counts[token as usize] += 1;
        }
        // Softmax of the scores: 0.056, 0.415, 0.153, 0.376.
        for (count, expected) in counts.into_iter().zip([225, 1_661, 611, 1_503]) {
            assert!(count.abs_diff(expected) < 120, "{counts:?}");
        }
    }

    #[test]
    fn a_stopped_request_ends_with_the_next_token() {
        let scores = Tensor::new(&[0.0_f32, 2.0, 1.0], &Device::Cpu).unwrap();
        let stop = Stop::default();
        let picker = Picker {
            stop: stop.clone(),
            end: Some(2),
            sampling: Sampling {
                temperature: 0.7,
                seed: 1,
                longest: 1,
            },
        };
        stop.now();
        let turned = picker.apply(&scores, &[1, 2]).unwrap();
        assert_eq!(
            turned
                .argmax(D::Minus1)
                .unwrap()
                .to_scalar::<u32>()
                .unwrap(),
            2
        );
    }
}
