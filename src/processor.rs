//! Whether this processor has the instructions that this program was built with.
//!
//! The engine's fast kernels are compiled in only for AVX2, F16C and FMA, and a processor that
//! lacks them would stop at some odd place with "illegal instruction". The processor itself is
//! asked: the standard library's answer is settled when the program is built.

/// What is lacking, with a way out; `None` if nothing is.
#[cfg(target_arch = "x86_64")]
pub fn lacking() -> Option<String> {
    let cpu = raw_cpuid::CpuId::new();
    let basic = cpu.get_feature_info();
    let extended = cpu.get_extended_feature_info();
    let there = [
        (
            "AVX2",
            extended
                .as_ref()
                .is_some_and(raw_cpuid::ExtendedFeatures::has_avx2),
        ),
        (
            "BMI2",
            extended
                .as_ref()
                .is_some_and(raw_cpuid::ExtendedFeatures::has_bmi2),
        ),
        (
            "F16C",
            basic.as_ref().is_some_and(raw_cpuid::FeatureInfo::has_f16c),
        ),
        (
            "FMA",
            basic.as_ref().is_some_and(raw_cpuid::FeatureInfo::has_fma),
        ),
    ];
    let missing: Vec<_> = there
        .iter()
        .filter(|(_, there)| !there)
        .map(|(name, _)| *name)
        .collect();
    (!missing.is_empty()).then(|| {
        format!(
            "this processor lacks {}, which this saseo was built for; build it on this machine \
             with `RUSTFLAGS=-Ctarget-cpu=native cargo build --release`, or use a processor \
             from 2013 or later",
            missing.join(", ")
        )
    })
}

/// Other architectures have what is needed.
#[cfg(not(target_arch = "x86_64"))]
pub fn lacking() -> Option<String> {
    None
}
