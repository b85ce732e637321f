//! The rules of one setting, and the macro that makes structs and rules of one list.

/// A setting and the rules for its value.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    /// `section.name`.
    pub(super) key: &'static str,
    /// The Rust type, as written in `fields.rs`.
    pub(super) type_name: &'static str,
    /// The smallest and the largest allowed value; of integers only.
    pub(super) range: Option<(i64, i64)>,
    /// The short name of its environment variable.
    pub(super) short_name: Option<&'static str>,
    /// A secret that no file may hold.
    pub(super) is_environment_only: bool,
}

/// The attributes of `settings!`.
impl Field {
    pub(super) const fn range(mut self, min: i64, max: i64) -> Self {
        self.range = Some((min, max));
        self
    }

    pub(super) const fn env(mut self, short_name: &'static str) -> Self {
        self.short_name = Some(short_name);
        self
    }

    pub(super) const fn environment_only(mut self) -> Self {
        self.is_environment_only = true;
        self
    }
}

impl Field {
    pub(super) fn is_secret(&self) -> bool {
        self.type_name == "SecretString"
    }
}

/// Declares `Settings`, a struct for each section, and `FIELDS`. Attributes of a field are methods of [`Field`].
macro_rules! settings {
    ($(
        #[doc = $about:literal]
        $section:ident: $Section:ident {
            $($(#[$rule:ident $(($($value:expr),+))?])* $name:ident: $type:ty,)+
        }
    )+) => {
        /// All settings.
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct Settings {
            $(#[doc = $about] pub(crate) $section: $Section,)+
        }

        $(
            #[doc = $about]
            #[derive(Debug, Deserialize)]
            #[serde(deny_unknown_fields)]
            #[allow(clippy::struct_field_names, reason = "names end with units")]
            pub(crate) struct $Section {
                $(pub(crate) $name: $type,)+
            }
        )+

        /// Every setting.
        pub(super) const FIELDS: &[Field] = &[$($(
            Field {
                section: stringify!($section),
                name: stringify!($name),
                key: concat!(stringify!($section), ".", stringify!($name)),
                type_name: stringify!($type),
                range: None,
                short_name: None,
                is_environment_only: false,
            }
            $(.$rule($($($value),+)?))*,
        )+)+];
    };
}

pub(super) use settings;
