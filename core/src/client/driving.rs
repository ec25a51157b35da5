//! Which clients this thread drives: it is in the middle of moving their bytes, or of what is done
//! after the lock, which is where it calls the user's wakers, log appenders and bodies' owners.
//! Whoever waited for such a client there would wait for itself.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A task or thread of the client's own: its pump, a reader, a writer.
    Own,
    /// Whichever thread took the lock, and does what came of it.
    After,
}

thread_local! {
    /// Clients by the addresses of what their handles share; each lives longer than its mark.
    static DRIVEN: RefCell<Vec<(usize, Part)>> = const { RefCell::new(Vec::new()) };
    static LOGGING: Cell<bool> = const { Cell::new(false) };
}

/// Marks this thread until it is dropped, which is in the order opposite to that of the marks: it
/// must not live across an `await`.
#[must_use]
pub(crate) struct Driving {
    /// Not to be sent to another thread.
    here: PhantomData<*const ()>,
}

impl Driving {
    /// A turn of one of the client's own tasks or threads.
    pub(super) fn own(client: usize) -> Self {
        Self::mark(client, Part::Own)
    }

    /// What is done after the lock.
    pub(super) fn after(client: usize) -> Self {
        Self::mark(client, Part::After)
    }

    fn mark(client: usize, part: Part) -> Self {
        // A thread that ends has no marks any more, and waits for nothing.
        let _ = DRIVEN.try_with(|driven| driven.borrow_mut().push((client, part)));
        Self { here: PhantomData }
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        let _ = DRIVEN.try_with(|driven| driven.borrow_mut().pop());
    }
}

fn any(is: impl Fn(&(usize, Part)) -> bool) -> bool {
    DRIVEN.try_with(|driven| driven.borrow().iter().any(is)).unwrap_or(false)
}

/// Whether the calling thread is in a turn of any client's own tasks or threads: on an executor
/// that has no thread to spare, waiting there for any client may stop the very one waited for.
pub fn is_own_thread() -> bool {
    any(|(_, part)| *part == Part::Own)
}

/// Whether the calling thread drives the client, as a task or thread of its own or after its lock.
pub(super) fn is_driven(client: usize) -> bool {
    any(|(driven, _)| *driven == client)
}

/// Writes log records, unless this thread is in the middle of writing some for any client: those
/// that an appender's own calls give rise to are left out, or it would be called by itself without
/// end.
pub(super) fn log_once(write: impl FnOnce()) {
    struct Reset;

    impl Drop for Reset {
        fn drop(&mut self) {
            let _ = LOGGING.try_with(|logging| logging.set(false));
        }
    }

    if LOGGING.try_with(|logging| logging.replace(true)).is_ok_and(|inside| !inside) {
        let _reset = Reset;
        write();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn records_of_an_appenders_own_calls_are_left_out_and_later_ones_are_not() {
        let written = Cell::new(0);
        let write = || log_once(|| written.set(written.get() + 1));
        log_once(|| (0..3).for_each(|_| write()));
        assert_eq!(written.get(), 0);
        write();
        assert_eq!(written.get(), 1);
        let _ = catch_unwind(AssertUnwindSafe(|| log_once(|| panic!("a bad appender"))));
        write();
        assert_eq!(written.get(), 2);
    }
}
