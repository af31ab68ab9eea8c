//! Files: how they come in a form of parts, and the links they are fetched by.
//!
//! A link holds for a while and is signed, as Discord's are; a changed or an old one leads to
//! nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::clock::Id;
use super::refusal::Refusal;
use super::world::{Attachment, World};

/// What Discord takes of a bot in one file, and in one request.
pub(crate) const LARGEST_FILE: usize = 10 * 1024 * 1024;
pub(crate) const LARGEST_REQUEST: usize = 25 * 1024 * 1024;

/// A file on its way in.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    /// The number in `files[n]`.
    pub(crate) number: u64,
    pub(crate) name: String,
    pub(crate) content_type: String,
    pub(crate) bytes: Arc<Vec<u8>>,
}

/// The JSON and the files of a `multipart/form-data` body.
pub(crate) fn parts(content_type: &str, body: &[u8]) -> Option<(Value, Vec<Upload>)> {
    let boundary = content_type.split("boundary=").nth(1)?.trim_matches('"');
    let mark = format!("--{boundary}");
    let mut json = Value::Null;
    let mut files = Vec::new();
    for part in split(body, mark.as_bytes()) {
        let Some(end) = find(part, b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&part[..end]).into_owned();
        let bytes = part.get(end + 4..part.len().checked_sub(2)?)?;
        let name = quoted(&head, "; name=\"")?;
        if name == "payload_json" {
            json = serde_json::from_slice(bytes).ok()?;
        } else if let Some(number) = name.strip_prefix("files[") {
            files.push(Upload {
                number: number.trim_end_matches(']').parse().ok()?,
                name: quoted(&head, "; filename=\"")?,
                content_type: line(&head, "content-type")
                    .unwrap_or_else(|| "application/octet-stream".to_owned()),
                bytes: Arc::new(bytes.to_vec()),
            });
        }
    }
    Some((json, files))
}

fn split<'a>(body: &'a [u8], mark: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut rest = body;
    while let Some(at) = find(rest, mark) {
        parts.push(&rest[..at]);
        rest = &rest[at + mark.len()..];
    }
    parts
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// What stands in quotes after `key` in the head of a part: `; name="…"`.
fn quoted(head: &str, key: &str) -> Option<String> {
    let rest = head.split_once(key)?.1;
    Some(rest.split('"').next()?.to_owned())
}

fn line(head: &str, name: &str) -> Option<String> {
    let mut pairs = head.lines().filter_map(|line| line.split_once(':'));
    pairs
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().to_owned())
}

/// The link under which `attachment` of `channel` can be fetched from now on for a while.
pub(crate) fn link(world: &World, channel: Id, attachment: &Attachment) -> String {
    let path = format!(
        "/attachments/{channel}/{}/{}",
        attachment.id, attachment.name
    );
    let now = world.clock.now().timestamp();
    let until = now + i64::try_from(world.settings.links.as_secs()).unwrap();
    let signed = signature(world, &path, &format!("{until:x}"));
    let api = &world.settings.api;
    format!("{api}{path}?ex={until:x}&is={now:x}&hm={signed}&")
}

fn signature(world: &World, path: &str, until: &str) -> String {
    let text = format!("{}{path}{until}", world.settings.token);
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// The file that a link leads to.
pub(crate) fn fetched(
    world: &World,
    path: &str,
    query: &BTreeMap<String, String>,
) -> Result<Attachment, Refusal> {
    let gone = || Refusal::new(404, 0, "This content is no longer available.");
    let until = query.get("ex").ok_or_else(gone)?;
    let moment = i64::from_str_radix(until, 16).map_err(|_| gone())?;
    let signed = signature(world, path, until);
    if query.get("hm") != Some(&signed) || moment < world.clock.now().timestamp() {
        return Err(gone());
    }
    let parts: Vec<&str> = path.split('/').collect();
    let number = |place: usize| parts.get(place).and_then(|part| part.parse::<Id>().ok());
    let id = number(3).ok_or_else(gone)?;
    world.record.files.get(&id).cloned().ok_or_else(gone)
}
