/* What the files on lines share: the text that they are read from. */

#ifndef INBOXSTATS_LINES_H
#define INBOXSTATS_LINES_H

#include "compiled.h"

enum {
    BEYOND_ASCII = 0x80,
};

/* A text as octets, each in the place of its character: an offset is the same in both. */
typedef struct {
    PyObject *text;
    const char *octets;        /* BEYOND_ASCII for any other character */
    const Py_UCS4 *codes;      /* NULL where all are ASCII */
    void *room;                /* for these two */
    size_t size;
} Text;

static inline Py_UCS4
code_at(const Text *text, size_t place)
{
    return text->codes == NULL ? (unsigned char)text->octets[place] : text->codes[place];
}

/* The place of the first such octet in a part of the text, or the end of that. */
static inline size_t
find(const Text *text, char octet, size_t start, size_t end)
{
    const char *found = memchr(text->octets + start, octet, end - start);
    return found == NULL ? end : (size_t)(found - text->octets);
}

/* As str.isspace. */
static inline int
is_blank(Py_UCS4 code)
{
    if (code < BEYOND_ASCII)
        return (9 <= code && code <= 13) || (28 <= code && code <= 32);
    return code == 0x85 || code == 0xA0 || code == 0x1680 || (0x2000 <= code && code <= 0x200A) || code == 0x2028
        || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif

/* Its method isascii is called by that name. Returns -1 and an exception where that or memory fails. */
int open_text(PyObject *text, PyObject *isascii, Text *opened);
void close_text(Text *opened);

/* As in uncompiled, of the line that is there; blank is the text of one. */
PyObject *without_addresses(const Text *text, size_t line, size_t line_end, PyObject *blank);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
