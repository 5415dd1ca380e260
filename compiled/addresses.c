/* What a line of text says besides the addresses in it. */

#include "lines.h"

/* What is kept of a line, in slices of it that are one blank apart. */
typedef struct {
    const Text *text;
    PyObject *slices;          /* list[str] */
    size_t start, end;         /* of the next one; both are 0 where there is none */
} Kept;

/* Returns -1 and an exception where that fails, as the next two do. */
static int
add_slice(Kept *kept)
{
    if (kept->start == kept->end)
        return 0;
    PyObject *slice = PyUnicode_Substring(kept->text->text, (Py_ssize_t)kept->start, (Py_ssize_t)kept->end);
    int result = slice == NULL ? -1 : PyList_Append(kept->slices, slice);
    Py_XDECREF(slice);
    return result;
}

static int
keep(Kept *kept, size_t start, size_t end)
{
    if (kept->start == kept->end || start != kept->end + 1 || kept->text->octets[kept->end] != ' ') {
        if (add_slice(kept) < 0)
            return -1;
        kept->start = start;
    }
    kept->end = end;
    return 0;
}

/* Whether a word is the label of its line: it ends with a colon, and the line begins with it. */
static int
is_label(const Text *text, size_t line, size_t start, size_t end)
{
    if (text->octets[end - 1] != ':')
        return 0;
    for (size_t place = start; place < end; place++)
        if (code_at(text, place) != code_at(text, line + place - start))
            return 0;
    return 1;
}

/* The words of a line but those that are addresses; nothing where that is but its label. */
static int
keep_words(Kept *kept, size_t line, size_t line_end)
{
    const Text *text = kept->text;
    size_t count = 0, last = line, last_end = line;
    for (size_t start = line, end; start < line_end; start = end + 1) {
        size_t ats = 0, slashes = 0;
        for (end = start; end < line_end && !is_blank(code_at(text, end)); end++) {
            ats += text->octets[end] == '@';
            slashes += text->octets[end] == '/';
        }
        if (start == end || ats > 0 || slashes > 1)
            continue;
        if (count++ > 0 && keep(kept, last, last_end) < 0)
            return -1;
        last = start;
        last_end = end;
    }
    return count == 0 || (count == 1 && is_label(text, line, last, last_end)) ? 0 : keep(kept, last, last_end);
}

PyObject *
without_addresses(const Text *text, size_t line, size_t line_end, PyObject *blank)
{
    Kept kept = {text, PyList_New(0), 0, 0};
    PyObject *result = NULL;
    if (kept.slices != NULL && keep_words(&kept, line, line_end) == 0 && add_slice(&kept) == 0)
        result = PyUnicode_Join(blank, kept.slices);
    Py_XDECREF(kept.slices);
    return result;
}
