//! An account's own settings: connections, networks, sign-on, audit.

use super::row::table;

table! {
    /// Settings of one account.
    OF_AN_ACCOUNT below "/api/v3/accounts/{account_id}":
    GET    "/connections/"                 list_connections            Viewer Reads;
    POST   "/connections/"                 create_connection           Admin  Changes;
    GET    "/connections/{id}/"            get_connection              Viewer Reads;
    PATCH  "/connections/{id}/"            update_connection           Admin  Changes;
    DELETE "/connections/{id}/"            delete_connection           Admin  Changes;
    GET    "/private-endpoints/"           list_private_endpoints      Viewer Reads;
    POST   "/private-endpoints/"           create_private_endpoint     Admin  Changes;
    GET    "/private-endpoints/{pl_endpoint_ksuid}/"  get_private_endpoint     Viewer Reads;
    PATCH  "/private-endpoints/{pl_endpoint_ksuid}/"  update_private_endpoint  Admin  Changes;
    DELETE "/private-endpoints/{pl_endpoint_ksuid}/"  delete_private_endpoint  Admin  Changes;
    GET    "/ip-restrictions/"             list_ip_restrictions        Viewer Reads;
    POST   "/ip-restrictions/"             create_ip_restriction       Admin  Changes;
    GET    "/ip-restrictions/{id}"         get_ip_restriction          Viewer Reads;
    PUT    "/ip-restrictions/{id}"         update_ip_restriction       Admin  Changes;
    DELETE "/ip-restrictions/{id}"         delete_ip_restriction       Admin  Changes;
    POST   "/ip-restrictions-set/"         enable_ip_restrictions      Admin  Changes;
    GET    "/ip-restrictions-set/{id}/validate/"           validate_ip_restrictions          Viewer Reads;
    GET    "/ip-restrictions-set/{id}/validate/{rule_id}"  validate_ip_restrictions_without  Viewer Reads;
    GET    "/oauth-configurations/"        list_oauth_configurations   Admin  Reads;
    POST   "/oauth-configurations/"        create_oauth_configuration  Admin  Changes;
    GET    "/oauth-configurations/{id}/"   get_oauth_configuration     Admin  Reads;
    POST   "/oauth-configurations/{id}/"   update_oauth_configuration  Admin  Changes;
    DELETE "/oauth-configurations/{id}/"   delete_oauth_configuration  Admin  Changes;
    GET    "/audit-logs/"                  list_audit_logs             Admin  Reads;
    GET    "/audit-logs/download/"         download_audit_logs         Admin  Reads;
    GET    "/audit-logs/export/"           get_audit_log_export        Admin  Reads;
    POST   "/audit-logs/export/"           create_audit_log_export     Admin  Changes;
    GET    "/audit-logs/export/{job_identifier}/download/"  download_audit_log_export  Admin  Reads;
}

table! {
    /// Operations whose path contains no account.
    ELSEWHERE below "/api/v3":
    GET "/accounts/"        list_accounts       Viewer Reads;
    GET "/adapter-schema/"  get_adapter_schema  Viewer Reads;
}
