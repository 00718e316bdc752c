#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "tools/data.h"

static char folder[] = "/tmp/alight-data-XXXXXX";

static char cat[] = "cat", dog[] = "dog", owl[] = "owl";
static char *const labels[] = { owl, cat, dog };

static int enter_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    (void)fclose(f);
}

static enum al_status open_classes(const char *spec, char *const *names, size_t n_classes,
                                   size_t limit, struct tl_data **ret,
                                   struct al_error *err)
{
    const struct tl_data_params p = {
        .spec = spec, .labels = names, .n_classes = n_classes, .limit = limit
    };

    return tl_data_open(&p, ret, err);
}

static enum al_status open_set(const char *spec, char *const *names, size_t limit,
                               struct tl_data **ret, struct al_error *err)
{
    return open_classes(spec, names, 3, limit, ret, err);
}

static void refuses(const char *spec, char *const *names, const char *says)
{
    struct tl_data *d = NULL;
    struct al_error err = { .text = "" };

    if (open_set(spec, names, 0, &d, &err) == AL_OK)
        fail_msg("'%s' was accepted", spec);
    if (!strstr(err.text, says))
        fail_msg("'%s' says '%s'", spec, err.text);
}

/* Whether sample i is `label` and its bytes are `text`. */
static void sample_is(const struct tl_data *d, size_t i, uint32_t label, const char *text)
{
    struct tl_buffer buf = { .data = NULL };

    assert_int_equal(tl_data_sample(d, i).label, label);
    assert_int_equal(tl_data_read(d, i, &buf, NULL), AL_OK);
    assert_int_equal(buf.size, strlen(text));
    assert_memory_equal(buf.data, text, buf.size);
    tl_buffer_done(&buf);
}

/* ---- folders ---- */

static void a_folder_is_read_in_order_and_numbered_by_labels(void **state)
{
    struct tl_data *d = NULL;

    (void)state;
    (void)mkdir("set", 0755);
    (void)mkdir("set/cat", 0755);
    (void)mkdir("set/dog", 0755);
    write_file("set/dog/2.png", "dog2", 4);
    write_file("set/dog/1.JPG", "dog1", 4);
    write_file("set/dog/notes.txt", "not a picture", 13);
    write_file("set/dog/.hidden.png", "not seen", 8);
    write_file("set/cat/1.webp", "cat1", 4);
    write_file("set/stray.png", "of no class", 11);
    assert_int_equal(open_set("set", labels, 0, &d, NULL), AL_OK);
    assert_int_equal(tl_data_count(d), 3);
    sample_is(d, 0, 1, "cat1");
    sample_is(d, 1, 2, "dog1");
    sample_is(d, 2, 2, "dog2");
    assert_string_equal(tl_data_sample(d, 1).name, "dog/1.JPG");
    tl_data_free(d);
}

static void folders_without_labels_are_numbered_by_the_alphabet(void **state)
{
    struct tl_data *d = NULL;

    (void)state;
    assert_int_equal(open_classes("set", NULL, 2, 0, &d, NULL), AL_OK);
    sample_is(d, 0, 0, "cat1");
    sample_is(d, 2, 1, "dog2");
    tl_data_free(d);
}

static void folders_that_could_be_several_classes_are_refused(void **state)
{
    static char *const twice[] = { owl, cat, cat };

    (void)state;
    refuses("set", NULL, "2 class folders for a model of 3 classes");
    refuses("set", twice, "'cat' is the label of classes 1 and 2");
}

static void a_slash_in_a_label_is_an_underscore_in_the_folder(void **state)
{
    static char shirt[] = "T-shirt/top", under[] = "T-shirt_top";
    static char *const slashed[] = { owl, shirt, cat }, *const alike[] = { under, shirt,
                                                                           cat };
    struct tl_data *d = NULL;

    (void)state;
    (void)mkdir("slash", 0755);
    (void)mkdir("slash/T-shirt_top", 0755);
    write_file("slash/T-shirt_top/1.png", "top1", 4);
    assert_int_equal(open_set("slash", slashed, 0, &d, NULL), AL_OK);
    sample_is(d, 0, 1, "top1");
    tl_data_free(d);
    refuses("slash", alike, "is the label of classes 0 and 1");
}

static void what_is_no_file_is_refused_and_not_waited_for(void **state)
{
    struct tl_buffer buf = { .data = NULL };
    struct tl_data *d = NULL;
    struct al_error err;

    (void)state;
    (void)mkdir("pipes", 0755);
    (void)mkdir("pipes/cat", 0755);
    assert_int_equal(mkfifo("pipes/cat/1.png", 0644), 0);
    assert_int_equal(open_set("pipes", labels, 0, &d, NULL), AL_OK);
    assert_int_equal(tl_data_read(d, 0, &buf, &err), AL_INVALID);
    assert_non_null(strstr(err.text, "cat/1.png: not a regular file"));
    tl_buffer_done(&buf);
    tl_data_free(d);
    refuses("pipes/cat/1.png", labels, "nor a regular file");
}

static void an_unknown_class_is_refused_by_name(void **state)
{
    (void)state;
    (void)mkdir("odd", 0755);
    (void)mkdir("odd/fox", 0755);
    write_file("odd/fox/1.png", "fox1", 4);
    refuses("odd", labels, "class folder 'fox'");
    (void)mkdir("empty", 0755);
    refuses("empty", labels, "no pictures");
    refuses("nowhere", labels, "No such file");
}

/* ---- tar ---- */

struct tar { /* zeroed */
    char bytes[16384];
    size_t size;
};

static void tar_entry(struct tar *t, const char *name, char type, const void *data,
                      size_t size)
{
    char h[512] = "";
    unsigned sum = 0;

    (void)snprintf(h, 100, "%s", name);
    (void)snprintf(h + 100, 8, "%07o", 0644);
    (void)snprintf(h + 124, 12, "%011o", (unsigned)size);
    h[156] = type;
    memcpy(h + 257, "ustar", 6);
    memcpy(h + 263, "00", 2);
    memset(h + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += (unsigned char)h[i];
    (void)snprintf(h + 148, 8, "%06o", sum);
    memcpy(t->bytes + t->size, h, sizeof(h));
    memcpy(t->bytes + t->size + sizeof(h), data, size);
    t->size += sizeof(h) + (size + 511) / 512 * 512;
}

static void tar_end(struct tar *t, const char *path)
{
    memset(t->bytes + t->size, 0, 1024);
    t->size += 1024;
    write_file(path, t->bytes, t->size);
}

static void a_tar_is_read_with_long_names(void **state)
{
    static struct tar t;
    char name[300], pax[400];
    struct tl_data *d = NULL;

    (void)state;
    memset(name, 'x', sizeof(name));
    memcpy(name + sizeof(name) - 14, "/dog/long.png", 14);
    (void)snprintf(pax, sizeof(pax),
                   "20 mtime=1234567890\n31 path=set/dog/from-a-pax.png\n");
    tar_entry(&t, "set/", '5', "", 0);
    tar_entry(&t, "set/cat/1.jpg", '0', "cat1", 4);
    tar_entry(&t, "x", 'L', name, strlen(name) + 1);
    tar_entry(&t, "cut", '0', "dog1", 4);
    tar_entry(&t, "x", 'x', pax, strlen(pax));
    tar_entry(&t, "cut", '0', "dog2", 4);
    tar_entry(&t, "set/owl/readme", '0', "no picture", 10);
    tar_entry(&t, "set/owl/3.ppm", '0', "owl3", 4);
    tar_end(&t, "set.tar");
    assert_int_equal(open_set("set.tar", labels, 0, &d, NULL), AL_OK);
    assert_int_equal(tl_data_count(d), 4);
    sample_is(d, 0, 1, "cat1");
    sample_is(d, 1, 2, "dog1");
    sample_is(d, 2, 2, "dog2");
    sample_is(d, 3, 0, "owl3");
    assert_string_equal(tl_data_sample(d, 2).name, "set/dog/from-a-pax.png");
    tl_data_free(d);
}

static void a_pax_header_may_be_long(void **state)
{
    static struct tar t;
    char records[9100];
    struct tl_data *d = NULL;
    const int n = snprintf(records, sizeof(records),
                           "9000 comment=%08986d\n"
                           "22 path=set/cat/1.png\n",
                           0);

    (void)state;
    assert_int_equal(n, 9022);
    tar_entry(&t, "x", 'x', records, (size_t)n);
    tar_entry(&t, "y", '0', "cat1", 4);
    tar_end(&t, "long.tar");
    assert_int_equal(open_set("long.tar", labels, 0, &d, NULL), AL_OK);
    sample_is(d, 0, 1, "cat1");
    tl_data_free(d);
}

static void pictures_at_the_top_of_a_tar_have_no_class(void **state)
{
    static struct tar t;
    struct tl_data *d = NULL;

    (void)state;
    tar_entry(&t, "./stray.jpg", '0', "of no class", 11);
    tar_entry(&t, "../stray.jpg", '0', "of no class", 11);
    tar_entry(&t, "./cat/1.jpg", '0', "cat1", 4);
    tar_end(&t, "top.tar");
    assert_int_equal(open_set("top.tar", labels, 0, &d, NULL), AL_OK);
    assert_int_equal(tl_data_count(d), 1);
    sample_is(d, 0, 1, "cat1");
    tl_data_free(d);
}

static void the_limit_spreads_over_the_set_and_keeps_numbers(void **state)
{
    struct tl_data *d = NULL;

    (void)state;
    assert_int_equal(open_set("set.tar", labels, 2, &d, NULL), AL_OK);
    assert_int_equal(tl_data_count(d), 2);
    sample_is(d, 0, 1, "cat1");
    sample_is(d, 1, 2, "dog2");
    assert_int_equal(tl_data_sample(d, 1).index, 2);
    tl_data_free(d);
}

static void damaged_tars_are_refused(void **state)
{
    static struct tar t, huge;

    (void)state;
    tar_entry(&t, "set/cat/1.jpg", '0', "cat1", 4);
    write_file("cut.tar", t.bytes, 600);
    struct tl_data *d = NULL;

    assert_int_equal(open_set("cut.tar", labels, 0, &d, NULL), AL_OK);
    tl_data_free(d); /* only the padding is missing */
    write_file("cut.tar", t.bytes, 514);
    refuses("cut.tar", labels, "larger than the rest");
    t.bytes[3] ^= 1;
    write_file("sum.tar", t.bytes, t.size);
    refuses("sum.tar", labels, "no tar header at offset 0");
    memcpy(t.bytes, "\x1f\x8b\x08", 3);
    write_file("gz.tar", t.bytes, t.size);
    refuses("gz.tar", labels, "no tar header");
    tar_entry(&huge, "set/cat/1.jpg", 'S', "sparse", 6);
    tar_end(&huge, "sparse.tar");
    refuses("sparse.tar", labels, "sparse");
}

static void tars_with_any_byte_changed_never_crash(void **state)
{
    static struct tar good;

    (void)state;
    tar_entry(&good, "x", 'x', "20 mtime=1234567890\n22 path=set/cat/1.png\n", 42);
    tar_entry(&good, "y", '0', "cat1", 4);
    tar_end(&good, "good.tar");
    for (size_t i = 0; i < 1600; i += 3) {
        const char old = good.bytes[i];
        struct tl_data *d = NULL;

        good.bytes[i] = (char)(old ^ 0x81);
        write_file("bad.tar", good.bytes, good.size);
        if (open_set("bad.tar", labels, 0, &d, NULL) == AL_OK)
            tl_data_free(d);
        good.bytes[i] = old;
    }
}

/* ---- IDX ---- */

static void write_gz(const char *path, const void *data, size_t size)
{
    gzFile f = gzopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(gzwrite(f, data, (unsigned)size), (int)size);
    (void)gzclose(f);
}

static const uint8_t idx_images[] = { 0, 0, 8, 3, 0, 0, 0,   2,   0,   0,
                                      0, 2, 0, 0, 0, 1, 'a', 'b', 'c', 'd' };
static const uint8_t idx_labels[] = { 0, 0, 8, 1, 0, 0, 0, 2, 2, 1 };

static void an_idx_pair_gives_pictures_as_pnm(void **state)
{
    struct tl_data *d = NULL;

    (void)state;
    write_gz("images.gz", idx_images, sizeof(idx_images));
    write_file("labels", idx_labels, sizeof(idx_labels));
    assert_int_equal(open_set("images.gz,labels", labels, 0, &d, NULL), AL_OK);
    assert_int_equal(tl_data_count(d), 2);
    sample_is(d, 0, 2, "P5\n1 2\n255\nab");
    sample_is(d, 1, 1, "P5\n1 2\n255\ncd");
    tl_data_free(d);
}

static void damaged_idx_files_are_refused(void **state)
{
    uint8_t bad[sizeof(idx_images)];

    (void)state;
    refuses("images.gz,nowhere", labels, "nowhere");
    refuses("labels,labels", labels, "1 dimensions");
    for (size_t n = 0; n < sizeof(idx_images); n++) {
        write_file("cut", idx_images, n);
        refuses("cut,labels", labels, "ends after");
    }
    memcpy(bad, idx_images, sizeof(bad));
    bad[7] = 1; /* one picture: its bytes are fewer than the file's */
    write_file("bad", bad, sizeof(bad));
    refuses("bad,labels", labels, "goes on after");
    memset(bad + 4, 0xff, 12); /* 2^96 bytes */
    write_file("bad", bad, sizeof(bad));
    refuses("bad,labels", labels, "dimension 2");
    memcpy(bad, idx_images, sizeof(bad));
    memset(bad + 4, 0x7f, 2); /* claims terabytes, holds four bytes */
    write_file("bad", bad, sizeof(bad));
    refuses("bad,labels", labels, "ends after");
    memcpy(bad, idx_labels, sizeof(idx_labels));
    bad[8] = 3;
    write_file("bad", bad, sizeof(idx_labels));
    refuses("images.gz,bad", labels, "class 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_is_read_in_order_and_numbered_by_labels),
        cmocka_unit_test(folders_without_labels_are_numbered_by_the_alphabet),
        cmocka_unit_test(folders_that_could_be_several_classes_are_refused),
        cmocka_unit_test(a_slash_in_a_label_is_an_underscore_in_the_folder),
        cmocka_unit_test(what_is_no_file_is_refused_and_not_waited_for),
        cmocka_unit_test(an_unknown_class_is_refused_by_name),
        cmocka_unit_test(a_pax_header_may_be_long),
        cmocka_unit_test(pictures_at_the_top_of_a_tar_have_no_class),
        cmocka_unit_test(a_tar_is_read_with_long_names),
        cmocka_unit_test(the_limit_spreads_over_the_set_and_keeps_numbers),
        cmocka_unit_test(damaged_tars_are_refused),
        cmocka_unit_test(tars_with_any_byte_changed_never_crash),
        cmocka_unit_test(an_idx_pair_gives_pictures_as_pnm),
        cmocka_unit_test(damaged_idx_files_are_refused),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
