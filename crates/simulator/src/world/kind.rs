//! The tables of an account.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    AccountConnections,
    Adapters,
    Connections,
    Credentials,
    Encryptions,
    EnvironmentVariables,
    Environments,
    ExtendedAttributes,
    Groups,
    GroupPermissions,
    Invites,
    Jobs,
    LicenseMaps,
    Notifications,
    OauthConfigurations,
    PersonalTokens,
    Profiles,
    Projects,
    Repositories,
    SemanticLayerCredentials,
    ServiceTokens,
    UserCredentials,
    Users,
}

impl Kind {
    pub(super) fn audit_name(self) -> &'static str {
        match self {
            Self::AccountConnections | Self::Connections => "connection",
            Self::Adapters => "adapter",
            Self::Credentials => "credentials",
            Self::Encryptions => "encryption",
            Self::EnvironmentVariables => "custom_environment_variable",
            Self::Environments => "environment",
            Self::ExtendedAttributes => "extended_attributes",
            Self::Groups => "group",
            Self::GroupPermissions => "group_permission",
            Self::Invites => "invite",
            Self::Jobs => "job_definition",
            Self::LicenseMaps => "license_map",
            Self::Notifications => "job_notification_settings",
            Self::OauthConfigurations => "oauth_configuration",
            Self::PersonalTokens => "personal_access_token",
            Self::Profiles => "profile",
            Self::Projects => "project",
            Self::Repositories => "repository",
            Self::SemanticLayerCredentials => "semantic_layer_credentials",
            Self::ServiceTokens => "service_token",
            Self::UserCredentials => "user_credentials",
            Self::Users => "user",
        }
    }
}
