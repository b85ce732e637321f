//! Users, groups, tokens, notifications, audit logs.

use serde_json::json;
use simulator::acme;

use super::walk::Walk;

impl Walk {
    pub(super) async fn people(&mut self) {
        self.get("/api/v2/accounts/{account_id}/users/", &[]).await;
        self.get("/api/v3/accounts/{account_id}/users/", &[]).await;
        self.get("/api/v3/accounts/{account_id}/users/{id}/", &[&acme::USER_ID])
            .await;
        self.get("/api/v2/accounts/{account_id}/users/{id}/", &[&acme::USER_ID])
            .await;
        let user = self.get("/api/v2/users/{id}/", &[&acme::USER_ID]).await;
        let name = json!({ "first_name": "Ada", "last_name": "Marlow" });
        self.post("/api/v2/users/{id}/", &[&acme::USER_ID], name).await;
        self.dbt.token = acme::USER_TOKEN;
        self.get("/api/v2/whoami/", &[]).await;
        self.dbt.token = acme::TOKEN;
        self.get("/api/v2/accounts/{account_id}/licenses/", &[]).await;
        let license = user["permissions"][0]["id"].clone();
        let body = json!({ "license_type": "developer", "state": 1 });
        self.post("/api/v2/accounts/{account_id}/permissions/{id}/", &[&license], body)
            .await;
        let body = json!({ "email_addresses": ["new@acme.example"], "license_type": "developer" });
        self.post("/api/v3/accounts/{account_id}/invites/", &[], body).await;
        let invites = self.get("/api/v2/accounts/{account_id}/invites/", &[]).await;
        self.get("/api/v2/accounts/{account_id}/invites/{id}/", &[&invites[0]["id"]])
            .await;
        let credentials = self
            .get(
                "/api/v3/accounts/{account_id}/projects/{project_id}/credentials/",
                &[&acme::PROJECT_ID],
            )
            .await;
        let body = json!({ "project_id": acme::PROJECT_ID, "credentials_id": credentials[0]["id"] });
        let (list, one) = (
            "/api/v3/users/{user_id}/credentials/",
            "/api/v3/users/{user_id}/credentials/{id}/",
        );
        self.usual(list, one, "POST", &[&acme::USER_ID], body).await;
        self.groups().await;
        self.tokens().await;
        self.audit_logs().await;
    }

    async fn groups(&mut self) {
        let (list, one) = (
            "/api/v3/accounts/{account_id}/groups/",
            "/api/v3/accounts/{account_id}/groups/{id}/",
        );
        let group = self.usual(list, one, "POST", &[], json!({ "name": "Analysts" })).await;
        let permissions = json!([{ "account_id": acme::ACCOUNT_ID, "group_id": group, "all_projects": true,
            "permission_set": "analyst", "writable_environment_categories": [] }]);
        self.post(
            "/api/v3/accounts/{account_id}/group-permissions/{group_id}/",
            &[&group],
            permissions,
        )
        .await;
        let body = json!({ "user_id": acme::USER_ID, "desired_group_ids": [group] });
        self.post("/api/v3/accounts/{account_id}/assign-groups/", &[], body)
            .await;

        let (list, one) = (
            "/api/v3/accounts/{account_id}/license-maps/",
            "/api/v3/accounts/{account_id}/license-maps/{id}/",
        );
        self.usual(
            list,
            one,
            "POST",
            &[],
            json!({ "license_type": "developer", "sso_license_mapping_groups": ["eng"] }),
        )
        .await;
        let list = "/api/v3/accounts/{account_id}/oauth-configurations/";
        let one = "/api/v3/accounts/{account_id}/oauth-configurations/{id}/";
        let body = json!({ "type": "entra", "name": "Entra", "client_id": "c", "client_secret": "never shown",
            "authorize_url": "https://login.acme.example/a", "token_url": "https://login.acme.example/t",
            "redirect_uri": "https://login.acme.example/r", "extra_data": { "application_id_uri": "api://acme" } });
        self.usual(list, one, "POST", &[], body).await;
        let (list, one) = (
            "/api/v2/accounts/{account_id}/notifications/",
            "/api/v2/accounts/{account_id}/notifications/{id}/",
        );
        let body = json!({ "user_id": acme::USER_ID, "type": 1, "on_failure": [acme::NIGHTLY_JOB_ID] });
        self.usual(list, one, "POST", &[], body).await;
        self.post("/api/v2/notifications/unsubscribe/", &[], json!({})).await;
    }

    async fn tokens(&mut self) {
        let (list, one) = (
            "/api/v3/accounts/{account_id}/service-tokens/",
            "/api/v3/accounts/{account_id}/service-tokens/{id}/",
        );
        let grants = json!([{ "permission_set": "job_admin", "project_id": acme::PROJECT_ID, "writable_environment_categories": ["all"] }]);
        let token = self
            .usual(
                list,
                one,
                "PUT",
                &[],
                json!({ "name": "walk", "permission_grants": grants }),
            )
            .await;
        self.post(one, &[&token], json!({ "name": "renamed" })).await;
        self.get(
            "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}/permissions/",
            &[&token],
        )
        .await;
        let list = "/api/v3/accounts/{account_id}/users/{user_id}/account-apikeys/";
        let one = "/api/v3/accounts/{account_id}/users/{user_id}/account-apikeys/{id}/";
        self.usual(list, one, "POST", &[&acme::USER_ID], json!({ "name": "walk" }))
            .await;
    }

    async fn audit_logs(&mut self) {
        self.get("/api/v3/accounts/{account_id}/audit-logs/", &[&"limit=5"])
            .await;
        self.get("/api/v3/accounts/{account_id}/audit-logs/download/", &[])
            .await;
        let job = self
            .post("/api/v3/accounts/{account_id}/audit-logs/export/", &[], json!({}))
            .await;
        self.get("/api/v3/accounts/{account_id}/audit-logs/export/", &[]).await;
        let download = "/api/v3/accounts/{account_id}/audit-logs/export/{job_identifier}/download/";
        self.get(download, &[&job["job_id"].as_str().unwrap()]).await;
    }
}
