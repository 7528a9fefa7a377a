//! Ring 3: hand-made programs of a few instructions.

use core::arch::global_asm;
use core::slice;

use mm::USER_END;
use mm::pgtable::Protection;

use x86_64::registers::control::{Cr4, Cr4Flags};

use super::space::{BASE, TestSpace};
use crate::arch::paging::DIRECT_MAP;
use crate::arch::registry::kernel_test;
use crate::arch::user::{Call, Context, Event, Fault, PageFault, UserAccess, enter};
use crate::arch::{cpu, fpu, trap};
use crate::test::skip;

/// Position-independent user code with the name `$name`.
macro_rules! user_code {
    ($name:ident, $start:ident, $end:ident, $text:literal) => {
        global_asm!(
            ".pushsection .rodata.user_code, \"a\"",
            concat!(".global ", stringify!($start), ", ", stringify!($end)),
            concat!(stringify!($start), ":"),
            $text,
            concat!(stringify!($end), ":"),
            ".popsection"
        );

        fn $name() -> &'static [u8] {
            unsafe extern "C" {
                static $start: u8;
                static $end: u8;
            }
            let start = &raw const $start;
            // SAFETY: the assembler put the code between the two labels.
            unsafe { slice::from_raw_parts(start, (&raw const $end) as usize - start as usize) }
        }
    };
}

user_code!(two_syscalls, uc_syscall_start, uc_syscall_end, "syscall\nsyscall\nud2");
user_code!(invalid, uc_invalid_start, uc_invalid_end, "ud2");
user_code!(endless, uc_endless_start, uc_endless_end, "2: jmp 2b");
user_code!(store, uc_store_start, uc_store_end, "mov byte ptr [rdi], 1\nsyscall");
user_code!(load, uc_load_start, uc_load_end, "mov rax, [rdi]\nsyscall");
user_code!(jump, uc_jump_start, uc_jump_end, "jmp rdi");
user_code!(halt, uc_halt_start, uc_halt_end, "hlt");
user_code!(interrupts_off, uc_cli_start, uc_cli_end, "cli");
user_code!(breakpoint, uc_int3_start, uc_int3_end, "int3\nsyscall");
user_code!(port, uc_port_start, uc_port_end, "mov dx, 0xf4\nmov al, 1\nout dx, al");
user_code!(divide, uc_divide_start, uc_divide_end, "xor ecx, ecx\ndiv ecx");
user_code!(software_interrupt, uc_int80_start, uc_int80_end, "int 0x20");
user_code!(
    odd_flags,
    uc_flags_start,
    uc_flags_end,
    // Nested task, alignment check, direction; then again.
    "pushfq\nor qword ptr [rsp], 0x44400\npopfq\nsyscall\npushfq\npop rax\nsyscall"
);
user_code!(
    odd_flags_exception,
    uc_flags2_start,
    uc_flags2_end,
    // Alignment check and direction.
    "pushfq\nor qword ptr [rsp], 0x40400\npopfq\nud2"
);
user_code!(
    single_step,
    uc_step_start,
    uc_step_end,
    "pushfq\nor qword ptr [rsp], 0x100\npopfq\nnop\nnop\nsyscall"
);
user_code!(read_fs, uc_fs_start, uc_fs_end, "mov rax, fs:[8]\nsyscall\nmov rax, gs:[8]\nsyscall");
user_code!(
    own_bases,
    uc_bases_start,
    uc_bases_end,
    "wrfsbase rdi\nwrgsbase rsi\nsyscall\nrdfsbase rax\nrdgsbase rbx\nsyscall"
);
user_code!(vectors, uc_vectors_start, uc_vectors_end, "movq xmm7, rdi\nsyscall\nmovq rax, xmm7\nsyscall");
user_code!(no_stack, uc_nostack_start, uc_nostack_end, "mov rsp, rdi\nsyscall\nud2");

/// Top of the stack that [`program`] maps.
const STACK_TOP: u64 = 0x7000_0000_0000;

/// An address space with the code at [`BASE`] and a page of stack, and registers to start it.
fn program(code: &[u8]) -> (TestSpace, Context) {
    let space = TestSpace::new();
    space.map(BASE, Protection::ReadExecute, code);
    space.map(STACK_TOP - 4096, Protection::ReadWrite, b"");
    (space, Context::new(BASE, STACK_TOP))
}

/// Enters until something else than an interrupt happens.
fn run(context: &mut Context) -> Event {
    loop {
        match enter(context) {
            Event::Interrupt(_) => {}
            event => return event,
        }
    }
}

fn expect_call(context: &mut Context) -> Call {
    match run(context) {
        Event::Syscall(call) => call,
        event => panic!("{event:?} instead of a system call"),
    }
}

/// Fills the general registers with numbers that tell them apart.
fn number_registers(context: &mut Context) {
    let registers = general(context).map(|register| register as *mut u64);
    for (index, register) in registers.into_iter().enumerate() {
        // SAFETY: distinct fields of `context`, which is borrowed exclusively.
        unsafe { *register = 0x1111_1111_1111_1111 * (index as u64 + 1) };
    }
}

fn general(context: &mut Context) -> [&mut u64; 15] {
    let Context { rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, .. } = context;
    [rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15]
}

fn expect_exception(code: &[u8], vector: u8) -> Context {
    let (space, mut context) = program(code);
    match run(&mut context) {
        Event::Exception { vector: came, .. } => assert_eq!(came, vector),
        event => panic!("{event:?} instead of {}", trap::name(vector)),
    }
    drop(space);
    context
}

kernel_test! {
    fn ring3_syscall_keeps_all_registers_but_rcx_and_r11() {
        let (_space, mut context) = program(two_syscalls());
        number_registers(&mut context);
        let mut before = context.clone();
        for round in 1..=2u64 {
            expect_call(&mut context);
            assert_eq!(context.rip(), BASE + 2 * round);
            let mut seen = context.clone();
            assert_eq!((seen.rcx, seen.r11), (seen.rip(), seen.rflags()));
            (before.rcx, before.r11) = (seen.rcx, seen.r11);
            assert_eq!(general(&mut seen), general(&mut before));
            assert_eq!(seen.rsp, STACK_TOP);
        }
        assert_eq!(run(&mut context), Event::Exception { vector: 6, error: 0 });
        assert_eq!(general(&mut context), general(&mut before));
    }

    fn ring3_exception_keeps_all_registers() {
        let (_space, mut context) = program(invalid());
        number_registers(&mut context);
        let mut before = context.clone();
        for _ in 0..2 {
            assert_eq!(run(&mut context), Event::Exception { vector: 6, error: 0 });
            assert_eq!(context.rip(), BASE);
            assert_eq!(general(&mut context), general(&mut before));
            assert_eq!(context.rsp, before.rsp);
        }
    }

    fn ring3_arguments_and_result_of_a_system_call_are_in_their_registers() {
        let (_space, mut context) = program(two_syscalls());
        (context.rdi, context.rsi, context.rdx) = (1, 2, 3);
        (context.r10, context.r8, context.r9) = (4, 5, 6);
        context.rax = 0x1_0000_0027;
        let call = expect_call(&mut context);
        assert_eq!(call, Call { number: 0x1_0000_0027, arguments: [1, 2, 3, 4, 5, 6] });
        context.rax = 7;
        expect_call(&mut context);
        assert_eq!(context.rax, 7);
    }

    fn ring3_timer_interrupts_an_endless_loop() {
        let (_space, mut context) = program(endless());
        assert_eq!(enter(&mut context), Event::Interrupt(trap::TIMER));
        assert_eq!(context.rip(), BASE);
    }

    fn ring3_page_faults_tell_address_and_access() {
        let (space, mut context) = program(store());
        context.rdi = 0x1234_5678;
        let mut wanted = PageFault { address: 0x1234_5678, access: UserAccess::Write, present: false };
        assert_eq!(run(&mut context), Event::PageFault(wanted));
        space.map(0x1234_5000, Protection::Read, b"");
        wanted.present = true;
        assert_eq!(run(&mut context), Event::PageFault(wanted));
        drop(space);

        let (space, mut context) = program(load());
        context.rdi = 0x1234_5678;
        wanted = PageFault { address: 0x1234_5678, access: UserAccess::Read, present: false };
        assert_eq!(run(&mut context), Event::PageFault(wanted));
        space.map(0x1234_5000, Protection::Read, &[9; 4096]);
        expect_call(&mut context);
        assert_eq!(context.rax, 0x0909_0909_0909_0909);
        drop(space);

        let (space, mut context) = program(jump());
        space.map(0x1234_5000, Protection::ReadWrite, b"");
        context.rdi = 0x1234_5678;
        wanted = PageFault { address: 0x1234_5678, access: UserAccess::Execute, present: true };
        assert_eq!(run(&mut context), Event::PageFault(wanted));
    }

    fn ring3_cannot_touch_kernel_memory() {
        for (code, access) in [(load(), UserAccess::Read), (store(), UserAccess::Write), (jump(), UserAccess::Execute)] {
            for address in [DIRECT_MAP + 0x20_0000, 0xffff_ffff_8020_0000] {
                let (_space, mut context) = program(code);
                context.rdi = address;
                match run(&mut context) {
                    Event::PageFault(fault) => assert_eq!((fault.address, fault.access), (address, access)),
                    event => panic!("{event:?} at {address:#x}"),
                }
            }
        }
    }

    fn ring3_privileged_instructions_are_general_protection_exceptions() {
        expect_exception(halt(), trap::GENERAL_PROTECTION);
        expect_exception(interrupts_off(), trap::GENERAL_PROTECTION);
        expect_exception(port(), trap::GENERAL_PROTECTION);
        expect_exception(software_interrupt(), trap::GENERAL_PROTECTION);
    }

    fn ring3_exceptions_come_as_what_they_are() {
        expect_exception(divide(), 0);
        expect_exception(invalid(), 6);
        let mut context = expect_exception(breakpoint(), trap::BREAKPOINT);
        assert_eq!(context.rip(), BASE + 1);
        context.set_rip(0);
    }

    fn ring3_single_steps_come_as_debug_exceptions() {
        let (_space, mut context) = program(single_step());
        number_registers(&mut context);
        let mut before = context.clone();
        assert_eq!(run(&mut context), Event::Exception { vector: trap::DEBUG, error: 0 });
        assert_eq!(general(&mut context), general(&mut before));
        assert_eq!(context.rsp, STACK_TOP);
        let first = context.rip();
        assert_eq!(run(&mut context), Event::Exception { vector: trap::DEBUG, error: 0 });
        assert_eq!(context.rip(), first + 1);
        context.set_rflags(context.rflags() & !0x100);
        expect_call(&mut context);
    }

    fn ring3_flags_of_a_program_do_not_reach_the_kernel_and_stay_its_own() {
        let (_space, mut context) = program(odd_flags());
        expect_call(&mut context);
        let flags = x86_64::registers::rflags::read_raw();
        assert_eq!(flags & 0x44500, 0, "{flags:#x}");
        assert_eq!(context.rflags() & 0x44400, 0x44400);
        expect_call(&mut context);
        assert_eq!(context.rax & 0x44400, 0x44400);
    }

    fn ring3_flags_of_a_program_do_not_reach_the_kernel_by_an_exception() {
        let (_space, mut context) = program(odd_flags_exception());
        assert_eq!(run(&mut context), Event::Exception { vector: 6, error: 0 });
        let flags = x86_64::registers::rflags::read_raw();
        assert_eq!(flags & 0x400, 0, "{flags:#x}");
        assert!(flags & 0x40000 == 0 || !cpu::has_smap(), "{flags:#x}");
        assert_eq!(context.rflags() & 0x40400, 0x40400);
    }

    fn ring3_address_that_the_kernel_sets_is_checked() {
        let (_space, mut context) = program(two_syscalls());
        for address in [USER_END, 0x8000_0000_0000, DIRECT_MAP, u64::MAX] {
            context.set_rip(address);
            assert_eq!(enter(&mut context), Event::Exception { vector: trap::GENERAL_PROTECTION, error: 0 });
        }
        context.set_rip(BASE);
        expect_call(&mut context);
    }

    fn ring3_flags_that_the_kernel_sets_keep_interrupts_on_and_privilege_low() {
        let mut context = Context::new(BASE, STACK_TOP);
        context.set_rflags(u64::MAX);
        assert_eq!(context.rflags() & 0x3000, 0);
        assert_eq!(context.rflags() & 0x202, 0x202);
        context.set_rflags(0);
        assert_eq!(context.rflags(), 0x202);
    }

    fn ring3_system_call_works_with_any_stack_pointer() {
        for rsp in [0, 8, DIRECT_MAP, 0x8000_0000_0000, u64::MAX] {
            let (_space, mut context) = program(no_stack());
            context.rdi = rsp;
            expect_call(&mut context);
            assert_eq!(context.rsp, rsp);
            assert_eq!(run(&mut context), Event::Exception { vector: 6, error: 0 });
            assert_eq!(context.rsp, rsp);
        }
    }

    fn ring3_segment_bases_are_those_of_the_context() {
        let (space, mut context) = program(read_fs());
        space.map(0x60_0000, Protection::Read, &[1; 16]);
        space.map(0x60_1000, Protection::Read, &[2; 16]);
        context.set_fs_base(0x60_0000).expect("a user address");
        context.set_gs_base(0x60_1000).expect("a user address");
        expect_call(&mut context);
        assert_eq!(context.rax, 0x0101_0101_0101_0101);
        expect_call(&mut context);
        assert_eq!(context.rax, 0x0202_0202_0202_0202);
    }

    fn ring3_segment_bases_outside_the_user_half_are_refused() {
        let mut context = Context::new(BASE, STACK_TOP);
        for address in [USER_END, 0x8000_0000_0000, DIRECT_MAP, u64::MAX] {
            assert_eq!(context.set_fs_base(address), Err(Fault));
            assert_eq!(context.set_gs_base(address), Err(Fault));
        }
        assert_eq!((context.fs_base(), context.gs_base()), (0, 0));
    }

    fn ring3_segment_bases_that_a_program_sets_survive_another_program() {
        if !Cr4::read().contains(Cr4Flags::FSGSBASE) {
            skip("the CPU has no FSGSBASE instructions");
        }
        let (_space, mut first) = program(own_bases());
        let mut second = first.clone();
        // The second value would be the kernel's own GS base if the kernel trusted it.
        (first.rdi, first.rsi) = (0x1000, 0x2000);
        (second.rdi, second.rsi) = (0x3000, DIRECT_MAP);
        expect_call(&mut first);
        assert_eq!((first.fs_base(), first.gs_base()), (0x1000, 0x2000));
        first.save();
        expect_call(&mut second);
        second.save();
        assert_eq!((second.fs_base(), second.gs_base()), (0x3000, DIRECT_MAP));
        assert_eq!((first.fs_base(), first.gs_base()), (0x1000, 0x2000));
        expect_call(&mut first);
        assert_eq!((first.rax, first.rbx), (0x1000, 0x2000));
        first.save();
        expect_call(&mut second);
        assert_eq!((second.rax, second.rbx), (0x3000, DIRECT_MAP));
    }

    fn fpu_registers_survive_another_program() {
        let (_space, mut first) = program(vectors());
        let mut second = first.clone();
        (first.rdi, second.rdi) = (111, 222);
        let mut first_state = fpu::State::new().expect("memory");
        let mut second_state = fpu::State::new().expect("memory");
        first_state.restore();
        expect_call(&mut first);
        first_state.save();
        second_state.restore();
        expect_call(&mut second);
        second_state.save();
        first_state.restore();
        expect_call(&mut first);
        assert_eq!(first.rax, 111);
        first_state.save();
        second_state.restore();
        expect_call(&mut second);
        assert_eq!(second.rax, 222);
    }

    fn fpu_state_of_a_new_program_is_the_initial_one() {
        let (_space, mut context) = program(vectors());
        context.rdi = 333;
        fpu::State::new().expect("memory").restore();
        expect_call(&mut context);
        let mut used = fpu::State::new().expect("memory");
        used.save_whole();
        fpu::State::new().expect("memory").restore();
        context.set_rip(BASE + 7); // behind the move into the register and the system call
        expect_call(&mut context);
        assert_eq!(context.rax, 0);
        used.restore();
        context.set_rip(BASE + 7);
        expect_call(&mut context);
        assert_eq!(context.rax, 333);
    }
}
