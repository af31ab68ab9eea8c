//! The real starter models, and the fakes where a real one cannot fail on demand.

use std::time::Duration;

use saseo::adapters::inference::openai::{OpenAiChat, OpenAiEmbedder, OpenAiEmbedderSettings};
use saseo::adapters::inference::{Deadlines, Prefixes};
use saseo::domain::embedding::Purpose;
use saseo::ports::{
    ChatModel, Embedder, Ended, Message, Role, Sampling, Unembedded, Unwritten, Written,
};
use serde_json::json;
use tokio::sync::mpsc;

use crate::support::openai::{OpenAi, Turn};

const SAMPLING: Sampling = Sampling {
    temperature: 0.0,
    seed: 7,
    longest: 64,
};

fn prompt(question: &str) -> Vec<Message> {
    vec![
        Message {
            role: Role::System,
            text: "You answer from the passages.".to_owned(),
        },
        Message {
            role: Role::User,
            text: question.to_owned(),
        },
    ]
}

mod an_endpoint {
    use super::*;

    fn deadlines() -> Deadlines {
        Deadlines {
            first_token: Duration::from_millis(400),
            between_tokens: Duration::from_millis(200),
            total: Duration::from_secs(5),
        }
    }

    async fn ask(endpoint: &OpenAi) -> (Result<Written, Unwritten>, Vec<String>) {
        let chat = OpenAiChat::new(endpoint.endpoint.clone(), 2_000, deadlines()).unwrap();
        let (pieces, mut heard) = mpsc::unbounded_channel();
        let written = chat
            .write(&prompt("How many days?"), SAMPLING, pieces)
            .await;
        let mut parts = Vec::new();
        while let Ok(piece) = heard.try_recv() {
            parts.push(piece);
        }
        (written, parts)
    }

    #[track_caller]
    fn cause(written: Result<Written, Unwritten>) -> String {
        match written {
            Err(Unwritten::Failed(cause)) => cause.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn streams_its_answer_and_says_how_long_it_was() {
        let endpoint = OpenAi::new([Turn::Says(vec!["Fif", "teen ", "days."])]).await;

        let (written, parts) = ask(&endpoint).await;

        let written = written.unwrap();
        assert_eq!(written.text, "Fifteen days.");
        assert_eq!(written.ended, Ended::Finished);
        assert_eq!((written.prompt_tokens, written.written_tokens), (11, 3));
        assert_eq!(parts, ["Fif", "teen ", "days."]);
        let known = endpoint.known();
        assert_eq!(known.keys, ["Bearer s3cr3t"]);
        assert_eq!(known.asked[0]["messages"][1]["content"], "How many days?");
        assert_eq!(known.asked[0]["max_tokens"], 64);
        assert_eq!(known.asked[0]["temperature"], 0.0);
    }

    #[tokio::test]
    async fn that_never_answers_or_stops_in_the_middle_is_late() {
        let endpoint = OpenAi::new([Turn::Silent, Turn::Stalls(vec!["Fif"])]).await;

        let (silent, _) = ask(&endpoint).await;
        assert!(matches!(silent, Err(Unwritten::Late)), "{silent:?}");

        let (stalled, parts) = ask(&endpoint).await;
        assert!(matches!(stalled, Err(Unwritten::Late)), "{stalled:?}");
        assert_eq!(parts, ["Fif"]);
        endpoint.left(1).await;
    }

    #[tokio::test]
    async fn that_breaks_off_has_failed_and_not_finished() {
        let endpoint = OpenAi::new([Turn::Breaks(vec!["Fif"])]).await;
        let (written, _) = ask(&endpoint).await;
        assert_eq!(cause(written), "the endpoint's answer broke off");
    }

    #[tokio::test]
    async fn that_is_busy_is_asked_once_more_after_its_pause() {
        let endpoint = OpenAi::new([Turn::Busy("0"), Turn::Says(vec!["Yes."])]).await;
        let (written, _) = ask(&endpoint).await;
        assert_eq!(written.unwrap().text, "Yes.");
        assert_eq!(endpoint.known().asked.len(), 2);

        let endpoint = OpenAi::new([Turn::Busy("0"), Turn::Busy("0")]).await;
        let (written, _) = ask(&endpoint).await;
        assert_eq!(
            cause(written),
            "the endpoint is busy and asked for a longer pause"
        );
        assert_eq!(endpoint.known().asked.len(), 2);

        let endpoint = OpenAi::new([Turn::Busy("3600")]).await;
        let (written, _) = ask(&endpoint).await;
        assert_eq!(
            cause(written),
            "the endpoint is busy and asked for a longer pause"
        );
    }

    #[tokio::test]
    async fn that_refuses_is_quoted_by_its_code_and_never_by_its_message() {
        let body = json!({ "error": { "message": "How many days?", "type": "server_error" } });
        let endpoint = OpenAi::new([
            Turn::Refuses(500, body),
            Turn::Refuses(401, json!({})),
            Turn::Refuses(
                400,
                json!({ "error": { "code": "context_length_exceeded" } }),
            ),
        ])
        .await;

        let (broken, _) = ask(&endpoint).await;
        assert_eq!(
            cause(broken),
            "the endpoint answered 500 Internal Server Error (server_error)"
        );
        let (forbidden, _) = ask(&endpoint).await;
        assert!(cause(forbidden).contains("check the key"));
        let (long, _) = ask(&endpoint).await;
        assert!(matches!(long, Err(Unwritten::TooLong { .. })), "{long:?}");
    }

    #[tokio::test]
    async fn that_writes_its_stream_oddly_is_understood() {
        let endpoint = OpenAi::new([
            Turn::Streams(vec![
                b": OPENROUTER PROCESSING\n\n",
                b"data:{\"choices\":[{\"delta\":{\"content\":\"\xec\x97",
                b"\xb0\xec\xb0\xa8\"},\"finish_reason\":null}],\"usage\":null}\r\n\r\n",
                b"data: {\"choices\":[{\"delta\":{\"content\":\"15\"}}]}\n\ndata: {\"choices\"",
                b":[{\"delta\":{\"content\":null},\"finish_reason\":\"length\"}]}\n\n",
                b"data: [DONE]",
            ]),
            Turn::Streams(vec![b"data: {\"error\":{\"code\":\"overloaded\"}}\n\n"]),
            Turn::Streams(vec![b"<html>502</html>\n"]),
            Turn::Streams(vec![b"data: <html>\n\n"]),
        ])
        .await;

        let (written, parts) = ask(&endpoint).await;
        let written = written.unwrap();
        assert_eq!(written.text, "연차15");
        assert_eq!(written.ended, Ended::Length);
        assert_eq!(parts, ["연차", "15"]);

        assert!(cause(ask(&endpoint).await.0).contains("overloaded"));
        assert_eq!(
            cause(ask(&endpoint).await.0),
            "the endpoint's answer broke off"
        );
        assert!(cause(ask(&endpoint).await.0).contains("could not be read"));
    }

    #[tokio::test]
    async fn that_repeats_itself_is_cut_and_left() {
        let line = "Use kubectl to delete the pod. ";
        let endpoint = OpenAi::new([Turn::Stalls(vec![line; 12])]).await;

        let (written, _) = ask(&endpoint).await;

        let written = written.unwrap();
        assert_eq!(written.text, line.trim_end());
        assert_eq!(written.ended, Ended::Repetition);
        endpoint.left(1).await;
    }

    #[tokio::test]
    async fn is_told_to_stop_when_nobody_waits_any_more() {
        let endpoint = OpenAi::new([Turn::Stalls(vec!["Fif"]), Turn::Says(vec!["Yes."])]).await;
        let chat = OpenAiChat::new(endpoint.endpoint.clone(), 2_000, deadlines()).unwrap();
        let (pieces, mut heard) = mpsc::unbounded_channel();
        let question = prompt("How many days?");

        tokio::select! {
            biased;
            _ = heard.recv() => (),
            written = chat.write(&question, SAMPLING, pieces) => panic!("{written:?}"),
        }
        endpoint.left(1).await;

        assert_eq!(ask(&endpoint).await.0.unwrap().text, "Yes.");
    }

    #[tokio::test]
    async fn is_not_asked_what_does_not_fit() {
        let endpoint = OpenAi::new([]).await;
        let chat = OpenAiChat::new(endpoint.endpoint.clone(), 100, deadlines()).unwrap();
        let (pieces, _heard) = mpsc::unbounded_channel();

        let written = chat
            .write(&prompt(&"days ".repeat(100)), SAMPLING, pieces)
            .await;

        assert!(
            matches!(
                written,
                Err(Unwritten::TooLong {
                    tokens: 100..,
                    window: 36
                })
            ),
            "{written:?}"
        );
        assert_eq!(endpoint.known().asked.len(), 0);
    }

    fn settings() -> OpenAiEmbedderSettings {
        OpenAiEmbedderSettings {
            window: 512,
            prefixes: Prefixes::e5(),
            deadline: Duration::from_millis(500),
        }
    }

    #[tokio::test]
    async fn embeds_in_batches_and_in_order() {
        let endpoint = OpenAi::new([]).await;
        let embedder = OpenAiEmbedder::open(endpoint.endpoint.clone(), settings())
            .await
            .unwrap();
        assert_eq!(embedder.dimensions(), 3);

        let texts: Vec<String> = (0..70).map(|n| "x".repeat(n)).collect();
        let embeddings = embedder.embed(Purpose::Passage, &texts).await.unwrap();

        assert_eq!(embeddings.len(), 70);
        for (n, embedding) in embeddings.iter().enumerate() {
            let [length, _, one] = embedding.as_slice() else {
                panic!("{embedding:?}");
            };
            // The prefix `passage: ` is nine characters long.
            assert!((length / one - (n + 9) as f32).abs() < 0.1, "{n}");
        }
        let known = endpoint.known();
        assert_eq!(known.asked.len(), 1 + 3);
        assert_eq!(known.asked[1]["input"][0], "passage: ");
    }

    #[tokio::test]
    async fn that_does_not_embed_says_why() {
        let endpoint = OpenAi::new([
            Turn::Says(vec![]),
            Turn::Refuses(503, json!({ "error": { "code": "loading" } })),
            Turn::Silent,
        ])
        .await;
        let embedder = OpenAiEmbedder::open(endpoint.endpoint.clone(), settings())
            .await
            .unwrap();
        let texts = ["연차".to_owned()];

        for expected in ["(loading)", "broke off"] {
            let Err(Unembedded::Failed(cause)) =
                embedder.embed(Purpose::Question, &texts).await
            else {
                panic!("embedded");
            };
            assert!(cause.to_string().contains(expected), "{cause}");
        }
    }
}
