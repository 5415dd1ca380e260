/* What vocabulary.c, tokens.c and keywords.c share: the tokens that were met, and what of them. */

#ifndef INBOXSTATS_VOCABULARY_H
#define INBOXSTATS_VOCABULARY_H

#include "compiled.h"

enum {
    NOT_MET = 0,               /* what a place says that holds no token */
    NO_KEYWORD = 1,            /* what it says of a token that is none */
    FIRST = 2,                 /* what it says of the first keyword, and so on */
    FEWEST_PLACES = 1 << 12,   /* of a new vocabulary; a power of two */
};

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
    uint8_t *ballots;          /* what a keyword gives to each of the candidates; NULL before it is closed */
    size_t voters, candidates; /* so many keywords have a ballot, each of so many octets */
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

#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif

/* Appends octets, and tells where they are. Returns -1 and an exception where there is no room for them. */
int append(Octets *all, const char *octets, size_t length, uint32_t *start);

/* What a place says of a keyword; NOT_MET and an exception where that fails. */
uint32_t number_of(Vocabulary *self, PyObject *text);

/* The number of each token into `found`, of the first `most` alone; a mark is one too, and counts so among the first
   `opening`. Returns how many there are, or -1 and an exception. */
Py_ssize_t read_tokens(Vocabulary *self, const char *text, size_t size, size_t opening, size_t most, uint32_t *found);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
