//! Reads a stream of server-sent events, as far as OpenAI-compatible endpoints use them.
//!
//! Bytes come in whatever portions the network makes, and servers differ: with and without the
//! space after the colon, `\r\n` or `\n`, comments as heartbeats, a last event without its empty
//! line. Pure, so that all of it can be tested without a server.

use crate::domain::figures::Bytes;

/// Puts events together from portions of bytes.
#[derive(Debug, Default)]
pub(super) struct EventStream {
    line: Vec<u8>,
    event: String,
}

/// A line or an event that never ends.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the endpoint sent an event of more than {}",
    Bytes(EventStream::LONGEST)
)]
pub(super) struct Endless;

impl EventStream {
    const LONGEST: usize = 1 << 20;

    /// The data of the events that end within `portion`.
    pub(super) fn feed(&mut self, portion: &[u8]) -> Result<Vec<String>, Endless> {
        let mut events = Vec::new();
        for &byte in portion {
            if byte == b'\n' {
                events.extend(self.line_ends());
            } else if self.line.len() + self.event.len() >= Self::LONGEST {
                return Err(Endless);
            } else {
                self.line.push(byte);
            }
        }
        Ok(events)
    }

    /// What is left when the stream ends without a last empty line.
    pub(super) fn rest(mut self) -> Option<String> {
        let open = self.line_ends();
        open.or_else(|| (!self.event.is_empty()).then_some(self.event))
    }

    fn line_ends(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            return Some(std::mem::take(&mut self.event)).filter(|event| !event.is_empty());
        }
        if let Some(said) = line.strip_prefix("data:") {
            if !self.event.is_empty() {
                self.event.push('\n');
            }
            self.event.push_str(said.strip_prefix(' ').unwrap_or(said));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(portions: &[&[u8]]) -> Vec<String> {
        let mut stream = EventStream::default();
        let mut events: Vec<String> = portions
            .iter()
            .flat_map(|portion| stream.feed(portion).unwrap())
            .collect();
        events.extend(stream.rest());
        events
    }

    #[test]
    fn servers_may_write_events_as_they_like() {
        assert_eq!(read(&[b"data: a\n\ndata: b\n\n"]), ["a", "b"]);
        assert_eq!(read(&[b"data:a\r\n\r\ndata:b\r\n\r\n"]), ["a", "b"]);
        assert_eq!(read(&[b": ping\n\nevent: x\nid: 7\ndata: a\n\n"]), ["a"]);
        assert_eq!(read(&[b"data: a\ndata: b\n\n"]), ["a\nb"]);
        assert_eq!(read(&[b"data: a\n\ndata: [DONE]"]), ["a", "[DONE]"]);
        assert_eq!(read(&[b"\n\n\n"]), Vec::<String>::new());
    }

    #[test]
    fn an_event_that_never_ends_is_refused() {
        let mut stream = EventStream::default();
        let portion = vec![b'x'; 700_000];
        assert_eq!(stream.feed(&portion), Ok(vec![]));
        assert_eq!(stream.feed(&portion), Err(Endless));
    }

    proptest! {
        #[test]
        fn where_the_network_cuts_does_not_matter(at in 0_usize..40) {
            let whole = "data: {\"a\":\"가나다\"}\r\n\r\ndata: 끝\n\n".as_bytes();
            let at = at.min(whole.len());
            prop_assert_eq!(read(&[&whole[..at], &whole[at..]]), ["{\"a\":\"가나다\"}", "끝"]);
        }
    }
}
