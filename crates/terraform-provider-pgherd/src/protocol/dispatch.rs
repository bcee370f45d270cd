//! Which call is answered by whom: messages in, a plugin's own functions, messages out.
//!
//! Invariants: what a plan promised comes back from an apply as it was promised, and no write-only value leaves.

use std::collections::HashMap;

use bytes::Bytes;
use prost::Message;

use super::diagnostic::{Diagnostic, has_error};
use super::grpc::Refusal;
use super::json;
use super::pack::{pack, unpack};
use super::plugin::{Answer, Apply, Kept, Plan, Plugin, Resource, Source, Sources};
use super::schema::Attribute;
use super::server::log;
use super::ty::Type;
use super::value::Value;
use super::wire::{self, Dynamic};

const CAPABILITIES: wire::ServerCapabilities =
    wire::ServerCapabilities { plan_destroy: true, get_provider_schema_optional: true };

/// The answer to a call of the service `tfplugin6.Provider`.
///
/// What came is read before anybody is waited for, and let go: ten databases at once wait for most of the time.
pub async fn answer(plugin: &Plugin, call: &str, body: Bytes) -> Result<Vec<u8>, Refusal> {
    match call {
        "ReadResource" => read_resource(plugin, taken(body)?).await,
        "PlanResourceChange" => plan(plugin, taken(body)?).await,
        "ApplyResourceChange" => apply(plugin, taken(body)?).await,
        "ReadDataSource" => {
            let (state, diagnostics) = look_up(&plugin.data_sources, taken(body)?).await?;
            Ok(wire::StateResponse { state: Some(state), diagnostics: told(&diagnostics) }.encode_to_vec())
        }
        "OpenEphemeralResource" => {
            let (result, diagnostics) = look_up(&plugin.ephemerals, taken(body)?).await?;
            Ok(wire::OpenResponse { result: Some(result), diagnostics: told(&diagnostics) }.encode_to_vec())
        }
        _ => answer_quickly(plugin, call, &body).await,
    }
}

/// The answer to a call that waits for nobody else.
async fn answer_quickly(plugin: &Plugin, call: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    match call {
        "GetMetadata" => Ok(metadata(plugin).encode_to_vec()),
        "GetProviderSchema" => Ok(schemas(plugin).encode_to_vec()),
        "ValidateProviderConfig" => {
            let wire::ValidateProviderConfigRequest { config } = read(body)?;
            let schema = plugin.provider.schema();
            let diagnostics = plugin.provider.validate(&value(config.as_ref(), &schema.ty())?);
            Ok(wire::ValidateProviderConfigResponse { diagnostics: told(&diagnostics) }.encode_to_vec())
        }
        "ConfigureProvider" => {
            let wire::ConfigureRequest { terraform_version, config } = read(body)?;
            let config = value(config.as_ref(), &plugin.provider.schema().ty())?;
            Ok(said(&plugin.provider.configure(&terraform_version, config).await))
        }
        "ValidateResourceConfig" => {
            let wire::ValidateResourceRequest { type_name, config, capabilities } = read(body)?;
            let resource = resource(plugin, &type_name)?;
            let schema = resource.schema();
            let config = value(config.as_ref(), &schema.ty())?;
            let mut diagnostics = resource.validate(&config);
            if !capabilities.is_some_and(|client| client.write_only_attributes_allowed) {
                let written = |one: &&Attribute| one.write_only && !config.get(&one.name).is_null();
                diagnostics.extend(schema.attributes.iter().filter(written).map(kept_by_older_ones));
            }
            Ok(said(&diagnostics))
        }
        "UpgradeResourceState" => upgrade(plugin, &read(body)?),
        "ImportResourceState" => import(plugin, &read(body)?).await,
        "ValidateDataResourceConfig" => validate_source(&plugin.data_sources, &read(body)?),
        "ValidateEphemeralResourceConfig" => validate_source(&plugin.ephemerals, &read(body)?),
        // Nothing is held open, and so there is nothing to renew or to close.
        "RenewEphemeralResource" | "CloseEphemeralResource" => Ok(said(&[])),
        "GetFunctions" => Ok(wire::GetFunctionsResponse { functions: functions(plugin) }.encode_to_vec()),
        "CallFunction" => call_function(plugin, &read(body)?),
        "StopProvider" => {
            plugin.provider.stop();
            Ok(wire::Empty {}.encode_to_vec())
        }
        other => Err(Refusal::unimplemented(format!("there is no call {other}"))),
    }
}

fn metadata(plugin: &Plugin) -> wire::GetMetadataResponse {
    let name = |name: &&'static str| wire::Name { name: (*name).to_owned() };
    wire::GetMetadataResponse {
        capabilities: Some(CAPABILITIES),
        data_sources: plugin.data_sources.keys().map(name).collect(),
        resources: plugin.resources.keys().map(name).collect(),
        functions: plugin.functions.keys().map(name).collect(),
        ephemerals: plugin.ephemerals.keys().map(name).collect(),
    }
}

fn schemas(plugin: &Plugin) -> wire::GetProviderSchemaResponse {
    let resources = plugin.resources.iter().map(|(name, one)| ((*name).to_owned(), one.schema().to_wire()));
    wire::GetProviderSchemaResponse {
        provider: Some(plugin.provider.schema().to_wire()),
        resources: resources.collect(),
        data_sources: source_schemas(&plugin.data_sources),
        diagnostics: Vec::new(),
        capabilities: Some(CAPABILITIES),
        functions: functions(plugin),
        ephemerals: source_schemas(&plugin.ephemerals),
    }
}

fn source_schemas(sources: &Sources) -> HashMap<String, wire::Schema> {
    sources.iter().map(|(name, one)| ((*name).to_owned(), one.schema().to_wire())).collect()
}

fn functions(plugin: &Plugin) -> HashMap<String, wire::Function> {
    plugin.functions.iter().map(|(name, one)| ((*name).to_owned(), one.signature().to_wire())).collect()
}

/// A state of an older version. There is only one version so far, and an attribute that is no more is left out.
fn upgrade(plugin: &Plugin, request: &wire::UpgradeRequest) -> Result<Vec<u8>, Refusal> {
    let ty = resource(plugin, &request.type_name)?.schema().ty();
    let raw = request.raw_state.as_ref().map_or(&[][..], |raw| &raw.json);
    let state = serde_json::from_slice(raw).map_err(|error| Refusal::invalid(format!("no state: {error}")))?;
    let state = Some(sent(&json::value(&state), &ty));
    Ok(wire::StateResponse { state, diagnostics: Vec::new() }.encode_to_vec())
}

async fn read_resource(plugin: &Plugin, request: wire::ReadRequest) -> Result<Vec<u8>, Refusal> {
    let resource = resource(plugin, &request.type_name)?;
    let schema = resource.schema();
    let ty = schema.ty();
    let state = received(request.state, &ty)?;
    let Answer { kept, diagnostics } = resource.read(Kept { state, private: request.private }).await;
    let state = Some(sent(&schema.without_write_only(kept.state), &ty));
    Ok(wire::ReadResponse { state, diagnostics: told(&diagnostics), private: kept.private }.encode_to_vec())
}

async fn plan(plugin: &Plugin, request: wire::PlanRequest) -> Result<Vec<u8>, Refusal> {
    let resource = resource(plugin, &request.type_name)?;
    let schema = resource.schema();
    let ty = schema.ty();
    let asked = Plan {
        prior: received(request.prior, &ty)?,
        proposed: received(request.proposed, &ty)?,
        config: received(request.config, &ty)?,
        private: request.private,
    };
    let Answer { kept, diagnostics } = resource.plan(asked).await;
    let planned = Some(sent(&schema.without_write_only(kept.state), &ty));
    Ok(wire::PlanResponse { planned, private: kept.private, diagnostics: told(&diagnostics) }.encode_to_vec())
}

/// Who does not know that a value must not be kept would keep it.
fn kept_by_older_ones(attribute: &Attribute) -> Diagnostic {
    let name = &attribute.name;
    let help = "It would stand in the state. Use Terraform 1.11, OpenTofu 1.11 or a newer one; or leave it out.";
    Diagnostic::error(format!("{name} is only for versions that do not keep it."), help).at(name)
}

async fn apply(plugin: &Plugin, request: wire::ApplyRequest) -> Result<Vec<u8>, Refusal> {
    let resource = resource(plugin, &request.type_name)?;
    let schema = resource.schema();
    let ty = schema.ty();
    let asked = Apply {
        prior: received(request.prior, &ty)?,
        planned: value(request.planned.as_ref(), &ty)?,
        config: received(request.config, &ty)?,
        private: request.private,
    };
    let Answer { kept, diagnostics } = resource.apply(asked).await;
    // What failed may be anywhere between; what went well is as it was promised.
    let came = if has_error(&diagnostics) {
        kept.state
    } else {
        let planned = received(request.planned, &ty)?;
        for path in planned.differing(&kept.state) {
            log("ERROR", &format!("{path} was promised otherwise: that is a bug of this provider"));
        }
        planned.filled_from(&kept.state)
    };
    let state = Some(sent(&schema.without_write_only(came), &ty));
    Ok(wire::ApplyResponse { state, private: kept.private, diagnostics: told(&diagnostics) }.encode_to_vec())
}

async fn import(plugin: &Plugin, request: &wire::ImportRequest) -> Result<Vec<u8>, Refusal> {
    let resource = resource(plugin, &request.type_name)?;
    let Answer { kept, diagnostics } = resource.import(&request.id).await;
    let imported = if has_error(&diagnostics) {
        Vec::new()
    } else {
        let state = Some(sent(&kept.state, &resource.schema().ty()));
        vec![wire::Imported { type_name: request.type_name.clone(), state, private: kept.private }]
    };
    Ok(wire::ImportResponse { imported, diagnostics: told(&diagnostics) }.encode_to_vec())
}

fn source<'p>(sources: &'p Sources, name: &str) -> Result<&'p dyn Source, Refusal> {
    let found = sources.get(name).map(AsRef::as_ref);
    found.ok_or_else(|| Refusal::invalid(format!("there is no {name} to look up")))
}

fn validate_source(sources: &Sources, request: &wire::ConfigRequest) -> Result<Vec<u8>, Refusal> {
    let source = source(sources, &request.type_name)?;
    Ok(said(&source.validate(&value(request.config.as_ref(), &source.schema().ty())?)))
}

async fn look_up(sources: &Sources, request: wire::ConfigRequest) -> Result<(Dynamic, Vec<Diagnostic>), Refusal> {
    let source = source(sources, &request.type_name)?;
    let ty = source.schema().ty();
    let (found, diagnostics) = source.read(received(request.config, &ty)?).await;
    Ok((sent(&found, &ty), diagnostics))
}

fn call_function(plugin: &Plugin, request: &wire::CallRequest) -> Result<Vec<u8>, Refusal> {
    let wire::CallRequest { name, arguments } = request;
    let function = plugin.functions.get(name.as_str());
    let function = function.ok_or_else(|| Refusal::invalid(format!("there is no function {name}")))?;
    let signature = function.signature();
    if arguments.len() != signature.parameters.len() {
        return Err(Refusal::invalid(format!("{name} takes {} arguments", signature.parameters.len())));
    }
    let arguments: Vec<Value> = arguments
        .iter()
        .zip(&signature.parameters)
        .map(|(argument, (_, ty, _))| value(Some(argument), ty))
        .collect::<Result<_, _>>()?;
    let response = match function.call(&arguments) {
        Ok(result) => wire::CallResponse { result: Some(sent(&result, &signature.returns)), error: None },
        Err(text) => wire::CallResponse { result: None, error: Some(wire::FunctionError { text, argument: None }) },
    };
    Ok(response.encode_to_vec())
}

fn resource<'p>(plugin: &'p Plugin, name: &str) -> Result<&'p dyn Resource, Refusal> {
    let found = plugin.resources.get(name).map(AsRef::as_ref);
    found.ok_or_else(|| Refusal::invalid(format!("there is no resource {name}")))
}

fn read<M: Message + Default>(body: &[u8]) -> Result<M, Refusal> {
    M::decode(body).map_err(|error| unreadable(&error))
}

fn unreadable(error: &prost::DecodeError) -> Refusal {
    Refusal::invalid(format!("the request cannot be read: {error}"))
}

/// A message, without what it was read from.
fn taken<M: Message + Default>(body: Bytes) -> Result<M, Refusal> {
    M::decode(body).map_err(|error| unreadable(&error))
}

/// A value, without what it was read from.
fn received(sent: Option<Dynamic>, ty: &Type) -> Result<Value, Refusal> {
    let Some(sent) = sent else { return Ok(Value::Null) };
    value(Some(&sent), ty)
}

fn value(sent: Option<&Dynamic>, ty: &Type) -> Result<Value, Refusal> {
    let Some(Dynamic { msgpack, json }) = sent else { return Ok(Value::Null) };
    if msgpack.is_empty() && !json.is_empty() {
        let json = serde_json::from_slice(json).map_err(|error| Refusal::invalid(format!("no value: {error}")))?;
        return Ok(json::value(&json));
    }
    if msgpack.is_empty() {
        return Ok(Value::Null);
    }
    unpack(msgpack, ty).map_err(|error| Refusal::invalid(error.to_string()))
}

fn sent(value: &Value, ty: &Type) -> Dynamic {
    Dynamic { msgpack: pack(value, ty), json: Vec::new() }
}

fn told(diagnostics: &[Diagnostic]) -> Vec<wire::Diagnostic> {
    diagnostics.iter().map(Diagnostic::to_wire).collect()
}

fn said(diagnostics: &[Diagnostic]) -> Vec<u8> {
    wire::Said { diagnostics: told(diagnostics) }.encode_to_vec()
}
