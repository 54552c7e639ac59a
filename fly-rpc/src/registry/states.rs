//! The states that functions are given: one value for each type, provided before the node starts.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    sync::Arc,
};

/// A type that a function takes as `#[state]`.
#[derive(Clone, Copy)]
pub struct StateType {
    id: fn() -> TypeId,
    name: fn() -> &'static str,
}

impl StateType {
    /// The state type `T`.
    pub const fn of<T: Send + Sync + 'static>() -> Self {
        Self {
            id: TypeId::of::<T>,
            name: type_name::<T>,
        }
    }

    /// The type's name, for errors.
    pub(crate) fn name(self) -> &'static str {
        (self.name)()
    }
}

impl std::fmt::Debug for StateType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Values by type.
#[derive(Debug, Default)]
pub(crate) struct States {
    values: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
}

impl States {
    /// Adds a value; one of the same type that was there before is replaced.
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.values.insert(TypeId::of::<T>(), Arc::new(value));
    }

    pub(crate) fn has(&self, state: StateType) -> bool {
        self.values.contains_key(&(state.id)())
    }

    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> &T {
        self.values
            .get(&TypeId::of::<T>())
            .and_then(|value| value.downcast_ref())
            .expect(PROVIDED)
    }

    pub(crate) fn shared<T: Send + Sync + 'static>(&self) -> Arc<T> {
        self.values
            .get(&TypeId::of::<T>())
            .and_then(|value| Arc::clone(value).downcast().ok())
            .expect(PROVIDED)
    }
}

/// `start()` refuses a node that lacks a state of any function it serves, and a function that is
/// not served is not run.
const PROVIDED: &str = "every state of every served function was checked at start";
