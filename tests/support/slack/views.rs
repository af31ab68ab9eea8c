//! Views: the app's home, and forms over a channel.

use serde_json::{Value, json};

use super::arguments::missing;
use super::blocks;
use super::blocks::{Checker, Surface};
use super::chat;
use super::clock::Id;
use super::interactions;
use super::methods::Call;
use super::refusal::{Refusal, refuse};
use super::world::{Switch, World};

const LARGEST: usize = 250 << 10;

pub(crate) struct View {
    pub(crate) id: Id,
    pub(crate) team: Id,
    pub(crate) user: Id,
    pub(crate) surface: Surface,
    /// As it was given, with the ids that Slack adds.
    pub(crate) given: Value,
    pub(crate) hash: String,
    pub(crate) root: Id,
    pub(crate) previous: Option<Id>,
    /// Whether it is before somebody's eyes.
    pub(crate) open: bool,
    /// What opened it.
    pub(crate) by: Option<Id>,
    /// What it was told is wrong: block, and why.
    pub(crate) errors: Vec<(String, String)>,
}

/// A view as Slack writes it.
pub(crate) fn object(world: &World, view: &View) -> Value {
    let mut object = view.given.clone();
    let bot = &world.teams[&view.team].bot;
    for (key, value) in [
        ("id", json!(view.id)),
        ("team_id", json!(view.team)),
        ("state", json!({ "values": {} })),
        ("hash", json!(view.hash)),
        ("root_view_id", json!(view.root)),
        ("previous_view_id", json!(view.previous)),
        ("app_id", json!(world.app.id)),
        ("app_installed_team_id", json!(view.team)),
        ("bot_id", json!(bot.bot)),
    ] {
        object[key] = value;
    }
    let empty = [
        ("private_metadata", json!("")),
        ("callback_id", json!("")),
        ("external_id", json!("")),
        ("clear_on_close", json!(false)),
        ("notify_on_close", json!(false)),
        ("close", Value::Null),
        ("submit", Value::Null),
    ];
    for (key, value) in empty {
        if object[key].is_null() {
            object[key] = value;
        }
    }
    object
}

/// The view that is given, if it is in order.
fn given(world: &mut World, call: &Call<'_>, surface: Surface) -> Result<Value, Refusal> {
    let given = call
        .arguments
        .json("view")
        .map_err(|()| Refusal::new("invalid_arguments"))?;
    let given = given.ok_or_else(|| missing("view"))?;
    checked(world, given, surface)
}

pub(crate) fn checked(
    world: &mut World,
    mut given: Value,
    surface: Surface,
) -> Result<Value, Refusal> {
    let kind = if surface == Surface::Home {
        "home"
    } else {
        "modal"
    };
    if given["type"] != kind {
        let slip = "must be a valid enum value [json-pointer:/view/type]".to_owned();
        return Err(Refusal::because("invalid_arguments", &[slip]));
    }
    if given.to_string().len() > LARGEST {
        return refuse("view_too_large");
    }
    let blocks = blocks::check(&given["blocks"], surface)
        .map_err(|refusal| refusal.named("invalid_arguments"))?;
    let mut checker = Checker::new(surface);
    for (key, most) in [
        ("private_metadata", 3_000),
        ("callback_id", 255),
        ("external_id", 255),
    ] {
        if let Some(text) = given[key].as_str() {
            checker.length(text, &format!("/view/{key}"), (0, most));
        }
    }
    if surface == Surface::Modal {
        form(&mut checker, &given, &blocks);
    }
    if !checker.slips.is_empty() {
        return Err(Refusal::because("invalid_arguments", &checker.slips));
    }
    given["blocks"] = json!(chat::completed(world, blocks));
    Ok(given)
}

/// What a form needs beside what every view does.
fn form(checker: &mut Checker, given: &Value, blocks: &[Value]) {
    checker.plain(&given["title"], "/view/title", (1, 24));
    for key in ["submit", "close"] {
        if !given[key].is_null() {
            checker.plain(&given[key], &format!("/view/{key}"), (1, 24));
        }
    }
    let asks = blocks.iter().any(|block| block["type"] == "input");
    if asks && given["submit"].is_null() {
        let slip = "missing required field: submit [json-pointer:/view]";
        checker.slips.push(slip.to_owned());
    }
}

fn put(world: &mut World, view: View) -> Id {
    let id = view.id.clone();
    world.views.insert(id.clone(), view);
    id
}

fn new(world: &mut World, (team, user): (&str, &str), given: Value) -> View {
    let id = world.clock.id("V");
    let surface = if given["type"] == "home" {
        Surface::Home
    } else {
        Surface::Modal
    };
    View {
        id: id.clone(),
        team: team.to_owned(),
        user: user.to_owned(),
        surface,
        given,
        hash: hash(world),
        root: id,
        previous: None,
        open: true,
        by: None,
        errors: Vec::new(),
    }
}

fn hash(world: &mut World) -> String {
    let ts = world.clock.ts();
    format!("{ts}.{}", world.clock.letters(8))
}

pub(crate) fn publish(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let user = call.arguments.needed("user_id")?.to_owned();
    let ours = world
        .users
        .get(&user)
        .is_some_and(|user| user.team == call.team);
    if !ours {
        return refuse("user_not_found");
    }
    if world.settings.home == Switch::Off {
        return refuse("not_enabled");
    }
    let given = given(world, call, Surface::Home)?;
    let home = home(world, &call.team, &user).map(|view| (view.id.clone(), view.hash.clone()));
    let asked = call.arguments.text("hash");
    let id = match home {
        Some((_, hash)) if asked.is_some_and(|asked| asked != hash) => {
            return refuse("hash_conflict");
        },
        Some((id, _)) => {
            replace(world, &id, given);
            id
        },
        None => {
            let view = new(world, (&call.team, &user), given);
            put(world, view)
        },
    };
    Ok(json!({ "view": object(world, &world.views[&id]) }))
}

/// The home that `user` sees.
pub(crate) fn home<'a>(world: &'a World, team: &str, user: &str) -> Option<&'a View> {
    world
        .views
        .values()
        .find(|view| view.surface == Surface::Home && view.team == team && view.user == user)
}

fn replace(world: &mut World, id: &str, given: Value) {
    let hash = hash(world);
    let view = world.views.get_mut(id).unwrap();
    view.given = given;
    view.hash = hash;
    view.errors.clear();
}

pub(crate) fn open(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let given = given(world, call, Surface::Modal)?;
    let by = interactions::exchange(world, call.arguments.text("trigger_id").unwrap_or(""))?;
    let user = world.interactions[&by].by.clone();
    let mut view = new(world, (&call.team, &user), given);
    view.by = Some(by);
    let id = put(world, view);
    Ok(json!({ "view": object(world, &world.views[&id]) }))
}

pub(crate) fn push(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let given = given(world, call, Surface::Modal)?;
    let by = interactions::exchange(world, call.arguments.text("trigger_id").unwrap_or(""))?;
    let below = world.interactions[&by].view.clone();
    let below = below.ok_or_else(|| Refusal::new("not_found"))?;
    let id = pushed(world, &below, given)?;
    Ok(json!({ "view": object(world, &world.views[&id]) }))
}

/// Puts a view on top of another.
pub(crate) fn pushed(world: &mut World, below: &str, given: Value) -> Result<Id, Refusal> {
    let under = &world.views[below];
    let (team, user, root) = (under.team.clone(), under.user.clone(), under.root.clone());
    let by = under.by.clone();
    let stack = world
        .views
        .values()
        .filter(|view| view.root == root && view.open);
    if stack.count() >= 3 {
        return refuse("push_limit_reached");
    }
    let mut view = new(world, (&team, &user), given);
    view.root = root;
    view.previous = Some(below.to_owned());
    view.by = by;
    Ok(put(world, view))
}

pub(crate) fn update(world: &mut World, call: &Call<'_>) -> Result<Value, Refusal> {
    let named = call.arguments.text("view_id");
    let external = call.arguments.text("external_id");
    let found = world.views.values().find(|view| {
        let ours = view.team == call.team && view.open;
        let outside = external.is_some() && view.given["external_id"].as_str() == external;
        ours && (Some(&*view.id) == named || outside)
    });
    let found = found.ok_or_else(|| Refusal::new("not_found"))?;
    if call
        .arguments
        .text("hash")
        .is_some_and(|hash| hash != found.hash)
    {
        return refuse("hash_conflict");
    }
    let (id, surface) = (found.id.clone(), found.surface);
    let given = given(world, call, surface)?;
    replace(world, &id, given);
    Ok(json!({ "view": object(world, &world.views[&id]) }))
}

/// What the app answers to a form that was sent.
pub(crate) fn answered(world: &mut World, id: &str, answer: Option<&Value>) {
    let action = answer.and_then(|answer| answer["response_action"].as_str());
    let replacement = answer
        .map(|answer| answer["view"].clone())
        .unwrap_or_default();
    match action {
        Some("errors") => {
            let errors = answer
                .and_then(|answer| answer["errors"].as_object())
                .cloned();
            let errors = errors.unwrap_or_default().into_iter();
            let errors =
                errors.map(|(block, why)| (block, why.as_str().unwrap_or("").to_owned()));
            world.views.get_mut(id).unwrap().errors = errors.collect();
        },
        Some("update") => {
            if let Ok(given) = checked(world, replacement, Surface::Modal) {
                replace(world, id, given);
            }
        },
        Some("push") => {
            if let Ok(given) = checked(world, replacement, Surface::Modal) {
                // A fourth view is not shown.
                drop(pushed(world, id, given));
            }
        },
        Some("clear") => {
            let root = world.views[id].root.clone();
            let stack = world.views.values_mut().filter(|view| view.root == root);
            stack.for_each(|view| view.open = false);
        },
        _ => world.views.get_mut(id).unwrap().open = false,
    }
}
