//! What would be done: the engine's plan, said in Terraform's terms.

use pgherd_core::diagnostic::Diagnostic as Told;
use pgherd_core::lint::Intent;
use pgherd_core::plan::{Action, Step, Timing, When, text};
use pgherd_core::resource::{Observed, Pending, Status};
use pgherd_core::spec::Spec;
use pgherd_core::variables::Variable;
use pgherd_engine::ending::{self, Left};
use pgherd_engine::provider::{Provider, ProviderError};
use pgherd_engine::run::{self, Planned};

use super::{DRIFT, REVISION, begun::Begun, kept, look, promised, refused, same, shown};
use crate::clock;
use crate::fields;
use crate::meaning::{self, Meaning};
use crate::protocol::{Answer, Diagnostic, Plan, Value, has_error, log};
use crate::provider::{For, Shared};
use crate::settings::Settings;

/// Plans.
pub async fn plan(shared: &Shared, asked: Plan) -> Answer {
    let settings = shared.settings();
    if asked.proposed.is_null() {
        return destroy(shared, &settings, asked).await;
    }
    let asked = Plan { proposed: fields::as_written(asked.proposed, &asked.config), ..asked };
    let now = clock::now();
    let meaning = Meaning::checked(&asked.config, &settings, clock::today());
    if has_error(&meaning.diagnostics) {
        return Answer::refused(asked.proposed, asked.private, meaning.diagnostics);
    }
    let has_open_password = meaning.unknown.iter().any(|variable| variable.sensitive);
    let is_open = meaning.unknown.iter().any(|variable| !variable.sensitive);
    let effective = if is_open { meaning.effective() } else { Value::Null };
    let is_undecided = is_open && effective.is_null();
    let late: Vec<&str> = meaning.unknown.iter().map(|variable| variable.name).collect();
    let Meaning { spec, accepted, unknown, .. } = meaning;
    // What the configuration alone says was said when it was validated; only what could not be known then is new.
    let mut said = accepted;
    // Of what is not known yet the value that it has now is as good as any, to look at what there is.
    let spec = match is_open {
        false => spec,
        true if asked.prior.is_null() => None,
        true => Meaning::of(&as_before(&asked.config, &asked.prior, &unknown), &settings).0,
    };
    let Some(spec) = spec else {
        return match before_it_is_known(shared, &settings, &asked, &unknown).await {
            Ok(found) if found.iter().any(|one| one.is_error) => {
                Answer::refused(asked.proposed, asked.private, said.into_iter().chain(found).collect())
            }
            Ok(found) => {
                Answer::refused(open(asked.proposed, effective), Vec::new(), said.into_iter().chain(found).collect())
            }
            Err(error) => Answer::refused(asked.proposed, asked.private, vec![refused(&error)]),
        };
    };
    let old = if asked.prior.is_null() { None } else { Meaning::of(&asked.prior, &settings).0 };
    if let Some(fixed) = old.as_ref().and_then(|old| moved(&asked.prior, old, &spec)) {
        return Answer::refused(asked.proposed, asked.private, vec![fixed]);
    }
    if let Some(other) = same::elsewhere(&asked.prior, &settings, &spec) {
        return Answer::refused(asked.proposed, asked.private, vec![other]);
    }
    let provider = match settings.provider(&spec).await {
        Ok(provider) => provider,
        Err(error) => return Answer::refused(asked.proposed, asked.private, vec![refused(&error)]),
    };
    // It is read, and what comes next waits for others.
    let Plan { prior, mut proposed, private, mut config } = asked;
    let mut reworded = Vec::new();
    if let Some(old) = &old {
        let kept = written(&*provider, &settings, (config.clone(), &spec), (&prior, old), &unknown, is_undecided);
        let differs =
            |variable: &&Variable| !variable.sensitive && kept.get(variable.name) != config.get(variable.name);
        reworded = fields::canonical().filter(differs).map(|variable| variable.name.to_owned()).collect();
        config = kept;
        proposed = fields::as_written(proposed, &config);
    }
    // What is told is what the state will say, with what it keeps.
    let effective = if is_open { Meaning::told(&config, &settings, unknown).effective() } else { effective };
    let told = Meaning::of(&proposed, &settings).0.filter(|_| !is_open);
    drop(config);
    let timing = run::timing(&spec, now);
    let id = same::id(&*provider, &spec);
    let planned = match look_and_plan(shared, &*provider, &spec, &timing).await {
        Ok(planned) => planned,
        Err(error) => return Answer::refused(proposed, private, vec![refused(&error)]),
    };
    if !is_open {
        said.extend(planned.plan.diagnostics.iter().filter_map(|told| stopping(told, old.is_some())));
    }
    let is_there = provider.is_among(&planned.observed);
    // It may come to its end by itself before Terraform plans again, right before it applies.
    let is_on_its_way =
        old.is_none() && planned.observed.iter().any(|seen| matches!(seen.status, Status::Incomplete(_)));
    if old.is_some() {
        // Where nothing was read before (`-refresh=false`), too, the state knows of it: it is nobody's to go on with.
        if let Ok(place) = same::place(shared, &settings, &*provider).await {
            Begun::of(&id, &place).remove();
        }
        match same::another(&prior, &*provider, &spec, &planned.observed).await {
            Ok(another) => said.extend(another.or_else(|| {
                // Terraform plans what there is before it plans a destroy, which has to end the rest. The apply refuses.
                let is_error = same::left(provider.kinds(), &planned.observed).is_empty();
                let gone = same::gone(&*provider, &spec, &planned.observed)?;
                Some(Diagnostic { is_error, ..gone })
            })),
            Err(error) => said.push(refused(&error)),
        }
    } else {
        match said_of_new(shared, &settings, &*provider, &spec, &planned.observed, &steps_or_nothing(&planned)).await {
            Ok(found) => said.extend(found),
            Err(error) => return Answer::refused(proposed, private, vec![refused(&error)]),
        }
    }
    // One that is to be made anew is asked about twice: as the one that there is, and as a new one.
    let why = if old.is_some() { For::Plan } else { For::New };
    if !has_error(&said) && shared.is_second(why, &id) {
        said.push(same::twice(&id));
    }
    if has_error(&said) {
        return Answer::refused(proposed, private, said);
    }
    tell(&spec, &planned);
    said.extend(waiting(&id, &timing, &planned.plan.steps, &planned.observed));
    if is_open {
        said.push(not_known_yet(&id, &late, &planned));
    } else {
        said.extend(interruption(&spec, &planned));
    }
    let drift = match &old {
        Some(old) => look::steps(&*provider, old, &provider.desired(old), &planned.observed),
        None => Vec::new(),
    };
    let case = promised::Case {
        kinds: provider.kinds(),
        is_new: !is_there,
        old: old.as_ref(),
        new: told.as_ref().unwrap_or(&spec),
        steps: &planned.plan.steps,
        drift: &drift,
        late: &late,
        is_undecided,
    };
    let mut state = promise(proposed, &prior, &*provider, &case, &planned, has_open_password);
    if is_on_its_way {
        state.set(shown::STEPS, Value::Unknown);
    }
    if !is_open {
        if private == shown::IMPORTED && planned.plan.steps.is_empty() && state != prior {
            let help = "It is as the block says. What the block says of it in other words than were read off it, or cannot be read off it, is new to the state.";
            said.push(Diagnostic::warning(format!("Nothing will be done to {id}: only the state is written."), help));
        }
        return Answer::refused(state, shown::kept(&spec, &planned, reworded), said);
    }
    state.set(shown::STEPS, Value::Unknown);
    state.set("effective", if effective.is_null() { Value::Unknown } else { effective });
    Answer::refused(state, Vec::new(), said)
}

/// What can be said of a database that is to be made while some of its settings are not known yet: whether there is one of its name. In the
/// middle of an apply others would have been made for it.
async fn before_it_is_known(
    shared: &Shared,
    settings: &Settings,
    asked: &Plan,
    unknown: &[&'static Variable],
) -> Result<Vec<Diagnostic>, ProviderError> {
    let Some(spec) = Meaning::of(&as_before(&asked.config, &Value::Null, unknown), settings).0 else {
        return Ok(Vec::new());
    };
    let where_it_is = ["name", "cloud_provider"].into_iter().chain(fields::region(spec.target));
    if where_it_is.into_iter().any(|name| unknown.iter().any(|late| late.name == name)) {
        return Ok(Vec::new());
    }
    let provider = settings.provider(&spec).await?;
    let observed = provider.observe(&provider.desired(&spec)).await?;
    let found = said_of_new(shared, settings, &*provider, &spec, &observed, "what is not known yet").await?;
    let id = same::id(&*provider, &spec);
    let is_refused = found.as_ref().is_some_and(|found| found.is_error);
    let twice = (!is_refused && shared.is_second(For::New, &id)).then(|| same::twice(&id));
    Ok(found.into_iter().chain(twice).collect())
}

/// What is to be said of a database that is to be made: that there is one of its name, or that this goes on with one, and what is left to do.
async fn said_of_new(
    shared: &Shared,
    settings: &Settings,
    provider: &dyn Provider,
    spec: &Spec,
    observed: &[Observed],
    left: &str,
) -> Result<Option<Diagnostic>, ProviderError> {
    let id = same::id(provider, spec);
    let begun = Begun::of(&id, &same::place(shared, settings, provider).await?);
    let is_there = provider.is_among(observed);
    if !is_there {
        // What was begun came to nothing: whatever is there later is somebody else's.
        begun.remove_if_over();
    }
    let taken = taken(&id, &begun, provider, spec, observed);
    let taken = taken.map(|taken| if shared.knows(&id) { replaced(&id) } else { taken });
    // Terraform plans again right before it makes one, and another process may have made it in the meantime.
    let twice = begun.is_of_this_run().then(|| same::twice(&id));
    Ok(twice.or(taken).or_else(|| is_there.then(|| gone_on_with(&id, left))))
}

/// What the engine says of a plan, and would stop it. Of a database that the state knows Terraform makes this plan before it plans a destroy,
/// and whoever wants to end one has to get there; of one that is broken and has nothing to be done the apply refuses.
fn stopping(told: &Told, is_known: bool) -> Option<Diagnostic> {
    let one = meaning::diagnostic(told)?;
    if !one.is_error || !is_known {
        return Some(one);
    }
    if told.code == "broken" {
        return Some(Diagnostic { is_error: false, ..one });
    }
    let help =
        "To end it instead: `terraform destroy -refresh=false`, since Terraform plans this before every other destroy.";
    Some(Diagnostic { detail: format!("{} {help}", one.detail).trim_start().to_owned(), ..one })
}

/// Plans by what was read a moment ago, if it was, else by what there is now.
async fn look_and_plan(
    shared: &Shared,
    provider: &dyn Provider,
    spec: &Spec,
    timing: &Timing,
) -> Result<Planned, ProviderError> {
    let desired = provider.desired(spec);
    let observed = match shared.just_seen(&same::id(provider, spec), &desired) {
        Some(observed) => observed,
        None => provider.observe(&desired).await?,
    };
    run::plan_observed(provider, spec, timing, Intent::default(), (desired, observed)).await
}

/// What is written, with what the state keeps in its place. Of what may follow from something that is not known yet, nothing is promised
/// where nothing is written.
fn written(
    provider: &dyn Provider,
    settings: &Settings,
    (config, spec): (Value, &Spec),
    (prior, old): (&Value, &Spec),
    unknown: &[&'static Variable],
    is_undecided: bool,
) -> Value {
    let known = as_before(&config, prior, unknown);
    let mut written = kept::written(provider, settings, (&known, spec), (prior, old));
    for variable in fields::canonical().filter(|variable| !variable.sensitive) {
        let (is, was) = (config.get(variable.name), prior.get(variable.name));
        if !is.is_known() {
            written.set(variable.name, is.clone());
        } else if is_undecided && is.is_null() && !was.is_null() {
            written.set(variable.name, Value::Unknown);
        }
    }
    written
}

/// A configuration in which what is not known yet is as it was.
fn as_before(config: &Value, prior: &Value, unknown: &[&'static Variable]) -> Value {
    let mut config = config.clone();
    for variable in unknown.iter().filter(|variable| !variable.sensitive) {
        config.set(variable.name, prior.get(variable.name).clone());
    }
    config
}

/// Terraform plans again when it is known, and then does what nobody was shown.
fn not_known_yet(id: &str, late: &[&str], planned: &Planned) -> Diagnostic {
    let said =
        format!("What will be done to {id} is not wholly known yet: {} will be known after apply.", late.join(", "));
    let help = "It is done without being shown. To see it before, apply what it comes from first, with -target. As far as it is known: ";
    Diagnostic::warning(said, format!("{help}{}", steps_or_nothing(planned)))
}

/// The steps, where they cannot stand in an attribute.
fn steps_or_nothing(planned: &Planned) -> String {
    let lines: Vec<String> = text::lines(&planned.plan, false).into_iter().map(|line| line.text).collect();
    if lines.is_empty() { "nothing".to_owned() } else { format!("\n{}", lines.join("\n")) }
}

/// The end of a database: what protects it stops the plan, not only the apply.
async fn destroy(shared: &Shared, settings: &Settings, asked: Plan) -> Answer {
    let (spec, ..) = Meaning::of(&asked.prior, settings);
    let Some(spec) = spec else { return Answer::of(Value::Null, asked.private) };
    if let Some(other) = same::elsewhere(&asked.prior, settings, &spec) {
        return Answer::refused(Value::Null, asked.private, vec![other]);
    }
    let looked = async {
        let provider = settings.provider(&spec).await?;
        let planned = run::observe_and_plan_destroy(&*provider, &spec).await?;
        let another = same::another(&asked.prior, &*provider, &spec, &planned.observed).await?;
        Ok::<_, ProviderError>((same::id(&*provider, &spec), planned, another))
    };
    match looked.await {
        Ok((id, planned, another)) => {
            let mut said: Vec<Diagnostic> = planned.plan.diagnostics.iter().filter_map(meaning::diagnostic).collect();
            said.extend(another);
            said.extend(shared.is_second(For::Plan, &id).then(|| same::twice(&id)));
            tell(&spec, &planned);
            if !has_error(&said) {
                said.extend(left(&id, &spec, &planned));
            }
            Answer::refused(Value::Null, shown::kept(&spec, &planned, Vec::new()), said)
        }
        Err(error) => Answer::refused(Value::Null, asked.private, vec![refused(&error)]),
    }
}

/// What becomes of the data: no attribute says it, and what decides it may stand nowhere in the block. It is the state that decides: what
/// is written into a block that is not applied any more has no effect.
fn left(id: &str, spec: &Spec, planned: &Planned) -> Option<Diagnostic> {
    let loses_data = |step: &Step| matches!(step.action, Action::Delete { holds_data: true, .. });
    let is_made = |seen: &Observed| !matches!(seen.status, Status::Incomplete(_));
    let mut lost = planned.plan.steps.iter().filter(|step| loses_data(step));
    let has_data = lost.any(|step| planned.observed.iter().any(|seen| seen.id == step.id && is_made(seen)));
    if !has_data {
        return None;
    }
    let (summary, help) = match ending::left(spec, clock::now()) {
        // Without a name of its own it is called by the second it is asked for.
        Left::Backup(name) => {
            let name = spec.backup.final_name.as_ref().map_or("", |_| &name);
            let name = if name.is_empty() { String::new() } else { format!(" {name}") };
            (format!("{id} is destroyed, and a last backup{name} is taken before."), "")
        }
        Left::Nothing { message, .. } => {
            let help = "skip_final_snapshot = false has one taken, once it is applied: a destroy goes by the state.\n";
            (format!("{id} is destroyed with its data: {message}."), if spec.backup.skip_final { help } else { "" })
        }
    };
    let lines: Vec<String> = text::lines(&planned.plan, false).into_iter().map(|line| line.text).collect();
    Some(Diagnostic::warning(summary, format!("{help}{}", lines.join("\n"))))
}

/// Another identity is another database: this one would be left behind, or deleted.
pub fn moved(prior: &Value, old: &Spec, new: &Spec) -> Option<Diagnostic> {
    let is = prior.get("id").as_text().unwrap_or(&old.name);
    let advice = "Nothing is replaced here: a replaced database is an empty one. Write it back; or add a second database, bring the \
        data over, and take this one away.";
    let differs = |what: &str, from: &str, to: &str| {
        Some(Diagnostic::error(format!("The {what} of {is} cannot become {to}: it is {from}."), advice))
    };
    if let Some(target) = is.split_once('/').map(|(target, _)| target).filter(|target| *target != new.target.name()) {
        return differs("target", target, new.target.name()).map(|one| one.at("cloud_provider"));
    }
    if old.name != new.name {
        return differs("name", &old.name, &new.name).map(|one| one.at("name"));
    }
    match (old.place.region.known(), new.place.region.known()) {
        (Some(region), Some(new_region)) if region != new_region => {
            let one = differs("region", region, new_region)?;
            Some(match fields::region(new.target) {
                Some(variable) => one.at(variable),
                None => one,
            })
        }
        _ => None,
    }
}

/// Why a database cannot be made: there is one of that name, or somebody is making it, and nothing says that it was begun here.
pub fn taken(
    id: &str,
    begun: &Begun,
    provider: &dyn Provider,
    spec: &Spec,
    observed: &[Observed],
) -> Option<Diagnostic> {
    let own_id = || same::own_id(provider, spec, observed);
    if !provider.is_among(observed) || begun.is_about(own_id().as_deref()) {
        return None;
    }
    let help = format!(
        "Take it over with `terraform import ADDRESS {id}`, where ADDRESS is the one of this resource, or with an import block; \
         or choose another name. Where only the address of its block was changed, write a moved block."
    );
    Some(Diagnostic::error(format!("There is a database {id} already."), help).at("name"))
}

/// Terraform wants a new one in the place of one that its state knows: it was told to replace it, or calls it tainted.
fn replaced(id: &str) -> Diagnostic {
    let help = "Nothing was touched: a new one would be empty. Leave -replace out; where the state calls it tainted, take that back with \
        `terraform untaint ADDRESS`. Where only its address was changed, write a moved block; where another block means this database, give one of the two another name.";
    Diagnostic::error(format!("There is a database {id} already, the state knows it, and it is not replaced."), help)
        .at("name")
}

/// A create that was cut short is no new database.
fn gone_on_with(id: &str, left: &str) -> Diagnostic {
    let help = "A create from this folder was cut short before its end was known. If somebody else has made it since, choose another name: \
        the apply changes this one. As of now is left to do: ";
    let help = format!("{help}{left}");
    Diagnostic::warning(format!("There is a database {id} already, and this goes on with it."), help)
}

/// What users of the database will notice, which no attribute says.
fn interruption(spec: &Spec, planned: &Planned) -> Option<Diagnostic> {
    let interrupts =
        planned.plan.steps.iter().flat_map(|step| step.action.changes()).any(|change| change.impact.interrupts());
    if !interrupts {
        return None;
    }
    let lines: Vec<String> = text::lines(&planned.plan, false).into_iter().map(|line| line.text).collect();
    Some(Diagnostic::warning(format!("Who uses {} will notice.", spec.name), lines.join("\n")))
}

/// What was accepted before and has not taken effect: it differs from nothing, and so no attribute tells of it.
pub fn waiting(id: &str, timing: &Timing, steps: &[Step], observed: &[Observed]) -> Option<Diagnostic> {
    let opens = if timing.window.is_open(timing.now) { None } else { Some(timing.window.next_opening(timing.now)) };
    let line = |seen: &Observed, pending: &Pending| {
        let is_window = pending.waits_for.contains("window");
        let opens =
            opens.filter(|_| is_window).map(|opens| format!(", which opens {}", text::when(&When::Window { opens })));
        format!("{}: {} waits for {}{}.", seen.id, pending.field, pending.what(), opens.unwrap_or_default())
    };
    let ours = observed.iter().filter(|seen| !matches!(seen.status, Status::Foreign(_)));
    let lines: Vec<String> =
        ours.flat_map(|seen| text::waiting(steps, seen).into_iter().map(|pending| line(seen, pending))).collect();
    let help = "apply_immediately = true does not wait.";
    (!lines.is_empty()).then(|| {
        Diagnostic::warning(
            format!("What was accepted for {id} has not taken effect yet."),
            format!("{}\n{help}", lines.join("\n")),
        )
    })
}

/// The engine's own plan, for the log.
fn tell(spec: &Spec, planned: &Planned) {
    for line in text::lines(&planned.plan, true) {
        log("INFO", &format!("{}: {}", spec.name, line.text));
    }
}

/// A plan of a database that is to be made, in which something that is needed is not known yet: everything that is told is open, but the
/// settings that are known.
fn open(mut planned: Value, effective: Value) -> Value {
    let told = fields::outputs().into_iter().map(|attribute| attribute.name);
    for name in told.chain(["id", "engine_version_actual", DRIFT, REVISION, shown::STEPS].map(str::to_owned)) {
        planned.set(&name, Value::Unknown);
    }
    if !effective.is_null() {
        planned.set("effective", effective);
    }
    planned
}

/// What comes of it, as far as it can be promised. A password that is not known yet may be another one than the one in force.
fn promise(
    mut state: Value,
    prior: &Value,
    provider: &dyn Provider,
    case: &promised::Case<'_>,
    planned: &Planned,
    has_open_password: bool,
) -> Value {
    let mut outputs = provider.outputs(case.new, &planned.observed);
    let runs = promised::take_version(&mut outputs);
    for (name, value) in promised::outputs(&outputs, case) {
        state.set(&name, value);
    }
    state.set("engine_version_actual", if promised::opens_version(case) { Value::Unknown } else { runs });
    state.set("id", Value::text(same::id(provider, case.new)));
    state.set(DRIFT, Value::object::<String>([]));
    let next = match prior.get(REVISION).as_int() {
        None => Value::int(1),
        Some(_) if has_open_password => Value::Unknown,
        Some(revision) if has_new_password(planned) => Value::int(revision + 1),
        Some(revision) => Value::int(revision),
    };
    state.set(REVISION, next);
    let steps = match planned.plan.steps.is_empty() {
        _ if has_open_password => Value::Unknown,
        true if !prior.is_null() => prior.get(shown::STEPS).clone(),
        _ => shown::steps(planned),
    };
    state.set(shown::STEPS, steps);
    state
}

/// Whether the password that is given is another than the one in force. The target knows a verifier of that, so nothing made of the
/// password has to be kept to compare it with.
fn has_new_password(planned: &Planned) -> bool {
    planned.plan.steps.iter().any(exchanges_password)
}

/// Whether this step does.
pub fn exchanges_password(step: &Step) -> bool {
    match &step.action {
        Action::Update { changes, .. } => changes.iter().any(|change| change.to.has_secret()),
        Action::Create { .. } | Action::Delete { .. } => false,
    }
}
