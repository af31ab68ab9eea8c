//! A Hugging Face folder of dense numbers from a llama GGUF: its four files, one conversion each.
//!
//! The engine makes f32 of it on a processor, multiplies that through a blocked matrix product
//! and reads a prompt more than twice as fast as from quantised blocks, for four times the
//! memory. The folder also
//! brings the model's real tokenizer: the engine's own reading of a GGUF guesses how text is
//! split before merging.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;

use candle_core::quantized::gguf_file::{Content, TensorInfo, Value};
use candle_core::{Device, Tensor as Numbers};
use half::f16;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::safetensors::{Dtype, Tensor, write_header};
use super::{Unconverted, broken, unfit};
use crate::adapters::models::manifest::Conversion;

/// Writes the part of the folder that `step` names.
pub(super) fn convert(step: Conversion, from: &Path, to: &Path) -> Result<(), Unconverted> {
    let mut reader = BufReader::new(File::open(from).map_err(broken(step))?);
    let content = Content::read(&mut reader).map_err(broken(step))?;
    let gguf = Gguf { step, content };
    if gguf.text("general.architecture")? != "llama" {
        return Err(unfit(step, "its architecture is not `llama`"));
    }
    let mut writer = BufWriter::new(File::create(to).map_err(broken(step))?);
    if matches!(step, Conversion::GgufF16 | Conversion::GgufF32) {
        write_weights(&gguf, &mut reader, &mut writer)?;
    } else {
        let text = match step {
            Conversion::GgufConfig => json(step, &config(&gguf)?)?,
            Conversion::GgufTokenizer => json(step, &tokenizer(&gguf)?)?,
            Conversion::GgufTokenizerConfig => json(step, &tokenizer_config(&gguf)?)?,
            Conversion::E5Safetensors
            | Conversion::GgufQ8_0
            | Conversion::GgufF16
            | Conversion::GgufF32 => {
                return Err(unfit(step, "it is no part of a folder"));
            },
        };
        writer.write_all(text.as_bytes()).map_err(broken(step))?;
    }
    writer.flush().map_err(broken(step))
}

struct Gguf {
    step: Conversion,
    content: Content,
}

impl Gguf {
    fn get(&self, key: &str) -> Result<&Value, Unconverted> {
        let value = self.content.metadata.get(key);
        value.ok_or_else(|| unfit(self.step, format!("it lacks `{key}`")))
    }

    /// Matrices may become f16: what was quantised to a few bits loses next to nothing by it,
    /// and the file, the time to check it and the memory while it is loaded are halved.
    fn kept_as(&self, tensor: &TensorInfo) -> Dtype {
        if self.step == Conversion::GgufF16 && tensor.shape.rank() > 1 {
            Dtype::F16
        } else {
            Dtype::F32
        }
    }

    fn text(&self, key: &str) -> Result<&str, Unconverted> {
        let text = self.get(key)?.to_string().map_err(broken(self.step))?;
        Ok(text)
    }

    fn number(&self, key: &str) -> Result<usize, Unconverted> {
        Ok(self.get(key)?.to_u32().map_err(broken(self.step))? as usize)
    }

    /// Its shortest decimal form, so that 0.00001 stays what it was meant to be.
    fn real(&self, key: &str) -> Result<f64, Unconverted> {
        let real = self.get(key)?.to_f32().map_err(broken(self.step))?;
        real.to_string().parse().map_err(broken(self.step))
    }

    fn texts(&self, key: &str) -> Result<Vec<&str>, Unconverted> {
        let values = self.get(key)?.to_vec().map_err(broken(self.step))?;
        values
            .iter()
            .map(|value| value.to_string().map(String::as_str))
            .collect::<candle_core::Result<_>>()
            .map_err(broken(self.step))
    }

    /// The token whose id stands under `key`.
    fn token<'a>(&self, tokens: &[&'a str], key: &str) -> Result<&'a str, Unconverted> {
        let token = tokens.get(self.number(key)?).copied();
        token.ok_or_else(|| unfit(self.step, format!("`{key}` names no token")))
    }
}

#[expect(clippy::struct_excessive_bools, reason = "the format has them")]
#[derive(serde::Serialize)]
struct Config {
    architectures: [&'static str; 1],
    model_type: &'static str,
    hidden_act: &'static str,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: usize,
    max_position_embeddings: usize,
    rms_norm_eps: f64,
    rope_theta: f64,
    vocab_size: usize,
    bos_token_id: usize,
    eos_token_id: usize,
    tie_word_embeddings: bool,
    attention_bias: bool,
    torch_dtype: &'static str,
}

fn config(gguf: &Gguf) -> Result<Config, Unconverted> {
    if gguf
        .content
        .metadata
        .contains_key("llama.rope.scaling.type")
    {
        return Err(unfit(gguf.step, "its positions are scaled"));
    }
    Ok(Config {
        architectures: ["LlamaForCausalLM"],
        model_type: "llama",
        hidden_act: "silu",
        hidden_size: gguf.number("llama.embedding_length")?,
        intermediate_size: gguf.number("llama.feed_forward_length")?,
        num_hidden_layers: gguf.number("llama.block_count")?,
        num_attention_heads: gguf.number(HEADS)?,
        num_key_value_heads: gguf.number(KV_HEADS)?,
        max_position_embeddings: gguf.number("llama.context_length")?,
        rms_norm_eps: gguf.real("llama.attention.layer_norm_rms_epsilon")?,
        rope_theta: gguf.real("llama.rope.freq_base")?,
        vocab_size: gguf.texts(TOKENS)?.len(),
        bos_token_id: gguf.number("tokenizer.ggml.bos_token_id")?,
        eos_token_id: gguf.number("tokenizer.ggml.eos_token_id")?,
        tie_word_embeddings: !gguf.content.tensor_infos.contains_key("output.weight"),
        attention_bias: false,
        torch_dtype: "float16",
    })
}

const HEADS: &str = "llama.attention.head_count";
const KV_HEADS: &str = "llama.attention.head_count_kv";
const TOKENS: &str = "tokenizer.ggml.tokens";

#[derive(serde::Serialize)]
struct Tokenizer<'a> {
    version: &'static str,
    added_tokens: Vec<AddedToken<'a>>,
    #[serde(rename = "pre_tokenizer")]
    split: PreTokenizer,
    decoder: ByteLevel,
    model: Bpe<'a>,
}

#[expect(clippy::struct_excessive_bools, reason = "the format has them")]
#[derive(serde::Serialize)]
struct AddedToken<'a> {
    id: usize,
    content: &'a str,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
}

#[derive(serde::Serialize)]
#[serde(tag = "type", rename = "Sequence")]
struct PreTokenizer {
    pretokenizers: (Digits, ByteLevel),
}

#[derive(serde::Serialize)]
#[serde(tag = "type")]
struct Digits {
    individual_digits: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "the format has them")]
#[derive(serde::Serialize)]
#[serde(tag = "type")]
struct ByteLevel {
    add_prefix_space: bool,
    trim_offsets: bool,
    use_regex: bool,
}

#[derive(serde::Serialize)]
#[serde(tag = "type", rename = "BPE")]
struct Bpe<'a> {
    unk_token: &'a str,
    vocab: Vocabulary<'a>,
    merges: Vec<&'a str>,
}

/// Written as an object, in the order of the ids.
struct Vocabulary<'a>(Vec<&'a str>);

impl Serialize for Vocabulary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (id, token) in self.0.iter().enumerate() {
            map.serialize_entry(token, &id)?;
        }
        map.end()
    }
}

fn tokenizer(gguf: &Gguf) -> Result<Tokenizer<'_>, Unconverted> {
    let pre = gguf.text("tokenizer.ggml.pre")?;
    if pre != "smollm" {
        let why = format!("how `{pre}` splits text is not known here, only `smollm`");
        return Err(unfit(gguf.step, why));
    }
    let tokens = gguf.texts(TOKENS)?;
    Ok(Tokenizer {
        version: "1.0",
        added_tokens: added_tokens(gguf, &tokens)?,
        split: PreTokenizer {
            pretokenizers: (
                Digits {
                    individual_digits: true,
                },
                BYTES,
            ),
        },
        decoder: BYTES,
        model: Bpe {
            unk_token: gguf.token(&tokens, "tokenizer.ggml.unknown_token_id")?,
            merges: gguf.texts("tokenizer.ggml.merges")?,
            vocab: Vocabulary(tokens),
        },
    })
}

const BYTES: ByteLevel = ByteLevel {
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: true,
};

/// Tokens that never come out of text by merging: the chat template's marks and their like.
fn added_tokens<'a>(
    gguf: &Gguf,
    tokens: &[&'a str],
) -> Result<Vec<AddedToken<'a>>, Unconverted> {
    const NORMAL: i32 = 1;
    let kinds = gguf.get("tokenizer.ggml.token_type")?;
    let kinds = kinds.to_vec().map_err(broken(gguf.step))?;
    let mut added = Vec::new();
    for ((id, token), kind) in tokens.iter().enumerate().zip(kinds) {
        if kind.to_i32().map_err(broken(gguf.step))? != NORMAL {
            added.push(AddedToken {
                id,
                content: token,
                single_word: false,
                lstrip: false,
                rstrip: false,
                normalized: false,
                special: true,
            });
        }
    }
    Ok(added)
}

#[expect(clippy::struct_excessive_bools, reason = "the format has them")]
#[derive(serde::Serialize)]
struct TokenizerConfig<'a> {
    tokenizer_class: &'static str,
    model_max_length: usize,
    bos_token: &'a str,
    eos_token: &'a str,
    unk_token: &'a str,
    pad_token: &'a str,
    add_bos_token: bool,
    clean_up_tokenization_spaces: bool,
    chat_template: &'a str,
}

fn tokenizer_config(gguf: &Gguf) -> Result<TokenizerConfig<'_>, Unconverted> {
    let tokens = gguf.texts(TOKENS)?;
    let token = |key: &str| gguf.token(&tokens, &format!("tokenizer.ggml.{key}_token_id"));
    Ok(TokenizerConfig {
        tokenizer_class: "GPT2Tokenizer",
        model_max_length: gguf.number("llama.context_length")?,
        bos_token: token("bos")?,
        eos_token: token("eos")?,
        unk_token: token("unknown")?,
        pad_token: token("padding")?,
        add_bos_token: false,
        clean_up_tokenization_spaces: false,
        chat_template: gguf.text("tokenizer.chat_template")?,
    })
}

fn json(step: Conversion, value: &impl Serialize) -> Result<String, Unconverted> {
    serde_json::to_string_pretty(value).map_err(broken(step))
}

fn write_weights(
    gguf: &Gguf,
    reader: &mut BufReader<File>,
    writer: &mut BufWriter<File>,
) -> Result<(), Unconverted> {
    let step = gguf.step;
    let infos = &gguf.content.tensor_infos;
    let names: BTreeSet<_> = infos.keys().collect();
    let tensors = names
        .iter()
        .map(|name| {
            let place = hub_name(name).zip(infos.get(*name));
            let place = place.map(|(name, it)| Tensor {
                name,
                dtype: gguf.kept_as(it),
                shape: it.shape.dims().to_vec(),
            });
            place.ok_or_else(|| unfit(step, format!("`{name}` has no place")))
        })
        .collect::<Result<Vec<_>, Unconverted>>()?;
    let metadata = [("format", "pt".to_owned())];
    write_header(writer, &metadata, &tensors).map_err(broken(step))?;
    for name in names {
        let packed = gguf.content.tensor(reader, name, &Device::Cpu);
        let numbers = packed
            .and_then(|packed| packed.dequantize(&Device::Cpu))
            .map_err(broken(step))?;
        let dtype = infos.get(name).map_or(Dtype::F32, |it| gguf.kept_as(it));
        for number in in_order(gguf, name, numbers)? {
            match dtype {
                Dtype::F16 => writer.write_all(&f16::from_f32(number).to_le_bytes()),
                Dtype::F32 => writer.write_all(&number.to_le_bytes()),
            }
            .map_err(broken(step))?;
        }
    }
    Ok(())
}

/// llama.cpp reorders the rows of q and k so that a rotated pair stands side by side; the hub's
/// form has the two halves of a head one after the other.
fn in_order(gguf: &Gguf, name: &str, numbers: Numbers) -> Result<Vec<f32>, Unconverted> {
    let heads = match name.rsplit_once("attn_") {
        Some((_, "q.weight")) => Some(gguf.number(HEADS)?),
        Some((_, "k.weight")) => Some(gguf.number(KV_HEADS)?),
        Some(_) | None => None,
    };
    let ordered = match heads {
        Some(heads) => unpermuted(&numbers, heads.max(1)),
        None => Ok(numbers),
    };
    ordered
        .and_then(|numbers| numbers.flatten_all()?.to_vec1())
        .map_err(broken(gguf.step))
}

fn unpermuted(numbers: &Numbers, heads: usize) -> candle_core::Result<Numbers> {
    let (rows, columns) = numbers.dims2()?;
    numbers
        .reshape((heads, rows / heads / 2, 2, columns))?
        .transpose(1, 2)?
        .contiguous()?
        .reshape((rows, columns))
}

/// The hub's name for one of llama.cpp's tensors.
fn hub_name(name: &str) -> Option<String> {
    match name {
        "token_embd.weight" => return Some("model.embed_tokens.weight".to_owned()),
        "output_norm.weight" => return Some("model.norm.weight".to_owned()),
        "output.weight" => return Some("lm_head.weight".to_owned()),
        _ => {},
    }
    let (layer, part) = name.strip_prefix("blk.")?.split_once('.')?;
    let part = match part {
        "attn_norm.weight" => "input_layernorm",
        "ffn_norm.weight" => "post_attention_layernorm",
        "attn_q.weight" => "self_attn.q_proj",
        "attn_k.weight" => "self_attn.k_proj",
        "attn_v.weight" => "self_attn.v_proj",
        "attn_output.weight" => "self_attn.o_proj",
        "ffn_gate.weight" => "mlp.gate_proj",
        "ffn_up.weight" => "mlp.up_proj",
        "ffn_down.weight" => "mlp.down_proj",
        _ => return None,
    };
    Some(format!("model.layers.{layer}.{part}.weight"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_a_head_come_back_in_the_hubs_order() {
        // One head of four rows, as llama.cpp lays them: 0 2 1 3.
        let rows = Numbers::from_vec(vec![0_f32, 2.0, 1.0, 3.0], (4, 1), &Device::Cpu).unwrap();
        let ordered = unpermuted(&rows, 1).unwrap().flatten_all().unwrap();
        assert_eq!(ordered.to_vec1::<f32>().unwrap(), [0.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn every_tensor_of_a_llama_has_a_name_at_the_hub() {
        let name = |name: &str| hub_name(name).unwrap_or_default();
        assert_eq!(
            name("blk.7.attn_q.weight"),
            "model.layers.7.self_attn.q_proj.weight"
        );
        assert_eq!(name("output_norm.weight"), "model.norm.weight");
        assert_eq!(name("rope_freqs.weight"), "");
    }
}
