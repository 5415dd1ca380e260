/* What pages.c and references.c share: what Python said of tags and of references. */

#ifndef INBOXSTATS_PAGES_H
#define INBOXSTATS_PAGES_H

#include "compiled.h"

enum {
    LONGEST_KNOWN = 14,        /* octets of what was asked for and is kept */
    LONGEST_SAID = 8,          /* and of the answer */
    PLACES = 256,
    MOST_PLACES = 4,           /* that are looked at; the last one's owner then makes room */
    GROWTH = 2,                /* times its octets is what a reference stands for at most */
};

typedef struct {
    char octets[LONGEST_KNOWN];
    unsigned char length;      /* 0 where there is none */
    unsigned char size;        /* of what was said */
    char said[LONGEST_SAID];
} Known;

/* A function from text to text, and what it said. */
typedef struct {
    PyObject *function;
    Known known[PLACES];
} Asked;

#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif

/* What the function says of octets, to `to`. Returns how many octets that has; -1 and an exception where it fails, or has
   more than `room`. */
Py_ssize_t say(Asked *asked, const char *octets, size_t length, char *to, size_t room);

/* A text with what its references stand for, into room that has GROWTH times its octets. Returns how many octets that
   has; -1 and an exception where Python fails to tell. */
Py_ssize_t without_references(Asked *meaning_of, const char *text, size_t size, char *made);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
