//! From bytes to characters.
//!
//! Text that is valid UTF-8 is UTF-8 whatever was declared, because text in another encoding
//! next to never is by accident; then the declaration counts, then a guess by frequencies.
//! Old Korean files are EUC-KR and say so nowhere.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::Unparsable;

/// The characters of `bytes`.
pub(super) fn decode(bytes: &[u8], content_type: Option<&str>) -> Result<String, Unparsable> {
    if let Some(kind) = magic(bytes) {
        return Err(Unparsable::Binary {
            kind: kind.to_owned(),
        });
    }
    let encoding = encoding(bytes, content_type);
    if bytes.contains(&0) && encoding != UTF_16LE && encoding != UTF_16BE && !is_rare_nul(bytes)
    {
        return Err(binary());
    }
    let (text, _, _) = encoding.decode(bytes);
    judged(text.into_owned())
}

fn encoding(bytes: &[u8], content_type: Option<&str>) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    if let Some(encoding) = utf_16_without_mark(bytes) {
        return encoding;
    }
    if is_mostly_utf_8(bytes) {
        return UTF_8;
    }
    declared(bytes, content_type).unwrap_or_else(|| {
        let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
        detector.feed(bytes, true);
        detector.guess(None, Utf8Detection::Deny)
    })
}

/// One broken character in a long UTF-8 text does not make it Latin-1.
fn is_mostly_utf_8(bytes: &[u8]) -> bool {
    let (mut whole, mut broken) = (0_usize, 0_usize);
    for part in bytes.utf8_chunks() {
        whole += part.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!part.invalid().is_empty());
    }
    broken == 0 || whole > broken * 20
}

/// Latin text in UTF-16 has a zero in every second byte.
fn utf_16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let head: Vec<&u8> = bytes.iter().take(512).collect();
    let zeros = |from: usize| {
        head.iter()
            .skip(from)
            .step_by(2)
            .filter(|b| ***b == 0)
            .count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    let many = head.len() / 5;
    if many == 0 {
        return None;
    }
    match (even > many, odd > many) {
        (false, true) if even == 0 => Some(UTF_16LE),
        (true, false) if odd == 0 => Some(UTF_16BE),
        _ => None,
    }
}

/// What the server or the page's own head says.
fn declared(bytes: &[u8], content_type: Option<&str>) -> Option<&'static Encoding> {
    let by_server = content_type.and_then(charset);
    by_server.or_else(|| {
        let head: Vec<u8> = bytes.iter().copied().take(2048).collect();
        charset(&String::from_utf8_lossy(&head))
    })
}

/// The label behind the first `charset=` (or XML's `encoding=`) of `text`.
fn charset(text: &str) -> Option<&'static Encoding> {
    let lower = text.to_ascii_lowercase();
    let (_, after) = lower
        .split_once("charset=")
        .or_else(|| lower.split_once("encoding="))?;
    let label = after.trim_start_matches(['"', '\'', ' ']);
    let label = label.split(['"', '\'', ';', ' ', '>', '/', '?']).next()?;
    Encoding::for_label(label.as_bytes())
}

/// Refuses what decoded into something that nobody wrote.
fn judged(text: String) -> Result<String, Unparsable> {
    let (mut all, mut control, mut replaced) = (0_usize, 0_usize, 0_usize);
    for letter in text.chars() {
        all += 1;
        control += usize::from(letter.is_control() && !"\n\r\t\u{c}\u{1b}".contains(letter));
        replaced += usize::from(letter == char::REPLACEMENT_CHARACTER);
    }
    if control * 50 > all {
        return Err(binary());
    }
    if replaced * 20 > all {
        return Err(Unparsable::Garbled);
    }
    Ok(text)
}

/// A stray zero in a long text is a slip; a tenth of a per cent of them is a format.
fn is_rare_nul(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == 0).skip(1).count() * 1000 <= bytes.len()
}

fn binary() -> Unparsable {
    Unparsable::Binary {
        kind: "a binary file".to_owned(),
    }
}

/// What the first bytes of well-known formats say, whatever the file is called.
fn magic(bytes: &[u8]) -> Option<&'static str> {
    let found = KINDS.iter().find(|(start, _)| bytes.starts_with(start));
    found.map(|(_, kind)| *kind)
}

const KINDS: [(&[u8], &str); 17] = [
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"PK\x05\x06", "a ZIP archive"),
    (b"\x1f\x8b", "compressed (gzip)"),
    (b"\x28\xb5\x2f\xfd", "compressed (zstd)"),
    (b"BZh", "compressed (bzip2)"),
    (b"\xfd7zXZ\0", "compressed (xz)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an old office document",
    ),
    (b"\x89PNG\r\n", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90\0", "a program"),
    (b"SQLite format 3\0", "a database"),
    (b"\0asm", "a program"),
];

/// What a `kind` is called in Korean.
pub(super) fn korean(kind: &str) -> &str {
    match kind {
        "a PDF" => "PDF",
        "a ZIP archive or an office document" => "ZIP 압축 파일이나 오피스 문서",
        "a ZIP archive" => "ZIP 압축 파일",
        "a 7z archive" => "7z 압축 파일",
        "a RAR archive" => "RAR 압축 파일",
        "compressed (gzip)" => "gzip 압축 파일",
        "compressed (zstd)" => "zstd 압축 파일",
        "compressed (bzip2)" => "bzip2 압축 파일",
        "compressed (xz)" => "xz 압축 파일",
        "an old office document" => "옛 오피스 문서",
        "an image" => "그림",
        "a program" => "프로그램",
        "a database" => "데이터베이스",
        "a binary file" => "이진 파일",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::EUC_KR;

    use super::*;

    const KOREAN: &str =
        "연차 휴가는 입사 1년 뒤부터 해마다 15일이 주어진다. 신청은 인사팀에 한다.";

    #[track_caller]
    fn check(bytes: &[u8], content_type: Option<&str>, expected: &str) {
        assert_eq!(decode(bytes, content_type).as_deref(), Ok(expected));
    }

    #[test]
    fn korean_of_the_last_century_is_read() {
        let (bytes, _, _) = EUC_KR.encode(KOREAN);
        check(&bytes, None, KOREAN);
        check(&bytes, Some("text/html; charset=EUC-KR"), KOREAN);
        let page = format!("<meta charset=\"ks_c_5601-1987\"><p>{KOREAN}</p>");
        check(&EUC_KR.encode(&page).0, None, &page);
    }

    #[test]
    fn utf_8_is_read_whatever_is_declared() {
        check(
            KOREAN.as_bytes(),
            Some("text/plain; charset=euc-kr"),
            KOREAN,
        );
        check(format!("\u{FEFF}{KOREAN}").as_bytes(), None, KOREAN);
    }

    #[test]
    fn utf_16_is_read_with_and_without_its_mark() {
        let little = |text: &str| -> Vec<u8> {
            text.encode_utf16().flat_map(u16::to_le_bytes).collect()
        };
        let big = |text: &str| -> Vec<u8> {
            text.encode_utf16().flat_map(u16::to_be_bytes).collect()
        };
        check(&little(&format!("\u{FEFF}{KOREAN}")), None, KOREAN);
        check(&big(&format!("\u{FEFF}{KOREAN}")), None, KOREAN);
        check(&little("plain English text"), None, "plain English text");
        check(&big("plain English text"), None, "plain English text");
    }

    #[test]
    fn one_broken_character_does_not_spoil_a_text() {
        let mut bytes = KOREAN.as_bytes().to_vec();
        bytes.insert(0, 0xFF);
        check(&bytes, None, &format!("\u{FFFD}{KOREAN}"));
    }

    #[test]
    fn what_is_no_text_is_named() {
        let refused = |bytes: &[u8]| decode(bytes, None).expect_err("refused").to_string();
        assert_eq!(
            refused(b"%PDF-1.7\n..."),
            "it is a PDF, not text; text, Markdown and HTML can be read"
        );
        assert_eq!(
            refused(b"\x1f\x8b\x08\0\0\0"),
            "it is compressed (gzip), not text; text, Markdown and HTML can be read"
        );
        assert_eq!(
            refused(&[0; 400]),
            "it is a binary file, not text; text, Markdown and HTML can be read"
        );
        let noise: Vec<u8> = (0..9000_u64)
            .flat_map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes())
            .collect();
        assert_eq!(
            refused(&noise),
            "it is a binary file, not text; text, Markdown and HTML can be read"
        );
    }

    #[test]
    fn every_kind_has_a_korean_name() {
        for (_, kind) in KINDS {
            assert_ne!(korean(kind), kind);
        }
    }
}
