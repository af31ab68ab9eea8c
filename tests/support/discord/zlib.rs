//! The zlib format without compression: clients must be able to read it, and it needs no crate.

use std::num::Wrapping;

const HEAD: [u8; 2] = [0x78, 0x01];

/// A whole zlib text.
pub(crate) fn whole(text: &[u8]) -> Vec<u8> {
    let mut packed = HEAD.to_vec();
    let mut blocks = text.chunks(0xFFFF).peekable();
    while let Some(block) = blocks.next() {
        stored(block, u8::from(blocks.peek().is_none()), &mut packed);
    }
    packed.extend(adler(text).to_be_bytes());
    packed
}

/// Where in a stream a part stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    First,
    Later,
}

/// The next part of a zlib stream that never ends.
pub(crate) fn part(text: &[u8], place: Place) -> Vec<u8> {
    let mut packed = match place {
        Place::First => HEAD.to_vec(),
        Place::Later => Vec::new(),
    };
    for block in text.chunks(0xFFFF) {
        stored(block, 0, &mut packed);
    }
    // Z_SYNC_FLUSH: an empty block, by which a client knows that the text is whole.
    packed.extend([0, 0, 0, 0xFF, 0xFF]);
    packed
}

fn stored(block: &[u8], last: u8, packed: &mut Vec<u8>) {
    let length = u16::try_from(block.len()).unwrap();
    packed.push(last);
    packed.extend(length.to_le_bytes());
    packed.extend((!length).to_le_bytes());
    packed.extend(block);
}

fn adler(text: &[u8]) -> u32 {
    let (mut one, mut two) = (Wrapping(1_u32), Wrapping(0_u32));
    for byte in text {
        one = Wrapping((one + Wrapping(u32::from(*byte))).0 % 65_521);
        two = Wrapping((two + one).0 % 65_521);
    }
    two.0 << 16 | one.0
}
