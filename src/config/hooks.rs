//! What a program supplies that is no value: a resolver, a TLS context, a provider of tokens.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Objects by their type, for the layers above, which know the types. Cheap to clone.
#[derive(Clone, Default)]
pub struct Hooks(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Hooks {
    /// Keeps an object, in place of an earlier one of its type.
    pub fn set<T: Any + Send + Sync>(&mut self, hook: T) {
        self.0.insert(TypeId::of::<T>(), Arc::new(hook));
    }

    /// The object of this type.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref()
    }
}

impl fmt::Debug for Hooks {
    /// What they are may be a secret; how many there are is not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").field("count", &self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_is_found_by_its_type_and_the_last_one_counts() {
        let mut hooks = Hooks::default();
        assert_eq!(hooks.get::<u8>(), None);
        hooks.set(1_u8);
        hooks.set("password");
        hooks.set(2_u8);
        assert_eq!((hooks.get::<u8>(), hooks.get::<&str>()), (Some(&2), Some(&"password")));
        assert_eq!(format!("{hooks:?}"), "Hooks { count: 2 }");
    }
}
