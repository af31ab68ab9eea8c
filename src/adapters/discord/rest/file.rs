//! Fetches what people attached, without the token, and only from where Discord keeps files.

use reqwest::StatusCode;
use tokio::time::{sleep, timeout};
use url::Url;

use super::fault::refused;
use super::{Fault, Rest};
use crate::adapters::chat::calls::back_off;
use crate::adapters::chat::http::{self, Cut, read};
use crate::adapters::discord::limiter::heard;

impl Rest {
    /// Discord's files; both take any path.
    const FILES: [&'static str; 2] = ["cdn.discordapp.com", "media.discordapp.net"];

    /// Fetches an attachment of at most `longest` bytes.
    pub async fn download(&self, url: &str, longest: usize) -> Result<Vec<u8>, Fault> {
        let url = self.file(url)?;
        let fetched = timeout(self.timeouts.download, self.fetch(&url, longest)).await;
        fetched.unwrap_or_else(|_| {
            Err(Fault::Unavailable {
                why: "the download took too long".to_owned(),
                source: None,
            })
        })
    }

    fn file(&self, url: &str) -> Result<Url, Fault> {
        http::own(url, &Self::FILES, &self.base).ok_or(Fault::Elsewhere)
    }

    async fn fetch(&self, url: &Url, longest: usize) -> Result<Vec<u8>, Fault> {
        for tries in 0..3 {
            match self.fetch_once(url, longest).await {
                Err(Fault::Unreachable(_) | Fault::Unavailable { .. }) => {
                    sleep(back_off(tries)).await;
                },
                fetched => return fetched,
            }
        }
        self.fetch_once(url, longest).await
    }

    async fn fetch_once(&self, url: &Url, longest: usize) -> Result<Vec<u8>, Fault> {
        let sent = self.client.get(url.clone()).send().await;
        let response = sent.map_err(|error| Fault::Unreachable(error.without_url().into()))?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            let pause = heard(status, response.headers(), &[]).pause();
            return Err(Fault::Busy { pause });
        }
        if status.is_server_error() {
            let why = status.to_string();
            return Err(Fault::Unavailable { why, source: None });
        }
        if status != StatusCode::OK {
            return Err(refused(status, &[]));
        }
        read(response, longest).await.map_err(|cut| match cut {
            Cut::TooLong => Fault::TooLong { longest },
            Cut::Broke(error) => Fault::Unavailable {
                why: "the download broke off".to_owned(),
                source: Some(error.into()),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::DISCORD;
    use super::super::server::Turn::{Says, Silent};
    use super::super::server::{BOT, Server, rest, told};
    use super::*;

    #[tokio::test]
    async fn a_file_is_fetched_without_the_token_and_within_its_limit() {
        let server = Server::new([
            Says(200, "", "0123456789"),
            Says(200, "", "0123456789"),
            Says(
                200,
                "transfer-encoding: chunked\r\nx-",
                "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n",
            ),
            Says(302, "location: https://example.com/\r\n", ""),
            Says(404, "", "gone"),
            Says(503, "", ""),
            Says(200, "", "back"),
        ])
        .await;
        let url = format!("{}/attachments/1/2/a.txt?ex=1&hm=s1gned", server.base);
        let fetched = server.rest.download(&url, 10).await.unwrap();
        assert_eq!(fetched, b"0123456789");
        let heard = server.heard();
        assert!(heard[0].starts_with("GET /attachments/1/2/a.txt?ex=1&hm=s1gned "));
        assert!(!heard[0].contains(BOT));
        for _ in 0..2 {
            let fault = server.rest.download(&url, 9).await.unwrap_err();
            assert!(matches!(fault, Fault::TooLong { longest: 9 }), "{fault:?}");
        }
        for status in [302, 404] {
            let fault = server.rest.download(&url, 9).await.unwrap_err();
            assert!(fault.to_string().contains(&status.to_string()));
            assert!(!told(&fault).contains("s1gned"));
        }
        assert_eq!(server.rest.download(&url, 9).await.unwrap(), b"back");
    }

    #[tokio::test]
    async fn a_file_that_never_comes_is_given_up() {
        let server = Server::new([Silent]).await;
        let fault = server.rest.download(&server.base, 9).await.unwrap_err();
        assert!(fault.may_be_tried_again(), "{fault:?}");
    }

    #[test]
    fn files_come_from_discord_only() {
        let real = rest(DISCORD);
        let fake = rest("http://127.0.0.1:4000");
        for url in [
            "https://cdn.discordapp.com/attachments/1/2/a.txt?ex=1",
            "https://media.discordapp.net/attachments/1/2/a.png",
            "https://cdn.discordapp.com:443/a",
        ] {
            assert!(real.file(url).is_ok() && fake.file(url).is_ok(), "{url}");
        }
        assert!(fake.file("http://127.0.0.1:4000/a").is_ok());
        for url in [
            "http://cdn.discordapp.com/a",
            "https://cdn.discordapp.com:8443/a",
            "https://cdn.discordapp.com.example.com/a",
            "https://user@cdn.discordapp.com/a",
            "https://cdn.discordapp.com@example.com/a",
            "https://example.com/cdn.discordapp.com",
            "https://discord.com/a",
            "http://127.0.0.1:4001/a",
            "http://localhost:4000/a",
            "file:///etc/passwd",
            "a.txt",
        ] {
            assert!(real.file(url).is_err() && fake.file(url).is_err(), "{url}");
        }
        assert!(real.file("http://127.0.0.1:4000/a").is_err());
    }
}
