//! Workspaces and channels, as a test makes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Town;
use super::clock::{Id, Ts};
use super::events;
use super::people::{Person, Said};
use super::seen::{self, Seen};
use super::world::{self, Installation, Kind, Rank, Rule, Standing, Team, Token, User};

/// The scopes that the app has where nothing else was set.
pub(crate) const SCOPES: &[&str] = &[
    "app_mentions:read",
    "assistant:write",
    "channels:history",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "im:write",
    "mpim:history",
    "mpim:read",
    "reactions:write",
    "usergroups:read",
    "users:read",
];

#[derive(Clone)]
pub(crate) struct Workspace {
    pub(crate) town: Town,
    pub(crate) id: Id,
}

#[derive(Clone)]
pub(crate) struct Channel {
    pub(crate) town: Town,
    pub(crate) id: Id,
}

impl Workspace {
    /// A workspace with the app in it.
    pub(crate) fn founded(town: &Town, name: &str) -> Self {
        let mut world = town.world();
        let id = world.clock.id("T");
        let (user, bot) = (world.clock.id("U"), world.clock.id("B"));
        let token = format!("xoxb-{}", world.clock.letters(24));
        let bot = Installation {
            user: user.clone(),
            bot,
            scopes: SCOPES.iter().map(|scope| (*scope).to_owned()).collect(),
            tokens: vec![Token {
                text: token,
                standing: Standing::Good,
                until: None,
            }],
            refresh: None,
            spent: None,
        };
        let librarian = User {
            id: user.clone(),
            team: id.clone(),
            name: "saseo".to_owned(),
            locale: "en-US",
            rank: Rank::Bot,
            gone: false,
        };
        world.users.insert(user, librarian);
        let team = Team {
            id: id.clone(),
            name: name.to_owned(),
            domain: name.to_lowercase().replace(' ', "-"),
            enterprise: None,
            bot,
        };
        world.teams.insert(id.clone(), team);
        drop(world);
        town.changed();
        Self {
            town: Arc::clone(town),
            id,
        }
    }

    pub(crate) fn token(&self) -> String {
        let world = self.town.world();
        let tokens = &world.teams[&self.id].bot.tokens;
        tokens
            .last()
            .map_or_else(String::new, |token| token.text.clone())
    }

    /// The id of the bot's user.
    pub(crate) fn bot(&self) -> Id {
        self.town.world().teams[&self.id].bot.user.clone()
    }

    /// Rotates tokens from now on; the refresh token for the first change.
    pub(crate) fn rotates_tokens(&self) -> String {
        let mut world = self.town.world();
        let granted = super::oauth::granted(&mut world, &self.id);
        granted["refresh_token"].as_str().unwrap_or("").to_owned()
    }

    /// Every token of the app is refused with `error` from now on.
    pub(crate) fn refuses_tokens(&self, error: &'static str) {
        let mut world = self.town.world();
        let bot = &mut world.teams.get_mut(&self.id).unwrap().bot;
        for token in &mut bot.tokens {
            token.standing = Standing::Refused(error);
        }
    }

    /// The app is taken out.
    pub(crate) fn uninstalls_app(&self) {
        self.refuses_tokens("account_inactive");
        events::uninstalled(&mut self.town.world(), &self.id);
        self.town.changed();
    }

    /// What the app may do here.
    pub(crate) fn scopes(&self, scopes: &[&str]) {
        let mut world = self.town.world();
        let bot = &mut world.teams.get_mut(&self.id).unwrap().bot;
        bot.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    }

    /// It belongs to an enterprise.
    pub(crate) fn joins_enterprise(&self, id: &str) {
        self.town
            .world()
            .teams
            .get_mut(&self.id)
            .unwrap()
            .enterprise = Some(id.to_owned());
    }

    /// A public channel; all but guests are in it, and the bot.
    pub(crate) fn channel(&self, name: &str) -> Channel {
        let members = {
            let world = self.town.world();
            let users = world.users.values();
            let guests = [Rank::Guest, Rank::ChannelGuest];
            users
                .filter(|user| user.team == self.id && !guests.contains(&user.rank))
                .map(|user| user.id.clone())
                .collect()
        };
        self.made(name, Kind::Public, members)
    }

    /// A private channel with these people and the bot in it.
    pub(crate) fn private_channel(&self, name: &str, people: &[&Person]) -> Channel {
        self.made(name, Kind::Private, self.with(people))
    }

    /// A direct conversation of these people and the bot.
    pub(crate) fn group_conversation(&self, people: &[&Person]) -> Channel {
        self.made("several", Kind::Group, self.with(people))
    }

    fn with(&self, people: &[&Person]) -> BTreeSet<Id> {
        let people = people.iter().map(|person| person.id.clone());
        people.chain([self.bot()]).collect()
    }

    fn made(&self, name: &str, kind: Kind, members: BTreeSet<Id>) -> Channel {
        let mut world = self.town.world();
        // The letter says nothing about who can see it.
        let id = world.clock.id("C");
        let channel = world::Channel {
            id: id.clone(),
            team: self.id.clone(),
            name: name.to_owned(),
            kind,
            members,
            shared: BTreeSet::new(),
            rules: BTreeSet::new(),
            locked: BTreeSet::new(),
            created: world.clock.now(),
            messages: BTreeMap::new(),
        };
        world.channels.insert(id.clone(), channel);
        Channel {
            town: Arc::clone(&self.town),
            id,
        }
    }

    /// Somebody who comes into every public channel.
    pub(crate) fn member(&self, name: &str) -> Person {
        self.hired(name, Rank::Member)
    }

    /// Another app's bot.
    pub(crate) fn robot(&self, name: &str) -> Person {
        self.hired(name, Rank::Bot)
    }

    pub(crate) fn admin(&self, name: &str) -> Person {
        self.hired(name, Rank::Admin)
    }

    fn hired(&self, name: &str, rank: Rank) -> Person {
        let person = self.person(name, rank);
        let mut world = self.town.world();
        let public = world.channels.values_mut();
        for channel in public.filter(|it| it.kind == Kind::Public && it.team == self.id) {
            channel.members.insert(person.id.clone());
        }
        drop(world);
        person
    }

    /// A guest, who is in these channels only.
    pub(crate) fn guest(&self, name: &str, channels: &[&Channel]) -> Person {
        let rank = if channels.len() == 1 {
            Rank::ChannelGuest
        } else {
            Rank::Guest
        };
        let person = self.person(name, rank);
        let mut world = self.town.world();
        for channel in channels {
            let channel = world.channels.get_mut(&channel.id).unwrap();
            channel.members.insert(person.id.clone());
        }
        drop(world);
        person
    }

    fn person(&self, name: &str, rank: Rank) -> Person {
        let mut world = self.town.world();
        let id = world.clock.id("U");
        let user = User {
            id: id.clone(),
            team: self.id.clone(),
            name: name.to_owned(),
            locale: "en-US",
            rank,
            gone: false,
        };
        world.users.insert(id.clone(), user);
        Person {
            town: Arc::clone(&self.town),
            id,
        }
    }

    /// A group of people that can be called; its id.
    pub(crate) fn group(&self, handle: &str, people: &[&Person]) -> Id {
        let mut world = self.town.world();
        let id = world.clock.id("S");
        let group = world::Group {
            id: id.clone(),
            team: self.id.clone(),
            handle: handle.to_owned(),
            users: people.iter().map(|person| person.id.clone()).collect(),
        };
        world.groups.insert(id.clone(), group);
        id
    }
}

impl Channel {
    pub(crate) fn name(&self) -> String {
        self.town.world().channels[&self.id].name.clone()
    }

    fn with<T>(&self, change: impl FnOnce(&mut world::Channel) -> T) -> T {
        change(self.town.world().channels.get_mut(&self.id).unwrap())
    }

    /// Shares it with another workspace; these people of theirs come in.
    pub(crate) fn is_shared_with(&self, other: &Workspace, people: &[&Person]) {
        self.with(|channel| {
            channel.shared.insert(other.id.clone());
            channel
                .members
                .extend(people.iter().map(|person| person.id.clone()));
        });
    }

    /// It gets another id, as it may when it is shared.
    pub(crate) fn changes_id(&mut self) {
        let mut world = self.town.world();
        let new = world.clock.id("C");
        if let Some(mut channel) = world.channels.remove(&self.id) {
            channel.id.clone_from(&new);
            for message in channel.messages.values_mut() {
                message.channel.clone_from(&new);
            }
            world.channels.insert(new.clone(), channel);
        }
        events::renamed(&mut world, &self.id, &new);
        drop(world);
        self.town.changed();
        self.id = new;
    }

    pub(crate) fn sets(&self, rule: Rule) {
        self.with(|channel| channel.rules.insert(rule));
    }

    pub(crate) fn locks(&self, said: &Said) {
        self.with(|channel| channel.locked.insert(said.ts.clone()));
    }

    /// The bot is put out.
    pub(crate) fn dismisses_bot(&self) {
        let bot = {
            let world = self.town.world();
            world.bot_in(&world.channels[&self.id]).user.clone()
        };
        self.with(|channel| channel.members.remove(&bot));
    }

    /// The bot is brought in.
    pub(crate) fn invites_bot(&self) {
        let bot = {
            let world = self.town.world();
            world.bot_in(&world.channels[&self.id]).user.clone()
        };
        self.with(|channel| channel.members.insert(bot.clone()));
        events::joined(&mut self.town.world(), &self.id, &bot);
        self.town.changed();
    }

    /// What stands here for all to see, oldest first.
    pub(crate) fn shows(&self) -> Vec<Seen> {
        let world = self.town.world();
        let messages = world.channels[&self.id].messages.values();
        let public = messages.filter(|message| message.only_for.is_none());
        public.map(|message| seen::read(&world, message)).collect()
    }

    /// The messages of a thread, the first of them included.
    pub(crate) fn thread(&self, root: &Ts) -> Vec<Seen> {
        let mut all = self.shows();
        all.retain(|seen| seen.ts == *root || seen.reply_to.as_ref() == Some(root));
        all
    }
}
