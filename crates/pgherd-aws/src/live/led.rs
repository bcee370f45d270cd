//! Which proxies lead to an instance, and how it is taken out of the block's own before it gets another name: nobody tells whether a
//! proxy goes by a name or by an instance, and one that went on to the old one would have clients write where nobody looks.

use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use super::proxy;
use crate::api::rds;
use crate::names;
use crate::provider::Aws;
use crate::wait;

/// Refuses while somebody else's proxy leads to a database: it is not pgherd's to be led elsewhere.
pub(crate) async fn by_nobody_else(aws: &Aws, database: &str) -> Result<(), ProviderError> {
    let (session, region) = (aws.session(), aws.region());
    for found in rds::proxies(session, region).await? {
        let leads = rds::targets(session, region, &found.name).await?.iter().any(|target| target.id == database);
        if leads && !(found.name == names::proxy(database) && proxy::wears_our_tag(aws, &found).await?) {
            let name = found.name;
            let message = format!(
                "the proxy {name}, which is not pgherd's, leads to {database} and would go on with the old one"
            );
            let help = format!(
                "`aws rds deregister-db-proxy-targets --db-proxy-name {name} --db-instance-identifiers {database}`, then run this \
                 again, and register it again afterwards"
            );
            return Err(ProviderError::new(ErrorKind::Conflict, message).help(help));
        }
    }
    Ok(())
}

/// Whether a database has a proxy of pgherd's.
pub(crate) async fn has_ours(aws: &Aws, database: &str) -> Result<bool, ProviderError> {
    match rds::proxy(aws.session(), aws.region(), &names::proxy(database)).await? {
        Some(found) => Ok(proxy::wears_our_tag(aws, &found).await?),
        None => Ok(false),
    }
}

/// Takes whatever a database's own proxy leads to out of it, and returns when it leads nowhere. Clients of the proxy wait from then on
/// until it is led to an instance again, which every plan that wants the proxy does.
pub(crate) async fn nowhere(aws: &Aws, database: &str, events: &Events) -> Result<(), ProviderError> {
    let (session, region, name) = (aws.session(), aws.region(), names::proxy(database));
    let at_most = aws.patience().letting_go;
    for target in rds::targets(session, region, &name).await? {
        let ask = || rds::deregister(session, region, &name, &target.id);
        wait::tried(aws, at_most, events, proxy::is_at_work, ask).await?;
    }
    let look = || async {
        match rds::targets(session, region, &name).await?.first() {
            Some(target) => Ok(Err(format!("{name} leads to {} still", target.id))),
            None => Ok(Ok(())),
        }
    };
    wait::until(aws, at_most, events, look).await
}
