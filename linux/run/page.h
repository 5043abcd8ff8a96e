/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUN_PAGE_H
#define RUN_PAGE_H

#include "shared.h"

/* The page of dseg-run, if this program has been started by it, or NULL. */
struct run_page *page_find(void);

/* Programs that this one starts shall not find what dseg-run has set. */
void page_leave_environment(const struct run_page *page);

#endif
