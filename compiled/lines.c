/* Of what kind each line of a text is, as far as it shows without a closer look. */

#include "compiled.h"

enum {
    CODES = 0x800,             /* of the characters that a line can begin with and be plain */
    QUOTE_WITHIN = 8,          /* characters of a line, among which a quotation has its mark */
    LABEL_WITHIN = 14,         /* and a label its colon */
    MOST_STARTS = 8,
};

enum first {
    NO_PLAIN,                  /* no plain line begins with it */
    PLAIN,                     /* one does, unless it is a quotation */
    LABELLING,                 /* or has a label */
};

static const char IS_PLAIN = 'p', IS_ADDRESSED = 'a', IS_EMPTY = 'e', IS_QUOTED = 'q', IS_OTHER = 'o';

typedef struct {
    PyObject_HEAD
    PyObject *starts;          /* how lines begin that are not plain, in UTF-8: tuple[str, ...] */
    PyObject *newline;
    size_t start_count;
    const char *octets[MOST_STARTS];
    size_t lengths[MOST_STARTS];
    char firsts[CODES];
} Lines;

/* Whether an octet is among the first characters of a line, so many of them. */
static int
is_among_first(char octet, const char *line, size_t length, size_t characters)
{
    size_t most = 4 * characters < length ? 4 * characters : length;
    const char *found = memchr(line, octet, most);
    if (found == NULL)
        return 0;
    size_t before = 0;
    for (const char *other = line; other < found; other++)
        before += ((unsigned char)*other & 0xC0) != 0x80;
    return before < characters;
}

/* Whether a line that is not empty is plain. */
static int
is_plain(const Lines *self, const char *line, size_t length)
{
    unsigned char lead = (unsigned char)line[0];
    uint32_t code = lead < 0x80 ? lead : lead < 0xE0 ? (lead & 31u) << 6 | ((unsigned char)line[1] & 63u) : CODES;
    char first = code < CODES ? self->firsts[code] : NO_PLAIN;
    if (first == NO_PLAIN || is_among_first('>', line, length, QUOTE_WITHIN)
        || (first == LABELLING && is_among_first(':', line, length, LABEL_WITHIN)))
        return 0;
    for (size_t i = 0; i < self->start_count; i++)
        if (length >= self->lengths[i] && memcmp(line, self->octets[i], self->lengths[i]) == 0)
            return 0;
    return 1;
}

static char
kind_of(const Lines *self, const char *line, size_t length)
{
    if (length == 0)
        return IS_EMPTY;
    if (line[0] == '>')
        return IS_QUOTED;
    if (!is_plain(self, line, length))
        return IS_OTHER;
    return memchr(line, '@', length) != NULL || memchr(line, '/', length) != NULL ? IS_ADDRESSED : IS_PLAIN;
}

/* The kind of each line of the octets. */
static PyObject *
kinds_of(const Lines *self, const char *octets, size_t size)
{
    const char *end = octets + size;
    size_t count = 1;
    for (const char *found = octets; (found = memchr(found, '\n', (size_t)(end - found))) != NULL; found++)
        count++;
    char *kinds = PyMem_Malloc(count);
    if (kinds == NULL)
        return PyErr_NoMemory();
    for (size_t i = 0; i < count; i++) {
        const char *found = memchr(octets, '\n', (size_t)(end - octets));
        size_t length = (size_t)((found == NULL ? end : found) - octets);
        kinds[i] = kind_of(self, octets, length);
        octets += found == NULL ? length : length + 1;
    }
    PyObject *result = PyBytes_FromStringAndSize(kinds, (Py_ssize_t)count);
    PyMem_Free(kinds);
    return result;
}

static PyObject *
kinds(const Lines *self, PyObject *text)
{
    Py_ssize_t size;
    const char *octets = PyUnicode_AsUTF8AndSize(text, &size);
    if (octets != NULL)
        return kinds_of(self, octets, (size_t)size);
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
        return NULL;
    PyErr_Clear(); /* half of a surrogate pair, which begins no plain line */
    PyObject *encoded = PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass");
    char *others;
    PyObject *result = NULL;
    if (encoded != NULL && PyBytes_AsStringAndSize(encoded, &others, &size) == 0)
        result = kinds_of(self, others, (size_t)size);
    Py_XDECREF(encoded);
    return result;
}

static PyObject *
read_lines(Lines *self, PyObject *text)
{
    PyObject *found = kinds(self, text);
    PyObject *lines = found == NULL ? NULL : PyUnicode_Split(text, self->newline, -1);
    PyObject *result = lines == NULL ? NULL : PyTuple_Pack(2, lines, found);
    Py_XDECREF(found);
    Py_XDECREF(lines);
    return result;
}

/* What lines that begin with these characters are. Returns -1 and an exception where one has three octets or more. */
static int
fill_firsts(Lines *self, PyObject *characters, enum first first)
{
    Py_ssize_t size;
    const char *octets = PyUnicode_AsUTF8AndSize(characters, &size);
    if (octets == NULL)
        return -1;
    for (Py_ssize_t i = 0; i < size; i++) {
        unsigned char lead = (unsigned char)octets[i];
        if (lead >= 0xE0) {
            PyErr_SetString(PyExc_ValueError, "there is a character beyond U+07FF");
            return -1;
        }
        if (lead >= 0x80)
            self->firsts[(lead & 31) << 6 | ((unsigned char)octets[++i] & 63)] = (char)first;
        else
            self->firsts[lead] = (char)first;
    }
    return 0;
}

/* How lines begin that are not plain. Returns -1 and an exception where that is no text, or too much of it. */
static int
fill_starts(Lines *self, PyObject *starts)
{
    Py_ssize_t count = PyTuple_Size(starts);
    if (count > MOST_STARTS)
        PyErr_Format(PyExc_ValueError, "starts has more than %d texts", MOST_STARTS);
    for (Py_ssize_t i = 0; i < count && !PyErr_Occurred(); i++) {
        Py_ssize_t length;
        self->octets[i] = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(starts, i), &length);
        if (self->octets[i] == NULL)
            break;
        self->lengths[i] = (size_t)length;
        self->start_count++;
    }
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *
lines_made(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"plain", "labelling", "starts", NULL};
    PyObject *plain, *labelling, *starts;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "UUO!:Lines", names, &plain, &labelling, &PyTuple_Type, &starts))
        return NULL;
    allocfunc allocated = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Lines *self = (Lines *)allocated(type, 0);
    if (self == NULL)
        return NULL;
    Py_INCREF(starts);
    self->starts = starts;
    self->newline = PyUnicode_FromString("\n");
    /* What is plain comes last: it is so even where it is among the others, too. */
    if (self->newline == NULL || fill_firsts(self, labelling, LABELLING) < 0
        || fill_firsts(self, plain, PLAIN) < 0 || fill_starts(self, starts) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void
lines_freed(Lines *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    Py_XDECREF(self->starts);
    Py_XDECREF(self->newline);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef lines_methods[] = {
    {"read", (PyCFunction)read_lines, METH_O, "As in uncompiled.Lines."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot lines_slots[] = {
    {Py_tp_doc, "As uncompiled.Lines."},
    {Py_tp_new, lines_made},
    {Py_tp_dealloc, lines_freed},
    {Py_tp_methods, lines_methods},
    {0, NULL},
};

PyType_Spec lines_spec = {
    .name = "inboxstats.parse._compiled.Lines",
    .basicsize = sizeof(Lines),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = lines_slots,
};
