//! RDS Proxy: proxies, the target group each has, and its targets.

use super::told::text;
use super::{asked, asked_once, listed, tag, unless_missing};
use crate::protocol::error::AwsError;
use crate::protocol::form::Form;
use crate::protocol::xml::Element;
use crate::session::Session;

/// The target group that every proxy has, and the only one.
const GROUP: &str = "default";

/// A proxy as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DbProxy {
    /// `DBProxyName`.
    pub(crate) name: String,
    /// `DBProxyArn`, which has an id instead of its name.
    pub(crate) arn: String,
    /// RDS's word for what it is doing.
    pub(crate) status: String,
    /// `EngineFamily`.
    pub(crate) family: String,
    /// Where clients connect to.
    pub(crate) endpoint: Option<String>,
    /// Its subnets.
    pub(crate) subnets: Vec<String>,
    /// Its security groups.
    pub(crate) security_groups: Vec<String>,
    /// Who may log in through it.
    pub(crate) logins: Vec<Login>,
    /// The role it reads secrets with.
    pub(crate) role: String,
    /// Whether clients must encrypt.
    pub(crate) require_tls: bool,
    /// Seconds a client may be idle.
    pub(crate) idle_timeout_s: i64,
    /// Whether statements are logged.
    pub(crate) debug_logging: bool,
}

/// Somebody who may log in through a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    /// The secret with name and password.
    pub(crate) secret: String,
    /// `DISABLED` or `REQUIRED`.
    pub(crate) iam: String,
    /// `POSTGRES_SCRAM_SHA_256`.
    pub(crate) password_type: String,
}

impl DbProxy {
    fn read(told: &Element) -> Self {
        let word = |path: &str| text(told, path).unwrap_or_default();
        let texts = |list: &str| told.list(list, "member").map(|one| one.text.clone()).collect();
        Self {
            name: word("DBProxyName"),
            arn: word("DBProxyArn"),
            status: word("Status"),
            family: word("EngineFamily"),
            endpoint: text(told, "Endpoint"),
            subnets: texts("VpcSubnetIds"),
            security_groups: texts("VpcSecurityGroupIds"),
            logins: told.list("Auth", "member").map(Login::read).collect(),
            role: word("RoleArn"),
            require_tls: told.bool("RequireTLS").unwrap_or(false),
            idle_timeout_s: told.int("IdleClientTimeout").unwrap_or_default(),
            debug_logging: told.bool("DebugLogging").unwrap_or(false),
        }
    }
}

impl Login {
    fn read(told: &Element) -> Self {
        let word = |path: &str| text(told, path).unwrap_or_default();
        Self { secret: word("SecretArn"), iam: word("IAMAuth"), password_type: word("ClientPasswordAuthType") }
    }
}

/// A proxy by its name.
pub(crate) async fn proxy(session: &Session, region: &str, name: &str) -> Result<Option<DbProxy>, AwsError> {
    let form = Form::new("DescribeDBProxies").set("DBProxyName", name);
    let found = listed(session, region, form, ("DBProxies", "member"), DbProxy::read).await;
    Ok(unless_missing(found, "DBProxyNotFoundFault")?.and_then(|found| found.into_iter().next()))
}

/// All proxies of a region.
pub(crate) async fn proxies(session: &Session, region: &str) -> Result<Vec<DbProxy>, AwsError> {
    listed(session, region, Form::new("DescribeDBProxies"), ("DBProxies", "member"), DbProxy::read).await
}

/// CreateDBProxy with these fields.
pub(crate) async fn create_proxy(session: &Session, region: &str, name: &str, fields: Form) -> Result<(), AwsError> {
    asked_once(session, region, Form::new("CreateDBProxy").set("DBProxyName", name).and(fields)).await.map(drop)
}

/// ModifyDBProxy with these fields.
pub(crate) async fn modify_proxy(session: &Session, region: &str, name: &str, fields: Form) -> Result<(), AwsError> {
    asked(session, region, Form::new("ModifyDBProxy").set("DBProxyName", name).and(fields)).await.map(drop)
}

/// DeleteDBProxy; one that is gone is deleted.
pub(crate) async fn delete_proxy(session: &Session, region: &str, name: &str) -> Result<(), AwsError> {
    let form = Form::new("DeleteDBProxy").set("DBProxyName", name);
    unless_missing(asked_once(session, region, form).await, "DBProxyNotFoundFault").map(drop)
}

/// Shares of `max_connections` in percent: at most, and while nobody needs them.
pub(crate) type Shares = (Option<i64>, Option<i64>);

/// How a proxy shares out connections; `None`: there is no proxy.
pub(crate) async fn pool(session: &Session, region: &str, name: &str) -> Result<Option<Shares>, AwsError> {
    let form = Form::new("DescribeDBProxyTargetGroups").set("DBProxyName", name).set("TargetGroupName", GROUP);
    let shares = |told: &Element| {
        let share = |field: &str| told.int(&format!("ConnectionPoolConfig/{field}"));
        (share("MaxConnectionsPercent"), share("MaxIdleConnectionsPercent"))
    };
    let found = listed(session, region, form, ("TargetGroups", "member"), shares).await;
    Ok(unless_missing(found, "DBProxyNotFoundFault")?.and_then(|found| found.into_iter().next()))
}

/// ModifyDBProxyTargetGroup: both shares together, as RDS wants them.
pub(crate) async fn modify_pool(session: &Session, region: &str, name: &str, shares: Shares) -> Result<(), AwsError> {
    let config = Form::part().set("MaxConnectionsPercent", shares.0).set("MaxIdleConnectionsPercent", shares.1);
    let form = Form::new("ModifyDBProxyTargetGroup").set("DBProxyName", name).set("TargetGroupName", GROUP);
    asked(session, region, form.set("ConnectionPoolConfig", config)).await.map(drop)
}

/// An instance that a proxy leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The instance.
    pub(crate) id: String,
    /// `REGISTERING`, `AVAILABLE`, `UNAVAILABLE`.
    pub(crate) state: String,
    /// Why it is not reached, as one word.
    pub(crate) reason: Option<String>,
    /// The same as a sentence, where RDS has one.
    pub(crate) words: Option<String>,
}

/// The targets of a proxy; none where there is no proxy.
pub(crate) async fn targets(session: &Session, region: &str, name: &str) -> Result<Vec<Target>, AwsError> {
    let form = Form::new("DescribeDBProxyTargets").set("DBProxyName", name).set("TargetGroupName", GROUP);
    let target = |told: &Element| Target {
        id: text(told, "RdsResourceId").unwrap_or_default(),
        state: text(told, "TargetHealth/State").unwrap_or_default(),
        reason: text(told, "TargetHealth/Reason"),
        words: text(told, "TargetHealth/Description"),
    };
    let found = listed(session, region, form, ("Targets", "member"), target).await;
    Ok(unless_missing(found, "DBProxyNotFoundFault")?.unwrap_or_default())
}

/// RegisterDBProxyTargets of one instance; one that is registered stays so.
pub(crate) async fn register(session: &Session, region: &str, name: &str, instance: &str) -> Result<(), AwsError> {
    let done = asked_once(session, region, about(Form::new("RegisterDBProxyTargets"), name, instance)).await;
    unless_missing(done, "DBProxyTargetAlreadyRegisteredFault").map(drop)
}

/// DeregisterDBProxyTargets of one instance; one that is not registered stays so.
pub(crate) async fn deregister(session: &Session, region: &str, name: &str, instance: &str) -> Result<(), AwsError> {
    let done = asked(session, region, about(Form::new("DeregisterDBProxyTargets"), name, instance)).await;
    let done = unless_missing(done, "DBProxyTargetNotFoundFault").map(drop);
    unless_missing(done, "DBProxyNotFoundFault").map(drop)
}

fn about(form: Form, name: &str, instance: &str) -> Form {
    let form = form.set("DBProxyName", name).set("TargetGroupName", GROUP);
    form.list("DBInstanceIdentifiers", "member", [instance])
}

/// The fields of logins.
pub(crate) fn logins<'a>(form: Form, logins: impl IntoIterator<Item = &'a Login>) -> Form {
    let login = |login: &Login| {
        Form::part()
            .set("AuthScheme", "SECRETS")
            .set("SecretArn", &login.secret)
            .set("IAMAuth", &login.iam)
            .set("ClientPasswordAuthType", &login.password_type)
    };
    form.list("Auth", "member", logins.into_iter().map(login))
}

/// The fields of tags.
pub(crate) fn tagged(form: Form, tags: &[(String, String)]) -> Form {
    form.list("Tags", "Tag", tags.iter().map(tag))
}
