//! What is said of something that was looked at for `saseo doctor`.

/// One thing that was looked at: what is there, or what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub what: &'static str,
    pub said: Result<String, String>,
}

pub fn found(what: &'static str, said: Result<String, String>) -> Finding {
    Finding { what, said }
}

/// Names for a person to read, the first few.
pub fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<_> = names.iter().take(SHOWN).copied().collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_many_is_not_all_named() {
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        assert_eq!(listed(&names), "a, b, c, d, e and 2 more");
        assert_eq!(listed(&["a", "b"]), "a, b");
    }
}
