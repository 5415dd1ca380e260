/* Pages in HTML without their tags, and with what references to characters stand for. */

#include "pages.h"

enum {
    LONGEST_ELEMENT = 15,      /* octets of the name of one that is hidden */
    LONGEST_PUT = 3,           /* octets that are put for a "<" and what is behind it, if these are fewer */
};

/* What Python says of a tag, if not the name of a hidden element; or nothing, and then nothing stands in its place. */
static const char SAYS_BREAK = '\n', SAYS_QUOTE = '>', SAYS_INNER_QUOTE = ')', SAYS_QUOTE_END = '/', SAYS_OPEN = '<',
                  SAYS_UNKNOWN = '?';

static const char QUOTE_MARK[LONGEST_PUT] = {'\n', '>', '\n'};

typedef struct {
    PyObject_HEAD
    Asked gap_of;              /* (str) -> str */
    Asked meaning_of;          /* (str) -> str */
    PyObject *look_at;         /* (str, bool) -> str */
} Pages;

/* How far a page is read. */
typedef struct {
    const char *piece;         /* behind a "<" */
    const char *close;         /* its ">"; NULL for none */
    const char *end;           /* the next "<", or the end */
    char *to;                  /* where what comes next is put */
    size_t quotes;             /* that are open */
    size_t hidden;             /* octets of the name of what is hidden; 0 where nothing is */
    char element[LONGEST_ELEMENT];
} State;

static void
put(State *state, const char *octets, const char *end)
{
    memcpy(state->to, octets, (size_t)(end - octets));
    state->to += end - octets;
}

/* The rest of a piece is shown, with a break before it, unless that is in a quotation. */
static void
show(State *state, int has_break, const char *rest)
{
    if (state->quotes > 0)
        return;
    if (has_break)
        *state->to++ = SAYS_BREAK;
    put(state, rest, state->end);
}

/* Hides what follows: an element by its name, a comment by "!", and what is in a tag by "<". */
static void
hide(State *state, const char *name, size_t length)
{
    memcpy(state->element, name, length);
    state->hidden = length;
}

/* The ">" with which in this piece ends what is hidden; NULL where it goes on. */
static const char *
end_of_hidden(const State *state)
{
    const char *found = state->close;
    if (found == NULL || *state->element == SAYS_OPEN)
        return found;
    if (*state->element == '!') {
        while (found != NULL && (found - state->piece < 2 || found[-1] != '-' || found[-2] != '-'))
            found = memchr(found + 1, '>', (size_t)(state->end - found - 1));
        return found;
    }
    if ((size_t)(found - state->piece) <= state->hidden || *state->piece != '/')
        return NULL;
    for (size_t i = 0; i < state->hidden; i++)
        if ((state->piece[i + 1] | 32) != state->element[i])
            return NULL;
    return found;
}

static void
pass_hidden(State *state)
{
    const char *found = end_of_hidden(state);
    if (found == NULL)
        return;
    state->hidden = 0;
    show(state, *state->element != SAYS_OPEN && *state->element != '!', found + 1);
}

/* A tag of which this is said. */
static void
pass_as_said(State *state, const char *said, size_t size)
{
    const char *rest = state->close == NULL ? state->piece : state->close + 1;
    char what = size == 0 ? '\0' : *said;
    if (size > 1 || what == SAYS_OPEN)
        hide(state, said, size);
    else if (what == SAYS_QUOTE || (what == SAYS_INNER_QUOTE && state->quotes > 0)) {
        if (state->quotes++ == 0)
            put(state, QUOTE_MARK, QUOTE_MARK + sizeof QUOTE_MARK);
    }
    else if (what == SAYS_QUOTE_END && state->quotes > 0) {
        state->quotes--;
        show(state, 0, rest);
    }
    else if (what == SAYS_UNKNOWN)
        show(state, 0, state->piece - 1);
    else
        show(state, size > 0, rest);
}

/* What Python says of all of a tag, which it cannot tell by its beginning. Returns -1 and an exception where it fails. */
static int
look_at(const Pages *self, State *state)
{
    const char *end = state->close == NULL ? state->end : state->close;
    PyObject *tag = PyUnicode_DecodeUTF8(state->piece, (Py_ssize_t)(end - state->piece), NULL);
    PyObject *is_closed = state->close == NULL ? Py_False : Py_True;
    PyObject *said = tag == NULL ? NULL : PyObject_CallFunctionObjArgs(self->look_at, tag, is_closed, NULL);
    Py_XDECREF(tag);
    if (said == NULL)
        return -1;
    Py_ssize_t size;
    const char *octets = PyUnicode_AsUTF8AndSize(said, &size);
    if (octets != NULL && size > LONGEST_ELEMENT) {
        PyErr_Format(PyExc_ValueError, "the name of an element has no more than %d octets", LONGEST_ELEMENT);
        octets = NULL;
    }
    if (octets != NULL && size == 1 && *octets == SAYS_QUOTE_END && state->quotes == 0)
        pass_as_said(state, &SAYS_UNKNOWN, 1);
    else if (octets != NULL)
        pass_as_said(state, octets, (size_t)size);
    Py_DECREF(said);
    return octets == NULL ? -1 : 0;
}

/* A piece that is not hidden. Returns -1 and an exception where Python fails to tell what it is. */
static int
pass_tag(Pages *self, State *state)
{
    char said[LONGEST_ELEMENT] = {SAYS_UNKNOWN};
    Py_ssize_t size = 1;
    if (state->close != NULL && state->close > state->piece && *state->piece != ' ') {
        const char *blank = state->piece;
        while (blank < state->close && *blank != ' ')
            blank++;
        size = say(&self->gap_of, state->piece, (size_t)(blank - state->piece), said, sizeof said);
    }
    if (size < 0)
        return -1;
    if (size != 1 || *said != SAYS_UNKNOWN)
        pass_as_said(state, said, (size_t)size);
    else if (state->end - state->piece >= 3 && memcmp(state->piece, "!--", 3) == 0) {
        hide(state, "!", 1);
        pass_hidden(state);
    }
    else
        return look_at(self, state);
    return 0;
}

/* A page without its tags, into room that has LONGEST_PUT times its octets. Returns how many there are; -1 and an
   exception where Python fails to tell what a tag is. */
static Py_ssize_t
without_tags(Pages *self, const char *page, size_t size, char *made)
{
    const char *page_end = page + size, *next = memchr(page, '<', size);
    State state = {.piece = page, .end = next == NULL ? page_end : next, .to = made};
    put(&state, page, state.end);
    while (next != NULL) {
        state.piece = next + 1;
        next = memchr(state.piece, '<', (size_t)(page_end - state.piece));
        state.end = next == NULL ? page_end : next;
        state.close = memchr(state.piece, '>', (size_t)(state.end - state.piece));
        if (state.hidden > 0)
            pass_hidden(&state);
        else if (pass_tag(self, &state) < 0)
            return -1;
    }
    return state.to - made;
}

static PyObject *
text_with_meanings(Pages *self, const char *text, size_t size)
{
    if (memchr(text, '&', size) == NULL)
        return PyUnicode_DecodeUTF8(text, (Py_ssize_t)size, NULL);
    char *made = size > SIZE_MAX / GROWTH ? NULL : PyMem_Malloc(GROWTH * size);
    if (made == NULL)
        return PyErr_NoMemory();
    Py_ssize_t length = without_references(&self->meaning_of, text, size, made);
    PyObject *result = length < 0 ? NULL : PyUnicode_DecodeUTF8(made, length, NULL);
    PyMem_Free(made);
    return result;
}

static PyObject *
text_of(Pages *self, PyObject *page)
{
    Py_ssize_t size;
    const char *octets = PyUnicode_AsUTF8AndSize(page, &size);
    if (octets == NULL)
        return NULL;
    char *made = (size_t)size > SIZE_MAX / LONGEST_PUT ? NULL : PyMem_Malloc(LONGEST_PUT * (size_t)size);
    if (made == NULL)
        return PyErr_NoMemory();
    Py_ssize_t length = without_tags(self, octets, (size_t)size, made);
    PyObject *result = length < 0 ? NULL : text_with_meanings(self, made, (size_t)length);
    PyMem_Free(made);
    return result;
}

static PyObject *
pages_made(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"gap_of", "look_at", "meaning_of", NULL};
    PyObject *gap_of, *look, *meaning_of;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOO:Pages", names, &gap_of, &look, &meaning_of))
        return NULL;
    allocfunc allocated = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Pages *self = (Pages *)allocated(type, 0);
    if (self == NULL)
        return NULL;
    Py_INCREF(gap_of);
    Py_INCREF(look);
    Py_INCREF(meaning_of);
    self->gap_of.function = gap_of;
    self->look_at = look;
    self->meaning_of.function = meaning_of;
    return (PyObject *)self;
}

static void
pages_freed(Pages *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    Py_XDECREF(self->gap_of.function);
    Py_XDECREF(self->meaning_of.function);
    Py_XDECREF(self->look_at);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef pages_methods[] = {
    {"text", (PyCFunction)text_of, METH_O, "As in uncompiled.Pages."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot pages_slots[] = {
    {Py_tp_doc, "As uncompiled.Pages."},
    {Py_tp_new, pages_made},
    {Py_tp_dealloc, pages_freed},
    {Py_tp_methods, pages_methods},
    {0, NULL},
};

PyType_Spec pages_spec = {
    .name = "inboxstats.parse._compiled.Pages",
    .basicsize = sizeof(Pages),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = pages_slots,
};
