/* The keywords that tokens are, each once, and their octets. */

#include "vocabulary.h"

/* Room for so many of something. Returns where all of it is now, or NULL and an exception. */
static void *
roomier(void *all, size_t *room, size_t needed, size_t size)
{
    if (needed <= *room)
        return all;
    size_t wanted = *room < 1024 ? 1024 : *room * 2;
    wanted = wanted < needed ? needed : wanted;
    void *moved = wanted > SIZE_MAX / size ? NULL : PyMem_Realloc(all, wanted * size);
    if (moved == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    *room = wanted;
    return moved;
}

int
append(Octets *all, const char *octets, size_t length, uint32_t *start)
{
    *start = (uint32_t)all->count;
    if (length == 0)
        return 0;
    if (all->count + length > UINT32_MAX) {
        PyErr_NoMemory();
        return -1;
    }
    char *moved = roomier(all->octets, &all->room, all->count + length, 1);
    if (moved == NULL)
        return -1;
    all->octets = moved;
    memcpy(moved + all->count, octets, length);
    all->count += length;
    return 0;
}

/* Puts the text of the next keyword behind the others, in the place of what was left by one that then failed. Returns -1
   and an exception where there is no memory. */
static int
put_text(Vocabulary *self, PyObject *text)
{
    Py_ssize_t place = (Py_ssize_t)self->keyword_count;
    if (place == PyList_Size(self->texts))
        return PyList_Append(self->texts, text);
    Py_INCREF(text); /* PyList_SetItem takes it */
    return PyList_SetItem(self->texts, place, text);
}

/* A keyword that is new. Returns -1 and an exception where that fails. */
static int
add_keyword(Vocabulary *self, PyObject *text, const char *octets, size_t length)
{
    int is_told = self->told == NULL ? 0 : PySet_Contains(self->told, text);
    if (is_told < 0)
        return -1;
    if (self->keyword_count >= UINT32_MAX - FIRST) {
        PyErr_SetString(PyExc_OverflowError, "too many keywords");
        return -1;
    }
    Keyword *moved = roomier(self->keywords, &self->keyword_room, self->keyword_count + 1, sizeof *moved);
    if (moved == NULL)
        return -1;
    self->keywords = moved;
    Keyword *keyword = &moved[self->keyword_count];
    PyObject *number = PyLong_FromSize_t(FIRST + self->keyword_count);
    int result = number == NULL || append(&self->letters, octets, length, &keyword->start) < 0
                         || put_text(self, text) < 0 || PyDict_SetItem(self->numbers, text, number) < 0
                     ? -1
                     : 0;
    Py_XDECREF(number);
    if (result < 0)
        return -1;
    keyword->seen = (uint64_t)is_told;
    keyword->length = (uint32_t)length;
    self->keyword_count++;
    return 0;
}

uint32_t
number_of(Vocabulary *self, PyObject *text)
{
    if (!PyUnicode_CheckExact(text)) { /* a subclass could have Python run while a keyword is added */
        PyErr_SetString(PyExc_TypeError, "a keyword is text");
        return NOT_MET;
    }
    Py_ssize_t length;
    const char *octets = PyUnicode_AsUTF8AndSize(text, &length);
    if (octets == NULL)
        return NOT_MET;
    if (length == 0)
        return NO_KEYWORD;
    PyObject *known = PyDict_GetItemWithError(self->numbers, text);
    if (known != NULL)
        return (uint32_t)PyLong_AsUnsignedLong(known);
    if (PyErr_Occurred() || add_keyword(self, text, octets, (size_t)length) < 0)
        return NOT_MET;
    return FIRST + (uint32_t)self->keyword_count - 1;
}
