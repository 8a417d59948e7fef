/* JSON records of known keys to columns, in one pass over a body that nobody has looked at yet.
 *
 * Strict: what is not certainly a valid record of the known keys makes the whole body UNSURE, and another reader
 * must judge it. So nothing here words an error. No byte at or after `end` is read, and no index comes from the body.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER, WHOLE, IDENTIFIER, WORD, INNER }; /* kinds of a key's values; one has the inner object */
enum { UNSURE = -1, NO_MEMORY = -2 };
enum {
    LONGEST_WORD = 100,    /* characters */
    LONGEST_NUMBER = 64,   /* bytes, for those that strtod reads */
    LONGEST_NAME = 255,    /* bytes; of a key that is written with escapes */
    DIGITS = 19,           /* that fit 64 bits */
    PLACE = 16,            /* a word's place: where it starts, above 16 bits; below, has it escapes, then its bytes */
    ESCAPED = 1 << 15,
    LENGTH = ESCAPED - 1,
    LEAST = -342, MOST = 308 /* powers of ten of the table */
};

#define MISSING UINT64_C(0x7ff8000000000000) /* a NaN; no JSON number is one */

/* A key: its name among `names`, in the record itself or in its inner object, and what its value may be. */
typedef struct { uint32_t name, length, is_inner, kind; double low, high; } Key;

typedef struct {
    int64_t n_keys, n_slots; /* slots: a power of two, twice as many as keys or more */
    const Key *keys;
    const char *names;
    uint16_t *slots[2];       /* by hash of the name: 1 + the number of a key, the record's own and the inner ones */
    const uint64_t *powers;   /* 128 bits of each power of five, from LEAST on: high half, low half */
} Schema;

typedef struct {
    const char *at, *end;
    const char *body;
    const Schema *schema;
    uint64_t *cells; /* columns, `most` long */
    int64_t most;
    uint32_t *seen;  /* of each key: the last record that had it */
    uint32_t *after; /* of each key: the one that came next, last time; then the first of either object */
} Reader;

static inline int skip(Reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
    return r->at < r->end;
}

/* Go past one sign, spaces before it included. */
static inline int past(Reader *r, char sign)
{
    if (!skip(r) || *r->at != sign)
        return 0;
    r->at++;
    return 1;
}

static inline int literal(Reader *r, const char *text, int64_t length)
{
    if (r->end - r->at < length || memcmp(r->at, text, (size_t)length))
        return 0;
    r->at += length;
    return 1;
}

static inline uint64_t eight(const char *bytes, int64_t n)
{
    uint64_t found = 0;
    if (n >= 8)
        memcpy(&found, bytes, 8);
    else
        memcpy(&found, bytes, (size_t)n);
    return found;
}

/* Names differ in their ends, in the middle or in length. */
static inline uint64_t hashed(const char *name, int64_t length)
{
    int64_t n = length < 8 ? length : 8;
    uint64_t hash = (eight(name, n) ^ (uint64_t)length) * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ hash >> 32 ^ eight(name + (length - n) / 2, n)) * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ hash >> 32 ^ eight(name + length - n, n)) * UINT64_C(0x9e3779b97f4a7c15);
    return hash >> 32;
}

static inline int is_named(const Schema *schema, const Key *key, const char *name, int64_t length)
{
    return key->length == length && !memcmp(name, schema->names + key->name, (size_t)length);
}

/* Return the number of a key of this name, or -1. */
static inline int64_t named(const Schema *schema, uint32_t is_inner, const char *name, int64_t length)
{
    for (uint64_t slot = hashed(name, length);; slot++) {
        uint32_t found = schema->slots[is_inner][slot & (uint64_t)(schema->n_slots - 1)];
        if (!found || is_named(schema, &schema->keys[found - 1], name, length))
            return (int64_t)found - 1;
    }
}

/* Read four hexadecimal digits, or return -1. */
static int32_t hexadecimal(const char *at, const char *end)
{
    int32_t found = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int sign = (unsigned char)at[i], letter = sign | 32;
        if (sign >= '0' && sign <= '9')
            found = found << 4 | (sign - '0');
        else if (letter >= 'a' && letter <= 'f')
            found = found << 4 | (letter - 'a' + 10);
        else
            return -1;
    }
    return found;
}

/* Go past an escape, from behind its backslash; return the character that it stands for, or -1 if it is none. */
static int32_t escape(const char **at, const char *end)
{
    static const char signs[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (*at == end)
        return -1;
    char sign = *(*at)++;
    if (sign != 'u') {
        const char *found = sign ? strchr(signs, sign) : NULL;
        return found ? meant[found - signs] : -1;
    }
    int32_t first = hexadecimal(*at, end);
    if (first < 0 || (first & 0xfc00) == 0xdc00)
        return -1;
    *at += 4;
    if ((first & 0xfc00) != 0xd800)
        return first;
    if (end - *at < 2 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return -1; /* half of a pair */
    int32_t second = hexadecimal(*at + 2, end);
    if ((second & ~0x3ff) != 0xdc00)
        return -1;
    *at += 6;
    return 0x10000 + ((first & 0x3ff) << 10) + (second & 0x3ff);
}

/* Write a character in UTF-8; return how many bytes it takes, no more than its escape. */
static int64_t encode(int32_t character, char *to)
{
    if (character < 0x80) {
        to[0] = (char)character;
        return 1;
    }
    int64_t length = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (int64_t i = length - 1; i; i--, character >>= 6)
        to[i] = (char)(0x80 | (character & 0x3f));
    to[0] = (char)((0xf00 >> length & 0xff) | character);
    return length;
}

/* Write what a piece of a word with escapes, all of them right, stands for; return how many bytes. */
static int64_t plain(const char *at, const char *end, char *to)
{
    char *start = to;
    while (at < end)
        if (*at != '\\')
            *to++ = *at++;
        else {
            at++;
            to += encode(escape(&at, end), to);
        }
    return to - start;
}

/* Read a key that may have escapes, its opening quote read already, and its colon. */
static int64_t escaped_key(Reader *r, uint32_t is_inner)
{
    char name[LONGEST_NAME];
    const char *start = r->at;
    for (const char *at = start; at < r->end && at - start <= LONGEST_NAME;) {
        char sign = *at++;
        if (sign == '"') {
            r->at = at;
            int64_t found = named(r->schema, is_inner, name, plain(start, at - 1, name));
            return found >= 0 && past(r, ':') ? found : -1;
        }
        if (sign == '\\' && escape(&at, r->end) < 0)
            return -1;
    }
    return -1;
}

/* Read a key and its colon; return its number, or -1. */
static inline int64_t key(Reader *r, uint32_t is_inner, uint32_t *guess)
{
    const Schema *schema = r->schema;
    if (!past(r, '"'))
        return -1;
    const Key *one = &schema->keys[*guess]; /* records mostly have their keys in one order */
    if (one->is_inner == is_inner && r->end - r->at > one->length && r->at[one->length] == '"'
        && is_named(schema, one, r->at, one->length)) {
        r->at += one->length + 1;
        return past(r, ':') ? (int64_t)*guess : -1;
    }
    const char *name = r->at, *quote = memchr(name, '"', (size_t)(r->end - name));
    if (!quote)
        return -1;
    int64_t found = named(schema, is_inner, name, quote - name);
    if (found >= 0) {
        r->at = quote + 1;
        found = past(r, ':') ? found : -1;
    } else if (memchr(name, '\\', (size_t)(quote - name)))
        found = escaped_key(r, is_inner);
    if (found >= 0)
        *guess = (uint32_t)found;
    return found;
}

static inline int is_digit(const Reader *r) { return r->at < r->end && (unsigned char)(*r->at - '0') < 10; }

/* The double nearest to digits * 10^power, by Eisel and Lemire ("Number parsing at a gigabyte per second", 2021);
 * 0 where it is not a normal number, or too near the middle between two. */
static int nearest(const Schema *schema, uint64_t digits, int64_t power, double *value)
{
    if (power < LEAST || power > MOST)
        return 0;
    int zeros = __builtin_clzll(digits);
    digits <<= zeros;
    const uint64_t *five = schema->powers + 2 * (power - LEAST);
    unsigned __int128 product = (unsigned __int128)digits * five[0];
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    if ((high & 0x1ff) == 0x1ff) {
        uint64_t more = (uint64_t)((unsigned __int128)digits * five[1] >> 64);
        low += more;
        high += low < more;
    }
    if (low == UINT64_MAX && (power < -27 || power > 55))
        return 0;
    int upper = (int)(high >> 63);
    uint64_t mantissa = high >> (upper + 9);
    int64_t exponent = ((217706 * power) >> 16) + 63 + upper - zeros + 1023;
    if (exponent <= 0)
        return 0;
    if (low <= 1 && power >= -4 && power <= 23 && (mantissa & 3) == 1 && mantissa << (upper + 9) == high)
        mantissa &= ~UINT64_C(1); /* just in the middle: to the even one */
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    if (mantissa >> 53) {
        mantissa = UINT64_C(1) << 52;
        exponent++;
    }
    if (exponent >= 2047)
        return 0;
    uint64_t bits = (mantissa & ~(UINT64_C(1) << 52)) | (uint64_t)exponent << 52;
    memcpy(value, &bits, 8);
    return 1;
}

/* Read a number that stands from `start` on in a locale that may write decimals otherwise: then it is unsure. */
static int by_library(const char *start, int64_t length, double *value)
{
    char text[LONGEST_NUMBER + 1], *rest;
    if (length > LONGEST_NUMBER)
        return 0;
    memcpy(text, start, (size_t)length);
    text[length] = 0;
    *value = strtod(text, &rest);
    return rest == text + length && *value - *value == 0;
}

/* Read digits into a number, the leading zeros of it not counted. */
static inline void digits(Reader *r, uint64_t *number, int *count)
{
    for (; is_digit(r); r->at++) {
        *count += *count || *r->at != '0'; /* of the digits, not of the number: this may have run over, to 0 */
        *number = *number * 10 + (uint64_t)(*r->at - '0');
    }
}

/* Read a number as JSON writes it. `whole` is its value if it is written as a whole number without sign, else -1. */
static inline int number(Reader *r, double *value, int64_t *whole)
{
    const char *start = r->at;
    int is_negative = *start == '-', count = 0, is_plain = 1;
    uint64_t found = 0;
    int64_t power = 0;
    r->at += is_negative;
    if (!is_digit(r))
        return 0;
    if (*r->at == '0')
        r->at++;
    else
        digits(r, &found, &count);
    if (is_digit(r))
        return 0;
    if (r->at < r->end && *r->at == '.') {
        is_plain = 0;
        const char *point = ++r->at;
        if (!is_digit(r))
            return 0;
        digits(r, &found, &count);
        power = point - r->at;
    }
    if (r->at < r->end && (*r->at | 32) == 'e') {
        is_plain = 0;
        r->at++;
        int is_small = r->at < r->end && *r->at == '-', n = 0;
        uint64_t exponent = 0;
        r->at += r->at < r->end && (*r->at == '-' || *r->at == '+');
        if (!is_digit(r))
            return 0;
        for (; is_digit(r) && n < 4; r->at++, n++)
            exponent = exponent * 10 + (uint64_t)(*r->at - '0');
        if (is_digit(r))
            return 0;
        power += is_small ? -(int64_t)exponent : (int64_t)exponent;
    }
    if (is_plain && is_negative && !count)
        return 0; /* -0: a whole number has no such value */
    *whole = is_plain && !is_negative && count <= DIGITS && found <= INT64_MAX ? (int64_t)found : -1;
    if (count > DIGITS)
        return by_library(start, r->at - start, value);
    if (!found)
        *value = 0;
    else if (!power)
        *value = (double)found;
    else if (!nearest(r->schema, found, power, value))
        return by_library(start, r->at - start, value);
    if (is_negative)
        *value = -*value;
    return 1;
}

/* Read a word behind its opening quote: UTF-8, at most LONGEST_WORD characters. */
static int word(Reader *r, uint64_t *place)
{
    uint64_t escapes = 0;
    const unsigned char *at = (const unsigned char *)r->at, *end = (const unsigned char *)r->end;
    for (int characters = 0; at < end; characters++) {
        unsigned char first = *at;
        if (first == '"') {
            const char *start = r->at;
            r->at = (const char *)at + 1;
            *place = (uint64_t)(start - r->body) << PLACE | escapes | (uint64_t)((const char *)at - start);
            return 1;
        }
        if (first < 0x20 || characters == LONGEST_WORD)
            return 0;
        if (first == '\\') {
            const char *rest = (const char *)at + 1;
            if (escape(&rest, r->end) < 0)
                return 0;
            escapes = ESCAPED;
            at = (const unsigned char *)rest;
            continue;
        }
        int more = first < 0x80 ? 0 : first < 0xc2 ? -1 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : -1;
        if (more < 0 || end - at <= more)
            return 0;
        if (more) {
            unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80; /* no longer than it must be, */
            unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf; /* no half of a pair, none above */
            if (at[1] < low || at[1] > high)
                return 0;
            for (int i = 2; i <= more; i++)
                if ((at[i] & 0xc0) != 0x80)
                    return 0;
        }
        at += more + 1;
    }
    return 0;
}

/* Read the value of a key into its cell: bits of a double, an identifier, or the place of a word. */
static inline int value(Reader *r, const Key *key, uint64_t *cell)
{
    if (!skip(r))
        return 0;
    *cell = MISSING;
    if (*r->at == 'n')
        return key->kind != IDENTIFIER && literal(r, "null", 4);
    if (key->kind == WORD) {
        if (*r->at != '"')
            return 0;
        r->at++;
        return word(r, cell);
    }
    double found;
    int64_t whole;
    if (!number(r, &found, &whole))
        return 0;
    if (key->kind == IDENTIFIER) {
        *cell = (uint64_t)whole;
        return whole >= 0;
    }
    if (!(found >= key->low && found <= key->high))
        return 0;
    if (key->kind == WHOLE && found != (double)(int64_t)found) /* its bounds fit 64 bits */
        return 0;
    memcpy(cell, &found, 8);
    return 1;
}

/* Read an object: a record itself, or the one inside it. */
static int object(Reader *r, uint32_t is_inner, int64_t row)
{
    const Schema *schema = r->schema;
    uint32_t *guess = &r->after[schema->n_keys + is_inner];
    if (!past(r, '{'))
        return 0;
    if (past(r, '}'))
        return 1;
    do {
        int64_t found = key(r, is_inner, guess);
        if (found < 0 || r->seen[found] == row + 1)
            return 0;
        r->seen[found] = (uint32_t)row + 1;
        guess = &r->after[found];
        uint64_t *cell = &r->cells[found * r->most + row];
        if (schema->keys[found].kind != INNER) {
            if (!value(r, &schema->keys[found], cell))
                return 0;
        } else if (skip(r) && *r->at == '{') {
            *cell = 0;
            if (!object(r, 1, row))
                return 0;
        } else {
            *cell = MISSING;
            if (!literal(r, "null", 4))
                return 0;
        }
    } while (past(r, ','));
    return past(r, '}');
}

static int64_t rows(Reader *r, int64_t *at)
{
    static const char opening[] = "applications";
    const Schema *schema = r->schema;
    if (!*at) {
        if (!past(r, '{') || !past(r, '"') || !literal(r, opening, sizeof opening - 1) || !literal(r, "\"", 1))
            return UNSURE;
        if (!past(r, ':') || !past(r, '['))
            return UNSURE;
    }
    for (int64_t row = 0; row < r->most;) {
        if (!object(r, 0, row))
            return UNSURE;
        for (int64_t k = 0; k < schema->n_keys; k++)
            if (r->seen[k] != row + 1) {
                if (schema->keys[k].kind == IDENTIFIER)
                    return UNSURE;
                r->cells[k * r->most + row] = MISSING;
            }
        row++;
        if (!past(r, ',')) {
            *at = -1;
            return past(r, ']') && past(r, '}') && !skip(r) ? row : UNSURE;
        }
        *at = r->at - r->body;
    }
    return r->most;
}

/* Fill the slots of a schema, once. */
int index_keys(const Schema *schema)
{
    for (int64_t k = 0; k < schema->n_keys; k++) {
        const Key *key = &schema->keys[k];
        uint64_t slot = hashed(schema->names + key->name, key->length);
        uint16_t *slots = schema->slots[key->is_inner];
        while (slots[slot & (uint64_t)(schema->n_slots - 1)])
            slot++;
        slots[slot & (uint64_t)(schema->n_slots - 1)] = (uint16_t)(k + 1);
    }
    return 0;
}

/* Read up to `most` records of `{"applications": [...]}` from `*at` on, 0 at first; return how many, or why none.
 * `*at` becomes the place of the next one, -1 when the body is over. */
int64_t read_records(const Schema *schema, const char *body, int64_t size, int64_t *at, int64_t most, uint64_t *cells)
{
    size_t n = (size_t)schema->n_keys;
    uint32_t *memory = calloc(2 * n + 2, sizeof *memory);
    if (!memory)
        return NO_MEMORY;
    Reader reader = {body + *at, body + size, body, schema, cells, most, memory, memory + n};
    int64_t found = rows(&reader, at);
    free(memory);
    return found;
}

/* Put the words of a column one behind the other; word i will stand from offsets[i] to offsets[i + 1]. None takes
 * more room than it takes in the body. */
int gather(const char *body, const uint64_t *cells, int64_t n, int64_t *offsets, char *words)
{
    int64_t end = 0;
    for (int64_t i = 0; i < n; i++) {
        offsets[i] = end;
        if (cells[i] == MISSING)
            continue;
        int64_t length = (int64_t)(cells[i] & LENGTH);
        const char *start = body + (cells[i] >> PLACE);
        if (cells[i] & ESCAPED)
            length = plain(start, start + length, words + end);
        else
            memcpy(words + end, start, (size_t)length);
        end += length;
    }
    offsets[n] = end;
    return 0;
}
