//! Projects and their contents.

use super::row::table;

table! {
    /// Projects, and lists across all projects of an account.
    PROJECTS below "/api/v3/accounts/{account_id}":
    GET    "/projects/"                              list_projects                    Viewer Reads;
    POST   "/projects/"                              create_project                   Admin  Changes;
    GET    "/projects/{id}/"                         get_project                      Viewer Reads;
    POST   "/projects/{id}/"                         update_project                   Admin  Changes;
    DELETE "/projects/{id}/"                         delete_project                   Admin  Changes;
    DELETE "/environments/{environment_id}/sao-cache/" delete_environment_sao_cache   Admin  Changes;
    GET    "/favorite-assets/"                       list_favorite_assets             Viewer Reads;
    GET    "/semantic-layer-credentials/"            list_semantic_layer_credentials  Viewer Reads;
}

table! {
    /// The contents of one project.
    OF_A_PROJECT below "/api/v3/accounts/{account_id}/projects/{project_id}":
    POST   "/adapters/"                           create_adapter                    Admin  Changes;
    GET    "/adapters/{id}/"                      get_adapter                       Viewer Reads;
    POST   "/adapters/{id}/"                      update_adapter                    Admin  Changes;
    DELETE "/adapters/{id}/"                      delete_adapter                    Admin  Changes;
    GET    "/connections/"                        list_project_connections          Viewer Reads;
    POST   "/connections/"                        create_project_connection         Admin  Changes;
    GET    "/connections/{id}/"                   get_project_connection            Viewer Reads;
    POST   "/connections/{id}/"                   update_project_connection         Admin  Changes;
    DELETE "/connections/{id}/"                   delete_project_connection         Admin  Changes;
    GET    "/credentials/"                        list_project_credentials          Viewer Reads;
    POST   "/credentials/"                        create_project_credentials        Admin  Changes;
    GET    "/credentials/{id}/"                   get_project_credentials           Viewer Reads;
    POST   "/credentials/{id}/"                   update_project_credentials        Admin  Changes;
    PATCH  "/credentials/{id}/"                   patch_project_credentials         Admin  Changes;
    DELETE "/credentials/{id}/"                   delete_project_credentials        Admin  Changes;
    POST   "/environment-variables/"              create_environment_variable       Admin  Changes;
    POST   "/environment-variables/{id}/"         update_environment_variable       Admin  Changes;
    DELETE "/environment-variables/{id}/"         delete_environment_variable       Admin  Changes;
    POST   "/environment-variables/bulk/"         create_environment_variables      Admin  Changes;
    PUT    "/environment-variables/bulk/"         update_environment_variables      Admin  Changes;
    DELETE "/environment-variables/bulk/"         delete_environment_variables      Admin  Changes;
    GET    "/environment-variables/environment/"  list_environment_variables        Viewer Reads;
    GET    "/environment-variables/job/"          list_job_environment_variables    Viewer Reads;
    GET    "/environment-variables/user/"         list_user_environment_variables   Viewer Reads;
    GET    "/environments/"                       list_environments                 Viewer Reads;
    POST   "/environments/"                       create_environment                Admin  Changes;
    GET    "/environments/{id}/"                  get_environment                   Viewer Reads;
    POST   "/environments/{id}/"                  update_environment                Admin  Changes;
    DELETE "/environments/{id}/"                  delete_environment                Admin  Changes;
    POST   "/extended-attributes/"                create_extended_attributes        Admin  Changes;
    GET    "/extended-attributes/{id}/"           get_extended_attributes           Viewer Reads;
    PATCH  "/extended-attributes/{id}/"           update_extended_attributes        Admin  Changes;
    DELETE "/extended-attributes/{id}/"           delete_extended_attributes        Admin  Changes;
    GET    "/integrations/lineage/"               list_lineage_integrations         Viewer Reads;
    POST   "/integrations/lineage/"               create_lineage_integration        Admin  Changes;
    GET    "/integrations/lineage/{id}/"          get_lineage_integration           Viewer Reads;
    PATCH  "/integrations/lineage/{id}/"          update_lineage_integration        Admin  Changes;
    DELETE "/integrations/lineage/{id}/"          delete_lineage_integration        Admin  Changes;
    GET    "/integrations/lineage/{id}/collections/"                  list_lineage_collections   Viewer Reads;
    GET    "/integrations/lineage/{id}/collections/{collection_id}/"  get_lineage_collection     Viewer Reads;
    POST   "/integrations/lineage/{id}/selections"                    update_lineage_selections  Admin  Changes;
    POST   "/managed-repositories/"               create_managed_repository         Admin  Changes;
    GET    "/managed-repositories/{repository_id}/download/"          download_managed_repository  Viewer Reads;
    GET    "/profiles/"                           list_profiles                     Viewer Reads;
    POST   "/profiles/"                           create_profile                    Admin  Changes;
    GET    "/profiles/{id}/"                      get_profile                       Viewer Reads;
    PATCH  "/profiles/{id}/"                      update_profile                    Admin  Changes;
    DELETE "/profiles/{id}/"                      delete_profile                    Admin  Changes;
    GET    "/repositories/"                       list_repositories                 Viewer Reads;
    POST   "/repositories/"                       create_repository                 Admin  Changes;
    GET    "/repositories/{id}/"                  get_repository                    Viewer Reads;
    POST   "/repositories/{id}/"                  update_repository                 Admin  Changes;
    DELETE "/repositories/{id}/"                  delete_repository                 Admin  Changes;
}
