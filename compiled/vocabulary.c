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
    FEWEST_PLACES = 1 << 12,   /* of a new vocabulary; a power of two */
    AT_ONCE = 16,              /* tokens whose places are on their way from memory together */
};

#if defined(__GNUC__)
#define FETCH_AHEAD(address) __builtin_prefetch(address)
#else
#define FETCH_AHEAD(address) ((void)0)
#endif

typedef struct {
    uint64_t head;             /* the token's first eight octets: most have no more, and need no look elsewhere */
    uint32_t hash;
    uint32_t keyword;
    uint32_t rest;             /* where the other octets are among those of the tokens */
    uint32_t length;
} Place;

typedef struct {
    char *octets;
    size_t count, room;
} Octets;

/* A keyword is asked for in each text, and what is asked for of one stands beside that of others. */
typedef struct {
    uint64_t seen;             /* in which text last, times two; one more where it is told when it is there */
    uint32_t start, length;    /* of its octets among those of the keywords */
} Keyword;

typedef struct {
    PyObject_HEAD
    PyObject *keyword_of;      /* (str) -> str, which is empty where a token is no keyword */
    PyObject *stops;           /* frozenset[str] of plain tokens that are none; NULL where there is no rule for these */
    PyObject *told;            /* frozenset[str] of keywords that are told when they are there; NULL for none */
    Py_ssize_t shortest, longest; /* letters of the plain tokens that are keywords */
    int is_closed;             /* what was not met is none */
    Place *places;
    size_t place_count, kept;
    Octets tokens, letters;    /* of the tokens and of the keywords */
    PyObject *numbers;         /* which of the keywords each is: dict[str, int] */
    PyObject *texts;           /* list[str] of them */
    Keyword *keywords;
    size_t keyword_count, keyword_room;
    uint64_t text_count;       /* of texts that were read */
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
                || memcmp(self->tokens.octets + place->rest, token + sizeof head, length - sizeof head) == 0))
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

/* Appends octets, and tells where they are. Returns -1 and an exception where there is no room for them. */
static int
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
                         || PyList_Append(self->texts, text) < 0 || PyDict_SetItem(self->numbers, text, number) < 0
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
    if (PyErr_Occurred() || add_keyword(self, text, octets, (size_t)length) < 0)
        return NOT_MET;
    return FIRST + (uint32_t)self->keyword_count - 1;
}

/* Keeps what a token is, where there is a place for it. Returns -1 and an exception where there is no memory. */
static int
keep(Vocabulary *self, uint32_t hash, uint64_t head, const char *token, size_t length, uint32_t keyword)
{
    if (self->kept * 2 >= self->place_count && spread(self) < 0)
        return -1;
    Place *place = place_of(self, hash, head, token, length);
    size_t rest = length > sizeof head ? length - sizeof head : 0;
    uint32_t start;
    if (place == NULL || place->keyword != NOT_MET)
        return 0;
    if (append(&self->tokens, token + sizeof head, rest, &start) < 0)
        return -1;
    *place = (Place){head, hash, keyword, start, (uint32_t)length};
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

/* A token that is looked up. */
typedef struct {
    const char *octets;
    size_t length;
    uint64_t head;
    uint32_t hash;
} Token;

/* Which keyword a token is; NOT_MET and an exception where Python fails to tell. */
static uint32_t
looked_up(Vocabulary *self, Token token)
{
    const Place *place = place_of(self, token.hash, token.head, token.octets, token.length);
    if (place != NULL && place->keyword != NOT_MET)
        return place->keyword;
    if (self->is_closed)
        return NO_KEYWORD;
    PyObject *text = PyUnicode_DecodeUTF8(token.octets, (Py_ssize_t)token.length, NULL);
    if (text == NULL)
        return NOT_MET;
    uint32_t number = NOT_MET;
    if (self->stops != NULL && is_plain(token.octets, token.length))
        number = number_of_plain(self, text, token.octets, token.length);
    else {
        PyObject *keyword = PyObject_CallFunctionObjArgs(self->keyword_of, text, NULL);
        if (keyword != NULL)
            number = number_of(self, keyword);
        Py_XDECREF(keyword);
    }
    Py_DECREF(text);
    /* Python may have run another thread, which may have met the same. */
    if (number != NOT_MET && token.length <= LONGEST_KEPT
        && keep(self, token.hash, token.head, token.octets, token.length, number) < 0)
        return NOT_MET;
    return number;
}

/* The number of each of the tokens into `found`. Returns -1 and an exception where Python fails to tell. */
static int
look_up_all(Vocabulary *self, const Token *tokens, size_t count, uint32_t *found)
{
    for (size_t i = 0; i < count; i++) {
        found[i] = tokens[i].length == 0 ? NO_KEYWORD : looked_up(self, tokens[i]);
        if (found[i] == NOT_MET)
            return -1;
    }
    return 0;
}

/* The number of each token into `found`, of the first `most` alone; a mark is one too, and counts so among the first
   `opening`. Returns how many there are, or -1 and an exception. */
static Py_ssize_t
read_tokens(Vocabulary *self, const char *text, size_t size, size_t opening, size_t most, uint32_t *found)
{
    Token tokens[AT_ONCE];
    size_t count = 0, waiting = 0;
    for (size_t position = 0; position < size && count < most;) {
        Token token = {text + position, 0, 0, 0}; /* a mark, if it stays so */
        while (position < size && (unsigned char)text[position] > ' ')
            position++;
        token.length = (size_t)(text + position - token.octets);
        if (token.length == 0 && (text[position++] != MARK || count >= opening))
            continue;
        if (token.length > 0) {
            token.head = number_from(token.octets, token.length);
            token.hash = hash_of(token.octets, token.length, token.head);
            FETCH_AHEAD(&self->places[token.hash & (self->place_count - 1)]);
        }
        tokens[waiting++] = token;
        count++;
        if (waiting == AT_ONCE) {
            if (look_up_all(self, tokens, waiting, found + count - waiting) < 0)
                return -1;
            waiting = 0;
        }
    }
    if (look_up_all(self, tokens, waiting, found + count - waiting) < 0)
        return -1;
    return (Py_ssize_t)count;
}

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
    uint32_t *found = PyMem_Malloc(room * sizeof *found);
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
        if (found[i] >= FIRST
            && PyList_Append(words, PyList_GetItem(self->texts, (Py_ssize_t)(found[i] - FIRST))) < 0)
            Py_CLEAR(words);
    return words;
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
