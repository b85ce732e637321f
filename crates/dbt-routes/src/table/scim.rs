//! SCIM: the interface through which an identity provider manages dbt Cloud's users.

use super::row::table;

table! {
    /// SCIM settings, tokens and resources.
    SCIM below "/api/v3/accounts/{account_id}":
    GET    "/scim-config/"                         get_scim_config            Admin Reads;
    POST   "/scim-config/"                         create_scim_config         Admin Changes;
    GET    "/scim-config/tokens/"                  list_scim_tokens           Admin Reads;
    POST   "/scim-config/tokens/"                  create_scim_token          Admin MintsToken;
    GET    "/scim-config/tokens/{id}/"             get_scim_token             Admin Reads;
    DELETE "/scim-config/tokens/{id}/"             delete_scim_token          Admin Changes;
    GET    "/scim/v2/Groups"                       list_scim_groups           Admin Reads;
    POST   "/scim/v2/Groups"                       create_scim_group          Admin Changes;
    GET    "/scim/v2/Groups/{group_id}"            get_scim_group             Admin Reads;
    PUT    "/scim/v2/Groups/{group_id}"            replace_scim_group         Admin Changes;
    PATCH  "/scim/v2/Groups/{group_id}"            patch_scim_group           Admin Changes;
    DELETE "/scim/v2/Groups/{group_id}"            delete_scim_group          Admin Changes;
    GET    "/scim/v2/ResourceTypes"                list_scim_resource_types   Admin Reads;
    GET    "/scim/v2/ResourceTypes/{resource_type}" get_scim_resource_type    Admin Reads;
    GET    "/scim/v2/Schemas"                      list_scim_schemas          Admin Reads;
    GET    "/scim/v2/Schemas/{schema_uri}"         get_scim_schema            Admin Reads;
    GET    "/scim/v2/ServiceProviderConfig"        get_scim_service_provider  Admin Reads;
    GET    "/scim/v2/Users"                        list_scim_users            Admin Reads;
    POST   "/scim/v2/Users"                        create_scim_user           Admin Changes;
    GET    "/scim/v2/Users/{user_id}"              get_scim_user              Admin Reads;
    PUT    "/scim/v2/Users/{user_id}"              replace_scim_user          Admin Changes;
    PATCH  "/scim/v2/Users/{user_id}"              patch_scim_user            Admin Changes;
    DELETE "/scim/v2/Users/{user_id}"              delete_scim_user           Admin Changes;
}
