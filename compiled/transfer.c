/* Transfer encodings (RFC 2045, section 6) and line ends: what the octets between two places of a message are. */

#include "compiled.h"

enum {
    NO_LETTER = 64,            /* what an octet that is no letter of base64 stands for */
    COUNTED = 240,             /* octets that are counted by one: less than 256, and sixteen at a time */
    BLOCK = 4096,              /* octets that stay at hand between two looks at them */
};

typedef struct {
    const unsigned char *octets;
    size_t size;
} Range;

/* The octets that are meant. Returns -1 and an exception where these are no places in the data. */
static int
range_of(PyObject *const *args, Py_ssize_t count, Range *range)
{
    Part part;
    if (part_of(args, count, 3, &part) < 0)
        return -1;
    *range = (Range){(const unsigned char *)part.first, (size_t)(part.end - part.first)};
    return 0;
}

/* Decodes octets into room that has as many, and returns how many there are then. */
typedef size_t (*Decoder)(const unsigned char *octets, size_t size, unsigned char *made);

static PyObject *
decoded(PyObject *const *args, Py_ssize_t count, Decoder decoder)
{
    Range range;
    if (range_of(args, count, &range) < 0)
        return NULL;
    unsigned char *made = PyMem_Malloc(range.size);
    if (made == NULL)
        return PyErr_NoMemory();
    size_t size = decoder(range.octets, range.size, made);
    PyObject *result = PyBytes_FromStringAndSize((const char *)made, (Py_ssize_t)size);
    PyMem_Free(made);
    return result;
}

static size_t
decode_line_ends(const unsigned char *octets, size_t size, unsigned char *made)
{
    unsigned char *to = made;
    const unsigned char *end = octets + size, *found;
    while ((found = memchr(octets, '\r', (size_t)(end - octets))) != NULL) {
        size_t length = (size_t)(found - octets) + (end - found == 1 || found[1] != '\n');
        memcpy(to, octets, length);
        to += length;
        octets = found + 1;
    }
    memcpy(to, octets, (size_t)(end - octets));
    return (size_t)(to - made) + (size_t)(end - octets);
}

PyObject *
with_lf(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    return decoded(args, count, decode_line_ends);
}

static int
digit_of(unsigned char octet)
{
    if ('0' <= octet && octet <= '9')
        return octet - '0';
    octet |= 32;
    return 'a' <= octet && octet <= 'f' ? octet - 'a' + 10 : -1;
}

/* As binascii.a2b_qp does, where a line end is LF or CRLF. */
static size_t
decode_quoted_printable(const unsigned char *octets, size_t size, unsigned char *made)
{
    unsigned char *to = made;
    for (const unsigned char *end = octets + size; octets < end;) {
        while (octets < end && *octets != '=' && *octets != '\r')
            *to++ = *octets++;
        size_t left = (size_t)(end - octets);
        if (left == 0)
            break;
        if (*octets == '\r') {
            if (left == 1 || octets[1] != '\n')
                *to++ = '\r';
            octets++;
        }
        else if (left > 1 && (octets[1] == '\n' || octets[1] == '\r')) {
            const unsigned char *newline = memchr(octets + 1, '\n', left - 1);
            octets = newline == NULL ? end : newline + 1;
        }
        else if (left > 2 && digit_of(octets[1]) >= 0 && digit_of(octets[2]) >= 0) {
            *to++ = (unsigned char)(digit_of(octets[1]) << 4 | digit_of(octets[2]));
            octets += 3;
        }
        else {
            if (left > 1)
                *to++ = '=';
            octets += left > 1 && octets[1] == '=' ? 2 : 1;
        }
    }
    return (size_t)(to - made);
}

PyObject *
from_quoted_printable(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    return decoded(args, count, decode_quoted_printable);
}

static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t
decode_base64(const unsigned char *octets, size_t size, unsigned char *made)
{
    unsigned char values[256], *to = made;
    memset(values, NO_LETTER, sizeof values);
    for (unsigned char i = 0; i < NO_LETTER; i++)
        values[(unsigned char)LETTERS[i]] = i;
    const unsigned char *padding = memchr(octets, '=', size), *end = padding == NULL ? octets + size : padding;
    uint32_t bits = 0;
    int held = 0; /* letters whose octets are still to come */
    while (octets < end) {
        for (; held == 0 && end - octets >= 4; octets += 4, to += 3) {
            unsigned a = values[octets[0]], b = values[octets[1]], c = values[octets[2]], d = values[octets[3]];
            if ((a | b | c | d) & NO_LETTER)
                break;
            to[0] = (unsigned char)(a << 2 | b >> 4);
            to[1] = (unsigned char)(b << 4 | c >> 2);
            to[2] = (unsigned char)(c << 6 | d);
        }
        if (octets == end)
            break;
        unsigned value = values[*octets++];
        if (value == NO_LETTER)
            continue;
        bits = bits << 6 | value;
        if (held++ > 0)
            *to++ = (unsigned char)(bits >> (8 - 2 * held));
        held &= 3;
    }
    return (size_t)(to - made);
}

PyObject *
from_base64(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    return decoded(args, count, decode_base64);
}

/* 1 for a letter of base64, 0 for any other octet. Each range of letters is moved to the end of those that are above 0 as
   a signed char, so that one comparison tells: processors compare sixteen of these at a time. */
static int
is_letter(unsigned char octet)
{
    return ((signed char)((octet | 32) + 127 - 'z') > 127 - 26) | ((signed char)(octet + 127 - '9') > 127 - 11)
           | (octet == '+'); /* 11 with the slash, which stands before the digits */
}

/* How many letters of base64 there are, in blocks that a counter of one octet can count. */
static size_t
letters_among(const unsigned char *octets, size_t size)
{
    size_t count = 0;
    while (size > 0) {
        size_t block = size < COUNTED ? size : COUNTED;
        unsigned char found = 0;
        for (size_t i = 0; i < block; i++)
            found = (unsigned char)(found + is_letter(octets[i]));
        count += found;
        octets += block;
        size -= block;
    }
    return count;
}

PyObject *
base64_letters(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    Range range;
    if (range_of(args, count, &range) < 0)
        return NULL;
    const unsigned char *padding = memchr(range.octets, '=', range.size);
    size_t size = padding == NULL ? range.size : (size_t)(padding - range.octets);
    return PyLong_FromSize_t(letters_among(range.octets, size));
}
