/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The bytes of the character that @text begins with, and its number; 0 bytes if
   it is none of UTF-8 (RFC 3629). */
static size_t decode(const char *text, uint32_t *character)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *byte = (const unsigned char *)text;
    size_t size = byte[0] < 0x80 ? 1 : byte[0] >> 5 == 6 ? 2 :
                  byte[0] >> 4 == 14 ? 3 : byte[0] >> 3 == 30 ? 4 : 0;

    *character = size > 1 ? byte[0] & (0x7f >> size) : byte[0];
    for (size_t i = 1; i < size; i++) {
        if (byte[i] >> 6 != 2) {
            return 0;
        }
        *character = *character << 6 | (byte[i] & 0x3f);
    }
    return *character < least[size] || *character > 0x10ffff ||
           (*character >> 11 == 0x1b /* surrogates */) ? 0 : size;
}

static bool is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0);
}

void text_print(FILE *file, const char *text)
{
    while (*text) {
        uint32_t character;
        size_t size = decode(text, &character);

        if (size && !is_control(character)) {
            fwrite(text, 1, size, file);
        } else {
            for (size_t i = 0; i < (size ? size : 1); i++) {
                fprintf(file, "\\x%02x", (unsigned char)text[i]);
            }
        }
        text += size ? size : 1;
    }
}

void text_print_json(FILE *file, const char *text)
{
    while (*text) {
        uint32_t character;
        size_t size = decode(text, &character);

        if (!size) {
            fputs("\\ufffd", file);
        } else if (is_control(character) || strchr("\"\\", *text)) {
            fprintf(file, "\\u%04x", character);
        } else {
            fwrite(text, 1, size, file);
        }
        text += size ? size : 1;
    }
}
