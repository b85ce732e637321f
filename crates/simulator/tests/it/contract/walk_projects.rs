//! Accounts, projects, environments, repositories, and their warehouse connections.

use serde_json::json;
use simulator::acme;

use super::walk::Walk;

const PROJECT: &str = "/api/v3/accounts/{account_id}/projects/{project_id}";

impl Walk {
    pub(super) async fn accounts_and_projects(&mut self) {
        self.get("/api/v2/accounts/", &[]).await;
        self.get("/api/v3/accounts/", &[]).await;
        self.get("/api/v2/accounts/{account_id}/", &[]).await;
        self.get("/api/v3/accounts/{account_id}/", &[]).await;
        let name = json!({ "name": "Acme Retail Group", "state": 1 });
        self.ask("POST", "/api/v2/accounts/{account_id}/", &[], Some(name.clone()))
            .await;
        self.ask("PATCH", "/api/v2/accounts/{account_id}/", &[], Some(name))
            .await;

        for version in ["v2", "v3"] {
            let (list, one) = (
                format!("/api/{version}/accounts/{{account_id}}/projects/"),
                format!("/api/{version}/accounts/{{account_id}}/projects/{{id}}/"),
            );
            self.get(&one, &[&acme::PROJECT_ID]).await;
            self.get(&list, &[&"limit=3&include_related=environments"]).await;
            self.usual(
                &list,
                &one,
                "POST",
                &[],
                json!({ "name": format!("Walked {version}"), "type": 0 }),
            )
            .await;
        }
        let body =
            json!({ "name": "Walked", "project_id": acme::PROJECT_ID, "type": "deployment", "dbt_version": "latest" });
        let (list, one) = (
            format!("{PROJECT}/environments/"),
            format!("{PROJECT}/environments/{{id}}/"),
        );
        self.get(&one, &[&acme::PROJECT_ID, &acme::PRODUCTION_ENVIRONMENT_ID])
            .await;
        self.usual(&list, &one, "POST", &[&acme::PROJECT_ID], body.clone())
            .await;
        let (list, one) = (
            "/api/v2/accounts/{account_id}/environments/",
            "/api/v2/accounts/{account_id}/environments/{id}/",
        );
        self.get(one, &[&acme::PRODUCTION_ENVIRONMENT_ID]).await;
        self.usual(list, one, "POST", &[], body).await;
        self.get("/api/v3/accounts/{account_id}/environments/", &[]).await;
        let cache = "/api/v3/accounts/{account_id}/environments/{environment_id}/sao-cache/";
        self.delete(cache, &[&acme::PRODUCTION_ENVIRONMENT_ID]).await;

        let body = json!({ "remote_url": "git@github.com:acme-retail/walked.git", "project_id": acme::PROJECT_ID });
        let (list, one) = (
            format!("{PROJECT}/repositories/"),
            format!("{PROJECT}/repositories/{{id}}/"),
        );
        self.usual(&list, &one, "POST", &[&acme::PROJECT_ID], body.clone())
            .await;
        let (list, one) = (
            "/api/v2/accounts/{account_id}/repositories/",
            "/api/v2/accounts/{account_id}/repositories/{id}/",
        );
        self.get(list, &[]).await;
        let id = self.post(list, &[], body).await["id"].clone();
        self.get(one, &[&id]).await;
        self.delete(one, &[&id]).await;
    }

    pub(super) async fn warehouse(&mut self) {
        let config = json!({ "hostname": "db.acme.example", "dbname": "analytics", "port": 5432 });
        let body = json!({ "name": "Walked", "adapter_version": "postgres_v0", "config": config });
        let (list, one) = (
            "/api/v3/accounts/{account_id}/connections/",
            "/api/v3/accounts/{account_id}/connections/{id}/",
        );
        let connection = self.usual(list, one, "PATCH", &[], body).await;

        let in_project = [&acme::PROJECT_ID as &dyn std::fmt::Display];
        let (list, one) = (
            format!("{PROJECT}/connections/"),
            format!("{PROJECT}/connections/{{id}}/"),
        );
        self.usual(
            &list,
            &one,
            "POST",
            &in_project,
            json!({ "name": "Walked", "type": "postgres" }),
        )
        .await;

        let body =
            json!({ "connection_id": connection, "username": "dbt", "port": 22, "hostname": "jump.acme.example" });
        let (list, one) = (
            "/api/v2/accounts/{account_id}/encryptions/",
            "/api/v2/accounts/{account_id}/encryptions/{id}/",
        );
        self.usual(list, one, "POST", &[], body).await;

        let body = json!({ "type": "postgres", "threads": 4, "username": "dbt", "password": "never shown", "default_schema": "a" });
        let (list, one) = (
            format!("{PROJECT}/credentials/"),
            format!("{PROJECT}/credentials/{{id}}/"),
        );
        let credentials = self.usual(&list, &one, "POST", &in_project, body).await;
        let params = [&acme::PROJECT_ID as &dyn std::fmt::Display, &credentials];
        self.ask("PATCH", &one, &params, Some(json!({ "threads": 8 }))).await;

        let (list, one) = (format!("{PROJECT}/adapters/"), format!("{PROJECT}/adapters/{{id}}/"));
        let body = json!({ "adapter_version": "databricks_v0", "metadata_json": {} });
        self.usual(&list, &one, "POST", &in_project, body).await;

        let (list, one) = (
            format!("{PROJECT}/extended-attributes/"),
            format!("{PROJECT}/extended-attributes/{{id}}/"),
        );
        self.usual(
            &list,
            &one,
            "PATCH",
            &in_project,
            json!({ "extended_attributes": { "schema": "walked" } }),
        )
        .await;

        let body = json!({ "key": "walked", "connection_id": connection, "credentials_id": credentials });
        let (list, one) = (format!("{PROJECT}/profiles/"), format!("{PROJECT}/profiles/{{id}}/"));
        self.usual(&list, &one, "PATCH", &in_project, body).await;
        self.get("/api/v3/accounts/{account_id}/semantic-layer-credentials/", &[])
            .await;
    }

    pub(super) async fn variables(&mut self) {
        let base = format!("{PROJECT}/environment-variables/");
        let in_project = [&acme::PROJECT_ID as &dyn std::fmt::Display];
        let body = json!({ "name": "DBT_TARGET", "type": "environment", "environment_id": acme::PRODUCTION_ENVIRONMENT_ID, "raw_value": "prod" });
        let id = self.post(&base, &in_project, body).await["id"].clone();
        let one = format!("{base}{{id}}/");
        self.post(&one, &[&acme::PROJECT_ID, &id], json!({ "raw_value": "production" }))
            .await;
        let job = json!({ "name": "DBT_TARGET", "type": "job", "job_definition_id": acme::NIGHTLY_JOB_ID, "raw_value": "nightly" });
        self.post(&base, &in_project, job).await;
        let user = json!({ "name": "DBT_TARGET", "type": "user", "user_id": acme::USER_ID, "raw_value": "mine" });
        self.post(&base, &in_project, user).await;

        let bulk = format!("{base}bulk/");
        let made = json!({ "env_var": [{ "new_name": "DBT_REGION", "project": "eu", "Production": "eu-1" }] });
        self.post(&bulk, &in_project, made).await;
        self.get(&format!("{base}environment/"), &in_project).await;
        let query = format!("job_definition_id={}", acme::NIGHTLY_JOB_ID);
        self.get(&format!("{base}job/"), &[&acme::PROJECT_ID, &query]).await;
        let query = format!("user_id={}", acme::USER_ID);
        self.get(&format!("{base}user/"), &[&acme::PROJECT_ID, &query]).await;
        let changed = json!({ "env_vars": { "name": "DBT_REGION", "new_name": "DBT_PLACE", "Staging": "eu-2" } });
        self.ask("PUT", &bulk, &in_project, Some(changed)).await;
        self.ask(
            "DELETE",
            &bulk,
            &in_project,
            Some(json!({ "env_var": { "name": "DBT_PLACE" } })),
        )
        .await;
        self.delete(&one, &[&acme::PROJECT_ID, &id]).await;
    }
}
