//! What an import reads: the settings of a database as a block would write them, and what follows from those.
//!
//! A state that nothing but an import has written is read anew each time, since nobody has said yet how it should be.

use pgherd_core::inputs::Inputs;
use pgherd_core::resource::Observed;
use pgherd_core::spec::{self, Origin, Spec};
use pgherd_engine::provider::{Provider, ProviderError};

use crate::fields;
use crate::meaning::Meaning;
use crate::protocol::Value;
use crate::settings::Settings;

/// How often is looked: what is looked for follows from what was read, such as a pooler's share from its being there.
const LOOKS: usize = 4;

/// The state with every setting, what it means, and what was observed for that.
pub async fn read(
    settings: &Settings,
    provider: &dyn Provider,
    mut state: Value,
    (mut spec, mut observed): (Spec, Vec<Observed>),
) -> Result<(Value, Spec, Vec<Observed>), ProviderError> {
    for _ in 0..LOOKS {
        let filled = filled(settings, provider, &state, &spec, &observed)?;
        if filled == state {
            break;
        }
        let Some(meant) = Meaning::of(&filled, settings).0 else { break };
        (state, spec) = (filled, meant);
        observed = provider.observe(&provider.desired(&spec)).await?;
    }
    Ok((state, spec, observed))
}

/// The settings that can be read, and what follows from them and from nothing, written out.
fn filled(
    settings: &Settings,
    provider: &dyn Provider,
    state: &Value,
    spec: &Spec,
    observed: &[Observed],
) -> Result<Value, ProviderError> {
    let mut values = provider.inputs(spec, observed)?;
    for (name, value) in [("name", Some(spec.name.as_str())), ("cloud_provider", Some(spec.target.name()))]
        .into_iter()
        .chain(fields::region(spec.target).map(|variable| (variable, provider.region())))
    {
        values.extend(value.map(|value| (name.to_owned(), value.into())));
    }
    let read = Inputs { block: spec.block.clone(), values };
    let Some(meant) = spec::resolve(&read, settings.target).0 else { return Ok(state.clone()) };
    let with = |is_told: &dyn Fn(&str) -> bool| {
        let mut state = state.clone();
        for variable in fields::canonical().filter(|variable| !variable.sensitive) {
            let value = meant.settled.get(variable.name).filter(|_| is_told(variable.name));
            state.set(variable.name, value.map_or(Value::Null, fields::theirs));
        }
        state
    };
    let is_read = |name: &str| read.values.contains_key(name);
    // A default that is written out means what it meant before, but for the newest version, which a database without one has had.
    let follows = |name: &str| meant.effective.get(name).map(|one| &one.origin);
    let is_newest = matches!(follows("engine_version"), Some(Origin::Newest(_)));
    let is_of_newest = |name: &str| is_newest && ["engine_version", "parameter_group_family"].contains(&name);
    let all = with(&|name| is_read(name) || !meant.is_untold(name, provider.ignores()) && !is_of_newest(name));
    let wanted = provider.desired(&meant);
    let is_same = Meaning::of(&all, settings).0.is_some_and(|spec| provider.desired(&spec) == wanted);
    Ok(if is_same { all } else { with(&is_read) })
}
