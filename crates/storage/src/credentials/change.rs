//! Creates, changes and deletes credentials, each with its row in the request log in the same transaction.
//!
//! Every change locks the row of its company, so that concurrent changes of names and defaults run one after another.

use model::{AccountId, ApiKeyId, CompanyId, RequestStamp, RequestType};
use serde_json::json;
use sqlx::PgConnection;

use super::record::{Credential, CredentialChange, CredentialRow, NewCredential, is_name, origin};
use super::table::{Credentials, token_aad};
use crate::audited_change::AuditedChange;
use crate::bounded_pool::BoundedTransaction;
use crate::error::StorageError;
use crate::idempotency_keys::{NewIdempotencyKey, OwnAnswer, begin_own, check_unused, end_own};

/// The unique constraint on (company, name).
const UNIQUE_NAME: &str = "credential_company_id_name_key";

impl Credentials {
    /// Stores a credential. It becomes its account's default if it is the first one or `is_default` is `Some(true)`.
    ///
    /// # Errors
    /// [`StorageError::NoKeyRing`], [`StorageError::InvalidName`], [`StorageError::InvalidUrl`],
    /// [`StorageError::NoSuchCompany`], [`StorageError::NameTaken`], [`StorageError::Repeated`], [`StorageError::Query`].
    pub async fn create(
        &self,
        company: CompanyId,
        stamp: &RequestStamp,
        by: Option<ApiKeyId>,
        new: NewCredential,
    ) -> Result<Credential, StorageError> {
        let key_ring = &*self.key_ring()?;
        new.check()?;
        let create = async |mut transaction: BoundedTransaction| {
            let idempotency_key = new.idempotency_key.as_ref();
            begin_own(&mut transaction, idempotency_key).await?;
            if !lock_company(&mut transaction, company).await? {
                return Err(StorageError::NoSuchCompany(company));
            }
            // The token is encrypted for its row, so the id is needed before the row.
            let id = sqlx::query_scalar!(r#"SELECT nextval(pg_get_serial_sequence('credential', 'id')) AS "id!""#)
                .fetch_one(&mut *transaction)
                .await?;
            let key_id = self.encrypting_key(&mut transaction, key_ring).await?;
            let token_sealed = key_ring.encrypt_with(&key_id, &new.token, &token_aad(company, id));
            let is_default =
                new.is_default == Some(true) || !has_default(&mut transaction, company, new.account_id).await?;
            if is_default {
                clear_default(&mut transaction, company, new.account_id, id).await?;
            }
            let row = sqlx::query_as!(
                CredentialRow,
                "INSERT INTO credential
                     (id, company_id, name, account_id, admin_url, metadata_url, semantic_layer_url, token_sealed,
                      is_default)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                 RETURNING id, name, account_id, admin_url, metadata_url, semantic_layer_url, is_default, version,
                     created_at, updated_at",
                id,
                company.0,
                new.name,
                new.account_id.0,
                new.admin_url.as_str(),
                new.metadata_url.as_str(),
                new.semantic_layer_url.as_str(),
                token_sealed,
                is_default,
            )
            .fetch_one(&mut *transaction)
            .await
            .map_err(|error| StorageError::taken_or(error, UNIQUE_NAME))?;
            let credential = Credential::try_from(row)?;
            end_own(&mut transaction, idempotency_key, OwnAnswer::Record(&credential)).await?;
            let mut args = json!({
                "name": new.name,
                "account_id": new.account_id,
                "admin_url": origin(&new.admin_url),
                "metadata_url": origin(&new.metadata_url),
                "semantic_layer_url": origin(&new.semantic_layer_url),
                "is_default": is_default,
            });
            if let Some(key) = idempotency_key {
                args["idempotency_key"] = json!(key.key.as_str());
            }
            AuditedChange::new(stamp, RequestType::CreateCredential, company, by)
                .of_credential(&new.name, new.account_id)
                .commit(transaction, &self.metrics, &args)
                .await?;
            Ok(credential)
        };
        self.pool.transaction(create).await
    }

    /// Checks that a request with that idempotency key is the first one. Changes nothing.
    ///
    /// # Errors
    /// [`StorageError::Repeated`]; [`StorageError::TimedOut`], [`StorageError::Query`].
    pub async fn check_unused(&self, key: &NewIdempotencyKey) -> Result<(), StorageError> {
        check_unused(&self.pool, key).await
    }

    /// Changes a credential of the company. `None`: there is none with that name, and nothing is written.
    ///
    /// # Errors
    /// [`StorageError::InvalidName`], [`StorageError::InvalidUrl`], [`StorageError::NameTaken`],
    /// [`StorageError::TokenRequired`], [`StorageError::NoKeyRing`] if a token is given, [`StorageError::Query`],
    /// [`StorageError::Row`].
    pub async fn update(
        &self,
        company: CompanyId,
        stamp: &RequestStamp,
        by: Option<ApiKeyId>,
        name: &str,
        change: CredentialChange,
    ) -> Result<Option<Credential>, StorageError> {
        change.check()?;
        let update = async |mut transaction: BoundedTransaction| {
            let Some(old) = lock_and_get(&mut transaction, company, name).await? else {
                return Ok(None);
            };
            if change.redirects_token_of(&old) {
                return Err(StorageError::TokenRequired);
            }
            let id = old.id.0;
            let token_sealed = match &change.token {
                Some(token) => {
                    let key_ring = self.key_ring()?;
                    let key_id = self.encrypting_key(&mut transaction, &key_ring).await?;
                    Some(key_ring.encrypt_with(&key_id, token, &token_aad(company, id)))
                }
                None => None,
            };
            let account = change.account_id.unwrap_or(old.account_id);
            let moves = account != old.account_id;
            let becomes_default = match change.is_default {
                Some(true) => true,
                None if !moves => old.is_default,
                Some(false) | None if moves => !has_default(&mut transaction, company, account).await?,
                // The only credential of an account stays its default.
                Some(false) | None => old.is_default && !has_other(&mut transaction, company, account, id).await?,
            };
            if becomes_default {
                clear_default(&mut transaction, company, account, id).await?;
            }
            let row = sqlx::query_as!(
                CredentialRow,
                "UPDATE credential SET
                     name = COALESCE($3, name),
                     account_id = $4,
                     admin_url = COALESCE($5, admin_url),
                     metadata_url = COALESCE($6, metadata_url),
                     semantic_layer_url = COALESCE($7, semantic_layer_url),
                     token_sealed = COALESCE($8, token_sealed),
                     is_default = $9,
                     version = version + 1,
                     updated_at = now()
                 WHERE company_id = $1 AND id = $2
                 RETURNING id, name, account_id, admin_url, metadata_url, semantic_layer_url, is_default, version,
                     created_at, updated_at",
                company.0,
                id,
                change.new_name,
                account.0,
                change.admin_url.as_ref().map(url::Url::as_str),
                change.metadata_url.as_ref().map(url::Url::as_str),
                change.semantic_layer_url.as_ref().map(url::Url::as_str),
                token_sealed,
                becomes_default,
            )
            .fetch_one(&mut *transaction)
            .await
            .map_err(|error| StorageError::taken_or(error, UNIQUE_NAME))?;

            if let Some(new_name) = change.new_name.as_deref().filter(|new_name| *new_name != name) {
                rename_in_keys(&mut transaction, company, name, new_name).await?;
            }
            let mut args = json!({"name": name, "account_id": old.account_id, "changed": change.logged()});
            if old.is_default
                && (moves || !becomes_default)
                && let Some(successor) = promote_oldest(&mut transaction, company, old.account_id, id).await?
            {
                args["new_default"] = json!(successor);
            }
            AuditedChange::new(stamp, RequestType::UpdateCredential, company, by)
                .of_credential(name, old.account_id)
                .commit(transaction, &self.metrics, &args)
                .await?;
            Credential::try_from(row).map(Some)
        };
        self.pool.transaction(update).await
    }

    /// Deletes a credential of the company. If it was a default, the oldest other one of its account becomes the default.
    /// `false`: there is none with that name, and nothing is written.
    ///
    /// # Errors
    /// [`StorageError::Query`], [`StorageError::Row`].
    pub async fn delete(
        &self,
        company: CompanyId,
        stamp: &RequestStamp,
        by: Option<ApiKeyId>,
        name: &str,
    ) -> Result<bool, StorageError> {
        let delete = async |mut transaction: BoundedTransaction| {
            let Some(old) = lock_and_get(&mut transaction, company, name).await? else {
                return Ok(false);
            };
            sqlx::query!(
                "DELETE FROM credential WHERE company_id = $1 AND id = $2",
                company.0,
                old.id.0
            )
            .execute(&mut *transaction)
            .await?;
            forget_in_keys(&mut transaction, company, name).await?;
            let mut args = json!({"name": name, "account_id": old.account_id});
            if old.is_default
                && let Some(successor) = promote_oldest(&mut transaction, company, old.account_id, old.id.0).await?
            {
                args["new_default"] = json!(successor);
            }
            AuditedChange::new(stamp, RequestType::DeleteCredential, company, by)
                .of_credential(name, old.account_id)
                .commit(transaction, &self.metrics, &args)
                .await?;
            Ok(true)
        };
        self.pool.transaction(delete).await
    }
}

/// Locks the row of the company, but not against foreign keys; `false`: there is no such company.
async fn lock_company(connection: &mut PgConnection, company: CompanyId) -> Result<bool, StorageError> {
    let row = sqlx::query!("SELECT id FROM company WHERE id = $1 FOR NO KEY UPDATE", company.0)
        .fetch_optional(connection)
        .await?;
    Ok(row.is_some())
}

/// Locks the company and reads the credential with that name.
async fn lock_and_get(
    connection: &mut PgConnection,
    company: CompanyId,
    name: &str,
) -> Result<Option<Credential>, StorageError> {
    if !is_name(name) || !lock_company(connection, company).await? {
        return Ok(None);
    }
    let row = sqlx::query_as!(
        CredentialRow,
        "SELECT id, name, account_id, admin_url, metadata_url, semantic_layer_url, is_default, version, created_at,
             updated_at
         FROM credential WHERE company_id = $1 AND name = $2",
        company.0,
        name,
    )
    .fetch_optional(connection)
    .await?;
    row.map(Credential::try_from).transpose()
}

async fn has_default(
    connection: &mut PgConnection,
    company: CompanyId,
    account: AccountId,
) -> Result<bool, StorageError> {
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM credential WHERE company_id = $1 AND account_id = $2 AND is_default) AS "found!""#,
        company.0,
        account.0,
    )
    .fetch_one(connection)
    .await?;
    Ok(found)
}

async fn has_other(
    connection: &mut PgConnection,
    company: CompanyId,
    account: AccountId,
    except: i64,
) -> Result<bool, StorageError> {
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM credential WHERE company_id = $1 AND account_id = $2 AND id <> $3) AS "found!""#,
        company.0,
        account.0,
        except,
    )
    .fetch_one(connection)
    .await?;
    Ok(found)
}

/// Removes the default of the account, unless it is `except`.
async fn clear_default(
    connection: &mut PgConnection,
    company: CompanyId,
    account: AccountId,
    except: i64,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE credential SET is_default = false, version = version + 1, updated_at = now()
         WHERE company_id = $1 AND account_id = $2 AND is_default AND id <> $3",
        company.0,
        account.0,
        except,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The lists of keys follow a new name.
async fn rename_in_keys(
    connection: &mut PgConnection,
    company: CompanyId,
    name: &str,
    new_name: &str,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE api_key SET credentials = array_replace(credentials, $2, $3)
         WHERE company_id = $1 AND $2 = ANY (credentials)",
        company.0,
        name,
        new_name,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The lists of keys do not name a deleted credential, so that no later one of its name is in them.
async fn forget_in_keys(connection: &mut PgConnection, company: CompanyId, name: &str) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE api_key SET credentials = array_remove(credentials, $2)
         WHERE company_id = $1 AND $2 = ANY (credentials)",
        company.0,
        name,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes the oldest credential other than `except` the default, and returns its name.
async fn promote_oldest(
    connection: &mut PgConnection,
    company: CompanyId,
    account: AccountId,
    except: i64,
) -> Result<Option<String>, StorageError> {
    let row = sqlx::query!(
        "UPDATE credential SET is_default = true, version = version + 1, updated_at = now()
         WHERE id = (SELECT id FROM credential WHERE company_id = $1 AND account_id = $2 AND id <> $3
                     ORDER BY id LIMIT 1)
         RETURNING name",
        company.0,
        account.0,
        except,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| row.name))
}
