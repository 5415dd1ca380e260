/* How many letters of base64 there are. */

#include "compiled.h"

/* Each octet is looked at without a branch, in blocks that a counter of one octet can count: compilers then make it
   sixteen at a time. */
static size_t
letters_among(const unsigned char *octets, size_t size)
{
    size_t count = 0;
    while (size > 0) {
        size_t block = size < 255 ? size : 255;
        unsigned char found = 0;
        for (size_t i = 0; i < block; i++) {
            unsigned char octet = octets[i];
            unsigned char is_letter = (unsigned char)((octet | 32) - 'a') < 26;
            unsigned char is_digit = (unsigned char)(octet - '0') < 10;
            found = (unsigned char)(found + (is_letter | is_digit | (octet == '+') | (octet == '/')));
        }
        count += found;
        octets += block;
        size -= block;
    }
    return count;
}

PyObject *
base64_letters(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *data;
    Py_ssize_t start, end, size;
    char *octets;
    if (!PyArg_ParseTuple(args, "Snn:base64_letters", &data, &start, &end)
        || PyBytes_AsStringAndSize(data, &octets, &size) < 0)
        return NULL;
    if (start < 0 || end > size || start > end) {
        PyErr_SetString(PyExc_ValueError, "start and end are places in the data, in this order");
        return NULL;
    }
    const char *padding = memchr(octets + start, '=', (size_t)(end - start));
    size_t length = padding == NULL ? (size_t)(end - start) : (size_t)(padding - octets - start);
    return PyLong_FromSize_t(letters_among((const unsigned char *)octets + start, length));
}
