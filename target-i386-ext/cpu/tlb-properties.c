/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: a CPU gets the modelled TLB that its properties ask for
 *
 * dseg-tlb is a preset, or a file with an X86DsegTlbGeometry as JSON.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-x86-dseg.h"
#include "qapi/qobject-input-visitor.h"
#include "qobject/qjson.h"
#include "qobject/qobject.h"
#include "cpu.h"
#include "exec/translation-block.h"
#include "dseg.h"
#include "cpu/caches.h"
#include "cpu/inclusion.h"
#include "cpu/state.h"

/* A geometry of as many arrays as there may be is a tenth of that. */
#define GEOMETRY_FILE_MAX 65536

/* What dseg-tlb names. */
typedef struct Geometry {
    DsegTlbGeometry tlb;
    bool has_caches;
    DsegCachesGeometry caches;
} Geometry;

static bool find_preset(const char *name, Geometry *geometry)
{
    for (const DsegTlbPreset *preset = dseg_tlb_presets; preset->name;
         preset++) {
        if (!strcmp(preset->name, name)) {
            geometry->tlb = preset->geometry;
            geometry->has_caches = true;
            geometry->caches = *dseg_caches_preset(name);
            return true;
        }
    }
    return false;
}

/* Names that look like no file are mistyped presets. */
static bool is_file_name(const char *name)
{
    return strchr(name, '/') || g_str_has_suffix(name, ".json");
}

static bool unknown_preset(const char *name, Error **errp)
{
    g_autoptr(GString) names = g_string_new("off");

    for (const DsegTlbPreset *preset = dseg_tlb_presets; preset->name;
         preset++) {
        g_string_append_printf(names, ", %s", preset->name);
    }
    error_setg(errp, "CPU property 'dseg-tlb': there is no preset '%s'; there "
               "are: %s; a file must have a '/' or end in .json", name,
               names->str);
    return false;
}

/*
 * All of a regular file of at most GEOMETRY_FILE_MAX bytes, with a 0 behind it.
 * Others may have no end (/dev/zero) or make us wait for one (a FIFO).
 */
static char *read_text(const char *name, Error **errp)
{
    g_autofree char *text = g_malloc(GEOMETRY_FILE_MAX + 1);
    int fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    ssize_t size;

    if (fd < 0) {
        error_setg_errno(errp, errno, "could not be opened");
        return NULL;
    }
    if (fstat(fd, &status) || !S_ISREG(status.st_mode)) {
        error_setg(errp, "must be a regular file");
        close(fd);
        return NULL;
    }
    size = RETRY_ON_EINTR(read(fd, text, GEOMETRY_FILE_MAX + 1));
    if (size < 0) {
        error_setg_errno(errp, errno, "could not be read");
    } else if (size > GEOMETRY_FILE_MAX) {
        error_setg(errp, "must have at most %d bytes", GEOMETRY_FILE_MAX);
    }
    close(fd);
    if (size < 0 || size > GEOMETRY_FILE_MAX) {
        return NULL;
    }
    text[size] = 0;
    return g_steal_pointer(&text);
}

/* As QAPI has it; NULL with an error that names the field. */
static X86DsegTlbGeometry *parse_file(const char *name, Error **errp)
{
    g_autofree char *text = read_text(name, errp);
    X86DsegTlbGeometry *geometry = NULL;
    QObject *json;
    Visitor *visitor;

    if (!text) {
        return NULL;
    }
    json = qobject_from_json(text, errp);
    if (!json) {
        return NULL;
    }
    visitor = qobject_input_visitor_new(json);
    visit_type_X86DsegTlbGeometry(visitor, NULL, &geometry, errp);
    visit_free(visitor);
    qobject_unref(json);
    return geometry;
}

static DsegTlbArrayGeometry read_array(const X86DsegTlbArray *from)
{
    DsegTlbArrayGeometry array = {
        .place = from->level,
        .entries = from->entries,
        .ways = from->ways,
        .policy = from->has_policy ? from->policy : DSEG_TLB_LRU,
    };

    for (X86DsegTlbPagesList *p = from->pages; p; p = p->next) {
        array.sizes |= 1 << p->value;
    }
    return array;
}

static void read_walk_cache(const X86DsegTlbWalkCache *from, uint32_t *entries)
{
    if (from) {
        entries[0] = from->pml5e;
        entries[1] = from->pml4e;
        entries[2] = from->pdpte;
        entries[3] = from->pde;
    }
}

/* Checks only that there is room for it: false with an error that names the field. */
static bool read_geometry(const X86DsegTlbGeometry *from, DsegTlbGeometry *to,
                          Error **errp)
{
    *to = (DsegTlbGeometry) {
        .seed = from->seed,
        .segments_beside_l1 = from->segments == X86_DSEG_TLB_SEGMENTS_L1,
    };
    for (X86DsegTlbArrayList *a = from->arrays; a; a = a->next) {
        if (to->count == DSEG_TLB_MAX_ARRAYS) {
            error_setg(errp, "arrays: must be at most %u", DSEG_TLB_MAX_ARRAYS);
            return false;
        }
        to->arrays[to->count++] = read_array(a->value);
    }
    read_walk_cache(from->guest_walk_cache, to->guest_walk_cache);
    read_walk_cache(from->nested_walk_cache, to->nested_walk_cache);
    return true;
}

static DsegCacheGeometry read_cache(const X86DsegCache *from)
{
    return from ? (DsegCacheGeometry) {
        .size = from->size,
        .ways = from->ways,
        .policy = from->has_policy ? from->policy : DSEG_TLB_LRU,
        .latency = from->latency,
        .inclusive = from->inclusive,
    } : (DsegCacheGeometry) {};
}

/* A cache of 0 bytes is none to the model, but a mistake in a file. */
static bool read_caches(const X86DsegCacheHierarchy *from,
                        DsegCachesGeometry *to, Error **errp)
{
    const X86DsegCache *caches[] = { from->l1d, from->l1i, from->l2, from->llc };

    *to = (DsegCachesGeometry) {
        .line = from->has_line ? from->line : 64,
        .memory = from->memory,
        .seed = from->seed,
    };
    for (DsegCacheName name = 0; name < DSEG_CACHE__MAX; name++) {
        to->cache[name] = read_cache(caches[name]);
        if (caches[name] && !caches[name]->size) {
            error_setg(errp, "caches.%s.size: must be at least 1 line",
                       dseg_cache_names[name]);
            return false;
        }
    }
    return true;
}

/* False with an error that names the field and the rule. */
static bool read_all(const X86DsegTlbGeometry *from, Geometry *to, Error **errp)
{
    g_autofree char *broken = NULL;

    to->has_caches = from->caches;
    if (!read_geometry(from, &to->tlb, errp) ||
        (from->caches && !read_caches(from->caches, &to->caches, errp))) {
        return false;
    }
    broken = dseg_tlb_geometry_check(&to->tlb);
    if (!broken && to->has_caches) {
        broken = dseg_caches_geometry_check(&to->caches);
    }
    if (broken) {
        error_setg(errp, "%s", broken);
    }
    return !broken;
}

static bool read_file(const char *name, Geometry *geometry, Error **errp)
{
    g_autoptr(X86DsegTlbGeometry) parsed = parse_file(name, errp);

    if (parsed && read_all(parsed, geometry, errp)) {
        return true;
    }
    error_prepend(errp, "CPU property 'dseg-tlb': file '%s': ", name);
    return false;
}

static bool find_geometry(const char *name, Geometry *geometry, Error **errp)
{
    return find_preset(name, geometry) ||
           (is_file_name(name) ? read_file(name, geometry, errp)
                               : unknown_preset(name, errp));
}

static X86DsegTlb *new_tlb(CPUX86State *env, const DsegTlbGeometry *geometry,
                           bool exact)
{
    X86DsegTlb *tlb = g_new0(X86DsegTlb, 1);

    tlb->env = env;
    tlb->exact = exact;
    tlb->fetched = -1;
    tlb->generation = 1;    /* 0 is none's */
    tlb->walk_caches = dseg_tlb_has_walk_caches(geometry);
    tlb->model = dseg_tlb_new(geometry, exact ? NULL : x86_dseg_tlb_hide, tlb);
    tlb->backed = g_new0(X86DsegBacked, dseg_tlb_l1_slots(tlb->model));
    tlb->parts = g_new0(X86DsegParts, dseg_tlb_l1_slots(tlb->model));
    return tlb;
}

bool x86_dseg_create_tlb(X86CPU *cpu, Error **errp)
{
    const char *name = cpu->dseg_tlb ?: "off";
    int mode = X86_DSEG_TLB_MODE_INCLUSIVE;
    Geometry geometry;
    X86DsegTlb *tlb;

    if (cpu->dseg_tlb_mode) {
        mode = qapi_enum_parse(&X86DsegTlbMode_lookup, cpu->dseg_tlb_mode, -1,
                               NULL);
        if (mode < 0) {
            error_setg(errp, "CPU property 'dseg-tlb-mode' must be inclusive "
                       "or exact, not '%s'", cpu->dseg_tlb_mode);
            return false;
        }
    }
    if (!strcmp(name, "off")) {
        const char *other = cpu->dseg_tlb_mode ? "dseg-tlb-mode" :
                            cpu->dseg_caches ? "dseg-caches" : NULL;

        if (other) {
            error_setg(errp, "CPU property '%s' needs 'dseg-tlb'", other);
        }
        return !other;
    }
    if (!find_geometry(name, &geometry, errp)) {
        return false;
    }
    if (cpu->dseg_caches && !geometry.has_caches) {
        error_setg(errp, "CPU property 'dseg-caches' needs a geometry with "
                   "caches: file '%s' has none", name);
        return false;
    }
    tlb = new_tlb(&cpu->env, &geometry.tlb, mode == X86_DSEG_TLB_MODE_EXACT);
    if (cpu->dseg_caches) {
        tlb->caches = x86_dseg_caches_new(&geometry.caches, tlb->exact);
    }
    /* TCG makes two accesses of a locked instruction where it has one thread. */
    CPU(cpu)->tcg_cflags |= CF_PARALLEL;
    cpu->env.dseg->tlb = tlb;
    return true;
}

void x86_dseg_tlb_free(X86DsegTlb *tlb)
{
    if (tlb) {
        dseg_tlb_free(tlb->model);
        x86_dseg_caches_free(tlb->caches);
        g_free(tlb->backed);
        g_free(tlb->parts);
        g_free(tlb);
    }
}
