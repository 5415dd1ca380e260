/* What stands for each character of a text. */

#include "compiled.h"

enum {
    CHARACTERS = 0x10000,      /* whose meanings are kept */
    FIRST_SYMBOL = 0x1F000,    /* of the characters beyond these, pictures stand for themselves */
    LAST_SYMBOL = 0x1FFFF,
    LONGEST_RUN = 4,           /* characters without blanks between them that are one word */
};

enum said {
    UNKNOWN,                   /* it was not asked yet */
    CONTEXT,                   /* those around it decide */
    PAIRED,                    /* runs of such characters are cut into their pairs */
    APART,                     /* runs of these are breaks, in a text with any of the former */
    ITSELF,                    /* it stays as it is */
    NOTHING,                   /* it goes away; one more for each octet that stands in its place */
};

/* How Python says the two that no character stands for. */
static const char SAYS_PAIRED = 2, SAYS_APART = 3;

static const char BREAK[] = " \1 ";

typedef struct {
    unsigned char said;
    char octets[3];
} Meaning;

typedef struct {
    PyObject_HEAD
    PyObject *meaning_of;      /* (str) -> str | None */
    Meaning *meanings;
    char ascii[128];
} Characters;

typedef struct {
    uint32_t code;
    size_t length;             /* octets */
} Character;

/* The character beyond ASCII that begins there. Python's UTF-8 is well-formed. */
static Character
character_at(const char *text)
{
    const unsigned char *octets = (const unsigned char *)text;
    if (octets[0] < 0xE0)
        return (Character){(octets[0] & 31u) << 6 | (octets[1] & 63u), 2};
    if (octets[0] < 0xF0)
        return (Character){(octets[0] & 15u) << 12 | (octets[1] & 63u) << 6 | (octets[2] & 63u), 3};
    return (Character){(octets[0] & 7u) << 18 | (octets[1] & 63u) << 12 | (octets[2] & 63u) << 6 | (octets[3] & 63u), 4};
}

/* What Python says of a character. Returns -1 and an exception where that fails. */
static int
ask(const Characters *self, const char *octets, size_t length, Meaning *meaning)
{
    PyObject *character = PyUnicode_DecodeUTF8(octets, (Py_ssize_t)length, NULL);
    PyObject *said = character == NULL ? NULL : PyObject_CallFunctionObjArgs(self->meaning_of, character, NULL);
    Py_XDECREF(character);
    if (said == NULL)
        return -1;
    *meaning = (Meaning){CONTEXT, {0}};
    int result = 0;
    if (said != Py_None) {
        Py_ssize_t size;
        const char *meant = PyUnicode_AsUTF8AndSize(said, &size);
        if (meant == NULL)
            result = -1;
        else if (size > (Py_ssize_t)sizeof meaning->octets) {
            PyErr_SetString(PyExc_ValueError, "the meaning of a character has no more than three octets");
            result = -1;
        }
        else if (size == 1 && *meant == SAYS_APART)
            meaning->said = APART;
        else if (size == 1 && *meant == SAYS_PAIRED)
            meaning->said = length == 3 ? PAIRED : CONTEXT;
        else {
            meaning->said = (unsigned char)(NOTHING + size);
            memcpy(meaning->octets, meant, (size_t)size);
        }
    }
    Py_DECREF(said);
    return result;
}

/* The meaning of the character that begins there; CONTEXT with an exception where asking fails. */
static Meaning
meaning_at(Characters *self, const char *text, size_t *length)
{
    Character character = character_at(text);
    *length = character.length;
    if (character.code >= CHARACTERS) {
        int is_symbol = FIRST_SYMBOL <= character.code && character.code <= LAST_SYMBOL;
        return (Meaning){is_symbol ? ITSELF : CONTEXT, {0}};
    }
    Meaning meaning = self->meanings[character.code];
    if (meaning.said == UNKNOWN) {
        if (ask(self, text, character.length, &meaning) < 0)
            return (Meaning){CONTEXT, {0}};
        self->meanings[character.code] = meaning;
    }
    return meaning;
}

/* Whether a text has any characters that are to be paired; -1 where the context of one decides, or with an exception. */
static int
has_pairs(Characters *self, const char *text, size_t size)
{
    size_t length;
    for (size_t position = 0; position < size; position += length) {
        length = 1;
        if ((unsigned char)text[position] < 0x80)
            continue;
        unsigned char said = meaning_at(self, text + position, &length).said;
        if (said == PAIRED || said == CONTEXT)
            return said == PAIRED ? 1 : -1;
    }
    return 0;
}

/* Characters side by side, of three octets each, that are to be paired. */
typedef struct {
    size_t count;
    char *start;               /* of what was made of them */
    char last[3];
} Run;

/* One more of them. Up to LONGEST_RUN they stay together, between blanks. Returns the end of what is made. */
static char *
lengthened(Run *run, char *end, const char *octets)
{
    if (run->count == 0) {
        *end++ = ' ';
        run->start = end;
    }
    if (run->count < LONGEST_RUN) {
        memcpy(end, octets, 3);
        end += 3;
    }
    else {
        if (run->count == LONGEST_RUN) {
            char together[3 * LONGEST_RUN];
            memcpy(together, run->start, sizeof together);
            end = run->start;
            for (size_t i = 0; i < LONGEST_RUN - 1; i++, end += 7) {
                memcpy(end, together + 3 * i, 6);
                end[6] = ' ';
            }
        }
        memcpy(end, run->last, 3);
        memcpy(end + 3, octets, 3);
        end[6] = ' ';
        end += 7;
    }
    memcpy(run->last, octets, 3);
    run->count++;
    return end;
}

static char *
ended(Run *run, char *end)
{
    if (0 < run->count && run->count <= LONGEST_RUN)
        *end++ = ' ';
    run->count = 0;
    return end;
}

/* The text into `made`, which has room for three times its octets and eight more. Returns its length; -1 where the
   context of a character decides, or with an exception. */
static Py_ssize_t
translate(Characters *self, const char *text, size_t size, char *made)
{
    char *end = made;
    Run run = {0};
    int is_apart = 0, pairs = -1; /* whether there are any to be paired; below 0 that is not known */
    size_t length;
    for (size_t position = 0; position < size; position += length) {
        const char *octets = text + position;
        length = 1;
        if ((unsigned char)*octets < 0x80) {
            end = ended(&run, end);
            *end++ = self->ascii[(unsigned char)*octets];
            is_apart = 0;
            continue;
        }
        Meaning meaning = meaning_at(self, octets, &length);
        if (meaning.said == CONTEXT)
            return -1;
        if (meaning.said == APART && pairs < 0 && (pairs = has_pairs(self, text, size)) < 0)
            return -1;
        if (meaning.said == PAIRED)
            end = lengthened(&run, end, octets);
        else if (meaning.said != NOTHING) {
            end = ended(&run, end);
            if (meaning.said == APART && pairs) {
                memcpy(end, BREAK, 3);
                end += is_apart ? 0 : 3;
            }
            else if (meaning.said == APART || meaning.said == ITSELF) {
                memcpy(end, octets, length);
                end += length;
            }
            else {
                memcpy(end, meaning.octets, sizeof meaning.octets);
                end += meaning.said - NOTHING;
            }
        }
        is_apart = meaning.said == APART || (is_apart && meaning.said == NOTHING);
    }
    return ended(&run, end) - made;
}

static PyObject *
translated(Characters *self, PyObject *text)
{
    Py_ssize_t size;
    const char *octets = PyUnicode_AsUTF8AndSize(text, &size);
    if (octets == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
            return NULL;
        PyErr_Clear(); /* half of a surrogate pair */
        Py_RETURN_NONE;
    }
    char *made = (size_t)size > SIZE_MAX / 3 - 8 ? NULL : PyMem_Malloc(3 * (size_t)size + 8);
    if (made == NULL)
        return PyErr_NoMemory();
    Py_ssize_t length = translate(self, octets, (size_t)size, made);
    PyObject *result = NULL;
    if (length >= 0)
        result = PyBytes_FromStringAndSize(made, length);
    else if (!PyErr_Occurred()) {
        Py_INCREF(Py_None);
        result = Py_None;
    }
    PyMem_Free(made);
    return result;
}

static PyObject *
characters_made(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"meaning_of", "of_ascii", NULL};
    PyObject *meaning_of, *table;
    char *of_ascii;
    Py_ssize_t size;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OS:Characters", names, &meaning_of, &table)
        || PyBytes_AsStringAndSize(table, &of_ascii, &size) < 0)
        return NULL;
    allocfunc allocated = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Characters *self = (Characters *)allocated(type, 0);
    if (self == NULL)
        return NULL;
    if (size < (Py_ssize_t)sizeof self->ascii) {
        Py_DECREF(self);
        PyErr_SetString(PyExc_ValueError, "of_ascii has 128 octets");
        return NULL;
    }
    memcpy(self->ascii, of_ascii, sizeof self->ascii);
    Py_INCREF(meaning_of);
    self->meaning_of = meaning_of;
    self->meanings = PyMem_Calloc(CHARACTERS, sizeof *self->meanings);
    if (self->meanings == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static void
characters_freed(Characters *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    Py_XDECREF(self->meaning_of);
    PyMem_Free(self->meanings);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef characters_methods[] = {
    {"translated", (PyCFunction)translated, METH_O, "As in uncompiled.Characters."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot characters_slots[] = {
    {Py_tp_doc, "As uncompiled.Characters."},
    {Py_tp_new, characters_made},
    {Py_tp_dealloc, characters_freed},
    {Py_tp_methods, characters_methods},
    {0, NULL},
};

PyType_Spec characters_spec = {
    .name = "inboxstats.parse._compiled.Characters",
    .basicsize = sizeof(Characters),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = characters_slots,
};
