//! How an interpreter ends, as blocked calls and channel ends see it.
//!
//! ```text
//! threads are about to be joined   calls that wait raise SystemExit, and so do new ones; what does not wait still works
//! the interpreter is cleared       ends made in it are closed, whoever may still hold them
//! ```
//! Python joins its threads before it runs `atexit` functions, so a thread that waits in `recv` would keep the process for ever.
//! `threading` has a hook of its own that runs earlier. An interpreter's hook speaks for the interpreters that it made, too, and for
//! theirs: its threads may wait inside them, and their own hooks run only once they are through. That of the main one speaks for the
//! whole process, whoever made the others.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use pyo3_ffi as ffi;

use super::safe::entry::noargs;
use super::safe::{Attached, Borrowed, Keepsake, Owned, PyResult, Raised, Table, bound, interpreter_id, kept};
use crate::channel::{WeakEnd, wake_everyone};
use crate::sync::{AtomicBool, Ordering};

/// The interpreters of this process, and whether it ends.
static PROCESS: Mutex<Process> = Mutex::new(Process { ending: false, interpreters: Vec::new(), makers: BTreeMap::new() });

struct Process {
    ending: bool,
    interpreters: Vec<Weak<Lifetime>>,
    /// By the number of an interpreter, who made it, until it is closed. CPython never gives a number twice.
    makers: BTreeMap<i64, Arc<Lifetime>>,
}

/// One interpreter's life. It outlives the interpreter as long as somebody looks at it.
pub(super) struct Lifetime {
    is_main: bool,
    /// Who made it; `None` for those that were made without crossbuf.
    maker: Option<Arc<Lifetime>>,
    /// Set once its threads are about to be joined.
    ending: AtomicBool,
    ends: Mutex<Ends>,
}

/// Ends that were made in the interpreter.
struct Ends {
    known: Vec<WeakEnd>,
    /// How many to know before those are forgotten that are closed.
    sweep_at: usize,
}

impl Lifetime {
    /// The life of the interpreter to which this thread is attached.
    pub(super) fn current(py: Attached<'_>) -> PyResult<Arc<Lifetime>> {
        let id = interpreter_id(py);
        let lifetime = kept(py, || Lifetime {
            is_main: id == 0,
            maker: process().makers.get(&id).cloned(),
            ending: AtomicBool::new(false),
            ends: Mutex::new(Ends { known: Vec::new(), sweep_at: 64 }),
        })?;
        lifetime.join_process();
        Ok(lifetime)
    }

    /// Makes the main interpreter's hook reach this one; a second time changes nothing.
    fn join_process(self: &Arc<Lifetime>) {
        let mut process = process();
        if process.interpreters.iter().any(|other| std::ptr::eq(other.as_ptr(), &raw const **self)) {
            return;
        }
        process.interpreters.retain(|other| other.strong_count() > 0);
        process.interpreters.push(Arc::downgrade(self));
        if self.is_main {
            // A program that embeds Python may start it again after it has ended.
            process.ending = false;
        } else if process.ending || self.makers().any(Lifetime::is_ending) {
            self.ending.store(true, Ordering::Relaxed);
        }
    }

    /// Notes that this interpreter has made another one.
    pub(super) fn made(self: &Arc<Lifetime>, interpreter: i64) {
        process().makers.insert(interpreter, Arc::clone(self));
    }

    /// Notes that an interpreter which this one has made is closed.
    pub(super) fn closed(interpreter: i64) {
        process().makers.remove(&interpreter);
    }

    /// Who made it, who made that one, and so on.
    fn makers(&self) -> impl Iterator<Item = &Lifetime> {
        std::iter::successors(self.maker.as_deref(), |maker| maker.maker.as_deref())
    }

    pub(super) fn is_main(&self) -> bool {
        self.is_main
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// For the core, which looks at it while a call waits.
    pub(super) fn ending(&self) -> &AtomicBool {
        &self.ending
    }

    /// Calls off all waiting: in this interpreter and those that come from it or, if it is the main one, in all of the process.
    fn end_waits(&self) {
        let mut process = process();
        process.ending |= self.is_main;
        // Relaxed: waking takes each channel's lock, and those who wait look at the flag after they took it.
        self.ending.store(true, Ordering::Relaxed);
        for other in process.interpreters.iter().filter_map(Weak::upgrade) {
            if self.is_main || other.makers().any(|maker| std::ptr::eq(maker, self)) {
                other.ending.store(true, Ordering::Relaxed);
            }
        }
        drop(process);
        wake_everyone();
    }

    /// Closes the end when the interpreter goes away.
    pub(super) fn adopt(&self, end: WeakEnd) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        if ends.known.len() >= ends.sweep_at {
            ends.known.retain(|end| !end.is_closed());
            ends.sweep_at = (ends.known.len() * 2).max(64);
        }
        ends.known.push(end);
    }
}

fn process() -> MutexGuard<'static, Process> {
    PROCESS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Keepsake for Lifetime {
    fn interpreter_cleared(&self) {
        let known = std::mem::take(&mut self.ends.lock().unwrap_or_else(PoisonError::into_inner).known);
        for end in known {
            end.close();
        }
    }
}

/// The hook that ends waits: in `threading`, as soon as the interpreter has that module, and in `atexit` for threads that nobody joins.
///
/// No sub-interpreter imports `threading` for it, which would take longer than all else that crossbuf does there.
#[derive(Default)]
pub(super) struct ExitHook {
    /// Empty until the first channel end is made.
    hook: OnceCell<Owned>,
    /// The name by which each wait looks for `threading` until it is there.
    name: OnceCell<Owned>,
    /// Empty until `threading` is there.
    threading: OnceCell<Threading>,
}

/// What the hook needs of `threading`.
struct Threading {
    register: Owned,
    /// The functions that it will call, last ones first; `None` where it keeps them elsewhere.
    all: Option<Owned>,
    /// How many there were when ours was added.
    count: Cell<usize>,
}

static END_WAITS: Table<ffi::PyMethodDef> =
    Table(noargs!(&Lifetime, "end_waits", end_waits, "end_waits()\n--\n\nHas calls that wait in channels raise SystemExit."));

fn end_waits(lifetime: &Lifetime, py: Attached<'_>) -> PyResult<Owned> {
    lifetime.end_waits();
    Ok(Owned::none(py))
}

impl ExitHook {
    /// Sees to it that waits end before threads are joined. To be called when a channel end or an interpreter is made, where threads may
    /// wait.
    pub(super) fn register(&self, py: Attached<'_>, lifetime: &Arc<Lifetime>) -> PyResult<()> {
        if self.hook.get().is_none() {
            // SAFETY: `END_WAITS` takes its receiver as `&Lifetime`.
            let hook = unsafe { bound(py, lifetime, &END_WAITS.0) }?;
            Owned::import(py, c"atexit")?.get().invoke(py, c"register", [hook.get()])?;
            // Code that waits in other interpreters may come to the main one's threads by ways that crossbuf does not see.
            if lifetime.is_main {
                drop(Owned::import(py, c"threading")?);
            }
            // Another thread may have been here while Python code ran: then there are two hooks, which is fine.
            let _ = self.hook.set(hook);
        }
        if self.threading.get().is_none() {
            self.stay_first(py, lifetime);
        }
        Ok(())
    }

    /// Sees to it that our hook runs before those that were added since: the one of `concurrent.futures` joins threads, which may
    /// be about to wait in a channel.
    pub(super) fn stay_first(&self, py: Attached<'_>, lifetime: &Lifetime) {
        let Some(hook) = self.hook.get() else { return };
        let known = self.threading.get();
        let Some(threading) = known.or_else(|| self.find(py)) else { return };
        if known.is_none() || threading.length(py) != threading.count.get() {
            threading.add(py, hook, lifetime);
        }
    }

    /// `None` where nobody has imported it yet, or it takes no hooks.
    fn find(&self, py: Attached<'_>) -> Option<&Threading> {
        let absent = |raised: Raised| drop(raised.take(py));
        if self.name.get().is_none() {
            let name = Owned::text(py, "threading").map_err(absent).ok()?;
            let _ = self.name.set(name);
        }
        let module = Owned::imported_as(py, self.name.get()?.get()).map_err(absent).ok()??;
        let found = Threading::of(py, module.get())?;
        Some(self.threading.get_or_init(|| found))
    }

    pub(super) fn visit(&self, visit: &mut dyn FnMut(&Owned) -> c_int) -> c_int {
        let threading = self.threading.get();
        let parts =
            [self.hook.get(), threading.map(|threading| &threading.register), threading.and_then(|threading| threading.all.as_ref())];
        parts.into_iter().flatten().map(visit).find(|&code| code != 0).unwrap_or(0)
    }
}

impl Threading {
    /// `None` where it takes no hooks.
    fn of(py: Attached<'_>, module: Borrowed<'_>) -> Option<Threading> {
        let absent = |raised: Raised| drop(raised.take(py));
        let register = module.attribute(py, c"_register_atexit").map_err(absent).ok()?;
        let all = module.attribute(py, c"_threading_atexits").map_err(absent).ok();
        Some(Threading { register, all, count: Cell::new(0) })
    }

    fn add(&self, py: Attached<'_>, hook: &Owned, lifetime: &Lifetime) {
        if let Err(refused) = self.register.get().call(py, [hook.get()]) {
            // The threads are being joined already.
            drop(refused.take(py));
            lifetime.end_waits();
        }
        self.count.set(self.length(py));
    }

    fn length(&self, py: Attached<'_>) -> usize {
        let length = |all: &Owned| {
            all.get().length(py).unwrap_or_else(|raised| {
                drop(raised.take(py));
                0
            })
        };
        self.all.as_ref().map_or(0, length)
    }
}
