//! Chance from a seed, so that what went wrong once goes wrong again in the same way.

/// The next number after `seed` (`SplitMix64`).
pub(crate) fn chance(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

pub(crate) fn shuffle<T>(list: &mut [T], mut seed: u64) {
    for place in (1..list.len()).rev() {
        let other = chance(&mut seed) % (u64::try_from(place).unwrap() + 1);
        list.swap(place, usize::try_from(other).unwrap());
    }
}
