//! Resource limits (`getrlimit(2)`).

use abi::Errno;
use abi::rlimit::{
    RLIM_INFINITY, RLIM_NLIMITS, RLIMIT_CORE, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_NOFILE,
    RLIMIT_NPROC, RLIMIT_RTPRIO, RLIMIT_STACK, Rlimit,
};

/// No process may have more descriptors than this (`fs.nr_open`).
const NR_OPEN: u64 = 1024 * 1024;

/// The limits of a process by number, with Linux's values at the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResourceLimits([Rlimit; RLIM_NLIMITS as usize]);

impl Default for ResourceLimits {
    fn default() -> Self {
        let mut limits = [Rlimit { current: RLIM_INFINITY, maximum: RLIM_INFINITY }; RLIM_NLIMITS as usize];
        for (resource, current, maximum) in [
            (RLIMIT_STACK, 8 << 20, RLIM_INFINITY),
            (RLIMIT_CORE, 0, RLIM_INFINITY),
            (RLIMIT_NPROC, 4096, 4096),
            (RLIMIT_NOFILE, 1024, 4096),
            (RLIMIT_MEMLOCK, 8 << 20, 8 << 20),
            (RLIMIT_MSGQUEUE, 819_200, 819_200),
            (RLIMIT_NICE, 0, 0),
            (RLIMIT_RTPRIO, 0, 0),
        ] {
            limits[resource as usize] = Rlimit { current, maximum };
        }
        ResourceLimits(limits)
    }
}

impl ResourceLimits {
    /// A limit; `EINVAL` for an unknown one.
    pub(crate) fn get(&self, resource: u32) -> Result<Rlimit, Errno> {
        self.0.get(resource as usize).copied().ok_or(Errno::EINVAL)
    }

    /// Numbers of descriptors are below this.
    pub(crate) fn descriptors(&self) -> usize {
        self.0[RLIMIT_NOFILE as usize].current as usize
    }

    /// Sets a limit. The process is root, so the hard limit may be raised. Errors: `EINVAL` for an unknown
    /// limit or a soft limit above the hard one, `EPERM` for more descriptors than there can be.
    pub(crate) fn set(&mut self, resource: u32, new: Rlimit) -> Result<(), Errno> {
        let limit = self.0.get_mut(resource as usize).ok_or(Errno::EINVAL)?;
        if new.current > new.maximum {
            return Err(Errno::EINVAL);
        }
        if resource == RLIMIT_NOFILE && new.maximum > NR_OPEN {
            return Err(Errno::EPERM);
        }
        *limit = new;
        Ok(())
    }
}
