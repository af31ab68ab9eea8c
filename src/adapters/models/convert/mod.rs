//! Conversions: what a source gives becomes what an engine reads, once, at pull time.
//!
//! They are part of the build, not of the run, and so they must be deterministic: the digest
//! of a result is pinned like that of any other file.

use std::path::Path;

use super::manifest::Conversion;
use crate::ports::Cause;

mod e5;
mod safetensors;
#[cfg(feature = "mistralrs")]
mod gguf;
#[cfg(feature = "mistralrs")]
mod folder;

/// Why a conversion gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum Unconverted {
    /// This build of saseo cannot do it.
    #[cfg(not(feature = "mistralrs"))]
    #[error(
        "the conversion `{step}` needs the engine's tensor library, and this saseo was built \
         without it: build it with `--features {feature}`"
    )]
    FeatureMissing {
        step: &'static str,
        feature: &'static str,
    },
    /// The file is not what the conversion reads.
    #[error("the file is not what the conversion `{step}` reads: {why}")]
    Unfit { step: &'static str, why: String },
    /// Reading or writing failed.
    #[error("the conversion `{step}` failed")]
    Failed {
        step: &'static str,
        #[source]
        cause: Cause,
    },
}

/// Reads `from` and writes the result of `step` to `to`, which is made or emptied.
pub(super) fn convert(step: Conversion, from: &Path, to: &Path) -> Result<(), Unconverted> {
    match step {
        Conversion::E5Safetensors => e5::convert(from, to),
        #[cfg(feature = "mistralrs")]
        Conversion::GgufQ8_0 => gguf::requantise(from, to),
        #[cfg(feature = "mistralrs")]
        Conversion::GgufConfig
        | Conversion::GgufTokenizer
        | Conversion::GgufTokenizerConfig
        | Conversion::GgufF16
        | Conversion::GgufF32 => folder::convert(step, from, to),
        #[cfg(not(feature = "mistralrs"))]
        Conversion::GgufQ8_0
        | Conversion::GgufConfig
        | Conversion::GgufTokenizer
        | Conversion::GgufTokenizerConfig
        | Conversion::GgufF16
        | Conversion::GgufF32 => Err(Unconverted::FeatureMissing {
            step: step.name(),
            feature: "mistralrs",
        }),
    }
}

fn unfit(step: Conversion, why: impl Into<String>) -> Unconverted {
    Unconverted::Unfit {
        step: step.name(),
        why: why.into(),
    }
}

fn broken<E: Into<Cause>>(step: Conversion) -> impl Fn(E) -> Unconverted {
    move |cause| Unconverted::Failed {
        step: step.name(),
        cause: cause.into(),
    }
}
