//! Lists of shared objects, linked through the objects: no memory is needed to hold any number of them.

use core::marker::PhantomData;
use core::ptr;

use super::atomic::{AtomicPtr, Ordering};

/// The place for a list in an object.
///
/// | value | state |
/// | --- | --- |
/// | null | in no list |
/// | the object itself | last of a list |
/// | another object | followed by that one |
#[derive(Debug)]
pub struct Link<T> {
    /// Written by the owner of the list that the object is in.
    next: AtomicPtr<T>,
}

impl<T> Default for Link<T> {
    fn default() -> Self {
        Link { next: AtomicPtr::new(ptr::null_mut()) }
    }
}

/// An object that can be in a list; implemented by [`linked!`](crate::sync::linked).
///
/// # Safety
/// `link` always returns the same link of the same object, which nothing else writes.
pub unsafe trait Linked: Sized {
    /// Its link.
    fn link(&self) -> &Link<Self>;
}

/// Lets objects of a type be in lists, through a field of type [`Link`] that nothing else uses.
macro_rules! linked {
    ($object:ty, $field:ident) => {
        // SAFETY: it is always the one field, and a `Link` can only be written in its module.
        unsafe impl $crate::sync::Linked for $object {
            fn link(&self) -> &$crate::sync::Link<Self> {
                &self.$field
            }
        }
    };
}
pub(crate) use linked;

/// A list of objects, last in, first out. An object is in at most one list at a time.
#[derive(Debug)]
pub struct List<'m, T: Linked> {
    first: Option<&'m T>,
    objects: PhantomData<&'m T>,
}

impl<'m, T: Linked> List<'m, T> {
    /// An empty list.
    pub const fn new() -> Self {
        List { first: None, objects: PhantomData }
    }

    /// Puts `object` in front.
    ///
    /// # Panics
    /// If it is in a list already.
    #[inline]
    pub fn push(&mut self, object: &'m T) {
        let next = ptr::from_ref(self.first.unwrap_or(object)).cast_mut();
        // The exchange decides who owns the link, so that no two lists share a tail.
        let linked =
            object.link().next.compare_exchange(ptr::null_mut(), next, Ordering::Acquire, Ordering::Relaxed);
        assert!(linked.is_ok(), "push of an object that is in a list");
        self.first = Some(object);
    }

    /// The first object.
    #[inline]
    pub fn first(&self) -> Option<&'m T> {
        self.first
    }

    /// All objects, the first one first.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = &'m T> + use<'m, '_, T> {
        core::iter::successors(self.first, |object| {
            let next = object.link().next.load(Ordering::Relaxed);
            // SAFETY: as in `pop`: `object` is in this list, which stays as it is for the iterator's life.
            (!ptr::eq(next, *object)).then(|| unsafe { &*next })
        })
    }

    /// Takes the first object.
    #[inline]
    pub fn pop(&mut self) -> Option<&'m T> {
        let object = self.first?;
        let next = object.link().next.swap(ptr::null_mut(), Ordering::Release);
        self.first = if ptr::eq(next, object) {
            None
        } else {
            // SAFETY: `object` was in this list, so its link was written by `push` of this list and by nobody since (only
            // an object in no list can be pushed): it points to an object that was pushed as `&'m T` before.
            Some(unsafe { &*next })
        };
        Some(object)
    }
}

impl<T: Linked> Default for List<'_, T> {
    fn default() -> Self {
        List::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Object {
        link: Link<Object>,
        number: u32,
    }

    linked!(Object, link);

    #[test]
    fn objects_come_back_last_in_first_out_and_can_be_pushed_again() {
        let objects = [1, 2, 3].map(|number| Object { number, ..Object::default() });
        let mut list = List::new();
        for _ in 0..2 {
            objects.iter().for_each(|object| list.push(object));
            assert!(list.iter().map(|object| object.number).eq([3, 2, 1]));
            let mut numbers = [0; 3];
            numbers.fill_with(|| list.pop().unwrap().number);
            assert_eq!(numbers, [3, 2, 1]);
            assert!(list.pop().is_none());
        }
    }

    #[test]
    #[should_panic(expected = "in a list")]
    fn an_object_cannot_be_in_two_lists() {
        let object = Object::default();
        List::new().push(&object);
        List::new().push(&object);
    }
}
