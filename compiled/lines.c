/* What the lines of a text are, as far as it shows without a closer look, in runs of lines that are alike. */

#include "lines.h"

enum {
    CODES = 0x800,             /* of the characters that are said to be special */
    QUOTE_WITHIN = 8,          /* characters of a line, among which a quotation has its mark */
    LABEL_WITHIN = 14,         /* and a label its colon */
    MOST_STARTS = 8,
};

/* What may be no text is a line that begins with the character: */
enum first {
    SPECIAL = 1,               /* any */
    LABELLING = 2,             /* one that has a label */
    STARTING = 4,              /* one with such a start, or of white space alone */
};

static const char IS_PLAIN = 'p', IS_ADDRESSED = 'a', IS_EMPTY = 'e', IS_QUOTED = 'q', IS_MARKED = 'm', IS_OTHER = 'o';

typedef struct {
    PyObject_HEAD
    PyObject *starts;          /* tuple[str, ...] */
    PyObject *isascii, *blank;
    size_t start_count;
    const char *octets[MOST_STARTS];
    size_t lengths[MOST_STARTS];
    char firsts[CODES];        /* of enum first */
} Lines;

/* Where an octet comes next, which is looked for once and not in each line. */
typedef struct {
    char octet;
    size_t place;
} Next;

typedef struct {
    size_t start, end, lines;
    char kind;
} Run;

/* Whether there is one in a part that begins no earlier than those before. */
static int
comes(Next *next, const Text *text, size_t start, size_t end)
{
    if (next->place < start)
        next->place = find(text, next->octet, start, text->size);
    return next->place < end;
}

static size_t
within(size_t start, size_t end, size_t most)
{
    return end - start < most ? end : start + most;
}

/* Whether a line begins like one that may be anything, or is white space. */
static int
begins_otherwise(const Lines *self, const Text *text, size_t start, size_t end)
{
    for (size_t i = 0; i < self->start_count; i++)
        if (end - start >= self->lengths[i] && memcmp(text->octets + start, self->octets[i], self->lengths[i]) == 0)
            return 1;
    while (start < end && is_blank(code_at(text, start)))
        start++;
    return start == end;
}

/* Whether there is "-by: " in a line. */
static int
is_trailer(const Text *text, size_t start, size_t end)
{
    for (size_t place = start; (place = find(text, ':', place, end)) < end; place++)
        if (place - start >= 3 && end - place >= 2 && memcmp(text->octets + place - 3, "-by: ", 5) == 0)
            return 1;
    return 0;
}

/* What is looked for in all lines. */
typedef struct {
    Next quote, label, at, slash;
} Marks;

static char
kind_of(const Lines *self, const Text *text, Marks *marks, size_t start, size_t end)
{
    if (start == end)
        return IS_EMPTY;
    if (text->octets[start] == '>')
        return IS_QUOTED;
    if (comes(&marks->quote, text, start, within(start, end, QUOTE_WITHIN)))
        return IS_MARKED;
    Py_UCS4 code = code_at(text, start);
    int first = code < CODES ? self->firsts[code] : is_blank(code) ? STARTING : 0;
    if (first & SPECIAL || (first & LABELLING && comes(&marks->label, text, start, within(start, end, LABEL_WITHIN)))
        || (first & STARTING && begins_otherwise(self, text, start, end)))
        return IS_OTHER;
    if (!comes(&marks->at, text, start, end)
        && !(comes(&marks->slash, text, start, end) && find(text, '/', marks->slash.place + 1, end) < end))
        return IS_PLAIN;
    return is_trailer(text, start, end) ? IS_OTHER : IS_ADDRESSED;
}

/* The runs of a text. */
typedef struct {
    Run *runs;
    size_t count, room;
    int has_other;             /* whether any is to be looked at closely */
} Runs;

/* One more run. Returns -1 and an exception where memory is missing. */
static int
add_run(Runs *found, Run run)
{
    if (found->count == found->room) {
        size_t room = found->room == 0 ? 32 : 2 * found->room;
        Run *runs = room > SIZE_MAX / sizeof *runs ? NULL : PyMem_Realloc(found->runs, room * sizeof *runs);
        if (runs == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        found->runs = runs;
        found->room = room;
    }
    found->runs[found->count++] = run;
    return 0;
}

/* The lines of a text, each in a run with those before that are alike. Returns -1 as add_run does. */
static int
fill_runs(const Lines *self, const Text *text, Runs *found)
{
    Marks marks = {{'>', 0}, {':', 0}, {'@', 0}, {'/', 0}};
    Next *each[] = {&marks.quote, &marks.label, &marks.at, &marks.slash};
    for (size_t i = 0; i < sizeof each / sizeof *each; i++)
        each[i]->place = find(text, each[i]->octet, 0, text->size);
    for (size_t start = 0, end; start <= text->size; start = end + 1) {
        end = find(text, '\n', start, text->size);
        char kind = kind_of(self, text, &marks, start, end);
        found->has_other |= kind == IS_MARKED || kind == IS_OTHER;
        Run *last = found->count > 0 ? &found->runs[found->count - 1] : NULL;
        int is_text = kind == IS_PLAIN || kind == IS_EMPTY;
        if (last != NULL && ((kind == IS_QUOTED && last->kind == IS_QUOTED)
                             || (is_text && (last->kind == IS_PLAIN || last->kind == IS_EMPTY)))) {
            last->end = end;
            last->lines++;
            last->kind = kind == IS_EMPTY ? last->kind : kind;
        }
        else if (add_run(found, (Run){start, end, 1, kind}) < 0)
            return -1;
    }
    return 0;
}

/* What is said of the runs: tuple[bytes, list[str], list[int]]. */
static PyObject *
said(const Lines *self, const Text *text, const Runs *found)
{
    PyObject *kinds = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)found->count);
    PyObject *lines = PyList_New((Py_ssize_t)found->count), *sizes = PyList_New((Py_ssize_t)found->count);
    int is_said = kinds != NULL && lines != NULL && sizes != NULL;
    for (size_t i = 0; is_said && i < found->count; i++) {
        const Run *run = &found->runs[i];
        int is_addressed = run->kind == IS_ADDRESSED && !found->has_other;
        PyBytes_AsString(kinds)[i] = is_addressed ? IS_PLAIN : run->kind;
        PyObject *of_run = is_addressed
            ? without_addresses(text, run->start, run->end, self->blank)
            : PyUnicode_Substring(text->text, (Py_ssize_t)run->start, (Py_ssize_t)run->end);
        PyObject *size = PyLong_FromSize_t(run->lines);
        is_said = of_run != NULL && size != NULL;
        PyList_SetItem(lines, (Py_ssize_t)i, of_run); /* a NULL is no fault there */
        PyList_SetItem(sizes, (Py_ssize_t)i, size);
    }
    PyObject *result = is_said ? PyTuple_Pack(3, kinds, lines, sizes) : NULL;
    Py_XDECREF(kinds);
    Py_XDECREF(lines);
    Py_XDECREF(sizes);
    return result;
}

static PyObject *
read_lines(Lines *self, PyObject *of)
{
    Text text;
    if (open_text(of, self->isascii, &text) < 0)
        return NULL;
    Runs found = {0};
    PyObject *result = fill_runs(self, &text, &found) < 0 ? NULL : said(self, &text, &found);
    PyMem_Free(found.runs);
    close_text(&text);
    return result;
}

static PyObject *
line_without_addresses(Lines *self, PyObject *line)
{
    Text text;
    if (open_text(line, self->isascii, &text) < 0)
        return NULL;
    PyObject *result = without_addresses(&text, 0, text.size, self->blank);
    close_text(&text);
    return result;
}

/* What lines are that begin with these characters. Returns -1 and an exception where one has three octets or more. */
static int
fill_firsts(Lines *self, PyObject *characters, enum first first)
{
    Py_ssize_t size = PyUnicode_GetLength(characters);
    for (Py_ssize_t i = 0; i < size; i++) {
        Py_UCS4 code = PyUnicode_ReadChar(characters, i);
        if (code >= CODES) {
            PyErr_SetString(PyExc_ValueError, "there is a character beyond U+07FF");
            return -1;
        }
        self->firsts[code] |= (char)first;
    }
    return size < 0 ? -1 : 0;
}

/* How lines begin that may be anything. Returns -1 and an exception where that is no text, or too much of it. */
static int
fill_starts(Lines *self, PyObject *starts)
{
    Py_ssize_t count = PyTuple_Size(starts);
    if (count > MOST_STARTS)
        PyErr_Format(PyExc_ValueError, "starts has more than %d texts", MOST_STARTS);
    for (Py_ssize_t i = 0; i < count && !PyErr_Occurred(); i++) {
        Py_ssize_t length;
        PyObject *start = PyTuple_GetItem(starts, i);
        const char *octets = PyUnicode_AsUTF8AndSize(start, &length);
        if (octets == NULL)
            break;
        if (length == 0 || length != PyUnicode_GetLength(start)) {
            PyErr_SetString(PyExc_ValueError, "starts are of ASCII");
            break;
        }
        self->octets[self->start_count] = octets;
        self->lengths[self->start_count++] = (size_t)length;
        self->firsts[(unsigned char)*octets] |= STARTING;
    }
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *
lines_made(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"special", "labelling", "starts", NULL};
    PyObject *special, *labelling, *starts;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "UUO!:Lines", names, &special, &labelling, &PyTuple_Type, &starts))
        return NULL;
    allocfunc allocated = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Lines *self = (Lines *)allocated(type, 0);
    if (self == NULL)
        return NULL;
    Py_INCREF(starts);
    self->starts = starts;
    self->isascii = PyUnicode_InternFromString("isascii");
    self->blank = PyUnicode_FromString(" ");
    for (Py_UCS4 code = 0; code < CODES; code++)
        self->firsts[code] = is_blank(code) ? STARTING : 0;
    if (self->isascii == NULL || self->blank == NULL || fill_firsts(self, special, SPECIAL) < 0
        || fill_firsts(self, labelling, LABELLING) < 0 || fill_starts(self, starts) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void
lines_freed(Lines *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    Py_XDECREF(self->starts);
    Py_XDECREF(self->isascii);
    Py_XDECREF(self->blank);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef lines_methods[] = {
    {"read", (PyCFunction)read_lines, METH_O, "As in uncompiled.Lines."},
    {"without_addresses", (PyCFunction)line_without_addresses, METH_O, "As in uncompiled.Lines."},
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
