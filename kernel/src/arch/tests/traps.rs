//! Exceptions that come while the kernel runs.

use core::arch::asm;

use x86_64::VirtAddr;
use x86_64::registers::model_specific::{GsBase, KernelGsBase};

use crate::arch::registry::kernel_test;
use crate::arch::{cpu_number, interrupts, non_maskable_interrupts, percpu};

/// Raises a vector that returns to the next instruction.
macro_rules! raise {
    ($vector:literal) => {
        // SAFETY: the handler of this vector returns, with all registers as they were.
        unsafe { asm!(concat!("int ", $vector)) }
    };
}

kernel_test! {
    fn breakpoint_in_the_kernel_goes_on() {
        raise!(3);
    }

    fn debug_exception_in_the_kernel_goes_on() {
        raise!(1);
    }

    fn non_maskable_interrupt_is_counted_and_goes_on() {
        let before = non_maskable_interrupts();
        raise!(2);
        assert_eq!(non_maskable_interrupts(), before + 1);
    }

    fn non_maskable_interrupt_between_ring_3_and_the_kernels_gs_is_harmless() {
        let kernel = GsBase::read();
        // What a program may have in GS: nothing, an address of its own, and one that looks like the kernel's.
        for base in [0, 0x1234_5000, 0xffff_8000_0000_0000, kernel.as_u64() + 8] {
            let base = VirtAddr::new(base);
            let before = non_maskable_interrupts();
            let after = interrupts::without(|| {
                KernelGsBase::write(base);
                // SAFETY: as right after `syscall`: nothing uses GS until it is swapped back, but the interrupt.
                unsafe { asm!("swapgs", "int 2", "int 1", "swapgs") };
                KernelGsBase::read()
            });
            assert_eq!((GsBase::read(), after), (kernel, base));
            assert_eq!(non_maskable_interrupts(), before + 1);
        }
        // No context has its bases in the CPU any more, so none relies on what was there.
        percpu::current().bases.set(percpu::bases() + 1);
        assert_eq!(cpu_number(), 0);
    }

    panics("divide error in the kernel")
    fn divide_error_in_the_kernel_is_a_panic() {
        // SAFETY: only faults.
        unsafe { asm!("xor ecx, ecx", "div ecx", out("eax") _, out("ecx") _, out("edx") _) };
    }

    panics("invalid opcode in the kernel")
    fn invalid_opcode_in_the_kernel_is_a_panic() {
        // SAFETY: only faults.
        unsafe { asm!("ud2") };
    }

    panics("general protection fault in the kernel")
    fn non_canonical_address_in_the_kernel_is_a_panic() {
        // SAFETY: only faults.
        unsafe { asm!("mov {0}, [{0}]", inout(reg) 0x8000_0000_0000u64 => _) };
    }
}
