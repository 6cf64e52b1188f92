/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzz drivers share. Build with -fsanitize=fuzzer -DCLQ_LIBFUZZER
 * for libFuzzer. Without, as `make check` builds them, main() is fuzz_files():
 * for AFL++, and to run a corpus.
 */
#ifndef CLQ_FUZZ_H
#define CLQ_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { FUZZ_MAX_INPUT = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What has to be so, else the input is kept as a crash. */
static inline void
check(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "fuzz: %s\n", what);
		abort();
	}
}

/* Each file named is an input. Returns the exit status of main(). */
static inline int
fuzz_files(int argc, char **argv)
{
	static uint8_t data[FUZZ_MAX_INPUT];

	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		size_t len;

		if (f == NULL) {
			perror(argv[i]);
			return EXIT_FAILURE;
		}
		len = fread(data, 1, sizeof data, f);
		fclose(f);
		LLVMFuzzerTestOneInput(data, len);
	}
	return EXIT_SUCCESS;
}

#endif
