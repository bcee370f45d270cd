//! What the pooler needs of the server: a role that may read the verifiers.
//!
//! PgBouncer 1.18 looks users up in the very database they ask for (`auth_dbname` came later), so a function would have to be
//! in every database, also in those that users make from `template0`. A member of `pg_read_all_data` can read them in all. That
//! gives nothing away: whoever holds the role's key is the server's own user, who is superuser over the unix socket anyway.

use crate::postgres::Result;
use crate::postgres::session::{Session, quote};

/// The role the pooler looks users up as. It has no password; it logs in with a certificate, from this machine only.
pub const ROLE: &str = "pgherd_pooler";

/// Spelled out to the last operator, because the owner of a database chooses the `search_path` in it.
pub(super) const AUTH_QUERY: &str = "SELECT rolname, rolpassword FROM pg_catalog.pg_authid \
    WHERE rolname OPERATOR(pg_catalog.=) $1::pg_catalog.name AND rolcanlogin AND NOT rolsuper \
    AND (rolvaliduntil IS NULL OR rolvaliduntil OPERATOR(pg_catalog.>) pg_catalog.now())";

/// Makes the role and lets it into databases that are not open to all. Says whether anything changed. Repeatable; do it again
/// now and then, since somebody may have closed a database meanwhile (its users would be refused by the pooler).
pub async fn prepare(session: &Session) -> Result<bool> {
    let made = ensure_role(session).await?;
    let let_in = open_databases(session).await?;
    Ok(made || let_in)
}

async fn ensure_role(session: &Session) -> Result<bool> {
    let found = session
        .rows(
            "SELECT rolcanlogin AND rolinherit AND NOT rolsuper AND rolpassword IS NULL \
             AND coalesce(rolvaliduntil, 'infinity') = 'infinity' AND pg_has_role(oid, 'pg_read_all_data', 'usage') \
             FROM pg_authid WHERE rolname = $1",
            &[&ROLE],
        )
        .await?;
    let verb = match found.first().map(|row| row.get::<_, bool>(0)) {
        Some(true) => return Ok(false),
        Some(false) => "ALTER",
        None => "CREATE",
    };
    let role = quote(ROLE);
    let rights = "LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD NULL";
    let statements = format!("{verb} ROLE {role} {rights} VALID UNTIL 'infinity'; GRANT pg_read_all_data TO {role}");
    session.run(&statements).await?;
    Ok(true)
}

async fn open_databases(session: &Session) -> Result<bool> {
    let closed = session
        .rows(
            "SELECT datname::text FROM pg_database WHERE datallowconn AND NOT has_database_privilege($1, oid, 'CONNECT')",
            &[&ROLE],
        )
        .await?;
    for row in &closed {
        session.run(&format!("GRANT CONNECT ON DATABASE {} TO {}", quote(row.get(0)), quote(ROLE))).await?;
    }
    Ok(!closed.is_empty())
}
