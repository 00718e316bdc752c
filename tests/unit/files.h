/* files.h — whole files for tests. A missing file fails the test. */
#ifndef TEST_FILES_H
#define TEST_FILES_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of TEST_DATA/<name>, malloc'ed and followed by a NUL. */
uint8_t *test_file_read(const char *name, size_t *ret_size);
/* Writes `size` bytes to <dir>/<name>, making the folders on the way. */
void test_file_write(const char *dir, const char *name, const void *data, size_t size);

#endif
