/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of linux/run/text: whatever bytes come from outside, what is
 * printed is valid
 */
#define _GNU_SOURCE
#include "../../linux/run/text.h"

#include <glib.h>
#include <stdlib.h>

static const struct {
    const char *text, *printed, *json;
} cases[] = {
    { "plain", "plain", "plain" },
    { "", "", "" },
    { "gr\303\274n \342\202\254 \360\237\220\247",
      "gr\303\274n \342\202\254 \360\237\220\247",
      "gr\303\274n \342\202\254 \360\237\220\247" },
    { "say \"\\\"", "say \"\\\"", "say \\u0022\\u005c\\u0022" },
    { "\033[2Jcls\n\r\t\177", "\\x1b[2Jcls\\x0a\\x0d\\x09\\x7f",
      "\\u001b[2Jcls\\u000a\\u000d\\u0009\\u007f" },
    /* CSI, a control character of one byte in other codes. */
    { "\302\2332J", "\\xc2\\x9b2J", "\\u009b2J" },
    { "\2332J", "\\x9b2J", "\\ufffd2J" },
    /* Cut short, as the kernel does with names. */
    { "abc\303", "abc\\xc3", "abc\\ufffd" },
    { "\342\202", "\\xe2\\x82", "\\ufffd\\ufffd" },
    { "\342\202x", "\\xe2\\x82x", "\\ufffd\\ufffdx" },
    /* Longer than need be, a surrogate, and beyond the last character. */
    { "\300\257", "\\xc0\\xaf", "\\ufffd\\ufffd" },
    { "\340\200\257", "\\xe0\\x80\\xaf", "\\ufffd\\ufffd\\ufffd" },
    { "\355\240\200", "\\xed\\xa0\\x80", "\\ufffd\\ufffd\\ufffd" },
    { "\364\220\200\200", "\\xf4\\x90\\x80\\x80",
      "\\ufffd\\ufffd\\ufffd\\ufffd" },
    { "\364\217\277\277", "\364\217\277\277", "\364\217\277\277" },
    { "\377\376", "\\xff\\xfe", "\\ufffd\\ufffd" },
};

static char *printed(void (*print)(FILE *, const char *), const char *text)
{
    char *result = NULL;
    size_t size;
    FILE *file = open_memstream(&result, &size);

    print(file, text);
    fclose(file);
    return result;
}

static void test_for_people(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char *text = printed(text_print, cases[i].text);

        g_assert_cmpstr(text, ==, cases[i].printed);
        free(text);
    }
}

static void test_json(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char *text = printed(text_print_json, cases[i].text);

        g_assert_cmpstr(text, ==, cases[i].json);
        free(text);
    }
}

/* Many pairs of bytes, between others. */
static void test_is_always_utf8_without_controls(void)
{
    for (unsigned pair = 0x0101; pair < 0x10000; pair += 7) {
        char text[] = { 'a', pair >> 8, pair, 'z', 0 };
        char *people = printed(text_print, text);
        char *json = printed(text_print_json, text);

        g_assert_true(g_utf8_validate(people, -1, NULL));
        g_assert_true(g_utf8_validate(json, -1, NULL));
        for (char *c = people; *c; c++) {
            g_assert_cmpint((unsigned char)*c, >=, ' ');
        }
        free(people);
        free(json);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/text/for-people", test_for_people);
    g_test_add_func("/text/json", test_json);
    g_test_add_func("/text/is-always-utf-8-without-controls",
                    test_is_always_utf8_without_controls);
    return g_test_run();
}
