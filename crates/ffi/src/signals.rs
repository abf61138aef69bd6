//! Signals are the host's: none is handled here, and none of its handlers runs on our threads.

use std::{mem::MaybeUninit, ptr};

/// Blocks all signals on this thread, which is ours, permanently: the host's handlers run on its
/// own threads, and writing to a closed pipe is a normal error. Commands that we start still begin
/// with an empty mask: std ensures that.
pub(crate) fn block_all() {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigfillset` fills the set before it is used, and blocking signals has no precondition.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), ptr::null_mut());
    }
}

/// Blocks SIGPIPE on this thread, which is the host's, until it is dropped; a pending one is
/// discarded.
pub(crate) struct WithoutSigpipe {
    before: libc::sigset_t,
    was_pending: bool,
}

impl WithoutSigpipe {
    pub(crate) fn new() -> Self {
        let was_pending = is_pending();
        let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: the set is filled before it is used, and so is `before`, which starts as an empty set
        // in case that fails.
        let before = unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, &sigpipe(), before.as_mut_ptr());
            before.assume_init()
        };
        Self { before, was_pending }
    }
}

impl Drop for WithoutSigpipe {
    fn drop(&mut self) {
        if !self.was_pending && is_pending() {
            let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: both are local variables; the signal is blocked, so it is only taken off.
            unsafe { libc::sigtimedwait(&sigpipe(), ptr::null_mut(), &now) };
        }
        // SAFETY: this is the mask that the thread had.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, ptr::null_mut()) };
    }
}

fn sigpipe() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` fills the set before it is used.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
        set.assume_init()
    }
}

fn is_pending() -> bool {
    let mut pending = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: `sigpending` fills the set, which is empty in case that fails.
    unsafe {
        libc::sigpending(pending.as_mut_ptr());
        libc::sigismember(pending.as_ptr(), libc::SIGPIPE) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raise() {
        // SAFETY: the signal is blocked, so nothing happens but that it is pending.
        unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGPIPE) };
    }

    #[test]
    fn a_sigpipe_of_ours_is_discarded_and_one_of_the_hosts_is_kept() {
        std::thread::spawn(|| {
            let guard = WithoutSigpipe::new();
            raise();
            assert!(is_pending());
            drop(guard);
            assert!(!is_pending());
            block_all();
            raise();
            drop(WithoutSigpipe::new());
            assert!(is_pending());
        })
        .join()
        .unwrap();
    }
}
