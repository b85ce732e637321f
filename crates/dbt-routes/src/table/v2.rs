//! Accounts, and the v2 operations that v3 replaces. Jobs and runs, which only v2 has, are in `jobs.rs`.

use super::row::table;

table! {
    /// The account itself, and what only v2 has below it.
    ACCOUNTS below "/api/v2/accounts/{account_id}":
    GET    "/"                     get_account                 Viewer Reads;
    POST   "/"                     update_account              Admin  Changes;
    PATCH  "/"                     patch_account               Admin  Changes;
    GET    "/encryptions/"         list_ssh_tunnels            Viewer Reads;
    POST   "/encryptions/"         create_ssh_tunnel           Admin  Changes;
    GET    "/encryptions/{id}/"    get_ssh_tunnel              Viewer Reads;
    POST   "/encryptions/{id}/"    update_ssh_tunnel           Admin  Changes;
    DELETE "/encryptions/{id}/"    delete_ssh_tunnel           Admin  Changes;
    GET    "/invites/"             list_invites                Admin  Reads;
    GET    "/invites/{id}/"        get_invite                  Admin  Reads;
    GET    "/licenses/"            list_licenses               Admin  Reads;
    GET    "/notifications/"       list_notifications          Viewer Reads;
    POST   "/notifications/"       create_notification         Admin  Changes;
    GET    "/notifications/{id}/"  get_notification            Viewer Reads;
    POST   "/notifications/{id}/"  update_notification         Admin  Changes;
    DELETE "/notifications/{id}/"  delete_notification         Admin  Changes;
    POST   "/permissions/{id}/"    update_license_permissions  Admin  Changes;
    GET    "/users/"               list_users_v2               Admin  Reads;
}

table! {
    /// Deprecated by the specification in favour of v3.
    DEPRECATED below "/api/v2/accounts":
    GET    "/"                                 list_accounts_v2       Viewer Reads;
    GET    "/{account_id}/environments/"       list_environments_v2   Viewer Reads;
    POST   "/{account_id}/environments/"       create_environment_v2  Admin  Changes;
    GET    "/{account_id}/environments/{id}/"  get_environment_v2     Viewer Reads;
    POST   "/{account_id}/environments/{id}/"  update_environment_v2  Admin  Changes;
    DELETE "/{account_id}/environments/{id}/"  delete_environment_v2  Admin  Changes;
    GET    "/{account_id}/projects/"           list_projects_v2       Viewer Reads;
    POST   "/{account_id}/projects/"           create_project_v2      Admin  Changes;
    GET    "/{account_id}/projects/{id}/"      get_project_v2         Viewer Reads;
    POST   "/{account_id}/projects/{id}/"      update_project_v2      Admin  Changes;
    DELETE "/{account_id}/projects/{id}/"      delete_project_v2      Admin  Changes;
    GET    "/{account_id}/repositories/"       list_repositories_v2   Viewer Reads;
    POST   "/{account_id}/repositories/"       create_repository_v2   Admin  Changes;
    GET    "/{account_id}/repositories/{id}/"  get_repository_v2      Viewer Reads;
    DELETE "/{account_id}/repositories/{id}/"  delete_repository_v2   Admin  Changes;
}
