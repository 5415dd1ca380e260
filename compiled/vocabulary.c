/* Tokens that were met, each with the keyword that it is. */

#include "compiled.h"

enum {
    MARK = 1,                  /* the octet where a phrase cannot go on; octets up to the blank are between tokens */
    NOT_MET = 0,               /* what a place says that holds no token */
    NO_KEYWORD = 1,            /* what it says of a token that is none */
    FIRST = 2,                 /* what it says of the first keyword, and so on */
    LONGEST_KEPT = 255,        /* octets of a token that is kept */
    MOST_PLACES = 64,          /* that are looked at for a token: mail may have been written so that all are the same */
    MOST_OPENING = 256,        /* tokens whose pairs may be phrases */
    LONGEST_PHRASE = 1024,     /* octets of a phrase that need no memory of their own */
    FEWEST_PLACES = 1 << 12,   /* of a new vocabulary; a power of two */
};

typedef struct {
    uint64_t head;             /* the token's first eight octets: most have no more, and need no look elsewhere */
    uint32_t hash;
    uint32_t keyword;
    uint32_t rest;             /* where the other octets are among those of the vocabulary */
    uint32_t length;
} Place;

typedef struct {
    PyObject *text;
    const char *octets;        /* the text's own, in UTF-8 */
    Py_ssize_t length;
} Keyword;

typedef struct {
    PyObject_HEAD
    PyObject *keyword_of;      /* (str) -> str, which is empty where a token is no keyword */
    PyObject *stops;           /* frozenset[str] of plain tokens that are none; NULL where there is no rule for these */
    Py_ssize_t shortest, longest; /* letters of the plain tokens that are keywords */
    int is_closed;             /* what was not met is none */
    PyObject *numbers;         /* which of the keywords each is: dict[str, int] */
    Place *places;
    size_t place_count, kept;
    char *octets;
    size_t octet_count, octet_room;
    Keyword *keywords;
    uint64_t *seen;            /* in which text each of them was last */
    size_t keyword_count, keyword_room, seen_room;
    uint64_t texts;            /* that were read */
} Vocabulary;

/* Up to eight octets as a number. */
static uint64_t
number_from(const char *octets, size_t length)
{
    uint64_t number = 0;
    if (length >= sizeof number)
        memcpy(&number, octets, sizeof number);
    else
        for (size_t i = 0; i < length; i++)
            number |= (uint64_t)(unsigned char)octets[i] << 8 * i;
    return number;
}

static uint32_t
hash_of(const char *token, size_t length, uint64_t head)
{
    uint64_t hash = (head ^ length) * 0x9E3779B97F4A7C15u;
    for (size_t i = sizeof head; i < length; i += sizeof head) {
        hash ^= hash >> 32;
        hash = (hash ^ number_from(token + i, length - i)) * 0x9E3779B97F4A7C15u;
    }
    return (uint32_t)(hash >> 32);
}

/* Where a token is, or else is to be; NULL where all that it could have are taken. */
static Place *
place_of(const Vocabulary *self, uint32_t hash, uint64_t head, const char *token, size_t length)
{
    for (size_t i = 0; i < MOST_PLACES; i++) {
        Place *place = &self->places[(hash + i) & (self->place_count - 1)];
        if (place->keyword == NOT_MET)
            return place;
        if (place->head == head && place->length == length && place->hash == hash
            && (length <= sizeof head
                || memcmp(self->octets + place->rest, token + sizeof head, length - sizeof head) == 0))
            return place;
    }
    return NULL;
}

/* Twice as many places, so that half of them are free. Returns -1 and an exception where there is no memory. */
static int
spread(Vocabulary *self)
{
    size_t count = self->place_count * 2;
    Place *wider = PyMem_Calloc(count, sizeof *wider);
    if (wider == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t old = 0; old < self->place_count; old++) {
        const Place *place = &self->places[old];
        for (size_t i = 0; place->keyword != NOT_MET && i < MOST_PLACES; i++) {
            Place *free_place = &wider[(place->hash + i) & (count - 1)];
            if (free_place->keyword == NOT_MET) {
                *free_place = *place;
                break;
            }
        }
    }
    PyMem_Free(self->places);
    self->places = wider;
    self->place_count = count;
    return 0;
}

/* Room for one more of something. Returns where it is now, or NULL and an exception. */
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

/* What a place says of a keyword; NOT_MET and an exception where that fails. */
static uint32_t
number_of(Vocabulary *self, PyObject *text)
{
    if (!PyUnicode_Check(text)) {
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
    if (PyErr_Occurred())
        return NOT_MET;
    if (self->keyword_count >= UINT32_MAX - FIRST) {
        PyErr_SetString(PyExc_OverflowError, "too many keywords");
        return NOT_MET;
    }
    Keyword *all = roomier(self->keywords, &self->keyword_room, self->keyword_count + 1, sizeof *all);
    if (all == NULL)
        return NOT_MET;
    self->keywords = all;
    uint64_t *seen = roomier(self->seen, &self->seen_room, self->keyword_count + 1, sizeof *seen);
    if (seen == NULL)
        return NOT_MET;
    self->seen = seen;
    uint32_t number = FIRST + (uint32_t)self->keyword_count;
    PyObject *value = PyLong_FromUnsignedLong(number);
    int failed = value == NULL || PyDict_SetItem(self->numbers, text, value) < 0;
    Py_XDECREF(value);
    if (failed)
        return NOT_MET;
    Py_INCREF(text);
    seen[self->keyword_count] = 0;
    all[self->keyword_count++] = (Keyword){text, octets, length};
    return number;
}

/* Keeps what a token is, where there is a place for it. Returns -1 and an exception where there is no memory. */
static int
keep(Vocabulary *self, uint32_t hash, uint64_t head, const char *token, size_t length, uint32_t keyword)
{
    if (self->kept * 2 >= self->place_count && spread(self) < 0)
        return -1;
    Place *place = place_of(self, hash, head, token, length);
    size_t rest = length > sizeof head ? length - sizeof head : 0;
    if (place == NULL || place->keyword != NOT_MET || self->octet_count + rest > UINT32_MAX)
        return 0;
    if (rest > 0) {
        char *octets = roomier(self->octets, &self->octet_room, self->octet_count + rest, 1);
        if (octets == NULL)
            return -1;
        self->octets = octets;
        memcpy(octets + self->octet_count, token + sizeof head, rest);
    }
    *place = (Place){head, hash, keyword, (uint32_t)self->octet_count, (uint32_t)length};
    self->octet_count += rest;
    self->kept++;
    return 0;
}

/* Whether a token has letters of ASCII alone. */
static int
is_plain(const char *token, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)((token[i] | 32) - 'a') >= 26)
            return 0;
    return 1;
}

/* Which keyword a plain token is: itself, unless it is a stop word, or too short or long, or one letter repeated. */
static uint32_t
number_of_plain(Vocabulary *self, PyObject *text, const char *token, size_t length)
{
    if (length < (size_t)self->shortest || length > (size_t)self->longest)
        return NO_KEYWORD;
    size_t alike = 1;
    while (alike < length && token[alike] == token[0])
        alike++;
    int is_stop = alike == length ? 1 : PySet_Contains(self->stops, text);
    if (is_stop != 0)
        return is_stop < 0 ? NOT_MET : NO_KEYWORD;
    return number_of(self, text);
}

/* Which keyword a token is; NOT_MET and an exception where Python fails to tell. */
static uint32_t
looked_up(Vocabulary *self, const char *token, size_t length)
{
    uint64_t head = number_from(token, length);
    uint32_t hash = hash_of(token, length, head);
    const Place *place = place_of(self, hash, head, token, length);
    if (place != NULL && place->keyword != NOT_MET)
        return place->keyword;
    if (self->is_closed)
        return NO_KEYWORD;
    PyObject *text = PyUnicode_DecodeUTF8(token, (Py_ssize_t)length, NULL);
    if (text == NULL)
        return NOT_MET;
    uint32_t number = NOT_MET;
    if (self->stops != NULL && is_plain(token, length))
        number = number_of_plain(self, text, token, length);
    else {
        PyObject *keyword = PyObject_CallFunctionObjArgs(self->keyword_of, text, NULL);
        if (keyword != NULL)
            number = number_of(self, keyword);
        Py_XDECREF(keyword);
    }
    Py_DECREF(text);
    /* Python may have run another thread, which may have met the same. */
    if (number != NOT_MET && length <= LONGEST_KEPT && keep(self, hash, head, token, length, number) < 0)
        return NOT_MET;
    return number;
}

static size_t
end_of(const char *text, size_t position, size_t size)
{
    while (position < size && (unsigned char)text[position] > ' ')
        position++;
    return position;
}

/* The number of each token into `found`, of the first `most` alone; a mark is one too, and counts so among the first
   `opening`. Returns how many there are, or -1 and an exception. */
static Py_ssize_t
read_tokens(Vocabulary *self, const char *text, size_t size, size_t opening, size_t most, uint32_t *found)
{
    size_t count = 0;
    for (size_t position = 0; position < size && count < most;) {
        if ((unsigned char)text[position] > ' ') {
            size_t end = end_of(text, position, size);
            uint32_t number = looked_up(self, text + position, end - position);
            if (number == NOT_MET)
                return -1;
            found[count++] = number;
            position = end;
        }
        else {
            if (text[position] == MARK && count < opening)
                found[count++] = NO_KEYWORD;
            position++;
        }
    }
    return (Py_ssize_t)count;
}

static PyObject *
phrase(const Keyword *first, const Keyword *second)
{
    char octets[LONGEST_PHRASE];
    if (first->length > LONGEST_PHRASE / 2 - 1 || second->length > LONGEST_PHRASE / 2 - 1)
        return PyUnicode_FromFormat("%U %U", first->text, second->text);
    memcpy(octets, first->octets, (size_t)first->length);
    octets[first->length] = ' ';
    memcpy(octets + first->length + 1, second->octets, (size_t)second->length);
    return PyUnicode_DecodeUTF8(octets, first->length + 1 + second->length, NULL);
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
    PyObject *phrases = PyTuple_New((Py_ssize_t)different);
    for (size_t i = 0; phrases != NULL && i < different; i++) {
        PyObject *text = phrase(&self->keywords[pairs[i][0] - FIRST], &self->keywords[pairs[i][1] - FIRST]);
        if (text == NULL || PyTuple_SetItem(phrases, (Py_ssize_t)i, text) < 0)
            Py_CLEAR(phrases);
    }
    return phrases;
}

/* The keywords, each once, the first `most` of them. What was found is overwritten. */
static PyObject *
words_of(Vocabulary *self, uint32_t *found, size_t count, size_t most)
{
    size_t different = 0;
    self->texts++;
    for (size_t i = 0; i < count && different < most; i++) {
        if (found[i] < FIRST || self->seen[found[i] - FIRST] == self->texts)
            continue;
        self->seen[found[i] - FIRST] = self->texts;
        found[different++] = found[i];
    }
    /* From here on Python may run another thread, which may read a text with this vocabulary. */
    PyObject *words = PyTuple_New((Py_ssize_t)different);
    for (size_t i = 0; words != NULL && i < different; i++) {
        PyObject *text = self->keywords[found[i] - FIRST].text;
        Py_INCREF(text);
        if (PyTuple_SetItem(words, (Py_ssize_t)i, text) < 0)
            Py_CLEAR(words);
    }
    return words;
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
    uint32_t *found = PyMem_Malloc(room * sizeof *found);
    if (found == NULL)
        return PyErr_NoMemory();
    PyObject *result = NULL;
    Py_ssize_t count = read_tokens(self, text, (size_t)size, (size_t)opening, SIZE_MAX, found);
    if (count >= 0) {
        PyObject *phrases = phrases_of(self, found, (size_t)(count < opening ? count : opening));
        PyObject *words = phrases == NULL ? NULL : words_of(self, found, (size_t)count, (size_t)most);
        if (words != NULL)
            result = PyTuple_Pack(2, words, phrases);
        Py_XDECREF(words);
        Py_XDECREF(phrases);
    }
    PyMem_Free(found);
    return result;
}

static PyObject *
first(Vocabulary *self, PyObject *args)
{
    PyObject *marked;
    Py_ssize_t most, size;
    char *text;
    uint32_t found[MOST_OPENING];
    if (!PyArg_ParseTuple(args, "Sn:first", &marked, &most) || PyBytes_AsStringAndSize(marked, &text, &size) < 0)
        return NULL;
    if (most < 0 || most > MOST_OPENING)
        return PyErr_Format(PyExc_ValueError, "most is 0 to %d", MOST_OPENING);
    Py_ssize_t count = read_tokens(self, text, (size_t)size, (size_t)most, (size_t)most, found);
    PyObject *words = count < 0 ? NULL : PyList_New(0);
    for (Py_ssize_t i = 0; words != NULL && i < count; i++)
        if (found[i] >= FIRST && PyList_Append(words, self->keywords[found[i] - FIRST].text) < 0)
            Py_CLEAR(words);
    return words;
}

static PyObject *
vocabulary_made(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"keyword_of", "stops", "shortest", "longest", NULL};
    PyObject *keyword_of, *stops = NULL;
    Py_ssize_t shortest = 0, longest = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|O!nn:Vocabulary", names, &keyword_of, &PyFrozenSet_Type, &stops,
                                     &shortest, &longest))
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
    self->keyword_of = keyword_of;
    Py_XINCREF(stops);
    self->stops = stops;
    self->shortest = shortest;
    self->longest = longest;
    self->numbers = PyDict_New();
    self->place_count = FEWEST_PLACES;
    self->places = PyMem_Calloc(self->place_count, sizeof *self->places);
    if (self->numbers == NULL || self->places == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static void
vocabulary_freed(Vocabulary *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    for (size_t i = 0; i < self->keyword_count; i++)
        Py_DECREF(self->keywords[i].text);
    Py_XDECREF(self->keyword_of);
    Py_XDECREF(self->stops);
    Py_XDECREF(self->numbers);
    PyMem_Free(self->places);
    PyMem_Free(self->octets);
    PyMem_Free(self->keywords);
    PyMem_Free(self->seen);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyObject *
closed(Vocabulary *self, PyObject *Py_UNUSED(ignored))
{
    self->is_closed = 1;
    Py_RETURN_NONE;
}

static Py_ssize_t
length(PyObject *self)
{
    return (Py_ssize_t)((Vocabulary *)self)->kept;
}

static PyMethodDef vocabulary_methods[] = {
    {"chosen", (PyCFunction)chosen, METH_VARARGS, "As in uncompiled.Vocabulary."},
    {"close", (PyCFunction)closed, METH_NOARGS, "As in uncompiled.Vocabulary."},
    {"first", (PyCFunction)first, METH_VARARGS, "As in uncompiled.Vocabulary."},
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
