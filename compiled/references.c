/* What references to characters stand for (HTML, section 13.5), and what Python said of them and of tags. */

#include "pages.h"

enum {
    LONGEST_NAME = 32,         /* characters of a reference by name */
    TOO_MANY_DIGITS = 8,       /* of one by number: these may then be hexadecimal in any case */
};

static uint32_t
hash_of(const char *octets, size_t length)
{
    uint32_t hash = 0;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)octets[i]) * 0x9E3779B1u;
    return hash >> 16;
}

static int
is_known(const Known *known, const char *octets, size_t length)
{
    return known->length == length && memcmp(known->octets, octets, length) == 0;
}

/* Where it is known what is said of octets, or else is to be; NULL where that is not kept. */
static Known *
place_of(Asked *asked, const char *octets, size_t length)
{
    if (length == 0 || length > LONGEST_KNOWN)
        return NULL;
    uint32_t hash = hash_of(octets, length);
    Known *known = NULL;
    for (uint32_t i = 0; i < MOST_PLACES; i++) {
        known = &asked->known[(hash + i) % PLACES];
        if (known->length == 0 || is_known(known, octets, length))
            break;
    }
    return known;
}

Py_ssize_t
say(Asked *asked, const char *octets, size_t length, char *to, size_t room)
{
    Known *known = place_of(asked, octets, length);
    if (known != NULL && is_known(known, octets, length) && known->size <= room) {
        memcpy(to, known->said, known->size);
        return known->size;
    }
    PyObject *text = PyUnicode_DecodeUTF8(octets, (Py_ssize_t)length, NULL);
    PyObject *said = text == NULL ? NULL : PyObject_CallFunctionObjArgs(asked->function, text, NULL);
    Py_XDECREF(text);
    if (said == NULL)
        return -1;
    Py_ssize_t size;
    const char *found = PyUnicode_AsUTF8AndSize(said, &size);
    if (found != NULL && (size_t)size > room) {
        PyErr_Format(PyExc_ValueError, "there is more said of %zu octets than %zu", length, room);
        found = NULL;
    }
    if (found != NULL)
        memcpy(to, found, (size_t)size);
    if (found != NULL && known != NULL && size <= LONGEST_SAID) {
        memcpy(known->octets, octets, length);
        known->length = (unsigned char)length;
        memcpy(known->said, found, (size_t)size);
        known->size = (unsigned char)size;
    }
    Py_DECREF(said);
    return found == NULL ? -1 : size;
}

static int
is_digit(char octet)
{
    return '0' <= octet && octet <= '9';
}

static int
ends_name(char octet)
{
    return octet == ';' || octet == '&' || octet == '<' || octet == '#' || octet == ' ' || octet == '\n' || octet == '\t'
           || octet == '\f';
}

/* How many octets a reference has that begins there with its "&"; 0 for none. */
static size_t
reference_at(const char *octets, const char *end)
{
    const char *first = octets + 1, *last;
    if (first < end && *first == '#') {
        int is_hexadecimal = ++first < end && (*first | 32) == 'x';
        first += is_hexadecimal;
        for (last = first; last < end && (is_digit(*last) || ('a' <= (*last | 32) && (*last | 32) <= 'f')); last++)
            ;
        if (!is_hexadecimal && last - first < TOO_MANY_DIGITS)
            for (last = first; last < end && is_digit(*last); last++)
                ;
    }
    else {
        size_t characters = 0;
        for (last = first; last < end && !ends_name(*last); last++)
            if ((*last & 0xC0) != 0x80 && ++characters > LONGEST_NAME)
                break;
    }
    return last == first ? 0 : (size_t)(last - octets) + (last < end && *last == ';');
}

Py_ssize_t
without_references(Asked *meaning_of, const char *text, size_t size, char *made)
{
    const char *end = text + size, *found;
    char *to = made;
    while ((found = memchr(text, '&', (size_t)(end - text))) != NULL) {
        memcpy(to, text, (size_t)(found - text));
        to += found - text;
        size_t length = reference_at(found, end);
        Py_ssize_t meant = 1;
        if (length == 0)
            *to = '&';
        else if ((meant = say(meaning_of, found, length, to, GROWTH * length)) < 0)
            return -1;
        to += meant;
        text = found + (length == 0 ? 1 : length);
    }
    memcpy(to, text, (size_t)(end - text));
    return to - made + (end - text);
}
