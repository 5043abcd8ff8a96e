/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CR9 to CR13 in L2: without an exit, unless the VMCB asks for one; and the
 * order of #UD, privilege, intercept and value (docs/spec/registers.rst).
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define FIRST 9
#define LAST 13

static const struct vm_shape shape = { 4, 1, 4, 1 };

static const struct {
    const char *read, *write;
    uint64_t allowed, refused;
} registers[] = {
    { l2_read_cr9, l2_write_cr9, 0x2000, 0x2001 },
    { l2_read_cr10, l2_write_cr10, 0x1000, BIT(62) },
    { l2_read_cr11, l2_write_cr11, BIT(63), 1 },
    { l2_read_cr12, l2_write_cr12, GUEST_REFS, BIT(12) },
    { l2_read_cr13, l2_write_cr13, 0, 0 },
};

static void one(unsigned n, bool write, uint16_t intercepts, unsigned cpl,
                bool refused)
{
    bool intercepted = intercepts >> n & 1;
    uint64_t value = refused ? registers[n - FIRST].refused
                     : registers[n - FIRST].allowed;
    struct l2_end end;
    struct vm vm;

    case_begin("L2 %s CR%u, %s value, intercepts 0x%x, CPL %u",
               write ? "writes" : "reads", n, refused ? "refused" : "allowed",
               intercepts, cpl);
    dseg_reset();
    vm_init(&vm, &shape);
    guest_set_cpl(&vm.guest, cpl);
    if (write) {
        vm.guest.vmcb->intercept_cr_writes = intercepts;
    } else {
        vm.guest.vmcb->intercept_cr_reads = intercepts;
    }
    end = l2_run(&vm.guest, write ? registers[n - FIRST].write
                 : registers[n - FIRST].read, value, 0);
    if (cpl) {
        expect("exit code", EXIT_EXCEPTION(VECTOR_GP), end.exit_code);
        expect("error code", 0, end.exit_info1);
    } else if (intercepted) {
        expect("exit code", write ? EXIT_WRITE_CR(n) : EXIT_READ_CR(n),
               end.exit_code);
    } else if (write && (refused || n == LAST)) {
        expect("exit code", EXIT_EXCEPTION(VECTOR_GP), end.exit_code);
        expect("error code", 0, end.exit_info1);
    } else {
        expect("exit code", EXIT_VMMCALL, end.exit_code);
    }
    case_end();
}

void tests(void)
{
    for (unsigned n = FIRST; n <= LAST; n++) {
        const uint16_t intercepts[] = {
            0, 1 << n, (uint16_t)~(1 << n), 0xffff,
        };

        for (unsigned i = 0; i < ARRAY_SIZE(intercepts); i++) {
            for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
                one(n, false, intercepts[i], cpl, false);
                one(n, true, intercepts[i], cpl, false);
                one(n, true, intercepts[i], cpl, true);
            }
        }
    }
}
