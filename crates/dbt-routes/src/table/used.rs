//! Operations that dbt Cloud serves and its specifications lack, known from the released clients that use them: `terraform`
//! (dbt-labs/terraform-provider-dbtcloud), `dbtc` (dpguthrie/dbtc), `dbt-mcp` (dbt-labs/dbt-mcp). What is not known from one
//! stays unknown: dbt Cloud may change all of this without notice.

use super::row::table;

table! {
    /// Without an account.
    ELSEWHERE below "/api":
    GET "/v2/whoami/"     get_whoami     Viewer Reads by "terraform, dbt-mcp";
    GET "/v2/constants/"  get_constants  Viewer Reads by "terraform";
    GET "/v3/integrations/azure-ad/projects/"                                  list_azure_projects      Viewer Reads by "terraform";
    GET "/v3/integrations/azure-ad/projects/{azure_project_id}/repositories/"  list_azure_repositories  Viewer Reads by "terraform";
}

table! {
    /// Below an account, version 2.
    OF_AN_ACCOUNT_V2 below "/api/v2/accounts/{account_id}":
    GET "/users/{id}/"  get_account_user  Admin Reads by "dbtc, terraform";
}

table! {
    /// Below an account, version 3.
    OF_AN_ACCOUNT below "/api/v3/accounts/{account_id}":
    GET    "/"                                      get_account_v3               Viewer Reads   by "clients of version 3";
    GET    "/environments/"                         list_account_environments    Viewer Reads   by "dbtc, terraform";
    DELETE "/environments/{id}/"                    delete_account_environment   Admin  Changes by "dbtc";
    GET    "/environments/{id}/model-notifications/"  get_model_notifications    Viewer Reads   by "terraform";
    POST   "/environments/{id}/model-notifications/"  set_model_notifications    Admin  Changes by "terraform";
    GET    "/feature-flag/"                         list_feature_flags           Viewer Reads   by "dbtc";
    GET    "/private-link-endpoints/"               list_private_link_endpoints  Viewer Reads   by "dbtc";
    POST   "/connections/test/"                     test_connection              Admin  Changes by "dbtc";
    GET    "/connections/{id}/catalog-configs/"     get_catalog_configs          Viewer Reads   by "terraform";
    PATCH  "/connections/{id}/catalog-configs/"     update_catalog_configs       Admin  Changes by "terraform";
    GET    "/platform-metadata-credentials/"        list_platform_metadata_credentials   Viewer Reads   by "terraform";
    POST   "/platform-metadata-credentials/"        create_platform_metadata_credential  Admin  Changes by "terraform";
    GET    "/platform-metadata-credentials/{id}/"   get_platform_metadata_credential     Viewer Reads   by "terraform";
    PATCH  "/platform-metadata-credentials/{id}/"   update_platform_metadata_credential  Admin  Changes by "terraform";
    DELETE "/platform-metadata-credentials/{id}/"   delete_platform_metadata_credential  Admin  Changes by "terraform";
    POST   "/platform-metadata-credentials/{id}/trigger-ingestion/"  trigger_metadata_ingestion  Admin Changes by "terraform";
    POST   "/semantic-layer-credentials/"           create_semantic_layer_credential  Admin  Changes by "terraform";
    GET    "/semantic-layer-credentials/{id}/"      get_semantic_layer_credential     Viewer Reads   by "terraform";
    POST   "/semantic-layer-credentials/{id}/"      update_semantic_layer_credential  Admin  Changes by "terraform";
    DELETE "/semantic-layer-credentials/{id}/"      delete_semantic_layer_credential  Admin  Changes by "terraform";
    GET    "/semantic-layer-credential-to-service-token-mapping/"   list_semantic_layer_mappings    Admin Reads   by "terraform";
    POST   "/semantic-layer-credential-to-service-token-mapping/"   create_semantic_layer_mapping   Admin Changes by "terraform";
    DELETE "/semantic-layer-credential-to-service-token-mapping/{id}/"  delete_semantic_layer_mapping  Admin Changes by "terraform";
    POST   "/integrations/open-ai/"                 create_open_ai_integration   Admin Changes by "terraform";
    GET    "/integrations/open-ai/{id}/"            get_open_ai_integration      Admin Reads   by "terraform";
    PATCH  "/integrations/open-ai/{id}/"            update_open_ai_integration   Admin Changes by "terraform";
    DELETE "/integrations/open-ai/{id}/"            delete_open_ai_integration   Admin Changes by "terraform";
    POST   "/auth-provider/"                        create_auth_provider         Admin Changes by "terraform";
    GET    "/auth-provider/{id}/"                   get_auth_provider            Admin Reads   by "terraform";
    POST   "/auth-provider/{id}/"                   update_auth_provider         Admin Changes by "terraform";
    DELETE "/auth-provider/{id}/"                   delete_auth_provider         Admin Changes by "terraform";
    GET    "/azure-ad-applications/"                list_azure_applications      Admin Reads   by "terraform";
    POST   "/azure-ad-applications/"                create_azure_application     Admin Changes by "terraform";
    GET    "/azure-ad-applications/{id}/"           get_azure_application        Admin Reads   by "terraform";
    POST   "/azure-ad-applications/{id}/"           update_azure_application     Admin Changes by "terraform";
    DELETE "/azure-ad-applications/{id}/"           delete_azure_application     Admin Changes by "terraform";
    POST   "/service-tokens/{service_token_id}/permissions/"  set_service_token_permissions  Admin Changes by "dbtc, terraform";
}

table! {
    /// Below a project.
    OF_A_PROJECT below "/api/v3/accounts/{account_id}/projects/{project_id}":
    POST   "/extended-attributes/{id}/"            replace_extended_attributes          Admin  Changes by "dbtc";
    POST   "/group-permissions/"                   set_project_group_permissions        Admin  Changes by "dbtc";
    GET    "/runs/{run_id}/timing/"                get_run_timing                       Viewer Reads   by "dbtc";
    POST   "/semantic-layer-configurations/"       create_semantic_layer_configuration  Admin  Changes by "dbtc, terraform";
    GET    "/semantic-layer-configurations/{id}/"  get_semantic_layer_configuration     Viewer Reads   by "dbtc, terraform";
    POST   "/semantic-layer-configurations/{id}/"  update_semantic_layer_configuration  Admin  Changes by "dbtc, terraform";
    DELETE "/semantic-layer-configurations/{id}/"  delete_semantic_layer_configuration  Admin  Changes by "dbtc, terraform";
    POST   "/semantic-layer-credentials/"          create_project_semantic_layer_credential  Admin  Changes by "dbtc";
    GET    "/semantic-layer-credentials/{id}/"     get_project_semantic_layer_credential     Viewer Reads   by "dbtc";
    PATCH  "/semantic-layer-credentials/{id}/"     patch_project_semantic_layer_credential   Admin  Changes by "dbtc";
    POST   "/semantic-layer-credentials/{id}/"     update_project_semantic_layer_credential  Admin  Changes by "dbtc";
    DELETE "/semantic-layer-credentials/{id}/"     delete_project_semantic_layer_credential  Admin  Changes by "dbtc";
}
