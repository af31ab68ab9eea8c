//! Tokens: given for a code, and changed for new ones, each refresh token once.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::clock::Id;
use super::methods::Call;
use super::refusal::{Refusal, refuse};
use super::world::{Installation, Standing, Token, World};

pub(crate) fn access(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    known(world, call)?;
    let team = match call
        .arguments
        .text("grant_type")
        .unwrap_or("authorization_code")
    {
        "authorization_code" => {
            let code = call.arguments.text("code").unwrap_or("");
            let team = world.codes.remove(code);
            team.ok_or_else(|| Refusal::new("invalid_code"))?
        },
        "refresh_token" => {
            let given = call.arguments.text("refresh_token");
            let given = given.ok_or_else(|| Refusal::new("invalid_refresh_token"))?;
            let (now, grace) = (world.clock.now(), world.settings.grace);
            let good = |bot: &Installation| {
                let lately = bot.spent.as_ref().is_some_and(|(spent, at)| {
                    spent == given && now - *at < TimeDelta::from_std(grace).unwrap()
                });
                lately || bot.refresh.as_deref() == Some(given)
            };
            let found = world.teams.values().find(|team| good(&team.bot));
            let found = found.ok_or_else(|| Refusal::new("invalid_refresh_token"))?;
            found.id.clone()
        },
        _ => return refuse("invalid_grant_type"),
    };
    Ok(granted(world, &team))
}

/// Whether the client says who it is, in the form or as HTTP does.
fn known(world: &World, call: &Call<'_>) -> Result<(), Refusal> {
    let (id, secret) = &world.app.client;
    let basic = format!("Basic {}", base64(format!("{id}:{secret}").as_bytes()));
    if call.authorization == basic {
        return Ok(());
    }
    if call.arguments.text("client_id") != Some(id) {
        return refuse("invalid_client_id");
    }
    if call.arguments.text("client_secret") != Some(secret) {
        return refuse("bad_client_secret");
    }
    Ok(())
}

/// New tokens for a workspace; of the old access tokens the newest stays good.
pub(crate) fn granted(world: &mut World, team: &Id) -> Value {
    let lasts = world.settings.tokens;
    let now = world.clock.now();
    let text = format!("xoxe.xoxb-1-{}", world.clock.letters(32));
    let refresh = format!("xoxe-1-{}", world.clock.letters(32));
    let bot = &mut world.teams.get_mut(team).unwrap().bot;
    let old = bot.tokens.len().saturating_sub(1);
    for token in bot.tokens.iter_mut().take(old) {
        token.standing = Standing::Refused("token_revoked");
    }
    bot.tokens.push(Token {
        text: text.clone(),
        standing: Standing::Good,
        until: Some(now + TimeDelta::from_std(lasts).unwrap()),
    });
    let exchanged = bot.refresh.replace(refresh.clone());
    bot.spent = exchanged.map(|token| (token, now));
    let scopes: Vec<&str> = bot.scopes.iter().map(String::as_str).collect();
    let (scope, user) = (scopes.join(","), bot.user.clone());
    let home = &world.teams[team];
    json!({
        "access_token": text,
        "token_type": "bot",
        "expires_in": lasts.as_secs(),
        "refresh_token": refresh,
        "scope": scope,
        "bot_user_id": user,
        "app_id": world.app.id,
        "team": { "id": team, "name": home.name },
        "enterprise": home.enterprise.as_ref().map(|id| json!({ "id": id, "name": "Enterprise" })),
        "is_enterprise_install": false,
        "authed_user": { "id": user },
    })
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut three = [0_u8; 3];
        three[..chunk.len()].copy_from_slice(chunk);
        let all = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for place in 0..4_usize {
            let six = usize::try_from(all >> (18 - 6 * place) & 0x3F).unwrap();
            let there = place <= chunk.len();
            text.push(if there { char::from(LETTERS[six]) } else { '=' });
        }
    }
    text
}
