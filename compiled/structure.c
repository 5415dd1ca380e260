/* Where a header section ends, and where the next delimiter of a multipart is. */

#include "compiled.h"

enum {
    NEAR = 8,                  /* octets among which a look at each takes less time than a call */
};

/* By hand: PyArg_ParseTuple takes half of the time of a short call. */
int
part_of(PyObject *const *args, Py_ssize_t count, Py_ssize_t expected, Part *part)
{
    char *octets;
    Py_ssize_t size;
    if (count != expected) {
        PyErr_Format(PyExc_TypeError, "takes %zd arguments, not %zd", expected, count);
        return -1;
    }
    Py_ssize_t start = PyLong_AsSsize_t(args[1]);
    Py_ssize_t end = PyErr_Occurred() ? -1 : PyLong_AsSsize_t(args[2]);
    if (PyErr_Occurred() || PyBytes_AsStringAndSize(args[0], &octets, &size) < 0)
        return -1;
    if (start < 0 || end > size || start > end) {
        PyErr_SetString(PyExc_ValueError, "start and end are places in the data, in this order");
        return -1;
    }
    *part = (Part){start, octets + start, octets + end};
    return 0;
}

/* Whether these octets stand there. */
static int
stands(const char *octets, size_t length, const char *place, const char *end)
{
    return (size_t)(end - place) >= length && memcmp(place, octets, length) == 0;
}

PyObject *
end_of_section(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    Part part;
    if (part_of(args, count, 3, &part) < 0)
        return NULL;
    const char *first = part.first, *end = part.end;
    if (stands("\n", 1, first, end) || stands("\r\n", 2, first, end))
        return Py_BuildValue("nn", part.start, part.start + (*first == '\n' ? 1 : 2));
    const char *line_end = memchr(first, '\n', (size_t)(end - first));
    int is_crlf = line_end != NULL && line_end[-1] == '\r';
    for (; line_end != NULL; line_end = memchr(line_end + 1, '\n', (size_t)(end - line_end - 1))) {
        Py_ssize_t blank = part.start + (line_end - first);
        /* Of two blank lines side by side, the one that ends as the first line does. */
        if (stands("\n\n", 2, line_end, end)) {
            int is_other = is_crlf && stands("\n\r\n", 3, line_end + 1, end);
            return is_other ? Py_BuildValue("nn", blank + 1, blank + 4) : Py_BuildValue("nn", blank, blank + 2);
        }
        if (stands("\n\r\n", 3, line_end, end)) {
            int is_other = !is_crlf && stands("\n\n", 2, line_end + 2, end);
            return is_other ? Py_BuildValue("nn", blank + 2, blank + 4) : Py_BuildValue("nn", blank, blank + 3);
        }
    }
    return Py_BuildValue("nn", part.start + (end - first), part.start + (end - first));
}

/* As memchr. What is looked for is mostly near where each line of millions begins with hyphens. */
static const char *
next_octet(char octet, const char *place, const char *end)
{
    const char *far = end - place > NEAR ? place + NEAR : end;
    for (; place < far; place++)
        if (*place == octet)
            return place;
    return memchr(place, octet, (size_t)(end - place));
}

/* Where the line ends, if it is a delimiter: `--` and the boundary, then nothing or `--`, then white space. */
static const char *
end_of_delimiter(const char *line, const char *end, const char *boundary, size_t length, int *is_closing)
{
    if (!stands("--", 2, line, end) || !stands(boundary, length, line + 2, end))
        return NULL;
    const char *rest = line + 2 + length;
    *is_closing = stands("--", 2, rest, end);
    rest += *is_closing ? 2 : 0;
    while (rest < end && *rest != '\n' && is_space(*rest))
        rest++;
    return rest == end || *rest == '\n' ? rest : NULL;
}

PyObject *
next_delimiter(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    Part part;
    Py_ssize_t length;
    char *boundary;
    if (part_of(args, count, 4, &part) < 0 || PyBytes_AsStringAndSize(args[3], &boundary, &length) < 0)
        return NULL;
    const char *place = part.first, *end = part.end;
    /* A hyphen is looked for, because base64 has none. Where it begins no delimiter, the next line may. In a boundary
       there is no line end: to compare it looks at no line twice. */
    while (place != NULL && (place = next_octet('-', place, end)) != NULL) {
        int is_closing, begins_line = place > part.first && place[-1] == '\n';
        const char *line_end = begins_line ? end_of_delimiter(place, end, boundary, (size_t)length, &is_closing) : NULL;
        if (line_end != NULL) {
            Py_ssize_t found = part.start + (place - part.first) - 1;
            found -= found > 0 && place[-2] == '\r';
            Py_ssize_t behind = part.start + (line_end - part.first) + (line_end < end);
            return Py_BuildValue("nnO", found, behind, is_closing ? Py_True : Py_False);
        }
        place = next_octet('\n', place, end);
    }
    Py_RETURN_NONE;
}
