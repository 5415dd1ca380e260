/* The fields of a header section that are wanted. */

#include "compiled.h"

enum {
    LONGEST_NAME = 200,
    MOST_WANTED = 32,
};

typedef struct {
    PyObject_HEAD
    PyObject *wanted;          /* lower-cased names: tuple[bytes, ...] */
    size_t count;
    const char *names[MOST_WANTED];
    size_t lengths[MOST_WANTED];
} Fields;

static char
lowered(char octet)
{
    return 'A' <= octet && octet <= 'Z' ? (char)(octet + 'a' - 'A') : octet;
}

/* Where the field that begins there ends: before the first line end that neither blank nor tab follows. */
static const char *
end_of_field(const char *field, const char *end)
{
    const char *found = field;
    while ((found = memchr(found, '\n', (size_t)(end - found))) != NULL) {
        if (found + 1 == end || (found[1] != ' ' && found[1] != '\t'))
            return found;
        found++;
    }
    return end;
}

static int
is_name(const char *name, size_t length)
{
    if (length == 0 || length > LONGEST_NAME)
        return 0;
    for (size_t i = 0; i < length; i++)
        if (name[i] < '!' || name[i] > '~')
            return 0;
    return 1;
}

/* Which of the wanted names it is, in upper or lower case; -1 for none. */
static int
number_of(const Fields *self, const char *name, size_t length)
{
    for (size_t number = 0; number < self->count; number++) {
        size_t i = 0;
        if (self->lengths[number] != length)
            continue;
        while (i < length && lowered(name[i]) == self->names[number][i])
            i++;
        if (i == length)
            return (int)number;
    }
    return -1;
}

/* A value on one line. */
static PyObject *
unfolded(const char *value, size_t length)
{
    if (memchr(value, '\n', length) == NULL) {
        while (length > 0 && value[length - 1] == '\r')
            length--;
        return PyBytes_FromStringAndSize(value, (Py_ssize_t)length);
    }
    char *made = PyMem_Malloc(length);
    if (made == NULL)
        return PyErr_NoMemory();
    size_t kept = 0;
    for (size_t i = 0; i < length; i++)
        if (value[i] != '\r' && value[i] != '\n')
            made[kept++] = value[i];
    PyObject *result = PyBytes_FromStringAndSize(made, (Py_ssize_t)kept);
    PyMem_Free(made);
    return result;
}

/* The value of a field under its name. Returns -1 and an exception. */
static int
keep(const Fields *self, int number, const char *value, size_t length, PyObject *fields)
{
    PyObject *name = PyTuple_GetItem(self->wanted, number);
    PyObject *text = name == NULL ? NULL : unfolded(value, length);
    int result = text == NULL ? -1 : PyDict_SetItem(fields, name, text);
    Py_XDECREF(text);
    return result;
}

static PyObject *
read_fields(Fields *self, PyObject *const *args, Py_ssize_t count)
{
    Part part;
    if (part_of(args, count, 3, &part) < 0)
        return NULL;
    PyObject *fields = PyDict_New();
    int found = 0, broken = 0;
    uint32_t kept = 0; /* a bit for each name: of several fields with one, the first counts */
    const char *end = part.end;
    for (const char *field = part.first; fields != NULL && field <= end;) {
        const char *field_end = end_of_field(field, end);
        const char *colon = memchr(field, ':', (size_t)(field_end - field));
        const char *name_end = colon == NULL ? field : colon;
        while (name_end > field && is_space(name_end[-1]))
            name_end--;
        if (colon != NULL && is_name(field, (size_t)(name_end - field))) {
            int number = number_of(self, field, (size_t)(name_end - field));
            found = 1;
            if (number >= 0 && !(kept >> number & 1)) {
                kept |= (uint32_t)1 << number;
                if (keep(self, number, colon + 1, (size_t)(field_end - colon - 1), fields) < 0)
                    Py_CLEAR(fields);
            }
        }
        else
            for (const char *octet = field; octet < field_end && !broken; octet++)
                broken = !is_space(*octet);
        field = field_end + 1;
    }
    if (fields == NULL)
        return NULL;
    PyObject *result = PyTuple_Pack(3, found ? Py_True : Py_False, fields, broken ? Py_True : Py_False);
    Py_DECREF(fields);
    return result;
}

/* The names that are wanted. Returns -1 and an exception where they are no octets, or too many. */
static int
fill(Fields *self)
{
    Py_ssize_t count = PyTuple_Size(self->wanted);
    if (count > MOST_WANTED)
        PyErr_Format(PyExc_ValueError, "wanted has more than %d names", MOST_WANTED);
    for (Py_ssize_t i = 0; i < count && !PyErr_Occurred(); i++) {
        char *name;
        Py_ssize_t length;
        if (PyBytes_AsStringAndSize(PyTuple_GetItem(self->wanted, i), &name, &length) < 0)
            break;
        self->names[i] = name;
        self->lengths[i] = (size_t)length;
        self->count++;
    }
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *
fields_made(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"wanted", NULL};
    PyObject *wanted;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O!:Fields", names, &PyTuple_Type, &wanted))
        return NULL;
    allocfunc allocated = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Fields *self = (Fields *)allocated(type, 0);
    if (self == NULL)
        return NULL;
    Py_INCREF(wanted);
    self->wanted = wanted;
    if (fill(self) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void
fields_freed(Fields *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    Py_XDECREF(self->wanted);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef fields_methods[] = {
    {"read", (PyCFunction)read_fields, METH_FASTCALL, "As in uncompiled.Fields."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot fields_slots[] = {
    {Py_tp_doc, "As uncompiled.Fields."},
    {Py_tp_new, fields_made},
    {Py_tp_dealloc, fields_freed},
    {Py_tp_methods, fields_methods},
    {0, NULL},
};

PyType_Spec fields_spec = {
    .name = "inboxstats.parse._compiled.Fields",
    .basicsize = sizeof(Fields),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = fields_slots,
};
