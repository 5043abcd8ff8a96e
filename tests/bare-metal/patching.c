/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code that another CPU changes while this one executes it, as Linux changes
 * its own: what a CPU executes after it has seen a flag that was set after the
 * change, and has serialized, is the new code.
 */
#include "lib/cpu.h"
#include "lib/memory.h"
#include "lib/smp.h"
#include "lib/tap.h"

#define ROUNDS 500        /* two CPUs that wait for each other, perhaps on one of the host */
#define NONE (~0u)

/* mov al, imm8; ret: twice, the one before and the other behind the middle. */
static const uint8_t code[] = { 0xb0, 0, 0xc3, 0xb0, 0, 0xc3 };
static uint8_t pages[2 * PAGE] __attribute__((aligned(PAGE)));
static uint8_t *const first = pages + PAGE - 3, *const second = pages + PAGE;

/* Round whose code is there, round whose code has been executed, wrong results. */
static unsigned written, executed, wrong;

static uint8_t call(const uint8_t *function)
{
    return ((uint8_t (*)(void))function)();
}

static void serialize(void)
{
    uint32_t eax = 0, ecx = 0;

    asm volatile("cpuid" : "+a" (eax), "+c" (ecx) : : "rbx", "rdx", "memory");
}

/* It executes all the time, but what it gets counts once a round. */
static void execute(void)
{
    unsigned round = NONE;

    while (round != ROUNDS) {
        unsigned now = __atomic_load_n(&written, __ATOMIC_ACQUIRE);
        uint8_t one, other;

        serialize();
        one = call(first);
        other = call(second);
        if (now != round) {
            wrong += one != (uint8_t)now;
            wrong += other != (uint8_t)now;
            round = now;
            __atomic_store_n(&executed, round, __ATOMIC_RELEASE);
        }
    }
}

/* As one number, from first[1] to the end of the second function and beyond. */
static void both_at_once(uint8_t byte)
{
    *(volatile uint64_t *)(first + 1) = byte | 0xb0c3ull << 8 |
                                        (uint64_t)byte << 24 | 0xc3ull << 32;
}

static void one_by_one(uint8_t byte)
{
    *(volatile uint8_t *)(first + 1) = byte;
    *(volatile uint8_t *)(second + 1) = byte;
}

static void by_locked_instructions(uint8_t byte)
{
    __atomic_exchange_n(first + 1, byte, __ATOMIC_SEQ_CST);
    __atomic_exchange_n(second + 1, byte, __ATOMIC_SEQ_CST);
}

static void changes(const char *how, void (*change)(uint8_t byte))
{
    case_begin("code that is changed by %s is not executed any more", how);
    __builtin_memcpy(first, code, sizeof(code));
    wrong = 0;
    written = executed = NONE;
    smp_run(execute);
    for (unsigned round = 0; round <= ROUNDS; round++) {
        if (round) {
            change(round);      /* of code that has been executed before */
        }
        __atomic_store_n(&written, round, __ATOMIC_RELEASE);
        while (__atomic_load_n(&executed, __ATOMIC_ACQUIRE) != round) {
            asm volatile("pause");
        }
    }
    smp_wait();
    expect("results of old code", 0, wrong);
    case_end();
}

void tests(void)
{
    smp_start();
    changes("stores", one_by_one);
    changes("a store to two pages", both_at_once);
    changes("locked instructions", by_locked_instructions);
}
