/* The innermost loops of reading mail. inboxstats/parse/uncompiled.py says what each of them does, does the same in
   Python, and stands in where this was not built.

   Mail tells nothing here of how long it is or how many there are of it: all is counted, and every room is made for the
   most that can come. Octets are looked at; what they mean is asked of Python, once for each. */

#ifndef INBOXSTATS_COMPILED_H
#define INBOXSTATS_COMPILED_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <stdint.h>
#include <string.h>

/* As in uncompiled.py. It goes up with each change here that one can tell from outside: an argument, a result, a fault
   that is mended. What was built of older sources is then not used. */
#define CONTRACT 8

/* What our files share is for no one else, and is not to be mistaken for what others name alike. */
#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif

extern PyType_Spec characters_spec, fields_spec, lines_spec, pages_spec, vocabulary_spec;

PyObject *base64_letters(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *from_base64(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *from_quoted_printable(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *with_lf(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *end_of_section(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *next_delimiter(PyObject *module, PyObject *const *args, Py_ssize_t count);

/* `data[start:end]` of a call whose first three arguments are these. */
typedef struct {
    Py_ssize_t start;
    const char *first, *end;
} Part;

/* Returns -1 and an exception where it is no part of the data, or has another count of arguments. */
int part_of(PyObject *const *args, Py_ssize_t count, Py_ssize_t expected, Part *part);

/* As Python's bytes.isspace(). */
static inline int
is_space(char octet)
{
    return octet == ' ' || ('\t' <= octet && octet <= '\r');
}

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
