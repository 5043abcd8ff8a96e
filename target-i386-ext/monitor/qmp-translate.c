/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the QMP command that explains a translation
 *
 * It lets the walker make one in its debug mode, with a record of each step.
 */

#include "qemu/osdep.h"
#include "hw/core/cpu.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-x86-dseg.h"
#include "dseg.h"
#include "monitor/qmp.h"
#include "svm.h"
#include "monitor/tables-in-force.h"

typedef struct TranslateRequest {
    uint64_t address;
    X86DsegLevel level;
    X86DsegAccess access;
    bool has_privilege;
    X86DsegPrivilege privilege;

    bool in_guest;      /* false where level vmm needs it to be true: no more */
    int cpl;
    uint64_t cr3;
    uint64_t nested_cr3;
    bool succeeds;
    X86DebugTranslation result;
    X86DsegDebug debug;
    DsegRecord record;
} TranslateRequest;

static DsegRecordEnd end_of(const TranslateRequest *request)
{
    if (request->succeeds) {
        return DSEG_RECORD_DONE;
    }
    if (request->result.exception_index != EXCP_VMEXIT) {
        return DSEG_RECORD_PF;
    }
    return request->result.error_code & SVM_NPTEXIT_GPT ? DSEG_RECORD_NPF_TABLE
                                                        : DSEG_RECORD_NPF_FINAL;
}

static void do_translate(CPUState *cs, run_on_cpu_data data)
{
    static const MMUAccessType access[] = {
        [X86_DSEG_ACCESS_LOAD] = MMU_DATA_LOAD,
        [X86_DSEG_ACCESS_STORE] = MMU_DATA_STORE,
        [X86_DSEG_ACCESS_FETCH] = MMU_INST_FETCH,
    };
    TranslateRequest *request = data.host_ptr;
    CPUX86State *env = cpu_env(cs);
    bool vmm = request->level == X86_DSEG_LEVEL_VMM;

    request->in_guest = x86_dseg_in_guest(env);
    request->cpl = env->hflags & HF_CPL_MASK;
    request->cr3 = env->cr[3];
    request->nested_cr3 = env->nested_cr3;
    if (!request->has_privilege) {
        request->privilege = request->cpl == 3 ? X86_DSEG_PRIVILEGE_USER
                                               : X86_DSEG_PRIVILEGE_KERNEL;
    }
    if (vmm && !request->in_guest) {
        return;
    }
    request->debug.record = &request->record;
    x86_dseg_record_nested(env, &request->record);
    request->succeeds = x86_dseg_debug_translate(
        env, request->address, access[request->access],
        vmm ? MMU_NESTED_IDX :
        x86_mmu_index_pl(env, request->privilege == X86_DSEG_PRIVILEGE_USER ?
                         3 : 0),
        true, &request->debug, &request->result);
    dseg_record_end(&request->record, end_of(request));
}

static void describe_check(const DsegStep *step, X86DsegStepCheck *out)
{
    const DsegSegment *segment = &step->check.segment;

    out->base = segment->base;
    out->limit = segment->limit;
    out->target = segment->base + segment->offset;
    out->result = (X86DsegHit)step->check.hit;
    out->has_to = step->check.hit == DSEG_HIT;
    out->to = step->check.to;
    out->counted = step->check.counted;
}

static void describe_filter(const DsegStep *step, X86DsegStepFilter *out)
{
    uint8List **tail = &out->bits;

    for (unsigned i = 0; i < DSEG_FILTER_HASHES; i++) {
        QAPI_LIST_APPEND(tail, step->filter.bit[i]);
    }
    out->passes = step->filter.passes;
    out->outcome = (X86DsegFilterOutcome)step->filter.how;
}

static void describe_ref(const DsegStep *step, X86DsegStepReference *out)
{
    out->number = step->ref.number;
    out->table_level = step->ref.level;
    out->address = step->ref.addr;
    out->hpa = step->ref.hpa;
    out->entry = step->ref.entry;
    out->has_page_size = step->ref.lg_size;
    out->page_size = UINT64_C(1) << step->ref.lg_size;
}

/* These enumerations list the same things in the same order. */
QEMU_BUILD_BUG_ON((int)X86_DSEG_HIT_TOO_WIDE != DSEG_TOO_WIDE);
QEMU_BUILD_BUG_ON((int)X86_DSEG_FILTER_OUTCOME_FALSE_ESCAPE !=
                  DSEG_NESTED_FALSE_ESCAPE);
QEMU_BUILD_BUG_ON((int)X86_DSEG_STEP_KIND_REFERENCE != DSEG_STEP_REF);

static X86DsegStep *describe_step(const DsegStep *step)
{
    X86DsegStep *out = g_new0(X86DsegStep, 1);

    out->kind = (X86DsegStepKind)step->kind;
    out->dimension = step->nested ? X86_DSEG_DIMENSION_NESTED
                                  : X86_DSEG_DIMENSION_GUEST;
    out->has_for_level = step->nested;
    out->for_level = step->for_level;
    out->has_gpa = step->nested;
    out->gpa = step->gpa;
    switch (step->kind) {
    case DSEG_STEP_CHECK:
        describe_check(step, &out->u.check);
        break;
    case DSEG_STEP_FILTER:
        describe_filter(step, &out->u.filter);
        break;
    case DSEG_STEP_REF:
        describe_ref(step, &out->u.reference);
        break;
    }
    return out;
}

/* What has ended one dimension of a translation that succeeds. */
static X86DsegPageKind page_kind(const DsegRecord *record, bool nested)
{
    for (unsigned i = record->steps; i-- > 0; ) {
        const DsegStep *step = &record->step[i];

        if (step->nested != nested) {
            continue;
        }
        if (nested && step->for_level != DSEG_FOR_FINAL) {
            break;
        }
        if (step->kind == DSEG_STEP_REF) {
            return (X86DsegPageKind)dseg_page_kind(step->ref.lg_size);
        }
        if (nested ? step->kind == DSEG_STEP_FILTER &&
                     step->filter.how == DSEG_NESTED_SEGMENT
                   : step->check.hit == DSEG_HIT) {
            return X86_DSEG_PAGE_KIND_SEGMENT;
        }
    }
    return X86_DSEG_PAGE_KIND_NONE;
}

static X86DsegMapping *describe_mapping(const TranslateRequest *request)
{
    const X86DebugTranslation *result = &request->result;
    X86DsegMapping *out = g_new0(X86DsegMapping, 1);

    out->has_gpa = request->in_guest;
    out->gpa = request->level == X86_DSEG_LEVEL_VMM ? request->address
                                                    : result->gpa;
    out->hpa = result->paddr;
    out->page_size = result->page_size;
    out->guest_page = page_kind(&request->record, false);
    out->nested_page = page_kind(&request->record, true);
    out->readable = result->prot & PAGE_READ;
    out->writable = result->prot & PAGE_WRITE;
    out->executable = result->prot & PAGE_EXEC;
    return out;
}

static X86DsegTranslationFault *describe_fault(const TranslateRequest *request)
{
    const X86DebugTranslation *result = &request->result;
    X86DsegTranslationFault *out = g_new0(X86DsegTranslationFault, 1);

    switch (result->exception_index) {
    case EXCP_VMEXIT:
        out->exception = X86_DSEG_EXCEPTION_NESTED_PAGE_FAULT;
        break;
    case EXCP0E_PAGE:
        out->exception = X86_DSEG_EXCEPTION_PAGE_FAULT;
        break;
    default:
        out->exception = X86_DSEG_EXCEPTION_GENERAL_PROTECTION;
        out->address = request->address;
        return out;
    }
    out->code = result->error_code;
    out->address = result->fault_addr;
    return out;
}

/* The cost of the one nested walk that level vmm consists of. */
static DsegCost cost_of_gpa(const TranslateRequest *request)
{
    const DsegRecord *record = &request->record;
    DsegNestedHow how = DSEG_NESTED_WALKED;
    DsegCost cost;
    bool segment = false;

    for (unsigned i = 0; i < record->steps; i++) {
        if (record->step[i].kind == DSEG_STEP_FILTER) {
            segment = true;
            how = record->step[i].filter.how;
        }
    }
    dseg_cost_begin(&cost, true, false, segment);
    if (request->succeeds) {
        dseg_cost_gpa(&cost, how, record->in_nested,
                      ctz64(request->result.page_size));
    }
    return cost;
}

static X86DsegTally *describe_cost(const DsegCost *cost, bool walks)
{
    X86DsegTally *out = g_new0(X86DsegTally, 1);

    *out = (X86DsegTally) {
        .walks = walks,
        .guest_refs = cost->out_guest_refs,
        .nested_refs = cost->out_nested_refs,
        .checks = cost->out_checks,
        .filter_lookups = cost->out_filter_lookups,
        .escapes = cost->out_escapes,
        .false_escapes = cost->out_false_escapes,
    };
    return out;
}

static X86DsegTranslation *describe(const TranslateRequest *request, int cpu)
{
    X86DsegTranslation *out = g_new0(X86DsegTranslation, 1);
    X86DsegStepList **tail = &out->steps;
    const X86DsegWalk *walk = &request->debug.guest_walk;
    bool vmm = request->level == X86_DSEG_LEVEL_VMM;
    DsegCost cost = vmm ? cost_of_gpa(request) : walk->cost;
    bool walks = request->succeeds && (vmm || walk->env);

    out->cpu = cpu;
    out->level = request->level;
    out->address = request->address;
    out->access = request->access;
    out->privilege = request->privilege;
    out->world = request->in_guest ? X86_DSEG_WORLD_NESTED
                                   : X86_DSEG_WORLD_NATIVE;
    out->cpl = request->cpl;
    out->cr3 = request->cr3;
    out->has_nested_cr3 = request->in_guest;
    out->nested_cr3 = request->nested_cr3;
    out->guest_levels = dseg_paging_levels(request->record.in_guest);
    out->nested_levels = dseg_paging_levels(request->record.in_nested);
    for (unsigned i = 0; i < request->record.steps; i++) {
        QAPI_LIST_APPEND(tail, describe_step(&request->record.step[i]));
    }
    out->cost = describe_cost(&cost, walks);
    if (request->succeeds) {
        out->has_regime = walks && !vmm;
        out->regime = (X86DsegRegime)dseg_cost_regime(&cost);
        out->mapping = describe_mapping(request);
    } else {
        out->fault = describe_fault(request);
    }
    return out;
}

X86DsegTranslation *qmp_x86_dseg_translate(uint64_t address, bool has_cpu,
                                           int64_t cpu, bool has_access,
                                           X86DsegAccess access,
                                           bool has_privilege,
                                           X86DsegPrivilege privilege,
                                           bool has_level, X86DsegLevel level,
                                           Error **errp)
{
    g_autofree TranslateRequest *request = g_new0(TranslateRequest, 1);
    g_autoptr(GArray) cpus = x86_dseg_cpus(true, has_cpu ? cpu : 0, errp);
    unsigned phys_bits;

    if (!cpus) {
        return NULL;
    }
    cpu = g_array_index(cpus, int, 0);
    request->address = address;
    request->access = has_access ? access : X86_DSEG_ACCESS_LOAD;
    request->has_privilege = has_privilege;
    request->privilege = privilege;
    request->level = has_level ? level : X86_DSEG_LEVEL_GUEST;
    phys_bits = x86_dseg_phys_bits(cpu_env(qemu_get_cpu(cpu)));
    if (request->level == X86_DSEG_LEVEL_VMM && address >> phys_bits) {
        error_setg(errp, "address 0x%" PRIx64 " must not be beyond MAXPHYADDR "
                   "(%u bits)", address, phys_bits);
        return NULL;
    }
    if (!x86_dseg_on_this_cpu(cpu, do_translate, request, errp)) {
        return NULL;
    }
    if (request->level == X86_DSEG_LEVEL_VMM && !request->in_guest) {
        error_setg(errp, "level vmm needs a CPU that is in a guest with nested "
                   "paging now: CPU %" PRId64 " is not", cpu);
        return NULL;
    }
    return describe(request, cpu);
}
