/* Tokens that were met, each with the keyword that it is: what Python sees of them, and what it gets of a text. */

#include "vocabulary.h"

enum {
    MOST_OPENING = 256,        /* tokens whose pairs may be phrases, or which may vote */
    MOST_CANDIDATES = 64,
};

/* Keywords with a separator behind each of them. */
static char *
copied(const Vocabulary *self, uint32_t number, char *end, char separator)
{
    const Keyword *keyword = &self->keywords[number - FIRST];
    memcpy(end, self->letters.octets + keyword->start, keyword->length);
    end += keyword->length;
    *end++ = separator;
    return end;
}

/* So many numbers of keywords as text: a blank behind every other one where they are pairs, else line ends between all. */
static PyObject *
joined(const Vocabulary *self, const uint32_t *numbers, size_t count, int are_pairs)
{
    if (count == 0)
        return PyUnicode_FromStringAndSize("", 0);
    size_t size = count;
    for (size_t i = 0; i < count; i++)
        size += self->keywords[numbers[i] - FIRST].length;
    char *octets = PyMem_Malloc(size);
    if (octets == NULL)
        return PyErr_NoMemory();
    char *end = octets;
    for (size_t i = 0; i < count; i++)
        end = copied(self, numbers[i], end, are_pairs && i % 2 == 0 ? ' ' : '\n');
    PyObject *text = PyUnicode_DecodeUTF8(octets, end - octets - 1, NULL);
    PyMem_Free(octets);
    return text;
}

/* Of the pairs of keywords that stand side by side, each once. */
static PyObject *
phrases_of(const Vocabulary *self, const uint32_t *found, size_t count)
{
    uint32_t pairs[MOST_OPENING][2];
    size_t different = 0;
    for (size_t i = 1; i < count; i++) {
        if (found[i - 1] < FIRST || found[i] < FIRST)
            continue;
        size_t known = 0;
        while (known < different && (pairs[known][0] != found[i - 1] || pairs[known][1] != found[i]))
            known++;
        if (known == different) {
            pairs[different][0] = found[i - 1];
            pairs[different++][1] = found[i];
        }
    }
    return joined(self, pairs[0], 2 * different, 1);
}

/* The keywords, each once, the first `most` of them; those that are to be told into `told`. What was found is
   overwritten. */
static PyObject *
words_of(Vocabulary *self, uint32_t *found, size_t count, size_t most, PyObject *told)
{
    size_t different = 0;
    self->text_count++;
    for (size_t i = 0; i < count && different < most; i++) {
        if (found[i] < FIRST)
            continue;
        Keyword *keyword = &self->keywords[found[i] - FIRST];
        if (keyword->seen / 2 == self->text_count)
            continue;
        keyword->seen = self->text_count * 2 + keyword->seen % 2;
        found[different++] = found[i];
    }
    for (size_t i = 0; i < different; i++)
        if (self->keywords[found[i] - FIRST].seen % 2 == 1
            && PySet_Add(told, PyList_GetItem(self->texts, (Py_ssize_t)(found[i] - FIRST))) < 0)
            return NULL;
    return joined(self, found, different, 0);
}

static PyObject *
chosen(Vocabulary *self, PyObject *args)
{
    PyObject *marked;
    Py_ssize_t opening, most, size;
    char *text;
    if (!PyArg_ParseTuple(args, "Snn:chosen", &marked, &opening, &most)
        || PyBytes_AsStringAndSize(marked, &text, &size) < 0)
        return NULL;
    if (opening < 0 || opening > MOST_OPENING || most < 0)
        return PyErr_Format(PyExc_ValueError, "opening is 0 to %d, and most no less than 0", MOST_OPENING);
    /* Between tokens is an octet, and marks count in the opening alone. */
    size_t room = (size_t)size / 2 + 1 + (size_t)opening;
    uint32_t *found = room > SIZE_MAX / sizeof *found ? NULL : PyMem_Malloc(room * sizeof *found);
    PyObject *told = found == NULL ? NULL : PySet_New(NULL);
    PyObject *result = NULL;
    Py_ssize_t count = told == NULL ? -1 : read_tokens(self, text, (size_t)size, (size_t)opening, SIZE_MAX, found);
    if (count >= 0) {
        PyObject *phrases = phrases_of(self, found, (size_t)(count < opening ? count : opening));
        PyObject *words = phrases == NULL ? NULL : words_of(self, found, (size_t)count, (size_t)most, told);
        if (words != NULL)
            result = PyTuple_Pack(3, words, phrases, told);
        Py_XDECREF(words);
        Py_XDECREF(phrases);
    }
    Py_XDECREF(told);
    PyMem_Free(found);
    return result == NULL && !PyErr_Occurred() ? PyErr_NoMemory() : result;
}

/* What the keywords among those found give to each candidate; returns how many different ones of them are told. */
static size_t
counted(Vocabulary *self, const uint32_t *found, size_t count, uint32_t *sums)
{
    size_t told = 0;
    self->text_count++;
    for (size_t i = 0; i < count; i++) {
        if (found[i] < FIRST || found[i] - FIRST >= self->voters)
            continue;
        size_t number = found[i] - FIRST;
        const uint8_t *ballot = self->ballots + number * self->candidates;
        for (size_t candidate = 0; candidate < self->candidates; candidate++)
            sums[candidate] += ballot[candidate];
        Keyword *keyword = &self->keywords[number];
        told += keyword->seen % 2 == 1 && keyword->seen / 2 != self->text_count;
        keyword->seen = self->text_count * 2 + keyword->seen % 2;
    }
    return told;
}

static PyObject *
elected(Vocabulary *self, PyObject *args)
{
    PyObject *marked;
    Py_ssize_t most, size;
    char *text;
    uint32_t found[MOST_OPENING], sums[MOST_CANDIDATES] = {0};
    if (!PyArg_ParseTuple(args, "Sn:elected", &marked, &most) || PyBytes_AsStringAndSize(marked, &text, &size) < 0)
        return NULL;
    if (most < 0 || most > MOST_OPENING)
        return PyErr_Format(PyExc_ValueError, "most is 0 to %d", MOST_OPENING);
    if (self->ballots == NULL)
        return PyErr_Format(PyExc_ValueError, "nobody votes before it is closed");
    Py_ssize_t count = read_tokens(self, text, (size_t)size, (size_t)most, (size_t)most, found);
    if (count < 0)
        return NULL;
    size_t told = counted(self, found, (size_t)count, sums), first = 0;
    for (size_t candidate = 1; candidate < self->candidates; candidate++)
        first = sums[candidate] > sums[first] ? candidate : first;
    return Py_BuildValue("nIn", (Py_ssize_t)first, (unsigned int)sums[first], (Py_ssize_t)told);
}

static PyObject *
vocabulary_made(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"keyword_of", "stops", "shortest", "longest", "told", NULL};
    PyObject *keyword_of, *stops = NULL, *told = NULL;
    Py_ssize_t shortest = 0, longest = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|O!nnO!:Vocabulary", names, &keyword_of, &PyFrozenSet_Type,
                                     &stops, &shortest, &longest, &PyFrozenSet_Type, &told))
        return NULL;
    if (shortest < 0 || longest < 0) {
        PyErr_SetString(PyExc_ValueError, "shortest and longest are no less than 0");
        return NULL;
    }
    allocfunc allocated = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Vocabulary *self = (Vocabulary *)allocated(type, 0);
    if (self == NULL)
        return NULL;
    Py_INCREF(keyword_of);
    Py_XINCREF(stops);
    Py_XINCREF(told);
    self->keyword_of = keyword_of;
    self->stops = stops;
    self->told = told;
    self->shortest = shortest;
    self->longest = longest;
    self->numbers = PyDict_New();
    self->texts = PyList_New(0);
    self->place_count = FEWEST_PLACES;
    self->places = PyMem_Calloc(self->place_count, sizeof *self->places);
    if (self->numbers == NULL || self->texts == NULL || self->places == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static void
vocabulary_freed(Vocabulary *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    Py_XDECREF(self->keyword_of);
    Py_XDECREF(self->stops);
    Py_XDECREF(self->told);
    Py_XDECREF(self->numbers);
    Py_XDECREF(self->texts);
    PyMem_Free(self->places);
    PyMem_Free(self->tokens.octets);
    PyMem_Free(self->letters.octets);
    PyMem_Free(self->keywords);
    PyMem_Free(self->ballots);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

/* A row of ballots for each of so many keywords. Returns NULL and an exception where one has another length. */
static uint8_t *
rows_of(const Vocabulary *self, PyObject *ballots, size_t voters, size_t candidates)
{
    uint8_t *rows = PyMem_Calloc(voters + 1, candidates);
    if (rows == NULL)
        PyErr_NoMemory();
    for (size_t i = 0; rows != NULL && i < voters; i++) {
        PyObject *ballot = PyDict_GetItemWithError(ballots, PyList_GetItem(self->texts, (Py_ssize_t)i));
        char *octets;
        Py_ssize_t length = 0;
        if (ballot != NULL && PyBytes_AsStringAndSize(ballot, &octets, &length) == 0) {
            if ((size_t)length == candidates)
                memcpy(rows + i * candidates, octets, candidates);
            else
                PyErr_SetString(PyExc_ValueError, "a ballot has an octet for each candidate");
        }
        if (PyErr_Occurred()) {
            PyMem_Free(rows);
            return NULL;
        }
    }
    return rows;
}

static PyObject *
closed(Vocabulary *self, PyObject *args)
{
    PyObject *ballots;
    Py_ssize_t candidates;
    if (!PyArg_ParseTuple(args, "O!n:close", &PyDict_Type, &ballots, &candidates))
        return NULL;
    if (self->ballots != NULL || candidates < 1 || candidates > MOST_CANDIDATES)
        return PyErr_Format(PyExc_ValueError, "it is closed once, with 1 to %d candidates", MOST_CANDIDATES);
    size_t voters = self->keyword_count;
    uint8_t *rows = rows_of(self, ballots, voters, (size_t)candidates);
    if (rows == NULL)
        return NULL;
    self->ballots = rows;
    self->voters = voters;
    self->candidates = (size_t)candidates;
    self->is_closed = 1;
    Py_RETURN_NONE;
}

/* Tokens for which there is no place may be as many keywords, which are kept all the same. */
static Py_ssize_t
length(PyObject *self)
{
    const Vocabulary *vocabulary = (Vocabulary *)self;
    size_t tokens = vocabulary->kept, keywords = vocabulary->keyword_count;
    return (Py_ssize_t)(tokens < keywords ? keywords : tokens);
}

static PyMethodDef vocabulary_methods[] = {
    {"chosen", (PyCFunction)chosen, METH_VARARGS, "As in uncompiled.Vocabulary."},
    {"close", (PyCFunction)closed, METH_VARARGS, "As in uncompiled.Vocabulary."},
    {"elected", (PyCFunction)elected, METH_VARARGS, "As in uncompiled.Vocabulary."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot vocabulary_slots[] = {
    {Py_tp_doc, "As uncompiled.Vocabulary."},
    {Py_tp_new, vocabulary_made},
    {Py_tp_dealloc, vocabulary_freed},
    {Py_tp_methods, vocabulary_methods},
    {Py_sq_length, length},
    {0, NULL},
};

PyType_Spec vocabulary_spec = {
    .name = "inboxstats.parse._compiled.Vocabulary",
    .basicsize = sizeof(Vocabulary),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = vocabulary_slots,
};
