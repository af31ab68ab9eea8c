//! Files: what is known of them, and what is in them, for whoever has the token.

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::api::Asked;
use super::methods::Call;
use super::objects;
use super::refusal::{Refusal, refuse};
use super::world::{File, Standing, World};

/// The file, if the bot of `team` is somewhere where it was shared.
fn visible<'a>(world: &'a World, team: &str, id: &str) -> Option<&'a File> {
    let bot = &world.teams[team].bot.user;
    world.files.get(id).filter(|file| {
        let mut channels = file.channels.iter().filter_map(|id| world.channels.get(id));
        channels.any(|channel| channel.members.contains(bot))
    })
}

pub(crate) fn info(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let id = call.arguments.needed("file")?;
    let file = visible(world, &call.team, id).ok_or_else(|| Refusal::new("file_not_found"))?;
    if file.gone {
        return refuse("file_deleted");
    }
    let object = objects::whole_file(world, file);
    Ok(json!({ "file": object, "comments": [], "response_metadata": { "next_cursor": "" } }))
}

/// Gives a file to whoever has a token for it, and to anybody else the page for signing in.
pub(crate) fn fetched(world: &mut World, asked: &Asked, number: usize) -> Response {
    let found = named(world, asked).map(|file| {
        let kind = [(header::CONTENT_TYPE, file.mime.clone())];
        (kind, Body::from(file.bytes.to_vec())).into_response()
    });
    let request = &mut world.record.requests[number];
    request.status = Some(200);
    request.answer = Some(json!({ "ok": found.is_some() }));
    found.unwrap_or_else(|| {
        let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
        let page = "<!DOCTYPE html><html><head><title>Sign in | Slack</title></head></html>";
        (StatusCode::OK, kind, page).into_response()
    })
}

fn named<'a>(world: &'a World, asked: &Asked) -> Option<&'a File> {
    let token = asked.bearer()?;
    let now = world.clock.now();
    let team = world.teams.values().find(|team| {
        let mut tokens = team.bot.tokens.iter();
        tokens.any(|one| {
            one.text == token
                && one.standing == Standing::Good
                && one.until.is_none_or(|until| now < until)
        })
    })?;
    let folder = asked.path.strip_prefix("/files-pri/")?.split('/').next()?;
    let (_, id) = folder.split_once('-')?;
    let file = visible(world, &team.id, id)?;
    let may = team.bot.scopes.contains("files:read");
    Some(file).filter(|file| may && !file.gone)
}
