//! Code of the application's, which may panic.

use std::any::Any;
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs what may be the application's: a handler, a waker, an appender, the owner of a body. `None`
/// where it panics, of which its panic hook has told: whoever called it goes on.
pub(crate) fn contained<R>(act: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(result) => Some(result),
        Err(payload) => {
            end(payload);
            None
        }
    }
}

/// Drops what a panic carried. That may panic as well, and what it carries then is kept for ever.
fn end(payload: Box<dyn Any + Send>) {
    if let Err(further) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        forget(further);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;
    use std::thread::panicking;

    use super::*;

    struct Bad;

    impl Drop for Bad {
        fn drop(&mut self) {
            if !panicking() {
                panic_any(Self);
            }
        }
    }

    #[test]
    fn a_panic_ends_here_and_so_does_one_of_what_it_carries() {
        assert_eq!(contained(|| 7), Some(7));
        assert_eq!(contained(|| panic!("as it should")), None::<u32>);
        assert_eq!(contained(|| panic_any(Bad)), None::<u32>);
    }
}
