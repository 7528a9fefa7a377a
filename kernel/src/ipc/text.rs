//! `/proc/sysvipc/shm` (`proc_sysvipc(5)`).

use core::fmt::{self, Write};

use mm::PAGE_SIZE;

use super::segments;
use crate::fs::text::Text;

/// Writes it. Errors: memory is short.
pub(crate) fn write(text: &mut Text) -> fmt::Result {
    text.push(
        b"       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid ",
    )?;
    text.push(b"     atime      dtime      ctime                   rss                  swap\n")?;
    segments::for_each(|identifier, status, resident| {
        let perm = &status.perm;
        write!(text, "{:10} {:10}  {:4o} {:21} ", perm.key, identifier, perm.mode, status.segsz)?;
        write!(text, "{:5} {:5}  {:5} ", status.cpid, status.lpid, status.nattch)?;
        write!(text, "{:5} {:5} {:5} {:5} ", perm.uid, perm.gid, perm.cuid, perm.cgid)?;
        write!(text, "{:10} {:10} {:10} ", status.atime, status.dtime, status.ctime)?;
        writeln!(text, "{:21} {:21}", resident * PAGE_SIZE, 0)
    })
}
