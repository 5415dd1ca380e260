/* A text as octets, each in the place of its character. */

#include "lines.h"

/* Without a branch, and without a look at what an octet might be part of: compilers make it sixteen at a time. */
static void
narrow(const Py_UCS4 *codes, char *octets, size_t size)
{
    for (size_t i = 0; i < size; i++)
        octets[i] = (char)(codes[i] < BEYOND_ASCII ? codes[i] : BEYOND_ASCII);
}

int
open_text(PyObject *text, PyObject *isascii, Text *opened)
{
    Py_ssize_t size = PyUnicode_GetLength(text), octets;
    if (size < 0)
        return -1;
    *opened = (Text){.text = text, .size = (size_t)size};
    PyObject *is_ascii = PyObject_CallMethodObjArgs(text, isascii, NULL);
    if (is_ascii == NULL)
        return -1;
    Py_DECREF(is_ascii);
    if (is_ascii == Py_True) { /* then its octets are there, and are not made */
        opened->octets = PyUnicode_AsUTF8AndSize(text, &octets);
        if (opened->octets == NULL || octets == size)
            return opened->octets == NULL ? -1 : 0;
    }
    if (opened->size > SIZE_MAX / 5 || (opened->room = PyMem_Malloc(5 * opened->size)) == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    Py_UCS4 *codes = opened->room;
    if (PyUnicode_AsUCS4(text, codes, size, 0) == NULL) {
        PyMem_Free(opened->room);
        return -1;
    }
    narrow(codes, (char *)(codes + size), opened->size);
    opened->octets = (char *)(codes + size);
    opened->codes = codes;
    return 0;
}

void
close_text(Text *opened)
{
    PyMem_Free(opened->room);
}
