//! What may be shown: visible letters, and addresses that are nothing but addresses.

use url::{Host, Url};

/// Without control characters: a platform may leave them out, and then join what they hold apart.
pub fn visible(text: &str) -> String {
    text.replace("\r\n", "\n")
        .replace('\r', "\n")
        .replace(|c: char| c.is_control() && c != '\n' && c != '\t', "")
}

/// A title that can be seen and pressed: on one line, and with a letter in it.
pub fn named(title: &str, url: &str) -> String {
    let title = visible(title).replace('\n', " ");
    let title = title.trim();
    if title.contains(char::is_alphanumeric) {
        return title.to_owned();
    }
    let host = Url::parse(url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_else(|| title.to_owned())
}

/// A web address with nothing in it that a platform would read as a mark; `None` for anything
/// else, and for what gives a name and a password away.
pub fn address(url: &str) -> Option<String> {
    let url = Url::parse(url.trim()).ok()?;
    let open = url.username().is_empty() && url.password().is_none();
    let named = matches!(url.host(), Some(Host::Domain(_) | Host::Ipv4(_)));
    if !(open && named && matches!(url.scheme(), "http" | "https")) {
        return None;
    }
    let mut safe = String::new();
    for c in url.as_str().chars() {
        if c.is_ascii_graphic() && !r#"<>()[]\`*|"'@"#.contains(c) {
            safe.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                safe.push('%');
                safe.push_str(&hex::encode_upper([byte]));
            }
        }
    }
    Some(safe)
}

/// What is left of `after` when a name between it and `before` is taken out.
pub fn joined<'a>(before: &str, after: &'a str) -> &'a str {
    if before.trim().is_empty() {
        after.trim_start_matches([' ', ',', ':', '，'])
    } else if before.ends_with(char::is_whitespace) {
        after.trim_start_matches(' ')
    } else {
        after
    }
}
