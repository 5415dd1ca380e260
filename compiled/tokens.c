/* The tokens of a text, each looked up among those that were met. */

#include "vocabulary.h"

enum {
    MARK = 1,                  /* the octet where a phrase cannot go on; octets up to the blank are between tokens */
    LONGEST_KEPT = 255,        /* octets of a token that is kept */
    MOST_PLACES = 64,          /* that are looked at for a token: mail may have been written so that all are the same */
    AT_ONCE = 16,              /* tokens whose places are on their way from memory together */
};

#if defined(__GNUC__)
#define FETCH_AHEAD(address) __builtin_prefetch(address)
#define EIGHT_AT_ONCE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
#else
#define FETCH_AHEAD(address) ((void)0)
#define EIGHT_AT_ONCE 0
#endif

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

/* How long the token is that begins there: up to the next octet that is a blank or less. */
static size_t
length_of(const char *token, size_t room)
{
    size_t length = 0;
#if EIGHT_AT_ONCE
    for (; room - length >= sizeof(uint64_t); length += sizeof(uint64_t)) {
        uint64_t octets = number_from(token + length, sizeof octets);
        uint64_t ends = (octets - 0x2121212121212121u) & ~octets & 0x8080808080808080u;
        if (ends != 0)
            return length + (size_t)__builtin_ctzll(ends) / 8;
    }
#endif
    while (length < room && (unsigned char)token[length] > ' ')
        length++;
    return length;
}

/* The first octets of a token as a number. */
static uint64_t
head_of(const char *token, size_t length, size_t room)
{
    if (EIGHT_AT_ONCE && length < sizeof(uint64_t) && room >= sizeof(uint64_t))
        return number_from(token, sizeof(uint64_t)) & (((uint64_t)1 << 8 * length) - 1);
    return number_from(token, length);
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

/* Whether a token has letters alone, all below U+0800. Returns -1 and an exception where Python fails to tell. */
static int
is_plain(const char *token, size_t length, PyObject *text)
{
    int is_ascii = 1;
    for (size_t i = 0; i < length; i++) {
        unsigned char octet = (unsigned char)token[i];
        if (octet >= 0xE0 || (octet < 0x80 && (unsigned char)((octet | 32) - 'a') >= 26))
            return 0;
        is_ascii &= octet < 0x80;
    }
    if (is_ascii)
        return 1;
    PyObject *answer = PyObject_CallMethod(text, "isalpha", NULL);
    int result = answer == NULL ? -1 : answer == Py_True;
    Py_XDECREF(answer);
    return result;
}

/* Which keyword a plain token is: itself, unless it is a stop word, or too short or long, or one letter repeated. */
static uint32_t
number_of_plain(Vocabulary *self, PyObject *text, const char *token, size_t length)
{
    Py_ssize_t letters = PyUnicode_GetLength(text);
    if (letters < self->shortest || letters > self->longest)
        return NO_KEYWORD;
    size_t width = (unsigned char)token[0] < 0x80 ? 1 : 2, alike = width;
    while (alike + width <= length && memcmp(token + alike, token, width) == 0)
        alike += width;
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
    int by_rule = self->stops == NULL ? 0 : is_plain(token.octets, token.length, text);
    if (by_rule > 0)
        number = number_of_plain(self, text, token.octets, token.length);
    else if (by_rule == 0) {
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

Py_ssize_t
read_tokens(Vocabulary *self, const char *text, size_t size, size_t opening, size_t most, uint32_t *found)
{
    Token tokens[AT_ONCE];
    size_t count = 0, waiting = 0;
    for (size_t position = 0; position < size && count < most;) {
        Token token = {text + position, length_of(text + position, size - position), 0, 0}; /* of no length: a mark */
        size_t room = size - position;
        position += token.length;
        if (token.length == 0) {
            position++;
            if (*token.octets != MARK || count >= opening)
                continue;
        }
        else {
            token.head = head_of(token.octets, token.length, room);
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
