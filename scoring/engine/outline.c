/* Where the applications of a JSON body stand, or where it ceases to be JSON, in one pass that makes nothing of it.
 *
 * It finds the first fault just where jiter does, the parser of pydantic: so it says NaN and Infinity are numbers,
 * and looks at the UTF-8 of a word when it has seen its end. No byte at or after `end` is read.
 */

#include <stdint.h>
#include <string.h>

enum { NOT_JSON = 0, JSON = 1 };
enum {
    DEEPEST = 200,          /* brackets around a value */
    LONGEST_INTEGER = 4300, /* digits */
    NONE = -1
};

typedef unsigned char Byte;

typedef struct {
    const Byte *text, *at, *end; /* `at` stands at the fault once there is one */
} Text;

/* An application: where it stands, and how many values it has inside, brackets counted as one each. */
typedef struct { int64_t start, end, values; } Span;

/* The list of applications: its brackets, how many it has, and how often its key is there. */
typedef struct { int64_t start, end, count, keys; } List;

static inline int fault(Text *t, const Byte *at)
{
    t->at = at;
    return 0;
}

static inline int skip(Text *t)
{
    const Byte *at = t->at;
    while (at < t->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    t->at = at;
    return at < t->end;
}

static inline int is_digit(const Byte *at, const Byte *end) { return at < end && (Byte)(*at - '0') < 10; }

/* Go past the rest of a word such as true, whose first letter has been seen. */
static int literal(Text *t, const char *rest)
{
    for (t->at++; *rest; rest++, t->at++)
        if (t->at == t->end || *t->at != (Byte)*rest)
            return 0;
    return 1;
}

static int number(Text *t)
{
    const Byte *at = t->at, *end = t->end;
    if (*at == '-') {
        at++;
        if (at < end && *at == 'I') {
            t->at = at;
            return literal(t, "nfinity");
        }
    }
    if (!is_digit(at, end))
        return fault(t, at);
    const Byte *first = at;
    if (*at++ == '0') {
        if (is_digit(at, end))
            return fault(t, at);
    } else {
        while (is_digit(at, end))
            at++;
        if (at - first > LONGEST_INTEGER)
            return fault(t, first + LONGEST_INTEGER + 1);
    }
    if (at < end && *at == '.') {
        if (!is_digit(++at, end))
            return fault(t, at);
        while (is_digit(at, end))
            at++;
    }
    if (at < end && (*at | 32) == 'e') {
        at++;
        at += at < end && (*at == '-' || *at == '+');
        if (!is_digit(at, end))
            return fault(t, at);
        while (is_digit(at, end))
            at++;
    }
    t->at = at;
    return 1;
}

/* Return how many bytes the character takes that begins here, 0 if it is not UTF-8. */
static inline int64_t character(const Byte *at, const Byte *end)
{
    Byte first = *at;
    int64_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (end - at < length)
        return 0;
    if (length > 1) {
        Byte low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80; /* no longer than it must be, */
        Byte high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf; /* no half of a pair, none above */
        if (at[1] < low || at[1] > high)
            return 0;
        for (int64_t i = 2; i < length; i++)
            if ((at[i] & 0xc0) != 0x80)
                return 0;
    }
    return length;
}

/* Go past four hexadecimal digits, and say what they are; -1 if they are none. */
static int32_t hexadecimal(Text *t, const Byte *at)
{
    int32_t found = 0;
    if (t->end - at < 4)
        return fault(t, t->end) - 1;
    for (const Byte *end = at + 4; at < end; at++) {
        int sign = *at, letter = sign | 32;
        if (sign >= '0' && sign <= '9')
            found = found << 4 | (sign - '0');
        else if (letter >= 'a' && letter <= 'f')
            found = found << 4 | (letter - 'a' + 10);
        else
            return fault(t, at) - 1;
    }
    t->at = at;
    return found;
}

/* Go past an escape from its backslash on; return the character, or -1 at a fault. */
static int32_t escape(Text *t)
{
    static const char signs[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const Byte *at = ++t->at;
    if (at == t->end)
        return -1;
    if (*at != 'u') {
        const char *sign = *at ? strchr(signs, *at) : NULL;
        t->at += sign != NULL;
        return sign ? meant[sign - signs] : -1;
    }
    int32_t first = hexadecimal(t, at + 1);
    if (first < 0 || (first & 0xf800) != 0xd800)
        return first;
    at = t->at;
    if (first >= 0xdc00)
        return fault(t, at - 1) - 1;
    if (t->end - at < 2 && (at == t->end || *at == '\\'))
        return fault(t, t->end) - 1;
    if (*at != '\\' || at[1] != 'u')
        return fault(t, at + (*at == '\\')) - 1;
    int32_t second = hexadecimal(t, at + 2);
    if (second < 0)
        return -1;
    if ((second & 0xfc00) != 0xdc00)
        return fault(t, t->at - 1) - 1;
    return 0x10000 + ((first & 0x3ff) << 10) + (second & 0x3ff);
}

/* Go past a word, from its quote on. */
static int word(Text *t)
{
    const Byte *at = t->at + 1;
    int64_t saved = 0;        /* bytes that escapes take beyond what they stand for */
    const Byte *broken = NULL; /* the first byte that is no UTF-8; it counts in what the word stands for */
    for (;;) {
        while (at < t->end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\')
            at++;
        if (at == t->end || *at < 0x20)
            return fault(t, at);
        if (*at == '"')
            break;
        if (*at == '\\') {
            t->at = at;
            int32_t meant = escape(t);
            if (meant < 0)
                return 0;
            saved += t->at - at - (meant < 0x80 ? 1 : meant < 0x800 ? 2 : meant < 0x10000 ? 3 : 4);
            at = t->at;
        } else {
            int64_t length = character(at, t->end);
            if (!length && !broken)
                broken = at - saved;
            at += length ? length : 1;
        }
    }
    if (broken)
        return fault(t, broken);
    t->at = at + 1;
    return 1;
}

/* Go past a value that is neither an object nor a list. */
static inline int scalar(Text *t)
{
    switch (*t->at) {
    case '"': return word(t);
    case 't': return literal(t, "rue");
    case 'f': return literal(t, "alse");
    case 'n': return literal(t, "ull");
    case 'N': return literal(t, "aN");
    case 'I': return literal(t, "nfinity");
    default: return (*t->at == '-' || is_digit(t->at, t->end)) && number(t);
    }
}

/* Go past a key and its colon; say by `is_ours` whether it is that of the applications. */
static inline int key(Text *t, int *is_ours)
{
    static const char ours[] = "applications";
    const Byte *start = t->at;
    if (!word(t))
        return 0;
    if (is_ours) {
        const char *letter = ours;
        Text inner = {t->text, start + 1, t->at - 1};
        int is_same = 1;
        while (is_same && *letter && inner.at < inner.end)
            is_same = (*inner.at == '\\' ? escape(&inner) : *inner.at++) == *letter++;
        *is_ours = is_same && !*letter && inner.at == inner.end;
    }
    if (!skip(t) || *t->at != ':')
        return 0;
    t->at++;
    return 1;
}

static int whole(Text *t, int64_t most, Span *spans, List *list)
{
    Byte brackets[DEEPEST + 1];
    int depth = 0, is_ours = 0, is_inside = 0; /* ours: the value of our key; inside: of its list */
    Span span = {NONE, NONE, 0};
    for (;;) { /* a value is due */
        if (!skip(t) || depth > DEEPEST)
            return 0;
        span.values++;
        if (is_inside && depth == 2)
            span = (Span){t->at - t->text, NONE, 0};
        if (*t->at == '[' || *t->at == '{') {
            if (is_ours && depth == 1 && *t->at == '[') {
                is_inside = 1;
                list->start = t->at - t->text;
                list->count = 0;
            }
            Byte bracket = brackets[depth++] = *t->at++;
            if (!skip(t))
                return 0;
            if (*t->at != bracket + 2) { /* in ASCII what closes stands two behind what opens */
                if (bracket == '[')
                    continue;
                if (*t->at != '"' || !key(t, depth == 1 ? &is_ours : NULL))
                    return 0;
                list->keys += depth == 1 && is_ours;
                continue;
            }
        } else if (!scalar(t))
            return 0;
        else
            goto done;
        for (;;) { /* at what closes the innermost bracket */
            t->at++;
            depth--;
            if (is_inside && depth == 1) {
                is_inside = 0;
                list->end = t->at - t->text;
            }
        done:
            if (is_inside && depth == 2) {
                span.end = t->at - t->text;
                if (list->count < most)
                    spans[list->count] = span;
                list->count++;
            }
            int is_more = skip(t);
            if (!depth)
                return !is_more;
            if (!is_more)
                return 0;
            if (*t->at == ',') {
                t->at++;
                if (!skip(t) || *t->at == brackets[depth - 1] + 2)
                    return 0;
                if (brackets[depth - 1] == '{') {
                    if (*t->at != '"' || !key(t, depth == 1 ? &is_ours : NULL))
                        return 0;
                    list->keys += depth == 1 && is_ours;
                }
                break;
            }
            if (*t->at != brackets[depth - 1] + 2)
                return 0;
        }
    }
}

/* Find the applications of a body `{"applications": [...]}`: where the first `most` begin and end. Of two lists of
 * that name the last counts; without one its places are -1. What is not JSON has the line and column of the first fault
 * in the place of the list. */
int outline(const char *body, int64_t size, int64_t most, Span *spans, int64_t *found)
{
    const Byte *text = (const Byte *)body;
    Text t = {text, text, text + size};
    List list = {NONE, NONE, 0, 0};
    if (whole(&t, most, spans, &list)) {
        memcpy(found, &list, sizeof list);
        return JSON;
    }
    int64_t line = 1;
    const Byte *begins = text, *last = t.at < t.end ? t.at + 1 : t.end; /* a fault at the end of a line is in the next */
    for (const Byte *at = text; (at = memchr(at, '\n', (size_t)(last - at))); line++)
        begins = ++at;
    found[0] = line;
    found[1] = last - begins;
    return NOT_JSON;
}
