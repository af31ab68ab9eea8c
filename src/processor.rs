//! Whether this processor has the instructions that this program was built with.
//!
//! The engine's fast kernels are compiled in only for AVX2, F16C and FMA, and a processor that
//! lacks them would stop at some odd place with "illegal instruction". The processor itself is
//! asked: the standard library's answer is settled when the program is built. And what runs
//! before and after the answer is as plain as can be, because anything else may be compiled
//! to those very instructions.

/// What to do where something is lacking; `None` if nothing is.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
pub fn lacking() -> Option<&'static str> {
    const WORDS: &str = "error: this processor lacks AVX2, BMI2, F16C or FMA, which this saseo was \
        built for; build it on this machine with `RUSTFLAGS=-Ctarget-cpu=native cargo build \
        --release`, or use a processor from 2013 or later\n";
    let cpu = raw_cpuid::CpuId::new();
    let (Some(basic), Some(extended)) =
        (cpu.get_feature_info(), cpu.get_extended_feature_info())
    else {
        return Some(WORDS);
    };
    let there =
        extended.has_avx2() && extended.has_bmi2() && basic.has_f16c() && basic.has_fma();
    if there { None } else { Some(WORDS) }
}

/// Other architectures have what is needed.
#[cfg(not(target_arch = "x86_64"))]
pub fn lacking() -> Option<&'static str> {
    None
}
