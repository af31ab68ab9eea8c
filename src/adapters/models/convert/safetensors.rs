//! Writes the safetensors format.
//!
//! The format's own crate keeps metadata in a hash map and so writes the header in another
//! order each time, and the order of a JSON map depends on how `serde_json` was built. A result
//! with a pinned digest must depend on neither, so the header is put together here.

use std::io::{self, Write};

use serde::Serialize;

/// A tensor to be written.
pub(super) struct Tensor {
    pub(super) name: String,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Dtype {
    F32,
    F16,
}

impl Dtype {
    fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }
}

impl Tensor {
    pub(super) fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bytes()
    }
}

/// What the header says of a tensor; the order of the fields is the order in the file.
#[derive(Serialize)]
struct Entry<'a> {
    dtype: Dtype,
    shape: &'a [usize],
    data_offsets: [usize; 2],
}

/// Writes the header; the tensors' numbers follow in the same order, little-endian.
pub(super) fn write_header(
    to: &mut impl Write,
    metadata: &[(&str, String)],
    tensors: &[Tensor],
) -> io::Result<()> {
    let metadata = metadata
        .iter()
        .map(|(key, value)| member(key, value))
        .collect::<io::Result<Vec<_>>>()?;
    let mut members = vec![format!("\"__metadata__\":{{{}}}", metadata.join(","))];
    let mut begin = 0;
    for tensor in tensors {
        let end = begin + tensor.bytes();
        let entry = Entry {
            dtype: tensor.dtype,
            shape: &tensor.shape,
            data_offsets: [begin, end],
        };
        members.push(member(&tensor.name, &entry)?);
        begin = end;
    }
    let mut text = format!("{{{}}}", members.join(","));
    // Tensors begin on a multiple of eight, so that a mapped file can be read in place.
    while !text.len().is_multiple_of(8) {
        text.push(' ');
    }
    to.write_all(&(text.len() as u64).to_le_bytes())?;
    to.write_all(text.as_bytes())
}

fn member(key: &str, value: &impl Serialize) -> io::Result<String> {
    let (key, value) = (serde_json::to_string(key)?, serde_json::to_string(value)?);
    Ok(format!("{key}:{value}"))
}
