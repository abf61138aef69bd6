//! What surrounds a part of the file: variables, secrets, folders, and what a program brought along.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    ffi::{OsStr, OsString},
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{Context, Name, Result, Secret, SecretRef, find_secret};

/// Environment variables, as a frontend read them. Some are secrets, so they are never printed.
/// Cloning shares them.
#[derive(Clone, Default)]
pub struct Variables(Arc<HashMap<OsString, OsString>>);

impl Variables {
    /// The value of the variable `name`, if it is set.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// The value of the variable `name`, if it is set to text that is not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.to_str().filter(|value| !value.is_empty())
    }

    /// All that are text, by name.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)))
    }
}

impl FromIterator<(OsString, OsString)> for Variables {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        Self(Arc::new(variables.into_iter().collect()))
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} variables", self.0.len())
    }
}

/// What surrounds a part of the file when it is opened: the variables of the program, where relative
/// paths start, the folders that are Seaworthy's own, what the part is called, and what a program
/// that embeds Seaworthy brought for it. Cloning is cheap. The clock and the way to stop come with
/// the [`Context`].
///
/// ```
/// use std::sync::Arc;
/// use seaworthy_core::{Environment, Name};
/// trait Greeter: Send + Sync { fn greet(&self) -> String; }
/// struct Hello;
/// impl Greeter for Hello { fn greet(&self) -> String { "hello".into() } }
///
/// let mut environment = Environment::default();
/// let name = Name::new("mine")?;
/// environment.bring::<dyn Greeter>(&name, Arc::new(Hello));
/// let greeter = environment.of(&name).brought::<dyn Greeter>();
/// assert_eq!(greeter.map(|greeter| greeter.greet()).as_deref(), Some("hello"));
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Environment {
    variables: Variables,
    base: PathBuf,
    name: Option<Name>,
    temp: Option<PathBuf>,
    own_folders: Arc<[PathBuf]>,
    brought: Arc<Brought>,
}

/// Whole `Arc`s, by the trait and the name that they were brought for.
type Brought = HashMap<(TypeId, Name), Arc<dyn Any + Send + Sync>>;

impl Environment {
    /// Without variables; what is relative starts at `base`.
    pub fn new(base: impl Into<PathBuf>) -> Self {
        Self { base: base.into(), ..Self::default() }
    }

    /// Looks up in `variables` what is said to be in the environment.
    #[must_use]
    pub fn with_variables(self, variables: Variables) -> Self {
        Self { variables, ..self }
    }

    /// Puts temporary files into `temp`; into the machine's own folder without it.
    #[must_use]
    pub fn with_temp(self, temp: impl Into<PathBuf>) -> Self {
        Self { temp: Some(temp.into()), ..self }
    }

    /// Names the folders that Seaworthy itself keeps. They are never part of a backup, and never
    /// moved aside by a restore.
    #[must_use]
    pub fn with_own_folders(self, folders: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { own_folders: folders.into_iter().collect(), ..self }
    }

    /// The same for the part called `name`.
    #[must_use]
    pub fn of(&self, name: &Name) -> Self {
        Self { name: Some(name.clone()), ..self.clone() }
    }

    /// Brings `thing` for the part called `name`.
    pub fn bring<T: ?Sized + Send + Sync + 'static>(&mut self, name: &Name, thing: Arc<T>) {
        let key = (TypeId::of::<T>(), name.clone());
        Arc::make_mut(&mut self.brought).insert(key, Arc::new(thing));
    }

    /// What was brought for the part that this is the environment of.
    pub fn brought<T: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let key = (TypeId::of::<T>(), self.name.clone()?);
        self.brought.get(&key)?.downcast_ref::<Arc<T>>().cloned()
    }

    /// What the part is called in the file; empty where it has no name.
    pub fn name(&self) -> &str {
        self.name.as_ref().map_or("", Name::as_str)
    }

    /// The variables of the program.
    pub fn variables(&self) -> &Variables {
        &self.variables
    }

    /// The folder for temporary files.
    pub fn temp(&self) -> PathBuf {
        self.temp.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// The folders that Seaworthy itself keeps.
    pub fn own_folders(&self) -> &[PathBuf] {
        &self.own_folders
    }

    /// Where relative paths start.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The secret that `place` names.
    ///
    /// # Errors
    /// Those of [`find_secret`].
    pub async fn secret(&self, place: &SecretRef, cx: &Context) -> Result<Secret> {
        let variable = |name: &str| self.variables.get(name).map(OsStr::to_owned);
        find_secret(place, &variable, &self.base, cx).await
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables)
            .field("base", &self.base)
            .field("name", &self.name)
            .field("temp", &self.temp)
            .field("own_folders", &self.own_folders)
            .field("brought", &self.brought.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    trait Sign: Send + Sync {
        fn sign(&self) -> &str;
    }

    impl Sign for String {
        fn sign(&self) -> &str {
            self
        }
    }

    #[test]
    fn what_is_brought_is_found_by_its_trait_and_its_name() {
        let (a, b) = (Name::new("a").unwrap(), Name::new("b").unwrap());
        let mut environment = Environment::new("/");
        environment.bring::<dyn Sign>(&a, Arc::new("of a".to_owned()));
        assert_eq!(environment.of(&a).brought::<dyn Sign>().unwrap().sign(), "of a");
        assert!(environment.of(&b).brought::<dyn Sign>().is_none());
        assert!(environment.of(&a).brought::<String>().is_none());
        assert!(environment.brought::<dyn Sign>().is_none());
    }

    #[tokio::test]
    async fn variables_are_looked_up_and_never_shown() {
        let variables = [("SET".into(), "hunter2".into()), ("EMPTY".into(), "".into())];
        let environment = Environment::new("/").with_variables(variables.into_iter().collect());
        let place = SecretRef::Env("SET".into());
        let secret = environment.secret(&place, &Context::new()).await.unwrap();
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(environment.variables().text("EMPTY"), None);
        assert!(!format!("{environment:?}").contains("hunter2"));
    }
}
