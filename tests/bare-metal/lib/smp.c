/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The second CPU: the start-up interrupt, and a place to leave work for it. */
#include "smp.h"

#include "cpu.h"
#include "print.h"
#include "svm.h"
#include "trap.h"

#define AP_APIC_ID 1
#define AP_PAGE 0x8000          /* below 1 MiB: it starts there in real mode */
#define AP_STACK_SIZE 32768
#define APIC_COMMAND 0xfee00300ull
#define APIC_COMMAND_HIGH 0xfee00310ull
#define COMMAND_INIT 0x4500
#define COMMAND_STARTUP 0x4600
#define SPINS 2000000000u           /* seconds */

extern const char ap_start[], ap_end[];
void start_ap(void) __attribute__((noreturn));

static uint8_t ap_stack[AP_STACK_SIZE] __attribute__((aligned(16)));
uint8_t *const ap_stack_top = ap_stack + AP_STACK_SIZE;
uint32_t ap_levels;

static bool ap_ready;
static void (*ap_work)(void);

static void apic_command(uint32_t command)
{
    *(volatile uint32_t *)at_hpa(APIC_COMMAND_HIGH) = AP_APIC_ID << 24;
    *(volatile uint32_t *)at_hpa(APIC_COMMAND) = command;
}

void smp_start(void)
{
    ap_ready = false;
    ap_work = NULL;
    ap_levels = read_cr4() & CR4_LA57 ? 5 : 4;
    __builtin_memcpy(at_hpa(AP_PAGE), ap_start, ap_end - ap_start);
    apic_command(COMMAND_INIT);
    apic_command(COMMAND_STARTUP | AP_PAGE >> 12);
    for (uint32_t i = 0; i < SPINS; i++) {
        if (__atomic_load_n(&ap_ready, __ATOMIC_ACQUIRE)) {
            return;
        }
        asm volatile("pause");
    }
    die("the second CPU does not start");
}

void smp_run(void (*function)(void))
{
    __atomic_store_n(&ap_work, function, __ATOMIC_RELEASE);
}

void smp_wait(void)
{
    for (uint32_t i = 0; i < SPINS; i++) {
        if (!__atomic_load_n(&ap_work, __ATOMIC_ACQUIRE)) {
            return;
        }
        asm volatile("pause");
    }
    die("the second CPU does not come to an end");
}

/* From boot.S, on the second CPU. */
void start_ap(void)
{
    trap_init();
    svm_init();
    __atomic_store_n(&ap_ready, true, __ATOMIC_RELEASE);
    for (;;) {
        void (*work)(void) = __atomic_load_n(&ap_work, __ATOMIC_ACQUIRE);

        if (work) {
            work();
            __atomic_store_n(&ap_work, NULL, __ATOMIC_RELEASE);
        }
        asm volatile("pause");
    }
}
