/* Where a header section ends, and where the next delimiter of a multipart is. */

#include "compiled.h"

const char *
octets_between(PyObject *data, Py_ssize_t start, Py_ssize_t end)
{
    char *octets;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(data, &octets, &size) < 0)
        return NULL;
    if (start < 0 || end > size || start > end) {
        PyErr_SetString(PyExc_ValueError, "start and end are places in the data, in this order");
        return NULL;
    }
    return octets + start;
}

/* Whether these octets stand there. */
static int
stands(const char *octets, size_t length, const char *place, const char *end)
{
    return (size_t)(end - place) >= length && memcmp(place, octets, length) == 0;
}

PyObject *
end_of_section(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *data;
    Py_ssize_t start, end;
    if (!PyArg_ParseTuple(args, "Snn:end_of_section", &data, &start, &end))
        return NULL;
    const char *first = octets_between(data, start, end);
    if (first == NULL)
        return NULL;
    const char *last = first + (end - start);
    if (stands("\n", 1, first, last) || stands("\r\n", 2, first, last))
        return Py_BuildValue("nn", start, start + (*first == '\n' ? 1 : 2));
    const char *line_end = memchr(first, '\n', (size_t)(last - first));
    int is_crlf = line_end != NULL && line_end[-1] == '\r';
    for (; line_end != NULL; line_end = memchr(line_end + 1, '\n', (size_t)(last - line_end - 1))) {
        Py_ssize_t blank = start + (line_end - first);
        /* Of two blank lines side by side, the one that ends as the first line does. */
        if (stands("\n\n", 2, line_end, last)) {
            int is_other = is_crlf && stands("\n\r\n", 3, line_end + 1, last);
            return is_other ? Py_BuildValue("nn", blank + 1, blank + 4) : Py_BuildValue("nn", blank, blank + 2);
        }
        if (stands("\n\r\n", 3, line_end, last)) {
            int is_other = !is_crlf && stands("\n\n", 2, line_end + 2, last);
            return is_other ? Py_BuildValue("nn", blank + 2, blank + 4) : Py_BuildValue("nn", blank, blank + 3);
        }
    }
    return Py_BuildValue("nn", end, end);
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
next_delimiter(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *data, *wanted;
    Py_ssize_t start, end, length;
    char *boundary;
    if (!PyArg_ParseTuple(args, "SSnn:next_delimiter", &data, &wanted, &start, &end)
        || PyBytes_AsStringAndSize(wanted, &boundary, &length) < 0)
        return NULL;
    const char *first = octets_between(data, start, end);
    if (first == NULL)
        return NULL;
    const char *last = first + (end - start), *place = first;
    /* A hyphen is looked for, because base64 has none. Where it begins no delimiter, the next line may. */
    while (place != NULL && (place = memchr(place, '-', (size_t)(last - place))) != NULL) {
        int is_closing, begins_line = place > first && place[-1] == '\n';
        const char *line_end = begins_line ? end_of_delimiter(place, last, boundary, (size_t)length, &is_closing) : NULL;
        if (line_end != NULL) {
            Py_ssize_t found = start + (place - first) - 1;
            found -= found > 0 && place[-2] == '\r';
            Py_ssize_t behind = start + (line_end - first) + (line_end < last);
            return Py_BuildValue("nnO", found, behind, is_closing ? Py_True : Py_False);
        }
        place = memchr(place, '\n', (size_t)(last - place));
    }
    Py_RETURN_NONE;
}
