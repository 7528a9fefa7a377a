//! Which processors the machine has: the firmware's list (ACPI, multiple APIC description table).

use core::ptr::NonNull;

use acpi::madt::{Madt, MadtEntry};
use acpi::{AcpiError, AcpiHandler, AcpiTables, PhysicalMapping};
use spin::Once;

use super::direct_map;
use super::percpu::MAX_CPUS;

/// In the flags of an entry: the processor can be used.
const ENABLED: u32 = 1;

/// The processors that can be used.
pub(super) struct Processors {
    ids: [u32; MAX_CPUS],
    count: usize,
    /// Processors beyond [`MAX_CPUS`].
    pub(super) ignored: usize,
    /// Why there may be more.
    pub(super) error: Option<AcpiError>,
}

static PROCESSORS: Once<Processors> = Once::new();

impl Processors {
    /// The identities of their local APICs.
    pub(super) fn ids(&self) -> &[u32] {
        &self.ids[..self.count]
    }

    fn add(&mut self, id: u32, flags: u32) {
        if flags & ENABLED == 0 || self.ids().contains(&id) {
            return;
        }
        if self.count == MAX_CPUS {
            self.ignored += 1;
        } else {
            self.ids[self.count] = id;
            self.count += 1;
        }
    }
}

/// What [`find`] found; `None` where the boot loader knows of no list.
pub(super) fn get() -> Option<&'static Processors> {
    PROCESSORS.get()
}

/// Reads the list that begins with the root pointer at the physical address `rsdp`, while the boot loader's tables are
/// loaded.
pub(super) fn find(rsdp: u64) {
    PROCESSORS.call_once(|| {
        let mut processors = Processors { ids: [0; MAX_CPUS], count: 0, ignored: 0, error: None };
        processors.error = read(rsdp, &mut processors).err();
        processors
    });
}

fn read(rsdp: u64, processors: &mut Processors) -> Result<(), AcpiError> {
    // SAFETY: the boot loader got the address from the firmware, whose tables nobody has overwritten.
    let tables = unsafe { AcpiTables::from_rsdp(BootTables, rsdp as usize) }?;
    let table = tables.find_table::<Madt>()?;
    for entry in table.get().entries() {
        match entry {
            MadtEntry::LocalApic(entry) => processors.add(entry.apic_id.into(), entry.flags),
            MadtEntry::LocalX2Apic(entry) => processors.add(entry.x2apic_id, entry.flags),
            _ => {}
        }
    }
    Ok(())
}

/// Both boot loaders map all of physical memory below 4 GiB at the direct map, the firmware's included.
#[derive(Clone)]
struct BootTables;

impl AcpiHandler for BootTables {
    unsafe fn map_physical_region<T>(&self, physical: usize, size: usize) -> PhysicalMapping<Self, T> {
        let address = direct_map::address(physical as u64).cast();
        // SAFETY: mapped as said above, and not null.
        unsafe { PhysicalMapping::new(physical, NonNull::new_unchecked(address), size, size, BootTables) }
    }

    fn unmap_physical_region<T>(_: &PhysicalMapping<Self, T>) {}
}
