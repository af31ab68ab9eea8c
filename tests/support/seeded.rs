//! Chance for tests that are run with another seed each time, which is told.

/// Chance that can be had again.
pub(crate) struct Chance(u64);

impl Chance {
    #[expect(clippy::print_stdout, reason = "a failure is repeated with its seed")]
    pub(crate) fn new(of: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test has no settings file")]
        let seed = std::env::var("SASEO_SEED").map_or_else(
            |_| u64::from(std::process::id()).wrapping_mul(0x9E37_79B9_7F4A_7C15),
            |seed| seed.parse().expect("SASEO_SEED"),
        );
        println!("{of}: SASEO_SEED={seed}");
        Self(seed)
    }

    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most
    }

    /// Between nothing and one.
    #[cfg(feature = "discord")]
    pub(crate) fn share(&mut self) -> f64 {
        let part = u32::try_from(self.below(1 << 31)).unwrap();
        f64::from(part) / f64::from(1_u32 << 31)
    }

    #[cfg(feature = "discord")]
    pub(crate) fn seed(&mut self) -> u64 {
        u64::try_from(self.below(usize::MAX)).unwrap()
    }
}
