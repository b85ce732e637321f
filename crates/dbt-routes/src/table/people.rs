//! People, groups, licences and tokens.

use super::row::table;

table! {
    /// The people and tokens of an account.
    OF_AN_ACCOUNT below "/api/v3/accounts/{account_id}":
    GET    "/users/"                          list_users                     Admin Reads;
    GET    "/users/{id}/"                     get_user                       Admin Reads;
    POST   "/invites/"                        send_invites                   Admin Changes;
    GET    "/groups/"                         list_groups                    Admin Reads;
    POST   "/groups/"                         create_group                   Admin Changes;
    GET    "/groups/{id}/"                    get_group                      Admin Reads;
    POST   "/groups/{id}/"                    update_group                   Admin Changes;
    POST   "/assign-groups/"                  assign_groups                  Admin Changes;
    POST   "/group-permissions/{group_id}/"   assign_group_permissions       Admin Changes;
    GET    "/license-maps/"                   list_license_maps              Admin Reads;
    POST   "/license-maps/"                   create_license_map             Admin Changes;
    GET    "/license-maps/{id}/"              get_license_map                Admin Reads;
    POST   "/license-maps/{id}/"              update_license_map             Admin Changes;
    DELETE "/license-maps/{id}/"              delete_license_map             Admin Changes;
    GET    "/service-tokens/"                 list_service_tokens            Admin Reads;
    POST   "/service-tokens/"                 create_service_token           Admin MintsToken;
    GET    "/service-tokens/{id}/"            get_service_token              Admin Reads;
    PUT    "/service-tokens/{id}/"            update_service_token           Admin Changes;
    DELETE "/service-tokens/{id}/"            delete_service_token           Admin Changes;
    GET    "/service-tokens/{service_token_id}/permissions/"  get_service_token_permissions  Admin Reads;
    GET    "/users/{user_id}/account-apikeys/"       list_personal_tokens    Admin Reads;
    POST   "/users/{user_id}/account-apikeys/"       create_personal_token   Admin MintsToken;
    GET    "/users/{user_id}/account-apikeys/{id}/"  get_personal_token      Admin Reads;
    POST   "/users/{user_id}/account-apikeys/{id}/"  rotate_personal_token   Admin MintsToken;
    DELETE "/users/{user_id}/account-apikeys/{id}/"  delete_personal_token   Admin Changes;
}

table! {
    /// People, independent of an account.
    ELSEWHERE below "/api":
    GET    "/v2/users/{id}/"                        get_user_v2                Admin Reads;
    POST   "/v2/users/{id}/"                        update_user_v2             Admin Changes;
    POST   "/v2/notifications/unsubscribe/"         unsubscribe_notifications  Admin Changes;
    GET    "/v3/users/{user_id}/credentials/"       list_user_credentials      Admin Reads;
    POST   "/v3/users/{user_id}/credentials/"       create_user_credentials    Admin Changes;
    GET    "/v3/users/{user_id}/credentials/{id}/"  get_user_credentials       Admin Reads;
    POST   "/v3/users/{user_id}/credentials/{id}/"  update_user_credentials    Admin Changes;
    DELETE "/v3/users/{user_id}/credentials/{id}/"  delete_user_credentials    Admin Changes;
}
