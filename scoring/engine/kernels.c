/* The engine's kernels: raw scores and contributions of a forest, one thread a call, no state of their own.
 *
 * scoring/engine/native.py builds the structures below and calls the functions that are not static. They trust
 * what they are given: forest.py has checked every index, child and size, and the matrix is C-order float64.
 *
 * Same bits on every machine: only +, -, *, / and comparisons of IEEE doubles, in an order that is written
 * here, compiled with -ffp-contract=off. A processor with wider registers does more of them at a time.
 */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Functions marked so are compiled three times, and the loader picks by processor. It is glibc that can. */
#ifndef CLONES
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__has_attribute)
#if __has_attribute(target_clones)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#endif
#endif
#endif
#ifndef CLONES
#define CLONES
#endif
#define INLINE static inline __attribute__((always_inline))

enum {
    ABREAST = 16, /* trees that one row walks down at a time, so that waits for memory overlap */
    WORDS = 4,    /* of 64 rows each in a sweep: the answers to 20,000 tests fit a second-level cache */
    LANES = 8,    /* points of a quadrature that are computed with at once */
    BLOCK = 64 * WORDS
};

/* Loops over these run in wide registers where there are any. Types of gcc's own vectors took 25 % longer: it
 * cuts some of them up for the narrowest processor before it compiles a function for the others. */
typedef struct { double at[LANES]; } Lanes;
typedef struct { uint64_t at[WORDS]; } Rows; /* one bit a row */
#define EACH_LANE for (int i = 0; i < LANES; i++)
#define EACH_WORD for (int w = 0; w < WORDS; w++)

/* How a column is read: LightGBM's three rules for missing values, or as codes of categories. */
enum { NEVER_MISSING, ZERO_IS_MISSING, NAN_IS_MISSING, CATEGORY };

/* A feature under one rule, and the tests that ask for it: sorted thresholds, or sets of categories. The sets
 * are bits: from `words` on first the categories 0 to 31 of every test that go left, then 32 to 63 of every
 * test, and so on, `n_words` times. */
typedef struct { uint32_t feature, rule, first, end, words, n_words; } Column;

/* A split: its test, its children (slots counted from the tree's first) and its feature. */
typedef struct { uint32_t test, left, right, feature; } Slot;

/* A split or leaf of the walk. A row goes to `left` if its number `value` is at or below the threshold, else to
 * the node after that. A leaf's threshold is its score, and its number is -infinity: it leads to itself. */
typedef struct { double threshold; uint32_t value, left; } Node;

/* What the path to a slot says of the feature that its parent splits on: the nearest slot above that a split
 * on this feature leads to (0: none), the distinct features so far, the share of training rows let through. */
typedef struct { uint32_t earlier, features; double share; } Path;

typedef struct {
    int64_t n_features, n_columns, n_numeric, n_tests, n_trees, largest;
    const Column *columns;
    const double *threshold;       /* of numeric tests, which stand before the categorical ones */
    const uint8_t *default_left;   /* where they send a missing value */
    const uint32_t *words;         /* of categorical columns */
    const int64_t *start;          /* first slot of each tree, and the end */
    const Slot *slots;
    const double *score;           /* of each leaf, by slot */
    const Node *nodes;
    const uint32_t *roots;         /* node of each tree, filled up to whole groups of ABREAST */
    const Path *paths;
    const int64_t *passes;         /* over each tree, LANES points each */
    const double *points, *weights; /* of the rules of 1, 2, ... passes, one after another */
} Forest;

static const double ZERO = 1.0000000180025095e-35; /* LightGBM's kZeroThreshold, a float: up to here it is zero */
static const double TOO_LARGE = 2147483648.0;      /* no category from here on */

/* Memory for a call, whole cache lines; NULL where there is none. */
static void *room(int64_t n, size_t size)
{
    size_t bytes = ((size_t)n * size + 63) / 64 * 64;
    return aligned_alloc(64, bytes ? bytes : 64);
}

/* A number as a column reads it: NaN where it counts as missing. */
INLINE double reading(double x, uint32_t rule)
{
    if (x != x) return rule == NEVER_MISSING ? 0.0 : NAN;
    if (-ZERO <= x && x <= ZERO) return rule == ZERO_IS_MISSING ? NAN : 0.0;
    return x;
}

/* The code of a category, -1 where it is none; -0.5 is category 0, as in C. */
INLINE int64_t code(double x)
{
    return -1.0 < x && x < TOO_LARGE ? (int64_t)x : -1;
}

/* The word that holds the category, of each test of a column; NULL where no test knows it. */
INLINE const uint32_t *words_with(const Forest *f, Column column, int64_t category)
{
    if (category < 0 || category >> 5 >= column.n_words) return NULL;
    return f->words + column.words + (category >> 5) * (column.end - column.first);
}

/* ---- A few rows: walk down each tree ------------------------------------------------------------------ */

/* The numbers that nodes compare: -infinity for leaves, then two for each column and one for each categorical test. A
 * missing value is NaN, at or below nothing, to the nodes that send it right, and -infinity to the others. */
INLINE void read_row(const Forest *f, const double *row, double *values)
{
    values[0] = -INFINITY;
    double *answers = values + 1 + 2 * f->n_columns - f->n_numeric;
    for (int64_t c = 0; c < f->n_columns; c++) {
        const Column column = f->columns[c];
        const double x = row[column.feature];
        if (column.rule == CATEGORY) {
            const int64_t category = code(x), tests = column.end - column.first;
            const uint32_t *words = words_with(f, column, category), bit = (uint32_t)1 << (category & 31);
            double *to = answers + column.first;
            for (int64_t test = 0; test < tests; test++) to[test] = words && words[test] & bit ? -INFINITY : NAN;
        } else {
            const double value = reading(x, column.rule);
            values[1 + 2 * c] = value;
            values[2 + 2 * c] = value != value ? -INFINITY : value;
        }
    }
}

CLONES int walk(const Forest *f, const double *matrix, int64_t n_rows, double *scores)
{
    double *values = room(1 + 2 * f->n_columns + f->n_tests - f->n_numeric, sizeof(double));
    if (!values) return -1;
    const Node *nodes = f->nodes;
    for (int64_t row = 0; row < n_rows; row++) {
        read_row(f, matrix + row * f->n_features, values);
        double score = 0.0;
        for (int64_t tree = 0; tree < f->n_trees; tree += ABREAST) {
            const int64_t n = f->n_trees - tree < ABREAST ? f->n_trees - tree : ABREAST;
            uint32_t at[ABREAST], moving;
            memcpy(at, f->roots + tree, sizeof at);
            do {
                moving = 0;
                for (int i = 0; i < ABREAST; i++) {
                    const Node node = nodes[at[i]];
                    const uint32_t to = node.left + !(values[node.value] <= node.threshold);
                    moving |= to ^ at[i];
                    at[i] = to;
                }
            } while (moving);
            for (int i = 0; i < n; i++) score += nodes[at[i]].threshold;
        }
        scores[row] = score;
    }
    free(values);
    return 0;
}

/* ---- Many rows: sweep over the forest with sets of rows ------------------------------------------------ */

/* The bits of the rows that each numeric test of a column sends left. */
INLINE void answer_thresholds(const Forest *f, Column column, const double *block, int64_t n,
                              Rows *rows_of, Rows *goes_left)
{
    const double *threshold = f->threshold + column.first;
    const int64_t tests = (int64_t)column.end - column.first;
    double values[BLOCK];
    int64_t place[BLOCK];
    for (int64_t row = 0; row < n; row++)
        values[row] = reading(block[row * f->n_features + column.feature], column.rule);
    for (int64_t row = n; row < BLOCK; row++) values[row] = 0.0;
    for (int row = 0; row < BLOCK; row += LANES) { /* bisection, without a branch and in registers */
        const double *value = values + row;
        int64_t at[LANES] = {0};
        for (int64_t width = tests; width > 1;) {
            const int64_t half = width >> 1;
            for (int i = 0; i < LANES; i++) at[i] += threshold[at[i] + half - 1] < value[i] ? half : 0;
            width -= half;
        }
        memcpy(place + row, at, sizeof at);
    }
    /* By the first test that sends it left; after the tests stand "none does" and "missing". */
    memset(rows_of, 0, (size_t)(tests + 2) * sizeof(Rows));
    for (int64_t row = 0; row < n; row++) {
        const double x = values[row];
        const int64_t at = x != x ? tests + 1 : place[row] + (threshold[place[row]] < x);
        rows_of[at].at[row >> 6] |= (uint64_t)1 << (row & 63);
    }
    const Rows missing = rows_of[tests + 1];
    Rows left = {{0}};
    for (int64_t test = 0; test < tests; test++) {
        const uint64_t default_left = f->default_left[column.first + test] ? ~(uint64_t)0 : 0;
        EACH_WORD left.at[w] |= rows_of[test].at[w]; /* a row that one test sends left, all later ones do too */
        EACH_WORD goes_left[column.first + test].at[w] = left.at[w] | (missing.at[w] & default_left);
    }
}

/* The same for the categorical tests of a column. */
INLINE void answer_sets(const Forest *f, Column column, const double *block, int64_t n,
                        Rows *rows_of, Rows *goes_left)
{
    const int64_t tests = column.end - column.first, categories = 32 * (int64_t)column.n_words;
    memset(rows_of, 0, (size_t)categories * sizeof(Rows)); /* by category */
    for (int64_t row = 0; row < n; row++) {
        const int64_t category = code(block[row * f->n_features + column.feature]);
        if (0 <= category && category < categories)
            rows_of[category].at[row >> 6] |= (uint64_t)1 << (row & 63);
    }
    for (int64_t test = 0; test < tests; test++) {
        Rows left = {{0}};
        for (int64_t word = 0; word < column.n_words; word++)
            for (uint32_t bits = f->words[column.words + word * tests + test]; bits; bits &= bits - 1)
                {
                const Rows *rows = rows_of + 32 * word + __builtin_ctz(bits);
                EACH_WORD left.at[w] |= rows->at[w];
            }
        goes_left[column.first + test] = left;
    }
}

/* Send rows down a tree, as bits, and add the score of the leaf that each arrives at. */
INLINE void descend(const Slot *slots, const double *score, int64_t splits, const Rows *goes_left,
                    Rows *arrived, double *scores)
{
    for (int64_t split = 0; split < splits; split++) {
        const Slot slot = slots[split];
        const Rows here = arrived[split], left = goes_left[slot.test];
        Rows to_left, to_right;
        EACH_WORD to_left.at[w] = here.at[w] & left.at[w];
        EACH_WORD to_right.at[w] = here.at[w] & ~left.at[w];
        arrived[slot.left] = to_left;
        arrived[slot.right] = to_right;
    }
    for (int64_t leaf = splits; leaf < 2 * splits + 1; leaf++)
        EACH_WORD for (uint64_t bits = arrived[leaf].at[w]; bits; bits &= bits - 1)
            scores[64 * w + __builtin_ctzll(bits)] += score[leaf];
}

/* 256 rows at a time: answer every distinct test of the forest for all of them, one bit a row, then send sets
 * of rows down the trees. The idea is that of QuickScorer (Lucchese et al. 2015), turned by 90 degrees: a word
 * holds rows, not leaves, so trees may have any number of leaves. */
CLONES int sweep(const Forest *f, const double *matrix, int64_t n_rows, double *scores)
{
    int64_t most = 0; /* rooms that a column needs */
    for (int64_t c = 0; c < f->n_columns; c++) {
        const Column column = f->columns[c];
        const int64_t needs = column.rule == CATEGORY ? 32 * (int64_t)column.n_words
                                                      : (int64_t)column.end - column.first + 2;
        most = needs > most ? needs : most;
    }
    Rows *goes_left = room(f->n_tests, sizeof(Rows));
    Rows *rows_of = room(most, sizeof(Rows));
    Rows *arrived = room(f->largest, sizeof(Rows));
    const int failed = !goes_left || !rows_of || !arrived;
    for (int64_t first = 0; first < n_rows && !failed; first += BLOCK) {
        const double *block = matrix + first * f->n_features;
        const int64_t n = n_rows - first < BLOCK ? n_rows - first : BLOCK;
        for (int64_t c = 0; c < f->n_columns; c++)
            if (f->columns[c].rule == CATEGORY) answer_sets(f, f->columns[c], block, n, rows_of, goes_left);
            else answer_thresholds(f, f->columns[c], block, n, rows_of, goes_left);
        Rows all;
        EACH_WORD {
            const int64_t rows = n - 64 * w;
            all.at[w] = rows >= 64 ? ~(uint64_t)0 : rows > 0 ? ((uint64_t)1 << rows) - 1 : 0;
        }
        memset(scores + first, 0, (size_t)n * sizeof(double));
        for (int64_t tree = 0; tree < f->n_trees; tree++) {
            const int64_t root = f->start[tree];
            arrived[0] = all;
            descend(f->slots + root, f->score + root, (f->start[tree + 1] - root) >> 1, goes_left, arrived,
                    scores + first);
        }
    }
    free(goes_left);
    free(rows_of);
    free(arrived);
    return failed ? -1 : 0;
}

/* ---- Contributions: exact TreeSHAP values, see explain.py ---------------------------------------------- */

/* Set what the paths to the slots of each tree say, from the training rows that reached each slot. */
int trace(const int64_t *start, const Slot *slots, const double *cover, int64_t n_trees, int64_t largest,
          Path *paths)
{
    uint32_t *parent = room(largest, sizeof(uint32_t));
    if (!parent) return -1;
    for (int64_t tree = 0; tree < n_trees; tree++) {
        const int64_t root = start[tree], splits = (start[tree + 1] - root) >> 1;
        Path *path = paths + root;
        parent[0] = 0;
        path[0] = (Path){0, 0, 1.0};
        for (int64_t split = 0; split < splits; split++) {
            const Slot slot = slots[root + split];
            uint32_t earlier = (uint32_t)split;
            while (earlier && slots[root + parent[earlier]].feature != slot.feature) earlier = parent[earlier];
            const uint32_t children[2] = {slot.left, slot.right};
            for (int i = 0; i < 2; i++) {
                const uint32_t child = children[i];
                parent[child] = (uint32_t)split;
                path[child].earlier = earlier;
                path[child].features = path[split].features + !earlier;
                path[child].share = path[earlier].share * cover[root + child] / cover[root + split];
            }
        }
    }
    free(parent);
    return 0;
}

/* Whether each test of the forest sends a row left. */
INLINE void answer_row(const Forest *f, const double *row, uint8_t *goes_left)
{
    for (int64_t c = 0; c < f->n_columns; c++) {
        const Column column = f->columns[c];
        if (column.rule == CATEGORY) {
            const int64_t category = code(row[column.feature]), tests = column.end - column.first;
            const uint32_t *words = words_with(f, column, category), bit = (uint32_t)1 << (category & 31);
            uint8_t *to = goes_left + column.first;
            for (int64_t test = 0; test < tests; test++) to[test] = words && words[test] & bit;
        } else {
            const double x = reading(row[column.feature], column.rule);
            if (x != x) memcpy(goes_left + column.first, f->default_left + column.first, column.end - column.first);
            else for (int64_t test = column.first; test < column.end; test++) goes_left[test] = x <= f->threshold[test];
        }
    }
}

/* For each slot the path's product of factors, the inverse of its own factor, and whether the row passes. */
INLINE void go_down(const Slot *slots, const Path *paths, int64_t splits, const uint8_t *goes_left,
                    const double *t, Lanes *product, Lanes *inverse, double *passed)
{
    Lanes stay, inverse_stay;
    EACH_LANE stay.at[i] = 1.0 - t[i];
    EACH_LANE inverse_stay.at[i] = 1.0 / stay.at[i];
    for (int64_t split = 0; split < splits; split++) {
        const Slot slot = slots[split];
        const int is_left = goes_left[slot.test];
        const uint32_t hot = is_left ? slot.left : slot.right, cold = is_left ? slot.right : slot.left;
        const uint32_t earlier = paths[hot].earlier;
        const double passes = passed[earlier], hot_share = paths[hot].share, cold_share = paths[cold].share;
        const double inverse_share = 1.0 / cold_share;
        Lanes above, factor, hot_inverse;
        EACH_LANE above.at[i] = product[split].at[i] * inverse[earlier].at[i]; /* met again, the old factor goes */
        EACH_LANE factor.at[i] = hot_share * stay.at[i] + passes * t[i];
        EACH_LANE hot_inverse.at[i] = 1.0 / factor.at[i];
        passed[hot] = passes;
        passed[cold] = 0.0;
        EACH_LANE factor.at[i] = above.at[i] * factor.at[i];
        product[hot] = factor;
        inverse[hot] = hot_inverse;
        EACH_LANE factor.at[i] = above.at[i] * (cold_share * stay.at[i]);
        EACH_LANE hot_inverse.at[i] = inverse_stay.at[i] * inverse_share;
        product[cold] = factor;
        inverse[cold] = hot_inverse;
    }
}

/* Sum the leaves below each slot, and give each split's feature its share. */
INLINE void come_up(const Slot *slots, const Path *paths, const double *score, int64_t splits, Lanes *product,
                    const Lanes *inverse, const double *passed, Lanes *shares)
{
    for (int64_t leaf = splits; leaf < 2 * splits + 1; leaf++) EACH_LANE product[leaf].at[i] *= score[leaf];
    for (int64_t split = splits - 1; split >= 0; split--) {
        const Slot slot = slots[split];
        const uint32_t earlier = paths[slot.left].earlier;
        const double from_left = passed[slot.left] - paths[slot.left].share;
        const double from_right = passed[slot.right] - paths[slot.right].share;
        const double from_earlier = passed[earlier] - paths[earlier].share; /* 0 if there is none */
        const Lanes left = product[slot.left], right = product[slot.right];
        Lanes share = shares[slot.feature], below;
        EACH_LANE below.at[i] = left.at[i] + right.at[i];
        EACH_LANE share.at[i] += left.at[i] * inverse[slot.left].at[i] * from_left;
        EACH_LANE share.at[i] += right.at[i] * inverse[slot.right].at[i] * from_right;
        /* What an earlier split on the feature claims for these leaves too. */
        EACH_LANE share.at[i] -= below.at[i] * inverse[earlier].at[i] * from_earlier;
        shares[slot.feature] = share;
        product[split] = below;
    }
}

CLONES int explain(const Forest *f, const double *matrix, int64_t n_rows, double *contributions)
{
    uint8_t *goes_left = room(f->n_tests, 1);
    Lanes *shares = room(f->n_features, sizeof(Lanes)); /* of the score, by feature and point */
    Lanes *product = room(f->largest, sizeof(Lanes)), *inverse = room(f->largest, sizeof(Lanes));
    double *passed = room(f->largest, sizeof(double));
    const int failed = !goes_left || !shares || !product || !inverse || !passed;
    if (!failed) {
        EACH_LANE inverse[0].at[i] = 1.0;
        passed[0] = 1.0;
    }
    for (int64_t row = 0; row < n_rows && !failed; row++) {
        answer_row(f, matrix + row * f->n_features, goes_left);
        memset(shares, 0, (size_t)f->n_features * sizeof(Lanes));
        for (int64_t tree = 0; tree < f->n_trees; tree++) {
            const int64_t root = f->start[tree], splits = (f->start[tree + 1] - root) >> 1, n = f->passes[tree];
            const Slot *slots = f->slots + root;
            for (int64_t pass = n * (n - 1) / 2; pass < n * (n + 1) / 2; pass++) {
                memcpy(product, f->weights + LANES * pass, sizeof(Lanes));
                go_down(slots, f->paths + root, splits, goes_left, f->points + LANES * pass, product, inverse, passed);
                come_up(slots, f->paths + root, f->score + root, splits, product, inverse, passed, shares);
            }
        }
        double *out = contributions + row * f->n_features;
        for (int64_t feature = 0; feature < f->n_features; feature++) {
            double sum = 0.0;
            EACH_LANE sum += shares[feature].at[i];
            out[feature] = sum;
        }
    }
    free(goes_left);
    free(shares);
    free(product);
    free(inverse);
    free(passed);
    return failed ? -1 : 0;
}
