//! A small target in memory, as trying as a real one: answers lag behind, changes take a while, values come back in other
//! spellings, names must be free, what is in use cannot be deleted, and any call can fail or be the last one of a run.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use pgherd_core::resource::{Equality, Field, Id, Kind, Owner, Pending};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::sync::Notify;

/// Reads until something new is seen at all.
const HIDDEN_READS: u8 = 2;
/// Reads until something that changes has changed.
const BUSY_READS: u8 = 2;

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process that called is killed, after the call took effect or before.
    Killed { took_effect: bool },
    /// The call fails, after it took effect (a lost answer) or before.
    Failed { took_effect: bool },
}

impl Fault {
    pub const ALL: [Self; 4] = [
        Self::Killed { took_effect: true },
        Self::Killed { took_effect: false },
        Self::Failed { took_effect: true },
        Self::Failed { took_effect: false },
    ];

    fn took_effect(self) -> bool {
        match self {
            Self::Killed { took_effect } | Self::Failed { took_effect } => took_effect,
        }
    }
}

/// The target. Every method that is `async` is one call of its API.
#[derive(Debug)]
pub struct Target {
    state: Mutex<State>,
    /// Told when a call killed its caller.
    pub killed: Notify,
}

#[derive(Debug)]
struct State {
    kinds: &'static [Kind],
    things: BTreeMap<Id, Thing>,
    /// Calls so far.
    calls: usize,
    /// Calls so far that change something.
    writes: usize,
    /// How often each thing was made.
    made: BTreeMap<Id, usize>,
    fault: Option<(usize, Fault)>,
    broken: Vec<Id>,
}

/// Something that exists at the target, as it answers for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Thing {
    pub props: Props,
    pub needs: Vec<Id>,
    pub pending: Vec<Pending>,
    pub protected: bool,
    /// Whether somebody else made it under our name.
    pub foreign: bool,
    /// Whether it has got its settings, the second half of making it.
    pub configured: bool,
    /// What it is doing, until it was looked at often enough.
    pub doing: Option<&'static str>,
    hidden_reads: u8,
    busy_reads: u8,
}

impl Target {
    pub fn new(kinds: &'static [Kind]) -> Self {
        let state = State {
            kinds,
            things: BTreeMap::new(),
            calls: 0,
            writes: 0,
            made: BTreeMap::new(),
            fault: None,
            broken: Vec::new(),
        };
        Self { state: Mutex::new(state), killed: Notify::new() }
    }

    pub fn kinds(&self) -> &'static [Kind] {
        self.with(|state| state.kinds)
    }

    /// From now on, the call of this number goes wrong.
    pub fn fail_call(&self, number: usize, fault: Fault) {
        self.with(|state| state.fault = Some((number, fault)));
    }

    /// From now on, making this thing fails.
    pub fn refuse(&self, id: &Id) {
        self.with(|state| state.broken.push(id.clone()));
    }

    pub fn calls(&self) -> usize {
        self.with(|state| state.calls)
    }

    pub fn writes(&self) -> usize {
        self.with(|state| state.writes)
    }

    pub fn times_made(&self) -> BTreeMap<Id, usize> {
        self.with(|state| state.made.clone())
    }

    /// What exists, without what nobody decides: the target's own fields.
    pub fn world(&self) -> BTreeMap<Id, Props> {
        self.with(|state| {
            let ours = |id: &Id, name: &String| {
                let kind = state.kind(id);
                let field = kind.field(name).or_else(|| kind.field(&format!("{name}.x")));
                field.is_some_and(|field| field.owner != Owner::Theirs)
            };
            let props =
                |id: &Id, thing: &Thing| thing.props.clone().into_iter().filter(|(name, _)| ours(id, name)).collect();
            state.things.iter().map(|(id, thing)| (id.clone(), props(id, thing))).collect()
        })
    }

    /// The fields of a thing that wait for the window.
    pub fn waiting(&self, id: &Id) -> Vec<String> {
        self.with(|state| state.things[id].pending.iter().map(|pending| pending.field.clone()).collect())
    }

    /// Somebody changes something by hand.
    pub fn tamper(&self, id: &Id, change: impl FnOnce(&mut Thing)) {
        self.with(|state| change(state.things.get_mut(id).expect("only what exists is tampered with")));
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().expect("no test panics while it holds the target"))
    }

    /// One call: takes a moment, takes effect or not, comes back or not.
    async fn call<T>(
        &self,
        writes: bool,
        act: impl FnOnce(&mut State) -> Result<T, ProviderError>,
    ) -> Result<T, ProviderError> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let fault = self.with(|state| {
            let number = state.calls;
            state.calls += 1;
            state.writes += usize::from(writes);
            state.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault)
        });
        let Some(fault) = fault else { return self.with(act) };
        if fault.took_effect() {
            drop(self.with(act));
        }
        match fault {
            Fault::Failed { .. } => Err(ProviderError::new(ErrorKind::Unavailable, "the connection was reset")),
            Fault::Killed { .. } => {
                self.killed.notify_one();
                std::future::pending().await
            }
        }
    }
}

/// The API of the target.
impl Target {
    pub async fn list(&self) -> Result<Vec<(Id, Thing)>, ProviderError> {
        self.call(false, |state| {
            let ids: Vec<Id> = state.things.keys().cloned().collect();
            Ok(ids.into_iter().filter_map(|id| state.look(&id).map(|thing| (id, thing))).collect())
        })
        .await
    }

    pub async fn get(&self, id: &Id) -> Result<Option<Thing>, ProviderError> {
        self.call(false, |state| Ok(state.look(id))).await
    }

    pub async fn create(&self, id: &Id, needs: &[Id]) -> Result<(), ProviderError> {
        self.call(true, |state| {
            if state.broken.contains(id) {
                return Err(ProviderError::new(ErrorKind::Invalid, format!("{id} is not offered here")));
            }
            if state.things.contains_key(id) {
                return Err(ProviderError::new(ErrorKind::Conflict, format!("{id} exists")));
            }
            if let Some(need) = needs.iter().find(|need| !state.things.contains_key(need)) {
                return Err(ProviderError::new(ErrorKind::NotFound, format!("{need} does not exist")));
            }
            *state.made.entry(id.clone()).or_default() += 1;
            state.things.insert(
                id.clone(),
                Thing {
                    props: Props::from([("arn".to_owned(), Value::from(format!("arn:{id}")))]),
                    needs: needs.to_vec(),
                    pending: Vec::new(),
                    protected: false,
                    foreign: false,
                    configured: false,
                    doing: Some("creating"),
                    hidden_reads: HIDDEN_READS,
                    busy_reads: BUSY_READS,
                },
            );
            Ok(())
        })
        .await
    }

    /// Gives a new thing its settings.
    pub async fn configure(&self, id: &Id, props: &Props) -> Result<(), ProviderError> {
        self.call(true, |state| {
            let kind = state.kind(id);
            let thing = state.idle(id)?;
            for (name, value) in props {
                thing.props.insert(name.clone(), stored(kind, name, value));
            }
            thing.configured = true;
            thing.begin("modifying");
            Ok(())
        })
        .await
    }

    /// Changes one field. If it interrupts service it waits for the window.
    pub async fn modify(&self, id: &Id, name: &str, value: &Value, interrupts: bool) -> Result<(), ProviderError> {
        self.call(true, |state| {
            let kind = state.kind(id);
            let field = kind.field(name).expect("providers send declared fields only");
            assert!(!matches!(field.owner, Owner::Fixed { .. } | Owner::Theirs), "{name} of {id} cannot be changed");
            let thing = state.idle(id)?;
            match keyed(kind, name) {
                Some((map, key)) => {
                    let entry = thing.props.entry(map.to_owned()).or_insert(Value::Null);
                    let mut map = entry.as_map().cloned().unwrap_or_default();
                    if value.is_null() {
                        map.remove(key);
                    } else {
                        map.insert(key.to_owned(), stored_field(field, value));
                    }
                    *entry = Value::Map(map);
                }
                None => drop(thing.props.insert(name.to_owned(), stored(kind, name, value))),
            }
            thing.pending.retain(|pending| pending.field != name);
            if interrupts {
                thing.pending.push(Pending { field: name.to_owned(), waits_for: "window".to_owned() });
            } else {
                thing.begin("modifying");
            }
            Ok(())
        })
        .await
    }

    /// Opens the window: what was accepted takes effect, with whatever that costs.
    pub async fn take_effect(&self, id: &Id) -> Result<(), ProviderError> {
        self.call(true, |state| {
            let thing = state.idle(id)?;
            thing.pending.clear();
            thing.begin("modifying");
            Ok(())
        })
        .await
    }

    pub async fn delete(&self, id: &Id) -> Result<(), ProviderError> {
        self.call(true, |state| {
            let in_use = state.things.iter().find(|(_, thing)| thing.needs.contains(id)).map(|(user, _)| user.clone());
            let Some(thing) = state.things.get_mut(id) else {
                return Err(ProviderError::new(ErrorKind::NotFound, format!("{id} does not exist")));
            };
            if thing.protected {
                return Err(ProviderError::new(ErrorKind::Protected, format!("{id} is protected")));
            }
            if let Some(user) = in_use {
                return Err(ProviderError::new(ErrorKind::Conflict, format!("{id} is used by {user}")));
            }
            thing.begin("deleting");
            Ok(())
        })
        .await
    }
}

impl State {
    fn kind(&self, id: &Id) -> &'static Kind {
        self.kinds.iter().find(|kind| kind.name == id.kind).expect("the target knows its kinds")
    }

    fn idle(&mut self, id: &Id) -> Result<&mut Thing, ProviderError> {
        match self.things.get_mut(id) {
            None => Err(ProviderError::new(ErrorKind::NotFound, format!("{id} does not exist"))),
            Some(Thing { doing: Some(doing), .. }) => {
                Err(ProviderError::new(ErrorKind::Conflict, format!("{id} is {doing}")))
            }
            Some(thing) => Ok(thing),
        }
    }

    /// A look at a thing, which also brings it nearer to what it is becoming.
    fn look(&mut self, id: &Id) -> Option<Thing> {
        let thing = self.things.get_mut(id)?;
        if thing.hidden_reads > 0 {
            thing.hidden_reads -= 1;
            return None;
        }
        if thing.doing.is_some() && thing.busy_reads > 0 {
            thing.busy_reads -= 1;
            return Some(thing.clone());
        }
        if thing.doing.take() == Some("deleting") {
            self.things.remove(id);
            return None;
        }
        Some(thing.clone())
    }
}

impl Thing {
    fn begin(&mut self, doing: &'static str) {
        self.doing = Some(doing);
        self.busy_reads = BUSY_READS;
    }
}

/// The map and the key that a field of the form `map.key` stands for.
fn keyed<'a>(kind: &Kind, name: &'a str) -> Option<(&'a str, &'a str)> {
    let (map, key) = name.split_once('.')?;
    kind.fields.iter().any(|field| field.name.strip_suffix(".*") == Some(map)).then_some((map, key))
}

fn stored(kind: &Kind, name: &str, value: &Value) -> Value {
    if let Some(field) = kind.field(name) {
        return stored_field(field, value);
    }
    let field = kind.field(&format!("{name}.x")).expect("providers send declared fields only");
    let map = value.as_map().expect("a keyed field is a map");
    Value::Map(map.iter().map(|(key, value)| (key.clone(), stored_field(field, value))).collect())
}

/// A value as the target gives it back: the same to whoever knows how the field is judged, and not quite what was sent.
fn stored_field(field: &Field, value: &Value) -> Value {
    match (field.owner, field.equality, value) {
        (Owner::Theirs, ..) => Value::from("where the target thinks best"),
        (Owner::Floor, Equality::Exact, Value::Int(int)) => Value::Int(int + 7),
        (_, Equality::Unordered, Value::List(list)) => {
            Value::List(list.iter().rev().chain(list.first()).cloned().collect())
        }
        (_, Equality::IgnoreCase, Value::Text(text)) => Value::from(text.to_uppercase()),
        (_, Equality::Parameter, Value::Text(text)) if text == "on" => Value::from("true"),
        (_, Equality::Version, Value::Text(text)) if !text.contains('.') => Value::from(format!("{text}.18")),
        (_, Equality::Json, Value::Text(text)) => Value::from(format!(" {text}\n")),
        _ => value.clone(),
    }
}
