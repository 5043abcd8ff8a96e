/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments, for programs and kernels in the machine
 *
 * What the names stand for: docs/spec/registers.rst and counters.rst.  Needs
 * nothing else; x86-64, GCC or Clang.
 */
#ifndef DSEG_H
#define DSEG_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

/*
 * The marker instruction: the CPU takes a snapshot of its counters under
 * @label, a constant from 0 to 2^24 - 1.  A no-operation on CPUs without
 * direct segments.
 *
 *     DSEG_MARK(1);
 *     region_of_interest();
 *     DSEG_MARK(2);
 */
#define DSEG_MARK(label) ({ \
	__asm__ volatile(".byte 0x0f, 0x1f, 0x87\n\t.long 0xd5000000 + %c0" \
			 : : "i"((label) & 0xffffff) : "memory"); \
})

/* CPUID. */
#define DSEG_CPUID_LEAF 0x44534547
#define DSEG_CPUID_SIGNATURE 0x47455344         /* EAX */
#define DSEG_CPUID_GUEST_SEGMENT (1 << 0)       /* EBX */
#define DSEG_CPUID_VMM_SEGMENT (1 << 1)
#define DSEG_CPUID_FILTER (1 << 2)
#define DSEG_CPUID_COUNTERS (1 << 3)
#define DSEG_CPUID_MARKER (1 << 4)
#define DSEG_CPUID_FILTER_WORDS(ecx) ((ecx) & 0xff)     /* ECX */

/* MSRs, in host mode only. */
#define DSEG_MSR_BASE 0x44534700
#define DSEG_MSR_LIMIT 0x44534701
#define DSEG_MSR_OFFSET 0x44534702
#define DSEG_MSR_FILTER_ADD 0x44534703
#define DSEG_MSR_FILTER(i) (0x44534704 + (i))   /* one for each word */

/* Offsets of the guest's CR9 to CR12 in a VMCB. */
#define DSEG_VMCB_CR(n) (0x580 + 8 * ((n) - 9))

/* CR12: one of each, or'ed; all regimes, privileges, accesses by default. */
enum dseg_count {
	DSEG_WALKS, DSEG_GUEST_REFS, DSEG_NESTED_REFS, DSEG_CHECKS,
	DSEG_FILTER_LOOKUPS, DSEG_ESCAPES, DSEG_FALSE_ESCAPES,
	/* These alone: */
	DSEG_FAULTS_NOT_PRESENT = 8, DSEG_FAULTS_PROTECTION,
	DSEG_FAULTS_RESERVED, DSEG_FAULTS_NESTED_FINAL,
	DSEG_FAULTS_NESTED_TABLE, DSEG_FAULT_GUEST_REFS,
	DSEG_FAULT_NESTED_REFS,
};

#define DSEG_NATIVE (1 << 4)
#define DSEG_NATIVE_DIRECT (2 << 4)
#define DSEG_BASE (3 << 4)
#define DSEG_VMM_DIRECT (4 << 4)
#define DSEG_GUEST_DIRECT (5 << 4)
#define DSEG_DUAL_DIRECT (6 << 4)
#define DSEG_MIXED (7 << 4)
#define DSEG_USER (1 << 8)
#define DSEG_KERNEL (2 << 8)
#define DSEG_LOAD (1 << 10)
#define DSEG_STORE (2 << 10)
#define DSEG_FETCH (3 << 10)

/* Control registers, at CPL 0. */
#define DSEG_WRITE_CR(n, value) ({ \
	__asm__ volatile("mov %0, %%cr" #n \
			 : : "r"((uint64_t)(value)) : "memory"); \
})
#define DSEG_READ_CR(n) ({ \
	uint64_t dseg_value; \
	__asm__ volatile("mov %%cr" #n ", %0" \
			 : "=r"(dseg_value) : : "memory"); \
	dseg_value; \
})

/* Puts a guest segment into force: [base, limit) to [base + offset, ...). */
static inline void dseg_set_guest_segment(uint64_t base, uint64_t limit,
					  uint64_t offset)
{
	DSEG_WRITE_CR(10, 0);	/* none, while the three do not belong together */
	DSEG_WRITE_CR(9, base);
	DSEG_WRITE_CR(11, offset);
	DSEG_WRITE_CR(10, limit);
}

/* One counter: CR12 is @select afterwards. */
static inline uint64_t dseg_read_counter(uint64_t select)
{
	DSEG_WRITE_CR(12, select);
	return DSEG_READ_CR(13);
}

#endif
